"""What became of each request, and the figures that follow."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """One request that was answered. Times in seconds; ``cached`` of its ``prompt`` tokens were found in the engine's cache."""

    endpoint: int
    arrived: float
    first_token: float
    total: float
    prompt: int
    cached: int
    generated: int


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` (0..1) of them do not exceed; NaN of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """A run in numbers.

    Attributes:
        requests: answered. refused: those no engine could ever run.
        hit_rate: prompt tokens found cached, as a share of all, 0..1.
        mean, p50, p99: seconds to the first token.
        total_mean: mean seconds to the last.
        between: mean seconds from one token to the next.
        busiest: prompt tokens computed by the endpoint that computed most, as a multiple of the mean; 1 is even.
        most_open: requests open at one endpoint at the same time, the highest.
        took: seconds from the first arrival to the last token.
    """

    requests: int
    refused: int
    hit_rate: float
    mean: float
    p50: float
    p99: float
    total_mean: float
    between: float
    busiest: float
    most_open: int
    took: float


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """One run: every request in the order in which they ended. ``endpoints`` is how many there were."""

    strategy: str
    endpoints: int
    served: tuple[Served, ...]
    refused: int
    most_open: int

    def figures(self) -> Figures:
        """NaN where nothing was answered."""
        served = self.served
        waits = [each.first_token for each in served]
        prompts = sum(each.prompt for each in served)
        later = sum(each.generated - 1 for each in served)
        return Figures(
            len(served),
            self.refused,
            _ratio(sum(each.cached for each in served), prompts),
            _ratio(sum(waits), len(served)),
            quantile(waits, 0.5),
            quantile(waits, 0.99),
            _ratio(sum(each.total for each in served), len(served)),
            _ratio(sum(each.total - each.first_token for each in served), later),
            self._busiest(),
            self.most_open,
            max((each.arrived + each.total for each in served), default=0.0)
            - min((each.arrived for each in served), default=0.0),
        )

    def _busiest(self) -> float:
        computed: collections.Counter[int] = collections.Counter()
        for each in self.served:
            computed[each.endpoint] += each.prompt - each.cached
        return _ratio(max(computed.values(), default=0) * self.endpoints, computed.total())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
