"""Tables, requests and parts with plain-field knobs for tests of anything that routes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from brickyard.api import serving
from brickyard.routing import contract


def endpoint(name: str, port: int = 8000, **labels: str) -> contract.Endpoint:
    """A vLLM endpoint of model ``demo``; ``_`` in a label's name stands for ``-``."""
    told = {key.replace("_", "-"): value for key, value in labels.items()}
    return contract.Endpoint(f"default/{name}:{port}", "default", name, "10.0.0.1", port, "demo", "vllm", told)


def snapshot(
    *in_flight: int,
    endpoints: Sequence[contract.Endpoint] | None = None,
    loads: Sequence[serving.EngineLoad | None] | None = None,
    ages: Sequence[float] | None = None,
    barred: Mapping[int, str] = contract.NOTHING_REMOVED,
) -> contract.EndpointSnapshot:
    """One row per count, called ``a``, ``b``, … unless ``endpoints`` are given; no engine was heard unless ``loads`` are."""
    rows = len(in_flight)
    return contract.EndpointSnapshot(
        tuple(endpoints) if endpoints is not None else tuple(endpoint(chr(ord("a") + row)) for row in range(rows)),
        in_flight,
        tuple(loads) if loads is not None else (None,) * rows,
        tuple(ages) if ages is not None else (math.inf,) * rows,
        1,
        barred,
    )


def request(
    strategy: str = "", label_filter: str = "", excluded: Sequence[str] = (), prompt: bytes = b""
) -> contract.Request:
    """Request ``r1`` for model ``demo``."""
    return contract.Request("r1", "demo", "/v1/completions", prompt, "", strategy, label_filter, frozenset(excluded))


@dataclasses.dataclass
class Dice:
    """A random source that says what it was told, over and over."""

    values: Sequence[float] = (0.0,)
    rolls: int = 0

    def random(self) -> float:
        value = self.values[self.rolls % len(self.values)]
        self.rolls += 1
        return value


@dataclasses.dataclass
class FakeScorer:
    """Gives ``by_row[row]``, or ``answer`` as it stands when that is set; raises ``error`` when that is."""

    by_row: Sequence[float] = ()
    answer: Sequence[float] | None = None
    error: Exception | None = None
    name: str = "fake-scorer"

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        if self.error is not None:
            raise self.error
        return self.answer if self.answer is not None else [self.by_row[row] for row in rows]


@dataclasses.dataclass
class FakeFilter:
    """Removes ``out``; raises ``error`` when that is set."""

    out: Mapping[int, str] = dataclasses.field(default_factory=dict)
    error: Exception | None = None
    name: str = "fake-filter"

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        if self.error is not None:
            raise self.error
        return self.out


@dataclasses.dataclass
class FakePicker:
    """Picks ``row``, whatever is offered; raises ``error`` when that is set. Keeps the totals it was shown."""

    row: int = 0
    error: Exception | None = None
    name: str = "fake-picker"
    shown: Sequence[float] = ()

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        self.shown = list(totals)
        if self.error is not None:
            raise self.error
        return self.row
