"""What AIBrix calls the series of vLLM's metrics page.

Where versions differ the newest name comes first: ``time_per_output_token_seconds`` became ``inter_token_latency_seconds``,
``gpu_cache_usage_perc`` became ``kv_cache_usage_perc``. ``engine_sleep_state`` is 1 while the engine is awake, 0 while it sleeps.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition, series

_USAGE: Final = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
_LORA: Final = "vllm:lora_requests_info"

_NUMBERS: Final = (
    "num_requests_running",
    "num_requests_waiting",
    "num_requests_swapped",
    "num_preemptions_total",
    "prompt_tokens_total",
    "generation_tokens_total",
    "external_prefix_cache_queries_total",
    "external_prefix_cache_hits_total",
    "avg_prompt_throughput_toks_per_s",
    "avg_generation_throughput_toks_per_s",
)
_HISTOGRAMS: Final = (
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "time_to_first_token_seconds",
    "request_time_per_output_token_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_prompt_tokens",
    "request_generation_tokens",
    "request_max_num_generation_tokens",
    "iteration_tokens_total",
    "nixl_xfer_time_seconds",
    "nixl_post_time_seconds",
    "nixl_bytes_transferred",
    "nixl_num_descriptors",
)
_LATENCY: Final = ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds")

PAGE: Final = series.Page(
    (
        *(series.number(name, f"vllm:{name}") for name in _NUMBERS),
        *(series.histogram(name, f"vllm:{name}") for name in _HISTOGRAMS),
        series.Series(
            "engine_sleep_state",
            exposition.Reading.of("vllm:engine_sleep_state", combine=min),
            where=("sleep_state", "awake"),
        ),
        series.number("http_requests_total", "vllm:http_requests_total", "http_requests_total"),
        series.number("request_success_total", "vllm:request_success_total", "vllm:num_requests_success_total"),
        series.number(
            "prefix_cache_queries_total", "vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total"
        ),
        series.number("prefix_cache_hits_total", "vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total"),
        *(
            series.number(f"{name}_total", f"vllm:{name}_total", f"vllm:{name}")
            for name in ("nixl_num_failed_transfers", "nixl_num_failed_notifications")
        ),
        series.share("kv_cache_usage_perc", *_USAGE),
        series.share("gpu_cache_usage_perc", *_USAGE),
        series.share("cpu_cache_usage_perc", "vllm:cpu_cache_usage_perc"),
        series.histogram("time_per_output_token_seconds", *_LATENCY),
        series.histogram("inter_token_latency_seconds", *_LATENCY),
        series.histogram("http_request_duration_seconds", "http_request_duration_seconds"),
        series.histogram("http_request_duration_highr_seconds", "http_request_duration_highr_seconds"),
        *(series.label(name, _LORA) for name in ("max_lora", "running_lora_adapters", "waiting_lora_adapters")),
    )
)
