"""What AIBrix' names stand for on llama.cpp's metrics page, which AIBrix itself does not read."""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition, series

_PROCESSED: Final = "llamacpp:prompt_tokens_total"
_CACHED: Final = "llamacpp:prompt_tokens_cached_total"

PAGE: Final = series.Page(
    (
        series.number("num_requests_running", "llamacpp:requests_processing"),
        series.number("num_requests_waiting", "llamacpp:requests_deferred"),
        # A prompt token that came from the cache is counted apart here, and like any other by other engines.
        series.Series("prompt_tokens_total", exposition.Reading(((_PROCESSED, _CACHED), (_PROCESSED,)))),
        series.number("generation_tokens_total", "llamacpp:tokens_predicted_total"),
        series.Series("prefix_cache_queries_total", exposition.Reading(((_PROCESSED, _CACHED),))),
        series.number("prefix_cache_hits_total", _CACHED),
        series.number("avg_prompt_throughput_toks_per_s", "llamacpp:prompt_tokens_seconds"),
        series.number("avg_generation_throughput_toks_per_s", "llamacpp:predicted_tokens_seconds"),
        series.share("kv_cache_usage_perc", "llamacpp:kv_cache_usage_ratio"),
        series.share("gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio"),
    )
)
