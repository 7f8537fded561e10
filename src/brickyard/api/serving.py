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
        finished_total: requests finished since start.
        queue_seconds_total: time that requests waited for their first place in the batch, summed since start.
        prefill_seconds_total: time from there to their first token.
        decode_seconds_total: time from there to their last token.
        cpu_cache_usage: share of KV blocks in use of those in the machine's memory, 0..1.
        utilization: how busy the engine holds itself to be, 0..1.
        busy: share of time in which the device computed, 0..1.
        loras_running: adapters with a request in the batch.
        loras_waiting: adapters with a request that waits.
        lora_slots: adapters that fit into one batch.
    """

    running: float | None = None
    waiting: float | None = None
    kv_cache_usage: float | None = None
    prompt_tokens_total: float | None = None
    generation_tokens_total: float | None = None
    prefix_cache_queries_total: float | None = None
    prefix_cache_hits_total: float | None = None
    finished_total: float | None = None
    queue_seconds_total: float | None = None
    prefill_seconds_total: float | None = None
    decode_seconds_total: float | None = None
    cpu_cache_usage: float | None = None
    utilization: float | None = None
    busy: float | None = None
    loras_running: tuple[str, ...] | None = None
    loras_waiting: tuple[str, ...] | None = None
    lora_slots: float | None = None
