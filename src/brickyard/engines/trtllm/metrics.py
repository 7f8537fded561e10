"""TensorRT-LLM's metrics page in the words of ``serving.EngineLoad``.

``trtllm-serve`` keeps its Prometheus page at ``/prometheus/metrics``; ``/metrics`` is JSON. The page exists only with
``return_perf_metrics: true`` in the configuration. Names began without the prefix ``trtllm_``; load gauges and token counters
came later than the share of KV blocks, so an older server says less.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

PATH: Final = "/prometheus/metrics"

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of("trtllm_num_requests_running"),
        "waiting": exposition.Reading.of("trtllm_num_requests_waiting"),
        "kv_cache_usage": exposition.Reading.of("trtllm_kv_cache_utilization", "kv_cache_utilization", combine=max),
        "prompt_tokens_total": exposition.Reading.of("trtllm_prompt_tokens_total"),
        "generation_tokens_total": exposition.Reading.of("trtllm_generation_tokens_total"),
        "prefix_cache_queries_total": exposition.Reading.of("trtllm_prompt_tokens_total"),
        "prefix_cache_hits_total": exposition.Reading.of("trtllm_prompt_cached_tokens_total"),
    },
    path=PATH,
)
