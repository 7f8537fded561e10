"""The seam between the data plane and the state of the world.

``gateway/proxy`` moves bytes and knows no pods; ``gateway/endpoints`` knows pods and moves no bytes. A ``Director`` stands
between: it answers who serves a model, chooses one endpoint, and hands out the lease that counts the request while it runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from brickyard.gateway.usage import contract as usage
from brickyard.lib import values
from brickyard.routing import contract


@dataclasses.dataclass(frozen=True, slots=True)
class ModelCard:
    """One row of ``/v1/models``.

    ``created`` is Unix seconds; ``ready`` the number of endpoints that can answer now. ``max_model_len`` (tokens) and ``root`` (what it
    was loaded from) are as the engine told, None before it has. ``parent``: the model that an adapter changes, None for a model.
    """

    id: str
    created: int
    owned_by: str
    ready: int
    max_model_len: int | None = None
    root: str | None = None
    parent: str | None = None


class Lease(Protocol):
    """A request that is being answered by an endpoint. Counts as in flight until released; releasing twice does nothing."""

    def answered(self) -> None:
        """The endpoint sent the first byte of its response: it works, however long the rest takes."""
        ...

    def release(self, usage: contract.Usage | None = None) -> None:
        """The endpoint is done. ``usage``: what it used; None when nothing was generated or nobody told."""
        ...


@values.value
class Outcome:
    """How an attempt ended, for the decision record.

    Attributes:
        status: HTTP status sent to the client; 0 when the connection broke before one was.
        attempts: endpoints tried, the last one included.
        first_byte: seconds from the request's arrival to the first response byte; None when there was none.
        duration: seconds from arrival to the end.
        error: "" when it went well, else what happened, in words.
        usage: tokens, where the engine told or they could be guessed.
        course: seconds that the request's stages took.
    """

    status: int
    attempts: int
    first_byte: float | None
    duration: float
    error: str = ""
    usage: usage.Usage | None = None
    course: Course | None = None


@values.value
class Course:
    """Seconds that a request's stages took; None for a stage that it had no part in.

    Attributes:
        admission: until it was known that it may go on, from its arrival.
        queue: in the gateway's queue.
        waking: the part of that in which the model slept: it had no endpoint, and was being woken.
        connect: until the connection it went over was open; None where one was kept.
        first_token: until a stream's body began, from its arrival.
        limits: the header lines in which the client was told how its limits stand.
    """

    admission: float | None = None
    queue: float | None = None
    connect: float | None = None
    first_token: float | None = None
    limits: bytes = b""
    waking: float | None = None


@values.value
class Admission:
    """A request that may go on.

    Attributes:
        user: whose it is, "" for nobody's.
        reservation: what it took from limits; to be ended once.
        headers: for the answer, complete header lines.
        metered: its tokens count against a limit, so an engine that would not tell them is asked to.
        secrets: header fields, lower case, that must not travel on: they are secrets between client and gateway.
    """

    user: str
    reservation: Reservation
    headers: bytes = b""
    metered: bool = False
    secrets: frozenset[bytes] = frozenset()


class Reservation(Protocol):
    """What a request took from limits. End it once, by one of the two; what comes after the first does nothing."""

    def settle(self, tokens: int) -> None:
        """An engine was asked, and used ``tokens`` in all. Returns at once."""
        ...

    def cancel(self) -> None:
        """No engine was asked. Returns at once."""
        ...


class Gate(Protocol):
    """Who may ask, and how much."""

    def concerns(self, notes: Mapping[bytes, bytes], model_rps: int | None) -> bool:
        """Whether a request of these headers has to be looked at; False lets it pass at no cost."""
        ...

    async def admit(self, notes: Mapping[bytes, bytes], request: contract.Request, model_rps: int | None) -> Admission:
        """Let a request in. Answers within a few seconds, whatever happens.

        Raises:
            RefusedError: 401 nobody knows who asks, 429 a limit is reached, 503 nobody can tell now.
        """
        ...


class Dormant(Protocol):
    """Models that exist without a pod."""

    def knows(self, model: str) -> bool:
        """Whether there is such a model."""
        ...

    def cards(self, known: Collection[str]) -> Sequence[ModelCard]:
        """Rows for those that can be asked for, but for those ``known`` already."""
        ...

    def absence(self, model: str) -> str:
        """Why a model that there is has no pod."""
        ...

    def summary(self, known: Collection[str]) -> Mapping[str, Mapping[str, object]]:
        """What is told of the models that ``cards`` has rows for, as JSON-ready data."""
        ...


class Director(Protocol):
    """Who answers."""

    def models(self) -> Sequence[ModelCard]: ...

    def strategies(self) -> Sequence[str]:
        """Names that the ``routing-strategy`` header may carry."""
        ...

    def choose(self, request: contract.Request) -> contract.Decision | contract.NoDecision:
        """Choose an endpoint for a known model. Never blocks, never raises for lack of endpoints."""
        ...

    def knows(self, model: str) -> bool:
        """Whether any pod, ready or not, claims to serve ``model``, or its engine to hold an adapter of that name."""
        ...

    def model_rps(self, request: contract.Request) -> int | None:
        """Requests per second that the model's profile for ``request`` allows; None for no limit."""
        ...

    def lease(self, decision: contract.Decision) -> Lease:
        """Count the request on the decision's endpoint until the lease is released."""
        ...

    def report_failure(self, endpoint: contract.Endpoint) -> None:
        """The endpoint refused or broke a connection before its first response byte."""
        ...

    def record(self, decision: contract.Decision | contract.NoDecision, outcome: Outcome) -> None:
        """Keep the decision and how it ended in the bounded ring that ``brickyard why`` reads."""
        ...

    def summary(self) -> Sequence[dict[str, object]]:
        """Every model with its endpoints' loads, its rate and its latest decision, as JSON-ready data."""
        ...

    def explain(self, request_id: str) -> dict[str, object] | None:
        """The recorded decision of ``request_id`` (``""``: the last one) as JSON-ready data, or None when it is not held (any more)."""
        ...
