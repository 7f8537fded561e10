"""What an operator may set about the prefix index."""

from __future__ import annotations

import dataclasses
from typing import Final

from brickyard.api.names import environment
from brickyard.lib import settings

MINUTE: Final = 60.0


@dataclasses.dataclass(frozen=True)
class PrefixSettings:
    """How prompts are cut, and how much of where they went is remembered."""

    block_size: int = settings.field(
        128,
        env=environment.PREFIX_CACHE_BLOCK_SIZE,
        help="Bytes of prompt in a block; blocks widen with depth, so that long prompts stay cheap.",
    )
    block_number: int = settings.field(
        200_000,
        env=environment.PREFIX_CACHE_BLOCK_NUMBER,
        help="Blocks remembered over all models, rounded up to a power of two; the oldest go first.",
    )
    eviction_minutes: int = settings.field(
        20,
        env=environment.PREFIX_CACHE_EVICTION_DURATION_MINS,
        help="Minutes after which a block that no request brought again is forgotten.",
    )
    hash_seed: int = settings.field(
        0,
        env=environment.PREFIX_CACHE_HASH_SEED,
        help="Seed of the blocks' hashes; gateways that share what they know need the same one.",
    )
    budget: int = settings.field(
        64 * 1024 * 1024,
        env="BRICKYARD_GATEWAY_PREFIX_BYTES",
        help="Bytes that the index may take at most, whatever the number of blocks says.",
    )

    @property
    def ttl(self) -> float:
        """Seconds that a block is remembered."""
        return self.eviction_minutes * MINUTE
