"""The words in which engines are spoken of, whatever their vendor calls things.

Engines translate their metrics pages into ``EngineLoad``; policies, autoscalers and screens read only this.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class EngineLoad:
    """What one engine says of itself at one moment. ``None`` means that the engine does not report it: never 0.

    Attributes:
        running: requests in the batch.
        waiting: requests accepted and not yet in the batch.
        kv_cache_usage: share of KV blocks in use, 0..1.
        prompt_tokens_total: prompt tokens processed since start.
        generation_tokens_total: tokens generated since start.
        prefix_cache_queries_total: prompt tokens looked up in the prefix cache since start.
        prefix_cache_hits_total: of these, tokens found.
    """

    running: float | None = None
    waiting: float | None = None
    kv_cache_usage: float | None = None
    prompt_tokens_total: float | None = None
    generation_tokens_total: float | None = None
    prefix_cache_queries_total: float | None = None
    prefix_cache_hits_total: float | None = None
