"""vLLM's metrics page in the words of ``serving.EngineLoad``.

A sample carries ``model_name`` and, since the V1 engine, ``engine`` (the data-parallel rank). What one process does is the sum
over ranks; the share of KV blocks in use is that of the fullest rank, since that is the one which preempts first.

| field | newest name | before |
|---|---|---|
| kv_cache_usage | ``kv_cache_usage_perc`` | ``gpu_cache_usage_perc`` (until 0.10) |
| prefix_cache_queries_total, …hits_total | ``prefix_cache_*_total`` | ``gpu_prefix_cache_*_total`` (V1 before 0.9.2) |

Versions that tell both during a deprecation tell the same number twice: the newest name wins.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

_LORA: Final = "vllm:lora_requests_info"

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of("vllm:num_requests_running"),
        "waiting": exposition.Reading.of("vllm:num_requests_waiting"),
        "kv_cache_usage": exposition.Reading.of("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", combine=max),
        "prompt_tokens_total": exposition.Reading.of("vllm:prompt_tokens_total"),
        "generation_tokens_total": exposition.Reading.of("vllm:generation_tokens_total"),
        "prefix_cache_queries_total": exposition.Reading.of(
            "vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"
        ),
        "prefix_cache_hits_total": exposition.Reading.of(
            "vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"
        ),
        "finished_total": exposition.Reading.of("vllm:request_success_total"),
        "queue_seconds_total": exposition.Reading.of("vllm:request_queue_time_seconds_sum"),
        "prefill_seconds_total": exposition.Reading.of("vllm:request_prefill_time_seconds_sum"),
        "decode_seconds_total": exposition.Reading.of("vllm:request_decode_time_seconds_sum"),
        "cpu_cache_usage": exposition.Reading.of("vllm:cpu_cache_usage_perc", combine=max),
    },
    words={
        "loras_running": exposition.Listing(_LORA, "running_lora_adapters"),
        "loras_waiting": exposition.Listing(_LORA, "waiting_lora_adapters"),
    },
    numbers={"lora_slots": exposition.Listing(_LORA, "max_lora")},
)
