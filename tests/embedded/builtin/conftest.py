"""Virtual time counts whole microseconds, sums of floats do not: a moment less than that ahead is now."""

from __future__ import annotations

from collections.abc import Hashable

import pytest

from brickyard.kube.reconcile import queue

_RESOLUTION = 1e-6


@pytest.fixture(autouse=True)
def _coarse_time(monkeypatch: pytest.MonkeyPatch) -> None:
    take = queue.WorkQueue.take

    def coarse(self: queue.WorkQueue[Hashable], now: float) -> Hashable | None:
        return take(self, now + _RESOLUTION)

    monkeypatch.setattr(queue.WorkQueue, "take", coarse)
