"""A token bucket: how long to wait so that no more than ``rate`` a second happen, after ``burst`` at once. Pure: time is an argument."""

from __future__ import annotations


class Bucket:
    """Starts full. Whoever reserves has a turn for certain, now or later; turns come in the order they were asked for."""

    def __init__(self, rate: float, burst: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("a bucket wants rate > 0 and burst >= 1")
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def reserve(self, now: float) -> float:
        """Take a turn; seconds from ``now`` until it comes, 0.0 when it is now."""
        since = now if self._at is None else self._at
        self._tokens = min(self._burst, self._tokens + max(0.0, now - since) * self._rate)
        self._at = max(now, since)
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)
