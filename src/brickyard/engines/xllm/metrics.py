"""xLLM's metrics page in the words of ``serving.EngineLoad``.

The page is written by brpc: no labels, one sample per family, names without a prefix. ``kv_cache_utilization`` is the name that
AIBrix reads; xLLM itself says ``kv_cache_utilization_perc``, a share like the other in spite of its name. What the prefix cache
found is counted in blocks of an untold size, so nothing is said of it here.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of("num_running_requests"),
        "waiting": exposition.Reading.of("num_waiting_requests"),
        "kv_cache_usage": exposition.Reading.of("kv_cache_utilization", "kv_cache_utilization_perc"),
        "prompt_tokens_total": exposition.Reading.of("num_processing_tokens_total_prompt"),
        "generation_tokens_total": exposition.Reading.of("num_processing_tokens_total_generated"),
        "finished_total": exposition.Reading.of("server_request_total_ok"),
        "utilization": exposition.Reading.of("engine_utilization"),
    }
)
