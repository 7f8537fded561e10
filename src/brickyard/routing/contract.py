"""What a routing decision is made of.

A decision is a pure function of a ``Request``, an ``EndpointSnapshot``, ``now`` and a ``Random``. The snapshot is an immutable
table, columns side by side: row i of every column is one endpoint. Policies see nothing else: no pods, no vendor metrics, no clock.

A **profile** is a named strategy built of parts:

* ``Filter``: which rows are possible, with a reason for each row it removes;
* ``Scorer``: a number 0..1 per remaining row, 1 is best; the pipeline clamps and weighs it;
* ``Picker``: chooses among the best.

The answer is a ``Decision`` or a ``NoDecision``, both values; each keeps what is needed to explain it later and renders
nothing until asked.

A **policy** is what a plug-in offers: a name, its stability, the parameters it takes, the data it needs, and a factory that makes
the profile. Brickyard's own are listed in ``assembly/routing_policies.py``; others come by the entry point group
``brickyard.policies``, each entry an object of class ``Policy``. A part that misbehaves (raises, returns NaN or the wrong number of
scores, picks a row that was not offered) costs its own say in that decision and is named in ``Decision.faults``; the request goes on.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from brickyard.api import serving
from brickyard.lib import values

NOTHING_REMOVED: Final[Mapping[int, str]] = types.MappingProxyType({})
"""What a filter answers when every row may stay."""


class Random(Protocol):
    """The one thing asked of a random source: ``random.Random`` fits."""

    def random(self) -> float:
        """A float in [0, 1)."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that can answer: a pod (or one data-parallel port of it).

    ``key`` is unique and stable: ``namespace/pod:port``. ``authority`` is ``address:port`` as the wire wants it, an IPv6 address in
    brackets.
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
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@values.value
class EndpointSnapshot:
    """The routable endpoints of one model at one moment.

    Attributes:
        endpoints: rows, in a stable order.
        in_flight: requests this gateway has open on each row.
        loads: what each engine last said; None when it never answered.
        load_ages: seconds since then, infinite when never.
        version: grows with every change of membership.
        barred: row → why it should be left alone for now although it is routable, such as connections that fail; empty as a rule.
    """

    endpoints: tuple[Endpoint, ...]
    in_flight: tuple[int, ...]
    loads: tuple[serving.EngineLoad | None, ...]
    load_ages: tuple[float, ...]
    version: int
    barred: Mapping[int, str] = dataclasses.field(default_factory=lambda: NOTHING_REMOVED)


@values.value
class Request:
    """What routing may know of a request.

    Attributes:
        id: request id.
        model: the served model's name.
        path: URL path, such as ``/v1/chat/completions``.
        prompt: bytes that stand for the prompt (the raw body unless a dialect extracted better); policies that hash read this.
        user: value of the ``user`` header, "" when absent.
        strategy: the strategy asked for, a name or a mix such as ``least-request:2,other``; "" means the gateway's default.
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


@runtime_checkable
class Describes(Protocol):
    """What a scorer may also be: able to say in words what it saw, for people who ask why."""

    def describe(self, snapshot: EndpointSnapshot, row: int) -> str:
        """The input behind a row's score, such as ``2 requests in flight``."""
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


@values.value
class Decision:
    """A chosen endpoint and everything the choice was made from.

    ``rows`` are the candidates that were left, ``scores[k]`` the clamped scores of scorer k over them, ``totals`` their weighted sums,
    ``removed`` the rows that were not, with reasons. ``decided_at`` is the ``now`` that was given. ``faults`` names the parts that
    misbehaved and what was done instead; empty as a rule.
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
    faults: tuple[str, ...] = ()


@values.value
class NoDecision:
    """Nobody can take the request; ``reason`` says why and what would help.

    ``bad_request`` is True when the request itself is at fault (an unknown strategy, a malformed label filter): asking again does
    not help and the client should hear 400. Otherwise it is 503: endpoints may come.
    """

    request: Request
    snapshot: EndpointSnapshot
    removed: Mapping[int, str]
    reason: str
    decided_at: float
    bad_request: bool = False


class Stability(enum.Enum):
    """How much a policy's name, parameters and behaviour may still change."""

    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"


class Need(enum.Enum):
    """Data that a policy reads beyond the list of endpoints; what nobody needs is not gathered."""

    IN_FLIGHT = "in-flight"
    LOADS = "loads"
    PROMPT = "prompt"
    USER = "user"


@dataclasses.dataclass(frozen=True, slots=True)
class NoParameters:
    """The parameters of a policy that takes none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """A strategy that can be asked for by name.

    Attributes:
        name: what the ``routing-strategy`` header carries.
        stability: what users may rely on.
        summary: one line for people who choose.
        needs: the data its parts read.
        parameters: a frozen dataclass, every field with a default; unknown or ill-typed parameters refuse the start.
        build: makes the profile from an instance of ``parameters``. It runs once; its parts are shared by all requests.
    """

    name: str
    stability: Stability
    summary: str
    needs: frozenset[Need]
    build: Callable[[Any], Profile]
    parameters: type = NoParameters
