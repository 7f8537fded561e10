"""Tables, requests and parts with plain-field knobs for tests of anything that routes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from brickyard.api import serving
from brickyard.routing import contract, registry, router
from brickyard.routing.ledgers import prefixes


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


class FakeIndex:
    """A hasher and an index over a dictionary: blocks of ``block`` bytes, nothing ever forgotten."""

    def __init__(self, block: int = 4) -> None:
        self.block = block
        self.held: dict[int, set[str]] = {}
        self.asked = 0

    def hashes(self, model: str, prompt: bytes) -> Sequence[int]:
        self.asked += 1
        ends = range(self.block, len(prompt) + 1, self.block)
        return [hash((model, prompt[:end])) or 1 for end in ends]

    def covered(self, blocks: int) -> int:
        return blocks * self.block

    def match(self, hashes: Sequence[int], endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        found: dict[str, int] = {}
        left = set(endpoints)
        for place, each in enumerate(hashes, 1):
            left &= self.held.get(each, set())
            found |= dict.fromkeys(left, place)
        return found

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        for each in hashes:
            self.held.setdefault(each, set()).add(endpoint)


class World:
    """A gateway in small: endpoints with leases, a router, a clock that the test turns.

    ``loads`` are what engines say, by row; ``index`` is what the router's policies read prefixes from.
    """

    def __init__(
        self,
        policies: Sequence[contract.Policy],
        rows: int,
        rng: contract.Random,
        parameters: Mapping[str, Mapping[str, object]] | None = None,
        ledgers: Mapping[str, contract.Ledger] | None = None,
    ) -> None:
        self.index = FakeIndex()
        self.router = router.Router(
            registry.Registry(policies, parameters),
            policies[0].name,
            {prefixes.NAME: prefixes.PrefixLedger(self.index, self.index), **(ledgers or {})},
        )
        self.endpoints = tuple(
            dataclasses.replace(endpoint(f"p{row:02d}"), address=f"10.0.1.{row}") for row in range(rows)
        )
        self.in_flight = [0] * rows
        self.loads: list[serving.EngineLoad | None] = [None] * rows
        self.heard_at = [-math.inf] * rows
        self.rng = rng
        self.now = 0.0
        self._open: dict[int, tuple[contract.Decision, router.Ticket]] = {}

    def snapshot(self) -> contract.EndpointSnapshot:
        ages = tuple(self.now - heard for heard in self.heard_at)
        return contract.EndpointSnapshot(self.endpoints, tuple(self.in_flight), tuple(self.loads), ages, 1)

    def hear(self, row: int, load: serving.EngineLoad) -> None:
        """The engine of ``row`` says something now."""
        self.loads[row], self.heard_at[row] = load, self.now

    def choose(self, asked: contract.Request) -> contract.Decision:
        """Choose and send nothing."""
        made = self.router.choose(asked, self.snapshot(), self.now, self.rng)
        assert isinstance(made, contract.Decision), made  # noqa: S101 - a test's own check
        return made

    def send(self, asked: contract.Request) -> contract.Decision:
        """Choose, and have the request in flight."""
        made = self.choose(asked)
        self.in_flight[made.row] += 1
        self._open[id(made)] = (made, self.router.begin(made, self.now))
        return made

    def answer(self, made: contract.Decision) -> None:
        """The first byte of the answer comes now."""
        self._open[id(made)][1].answered(self.now)

    def end(self, made: contract.Decision, usage: contract.Usage | None = None) -> None:
        """The request ends now."""
        self._open.pop(id(made))[1].finished(self.now, usage)
        self.in_flight[made.row] -= 1
