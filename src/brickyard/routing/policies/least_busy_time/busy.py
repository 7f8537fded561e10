"""For which share of the time each endpoint had at least one request in flight.

share(now) = share(then) * f + (1 - f if it was busy meanwhile)        f = exp(-(now - then) / FADING)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.routing import contract

FADING: Final = 60.0
IDLE: Final = 1e-3
"""A share below this is forgotten once nothing is in flight."""
ENDPOINTS_KEPT: Final = 16384


@dataclasses.dataclass(frozen=True, slots=True)
class Busy:
    """Shares of 1 per row."""

    shares: Sequence[float]

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {"busy": self.shares[row]}


@dataclasses.dataclass(slots=True)
class _Endpoint:
    at: float
    open: int = 0
    share: float = 0.0

    def now(self, now: float) -> float:
        keep = math.exp(-max(0.0, now - self.at) / FADING)
        return self.share * keep + (1.0 - keep if self.open else 0.0)

    def change(self, by: int, now: float) -> None:
        self.share, self.at = self.now(now), max(self.at, now)
        self.open += by


class BusyLedger:
    """Counts what is open per endpoint, and since when."""

    def __init__(self) -> None:
        self._endpoints: dict[str, _Endpoint] = {}
        self._open: dict[int, contract.Decision] = {}

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Busy:
        known = self._endpoints
        found = (known.get(each.key) for each in snapshot.endpoints)
        return Busy([each.now(now) if each is not None else 0.0 for each in found])

    def observe(self, event: contract.Event) -> None:
        decision = event.decision
        if isinstance(event, contract.Chosen):
            self._open[id(decision)] = decision
            self._endpoint(decision.endpoint.key, event.at).change(1, event.at)
        elif isinstance(event, contract.Finished) and self._open.pop(id(decision), None) is not None:
            self._endpoint(decision.endpoint.key, event.at).change(-1, event.at)

    def _endpoint(self, key: str, now: float) -> _Endpoint:
        found = self._endpoints.get(key)
        if found is None:
            if len(self._endpoints) >= ENDPOINTS_KEPT:
                self._endpoints = {
                    name: each for name, each in self._endpoints.items() if each.open or each.now(now) > IDLE
                }
            found = self._endpoints[key] = _Endpoint(now)
        return found


INPUT: Final = contract.Input("busy", Busy, BusyLedger)
