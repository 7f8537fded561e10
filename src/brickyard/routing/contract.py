"""What a routing decision is made of.

A decision is a pure function of a ``Request``, an ``EndpointSnapshot``, ``now`` and a ``Random``. The snapshot is an immutable
table, columns side by side: row i of every column is one endpoint. Policies see nothing else: no pods, no vendor metrics, no clock.

A **profile** is a named strategy built of parts:

* ``Filter``: which rows are possible, with a reason for each row it removes;
* ``Scorer``: a number 0..1 per remaining row, 1 is best; the pipeline clamps and weighs it;
* ``Picker``: chooses among the best.

A strategy that needs more than one endpoint, or chooses between ways to choose, has a ``ProfileHandler`` as well: it names one profile
after the other, and the last one's endpoint is the answer.

What a policy reads beyond the rows (tokens that users spent, prefixes that engines hold, latencies of late) is an **input**: a table
of facts in ``snapshot.data``, made by a ``Ledger`` that is told of every request's course. The policy declares its inputs, the router
keeps one ledger per name and asks it just before the decision; so state has one owner and a decision stays a function of values.

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
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from brickyard.api import serving
from brickyard.lib import values
from brickyard.routing import modelconfig

NOTHING_REMOVED: Final[Mapping[int, str]] = types.MappingProxyType({})
"""What a filter answers when every row may stay."""
BYTES_PER_TOKEN: Final = 4
"""What a token is taken for where nobody counts: right within a third for English, and free."""
NOBODY_YOUNG: Final[Mapping[int, float]] = types.MappingProxyType({})
"""What a snapshot says where no endpoint is new."""
NOTHING_KNOWN: Final[Mapping[str, Any]] = types.MappingProxyType({})
"""The inputs of a snapshot that nobody has filled in."""

F = TypeVar("F", bound="Facts")


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


class Ages(Sequence[float]):
    """Seconds since each of several moments: worked out where somebody asks, since most decisions do not."""

    __slots__ = ("_moments", "_now")

    def __init__(self, moments: Sequence[float], now: float) -> None:
        self._moments = moments
        self._now = now

    def __len__(self) -> int:
        return len(self._moments)

    @overload
    def __getitem__(self, row: int) -> float: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[float]: ...
    def __getitem__(self, row: int | slice) -> float | Sequence[float]:
        if isinstance(row, slice):
            return Ages(self._moments[row], self._now)
        return self._now - self._moments[row]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


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
        young: row → the share of requests, 0..1, that it is offered while others are there, because it is new; empty as a rule.
        config: the model's routing profiles, from its pods' annotation; None when no pod has any.
        data: input's name → its facts, filled in for the policy that reads them; see ``Input``.
    """

    endpoints: tuple[Endpoint, ...]
    in_flight: tuple[int, ...]
    loads: tuple[serving.EngineLoad | None, ...]
    load_ages: Sequence[float]
    version: int
    barred: Mapping[int, str] = dataclasses.field(default_factory=lambda: NOTHING_REMOVED)
    config: modelconfig.ModelConfig | None = None
    data: Mapping[str, Any] = dataclasses.field(default_factory=lambda: NOTHING_KNOWN)
    young: Mapping[int, float] = dataclasses.field(default_factory=lambda: NOBODY_YOUNG)


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
        session_id: value of the ``x-session-id`` header, "" when absent: the endpoint of an earlier answer, in base64.
        session_key: value of the ``x-aibrix-session-key`` header, "" when absent: the client's own name for a session.
        profile: value of the ``config-profile`` header, "" when absent.
        prompt_tokens: tokens of the prompt where somebody counted them; None: estimated from ``prompt``.
        max_tokens: the most tokens the client lets the engine generate, None when it did not say.
        waited: seconds the request has been held in the gateway's queue.
    """

    id: str
    model: str
    path: str
    prompt: bytes = b""
    user: str = ""
    strategy: str = ""
    label_filter: str = ""
    excluded: frozenset[str] = frozenset()
    session_id: str = ""
    session_key: str = ""
    profile: str = ""
    prompt_tokens: int | None = None
    max_tokens: int | None = None
    waited: float = 0.0

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt: as counted, else a token for every four bytes, rounded up."""
        return self.prompt_tokens if self.prompt_tokens is not None else -(-len(self.prompt) // BYTES_PER_TOKEN)

    def forget(self, longest: int) -> None:
        """Let go of what its client wrote: prompt, user and session go, texts longer than ``longest`` characters are cut short.

        For whoever keeps requests that are over: who wrote what is none of an operator's business, and it can be megabytes.
        """
        forgotten: Any = self  # nobody else sees a request change
        forgotten.prompt = b""
        forgotten.user = forgotten.session_id = forgotten.session_key = ""
        if len(self.strategy) + len(self.label_filter) + len(self.profile) > longest:
            forgotten.strategy, forgotten.label_filter = self.strategy[:longest], self.label_filter[:longest]
            forgotten.profile = self.profile[:longest]


class Filter(Protocol):
    """Removes rows that must not be chosen.

    One whose attribute ``waits`` is True removes rows that come back by themselves, such as full ones.
    """

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


Weighted = tuple[tuple[Scorer, float], ...]
"""Scorers and how much each counts."""


class Facts(Protocol):
    """What an input says at one moment: a value that nobody changes any more."""

    def age(self, snapshot: EndpointSnapshot) -> float:
        """Seconds since the oldest fact in it was true; 0 for what this gateway itself counts, infinite when there is none."""
        ...

    def row(self, row: int) -> Mapping[str, object]:
        """What is known of one endpoint, as JSON-ready data."""
        ...


class Ledger(Protocol):
    """The state behind an input. Clock-free: times come with the questions and the events, and never go back.

    One whose attribute ``hears_answers`` is False is spared ``Answered``.
    """

    def facts(self, request: Request, snapshot: EndpointSnapshot, now: float) -> Facts:
        """What is known as ``request`` is about to be routed."""
        ...

    def observe(self, event: Event) -> None:
        """Learn how a request goes on: ``Chosen``, ``Answered`` at most once, ``Finished`` exactly once."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Input(Generic[F]):
    """Facts that a policy reads.

    Attributes:
        name: its place in ``EndpointSnapshot.data``; policies that declare an input of the same name share one ledger.
        kind: the class of its facts.
        make: makes the ledger; None when only the process around can (an index that others fill, profiles from a store).
    """

    name: str
    kind: type[F]
    make: Callable[[], Ledger] | None = None

    def of(self, snapshot: EndpointSnapshot) -> F | None:
        """The facts; None when nobody provides them."""
        found = snapshot.data.get(self.name)
        return found if isinstance(found, self.kind) else None


class ProfileHandler(Protocol):
    """Chooses profiles where one is not enough: an endpoint to prefill and one to decode, or a policy that falls back on another."""

    @property
    def name(self) -> str: ...

    def step(self, request: Request, snapshot: EndpointSnapshot, done: Mapping[str, Decision]) -> Step | None:
        """What to choose next, given the decisions ``done`` by role; None when all is chosen. The first call must name a step."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One endpoint of a plan: what it is for (``prefill``, ``decode``, …) and how it is chosen."""

    role: str
    profile: Profile


class Shortcut(Protocol):
    """Chooses among all rows of a snapshot as a profile's scorers and its picker would, without a score for each: on the hot path."""

    def __call__(self, request: Request, snapshot: EndpointSnapshot, rng: Random) -> int:
        """A row with the best total, equals by chance; -1 where the long way must be gone."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """A named strategy.

    Attributes:
        name: the strategy, as people are told.
        filters: what removes rows, first come first told.
        scorers: how rows are judged, with weights.
        picker: how one is taken.
        blend: what a mix of strategies takes from this one; None: its scorers. Empty: it cannot be mixed.
        inputs: the facts that its parts read.
        handler: names the profiles that do the choosing; the parts above are unused then.
        shortcut: the choice without the scores, asked where nothing is removed; the scores are worked out when somebody asks why.
    """

    name: str
    filters: tuple[Filter, ...]
    scorers: Weighted
    picker: Picker
    blend: Weighted | None = None
    inputs: tuple[Input[Any], ...] = ()
    handler: ProfileHandler | None = None
    shortcut: Shortcut | None = None

    @property
    def mixable(self) -> Weighted:
        """What a mix takes from it."""
        return self.scorers if self.blend is None else self.blend


@values.value
class Judgement:
    """What a profile's scorers said of the candidates.

    ``scores[k]`` are the clamped scores of scorer k, ``totals`` their weighted sums, ``measures[k]`` the numbers behind ``scores[k]``,
    None where the scorer has none to tell.
    """

    scores: tuple[Sequence[float], ...] = ()
    totals: Sequence[float] = ()
    measures: tuple[Sequence[float] | None, ...] = ()


UNJUDGED: Final = Judgement()
"""Of a profile without scorers, or of nobody."""


@values.value
class Decision:
    """A chosen endpoint and everything the choice was made from.

    ``rows`` are the candidates that were left, ``judgement`` what was said of them or who can say it, ``removed`` the rows that were
    not left, with reasons. ``decided_at`` is the ``now`` that was given. ``faults`` names the parts that misbehaved and what was done
    instead; empty as a rule. ``companions`` are the other endpoints of a plan, by role. ``row`` is the chosen endpoint's; -1 where
    nobody noted it. ``config_profile`` names the profile of the model's configuration that the request got, "" for none.
    """

    request: Request
    endpoint: Endpoint
    profile: Profile
    snapshot: EndpointSnapshot
    rows: Sequence[int]
    judgement: Judgement | Callable[[Decision], Judgement]
    removed: Mapping[int, str]
    decided_at: float
    faults: tuple[str, ...] = ()
    companions: Mapping[str, Decision] = dataclasses.field(default_factory=lambda: NOTHING_KNOWN)
    row: int = -1
    config_profile: str = ""

    @property
    def judged(self) -> Judgement:
        """What the scorers said, worked out now if nobody has asked before."""
        found = self.judgement
        if not isinstance(found, Judgement):
            found = found(self)
            kept: Any = self  # the same answer, only sooner the next time
            kept.judgement = found
        return found

    @property
    def scores(self) -> tuple[Sequence[float], ...]:
        """``judged.scores``."""
        return self.judged.scores

    @property
    def totals(self) -> Sequence[float]:
        """``judged.totals``."""
        return self.judged.totals

    @property
    def measures(self) -> tuple[Sequence[float] | None, ...]:
        """``judged.measures``."""
        return self.judged.measures


@values.value
class NoDecision:
    """Nobody can take the request; ``reason`` says why and what would help.

    ``bad_request`` is True when the request itself is at fault (an unknown strategy, a malformed label filter): asking again does
    not help and the client should hear 400. Otherwise it is 503: endpoints may come. ``saturated`` is True when endpoints are there
    and full: whoever can hold the request may ask again once one of them has finished something.
    """

    request: Request
    snapshot: EndpointSnapshot
    removed: Mapping[int, str]
    reason: str
    decided_at: float
    bad_request: bool = False
    saturated: bool = False


@values.value
class Usage:
    """Tokens of a finished request, by its engine's count; None where it told none."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


@values.value
class Chosen:
    """A request is on its way to ``decision.endpoint``, at ``at``."""

    decision: Decision
    at: float


@values.value
class Answered:
    """The first byte of the answer came at ``at``."""

    decision: Decision
    at: float


@values.value
class Finished:
    """The request ended at ``at``, whoever ended it. ``usage`` is None when nothing was generated or nobody told."""

    decision: Decision
    at: float
    usage: Usage | None = None


Event = Chosen | Answered | Finished
"""What ledgers are told. The decision is the very object that was chosen: its identity names the request, since ids of clients repeat."""


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
    SESSION = "session"


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
        parameters: a frozen dataclass, every field with a default; unknown or ill-typed parameters refuse the start. A field made
            by ``lib.settings.field`` may be set by its environment variable too.
        aliases: other names for the same.
        alone: takes over a mix that names it: the first such policy is used by itself.
        build: makes the profile from an instance of ``parameters``. It runs once; its parts are shared by all requests.
    """

    name: str
    stability: Stability
    summary: str
    needs: frozenset[Need]
    build: Callable[[Any], Profile]
    parameters: type = NoParameters
    aliases: tuple[str, ...] = ()
    alone: bool = False
