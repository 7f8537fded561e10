"""What AIBrix calls the series of xLLM's metrics page."""

from __future__ import annotations

from typing import Final

from brickyard.engines import series

_USAGE: Final = ("kv_cache_utilization", "kv_cache_utilization_perc")

PAGE: Final = series.Page(
    (
        series.number("num_requests_running", "num_running_requests"),
        series.number("num_requests_waiting", "num_waiting_requests"),
        series.number("prompt_tokens_total", "num_processing_tokens_total_prompt"),
        series.number("generation_tokens_total", "num_processing_tokens_total_generated"),
        series.share("kv_cache_usage_perc", *_USAGE),
        series.share("gpu_cache_usage_perc", *_USAGE),
        series.share("engine_utilization", "engine_utilization"),
    )
)
