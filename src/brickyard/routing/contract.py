"""What a routing decision is made of.

A decision is a pure function of a ``Request``, an ``EndpointSnapshot``, ``now`` and a ``Random``. The snapshot is an immutable
table, columns side by side: row i of every column is one endpoint. Policies see nothing else: no pods, no vendor metrics, no clock.

A **profile** is a named strategy built of parts:

* ``Filter``: which rows are possible, with a reason for each row it removes;
* ``Scorer``: a number 0..1 per remaining row, 1 is best; the pipeline clamps and weighs it;
* ``Picker``: chooses among the best.

The answer is a ``Decision`` or a ``NoDecision``, both values; each keeps what is needed to explain it later and renders
nothing until asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Protocol

from brickyard.api import serving


class Random(Protocol):
    """The one thing asked of a random source: ``random.Random`` fits."""

    def random(self) -> float:
        """A float in [0, 1)."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that can answer: a pod (or one data-parallel port of it).

    ``key`` is unique and stable: ``namespace/pod:port``. ``authority`` is ``address:port`` as the wire wants it.
    """

    key: str
    namespace: str
    pod: str
    address: str
    port: int
    model: str
    engine: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def authority(self) -> str:
        return f"{self.address}:{self.port}"


@dataclasses.dataclass(frozen=True, slots=True)
class EndpointSnapshot:
    """The routable endpoints of one model at one moment.

    Attributes:
        endpoints: rows, in a stable order.
        in_flight: requests this gateway has open on each row.
        loads: what each engine last said; None when it never answered.
        load_ages: seconds since then, infinite when never.
        version: grows with every change of membership.
    """

    endpoints: tuple[Endpoint, ...]
    in_flight: tuple[int, ...]
    loads: tuple[serving.EngineLoad | None, ...]
    load_ages: tuple[float, ...]
    version: int


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What routing may know of a request.

    Attributes:
        id: request id.
        model: the served model's name.
        path: URL path, such as ``/v1/chat/completions``.
        prompt: bytes that stand for the prompt (the raw body unless a dialect extracted better); policies that hash read this.
        user: value of the ``user`` header, "" when absent.
        strategy: the strategy asked for; "" means the gateway's default.
        label_filter: value of the ``external-filter`` header, "" when absent.
        excluded: keys of endpoints that already failed this request.
    """

    id: str
    model: str
    path: str
    prompt: bytes = b""
    user: str = ""
    strategy: str = ""
    label_filter: str = ""
    excluded: frozenset[str] = frozenset()


class Filter(Protocol):
    """Removes rows that must not be chosen."""

    @property
    def name(self) -> str: ...

    def removed(self, request: Request, snapshot: EndpointSnapshot) -> Mapping[int, str]:
        """Row index → why it is out. Empty when nothing is removed (the common case, which must cost nothing)."""
        ...


class Scorer(Protocol):
    """Says how good each row is."""

    @property
    def name(self) -> str: ...

    def scores(self, request: Request, snapshot: EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
        """One number 0..1 per row of ``rows``, in that order; 1 is best."""
        ...


class Picker(Protocol):
    """Chooses one row by the weighted scores."""

    @property
    def name(self) -> str: ...

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: Random) -> int:
        """An item of ``rows``; ``totals`` stands beside it. ``rows`` is never empty."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """A named strategy: filters, scorers with weights, a picker."""

    name: str
    filters: tuple[Filter, ...]
    scorers: tuple[tuple[Scorer, float], ...]
    picker: Picker


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """A chosen endpoint and everything the choice was made from.

    ``rows`` are the candidates that were left, ``scores[k]`` the clamped scores of scorer k over them, ``totals`` their weighted sums,
    ``removed`` the rows that were not, with reasons. ``decided_at`` is the ``now`` that was given.
    """

    request: Request
    endpoint: Endpoint
    profile: Profile
    snapshot: EndpointSnapshot
    rows: Sequence[int]
    scores: tuple[Sequence[float], ...]
    totals: Sequence[float]
    removed: Mapping[int, str]
    decided_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class NoDecision:
    """Nobody can take the request; ``reason`` says why and what would help."""

    request: Request
    snapshot: EndpointSnapshot
    removed: Mapping[int, str]
    reason: str
    decided_at: float
