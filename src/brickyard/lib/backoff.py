"""Exponential back-off as a value: how long to wait after the n-th failure in a row."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """``base * factor ** (failures - 1)`` seconds, at most ``cap``.

    Example: ``Backoff(10, 2, 300)`` is the kubelet's restart delay: 10, 20, 40, 80, 160, 300, 300, …
    """

    base: float
    factor: float
    cap: float

    def delay(self, failures: int) -> float:
        """Seconds to wait after ``failures`` failures in a row; 0.0 before the first."""
        if failures <= 0:
            return 0.0
        # The exponent is bounded first: 2.0 ** 5000 overflows a float long after the cap is reached.
        return min(self.cap, self.base * self.factor ** min(failures - 1, 64))
