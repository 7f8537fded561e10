"""SGLang's metrics page in the words of ``serving.EngineLoad``. The page exists only with ``--enable-metrics``.

Gauges come from the schedulers. Normally one scheduler of a data-parallel rank reports; with
``--enable-metrics-for-all-schedulers`` those of every tensor and pipeline rank do, all with the same requests, and with priorities
there is a sample per priority beside that of the whole queue. The largest sample of a data-parallel rank is therefore the rank's,
and the ranks add up. Counters come from the tokenizer, one sample per way of asking (``is_streaming``) or source
(``cache_source``), which all add up.

There is no counter of looked-up tokens: every prompt token is looked up in the radix cache, so the prompt tokens are it. The
series ``cached_tokens_total`` appears with the first hit (0.4.2 and later).
"""

from __future__ import annotations

from typing import Final

from brickyard.engines import exposition

_RANK: Final = "dp_rank"

PAGE: Final = exposition.TextPage(
    {
        "running": exposition.Reading.of("sglang:num_running_reqs", rank=_RANK),
        "waiting": exposition.Reading.of("sglang:num_queue_reqs", rank=_RANK),
        "kv_cache_usage": exposition.Reading.of("sglang:token_usage", combine=max),
        "prompt_tokens_total": exposition.Reading.of("sglang:prompt_tokens_total"),
        "generation_tokens_total": exposition.Reading.of("sglang:generation_tokens_total"),
        "prefix_cache_queries_total": exposition.Reading.of("sglang:prompt_tokens_total"),
        "prefix_cache_hits_total": exposition.Reading.of("sglang:cached_tokens_total"),
        "finished_total": exposition.Reading.of("sglang:num_requests_total"),
        "queue_seconds_total": exposition.Reading.of("sglang:queue_time_seconds_sum"),
    }
)
