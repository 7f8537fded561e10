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
        "finished_total": exposition.Reading.of("trtllm_request_success_total", "request_success_total"),
        "queue_seconds_total": exposition.Reading.of(
            "trtllm_request_queue_time_seconds_sum", "request_queue_time_seconds_sum"
        ),
        "prefill_seconds_total": exposition.Reading.of(
            "trtllm_request_prefill_time_seconds_sum", "request_prefill_time_seconds_sum"
        ),
        "decode_seconds_total": exposition.Reading.of(
            "trtllm_request_decode_time_seconds_sum", "request_decode_time_seconds_sum"
        ),
    },
    path=PATH,
)
