"""A bound on the request bodies held in memory at once, over all connections."""

from __future__ import annotations


class Budget:
    """Bytes that may be held. Who takes gives back the same number, once."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False, and nothing reserved, when they are not there."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """Return ``size`` bytes."""
        self.held -= size
