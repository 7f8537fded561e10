"""What AIBrix calls the series of SGLang's metrics page. How ranks add up is told in ``metrics.py``."""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition, series

_LATENCY: Final = ("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds")


def _queue(name: str, family: str) -> series.Series:
    return series.Series(name, exposition.Reading.of(family, rank="dp_rank"))


PAGE: Final = series.Page(
    (
        _queue("num_requests_running", "sglang:num_running_reqs"),
        _queue("num_requests_waiting", "sglang:num_queue_reqs"),
        _queue("num_requests_swapped", "sglang:num_retracted_reqs"),
        _queue("num_prefill_prealloc_queue_reqs", "sglang:num_prefill_prealloc_queue_reqs"),
        _queue("num_decode_prealloc_queue_reqs", "sglang:num_decode_prealloc_queue_reqs"),
        _queue("avg_generation_throughput_toks_per_s", "sglang:gen_throughput"),
        series.number("request_success_total", "sglang:num_requests_total"),
        series.number("prompt_tokens_total", "sglang:prompt_tokens_total"),
        series.number("generation_tokens_total", "sglang:generation_tokens_total"),
        series.share("kv_cache_usage_perc", "sglang:token_usage"),
        series.share("gpu_cache_usage_perc", "sglang:token_usage"),
        series.histogram("e2e_request_latency_seconds", "sglang:e2e_request_latency_seconds"),
        series.histogram("per_stage_req_latency_seconds", "sglang:per_stage_req_latency_seconds"),
        series.histogram("request_queue_time_seconds", "sglang:queue_time_seconds"),
        series.histogram("time_to_first_token_seconds", "sglang:time_to_first_token_seconds"),
        series.histogram("time_per_output_token_seconds", *_LATENCY),
        series.histogram("inter_token_latency_seconds", *_LATENCY),
    )
)
