"""What AIBrix calls the series of TensorRT-LLM's metrics page. Names began without the prefix ``trtllm_``."""

from __future__ import annotations

from typing import Final

from brickyard.engines import series

_NUMBERS: Final = (
    "num_requests_running",
    "num_requests_waiting",
    "request_success_total",
    "prompt_tokens_total",
    "generation_tokens_total",
)
_HISTOGRAMS: Final = (
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "time_to_first_token_seconds",
    "time_per_output_token_seconds",
)
_LATENCY: Final = ("trtllm_time_per_output_token_seconds", "time_per_output_token_seconds")

PAGE: Final = series.Page(
    (
        *(series.number(name, f"trtllm_{name}", name) for name in _NUMBERS),
        *(series.histogram(name, f"trtllm_{name}", name) for name in _HISTOGRAMS),
        series.histogram("inter_token_latency_seconds", *_LATENCY),
        series.share("kv_cache_usage_perc", "trtllm_kv_cache_utilization", "kv_cache_utilization"),
        series.share("kv_cache_hit_rate", "trtllm_kv_cache_hit_rate", "kv_cache_hit_rate"),
    )
)
