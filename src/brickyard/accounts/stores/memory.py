"""Accounts in this process's memory: for tests, and for a gateway that counts alone while its store is away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brickyard.accounts import contract, windows

REMEMBERED: Final = 600.0
"""Seconds for which the id of a batch is kept."""
_SWEEP: Final = 60.0


class MemoryCounters:
    """Counts of windows. ``apply`` neither waits nor yields, so a turn of the event loop is the transaction."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._batches: dict[str, float] = {}
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._counts)

    async def exchange(self, batch: contract.Batch, now: float) -> Sequence[contract.Taken]:
        return self.apply(batch, now)

    def apply(self, batch: contract.Batch, now: float) -> list[contract.Taken]:
        """``exchange`` at once."""
        self._sweep(now)
        if batch.charges and batch.id not in self._batches:
            self._batches[batch.id] = now
            for charge in batch.charges:
                self._put(charge, self._count(charge) + charge.amount)
        return [self._take(asked) for asked in batch.asks]

    def _take(self, asked: Sequence[contract.Claim]) -> contract.Taken:
        taken = windows.take(asked, [self._count(claim) for claim in asked])
        if taken.refused is None:
            for claim, count in zip(asked, taken.counts, strict=True):
                self._put(claim, count)
        return taken

    def _count(self, counter: contract.Claim | contract.Charge) -> int:
        window, _, count = self._counts.get(counter.key, (counter.window, 0, 0))
        return count if window == counter.window else 0

    def _put(self, counter: contract.Claim | contract.Charge, count: int) -> None:
        self._counts[counter.key] = (counter.window, counter.period, max(0, count))

    def _sweep(self, now: float) -> None:
        """Forget windows that are over, and batches that are old; also after a clock went back."""
        if 0 <= now - self._swept < _SWEEP:
            return
        self._swept = now
        self._counts = {
            key: entry for key, entry in self._counts.items() if abs((entry[0] + 1) * entry[1] - now) < 2 * _SWEEP
        }
        self._batches = {each: at for each, at in self._batches.items() if abs(now - at) < REMEMBERED}


class MemoryStore(MemoryCounters):
    """A whole store."""

    def __init__(self) -> None:
        super().__init__()
        self._users: dict[str, contract.User] = {}
        self._keys: dict[str, contract.ApiKey] = {}

    async def create(self, user: contract.User) -> bool:
        if user.name in self._users:
            return False
        self._users[user.name] = user
        return True

    async def read(self, name: str) -> contract.User | None:
        return self._users.get(name)

    async def update(self, user: contract.User) -> bool:
        known = user.name in self._users
        if known:
            self._users[user.name] = user
        return known

    async def delete(self, name: str) -> bool:
        self._keys = {digest: key for digest, key in self._keys.items() if key.user != name}
        return self._users.pop(name, None) is not None

    async def users(self, *, after: str = "", limit: int = 1000) -> Sequence[contract.User]:
        return [self._users[name] for name in sorted(self._users) if name > after][:limit]

    async def add_key(self, key: contract.ApiKey) -> bool:
        known = key.user in self._users
        if known:
            self._keys[key.digest] = key
        return known

    async def keys(self, user: str) -> Sequence[contract.ApiKey]:
        return sorted((key for key in self._keys.values() if key.user == user), key=lambda key: (key.created, key.id))

    async def key(self, digest: str) -> contract.ApiKey | None:
        return self._keys.get(digest)

    async def revoke(self, key: contract.ApiKey) -> bool:
        return self._keys.pop(key.digest, None) is not None

    async def ping(self) -> None:
        return

    async def aclose(self) -> None:
        return
