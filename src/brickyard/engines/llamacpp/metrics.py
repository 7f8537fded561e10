"""llama.cpp's metrics page in the words of ``serving.EngineLoad``.

The server has one queue and one batch, so each family has one sample without labels. It reports no share of KV blocks in use
since the KV cache was rewritten; ``kv_cache_usage_ratio`` is what servers before that say.
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

_PROCESSED: Final = "llamacpp:prompt_tokens_total"
_CACHED: Final = "llamacpp:prompt_tokens_cached_total"

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of("llamacpp:requests_processing"),
        "waiting": exposition.Reading.of("llamacpp:requests_deferred"),
        "kv_cache_usage": exposition.Reading.of("llamacpp:kv_cache_usage_ratio"),
        # llama.cpp counts a prompt token that came from the cache apart, vLLM counts it as a prompt token like any other.
        # Policies compare engines, so the sum is taken where the server tells both.
        "prompt_tokens_total": exposition.Reading(((_PROCESSED, _CACHED), (_PROCESSED,))),
        "generation_tokens_total": exposition.Reading.of("llamacpp:tokens_predicted_total"),
        "prefix_cache_queries_total": exposition.Reading(((_PROCESSED, _CACHED),)),
        "prefix_cache_hits_total": exposition.Reading.of(_CACHED),
        "prefill_seconds_total": exposition.Reading.of("llamacpp:prompt_seconds_total"),
        "decode_seconds_total": exposition.Reading.of("llamacpp:tokens_predicted_seconds_total"),
    }
)
