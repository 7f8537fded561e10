"""The seam between the data plane and the state of the world.

``gateway/proxy`` moves bytes and knows no pods; ``gateway/endpoints`` knows pods and moves no bytes. A ``Director`` stands
between: it answers who serves a model, chooses one endpoint, and hands out the lease that counts the request while it runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from brickyard.lib import values
from brickyard.routing import contract


@dataclasses.dataclass(frozen=True, slots=True)
class ModelCard:
    """One row of ``/v1/models``. ``created`` is Unix seconds; ``ready`` the number of endpoints that can answer now."""

    id: str
    created: int
    owned_by: str
    ready: int


class Lease(Protocol):
    """A request that is being answered by an endpoint. Counts as in flight until released; releasing twice does nothing."""

    def release(self) -> None: ...


@values.value
class Outcome:
    """How an attempt ended, for the decision record.

    Attributes:
        status: HTTP status sent to the client; 0 when the connection broke before one was.
        attempts: endpoints tried, the last one included.
        first_byte: seconds from the request's arrival to the first response byte; None when there was none.
        duration: seconds from arrival to the end.
        error: "" when it went well, else what happened, in words.
    """

    status: int
    attempts: int
    first_byte: float | None
    duration: float
    error: str = ""


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
        """Whether any pod, ready or not, claims to serve ``model``."""
        ...

    def lease(self, decision: contract.Decision) -> Lease:
        """Count the request on the decision's endpoint until the lease is released."""
        ...

    def report_failure(self, endpoint: contract.Endpoint) -> None:
        """The endpoint refused or broke a connection before its first response byte."""
        ...

    def report_answer(self, decision: contract.Decision) -> None:
        """The decision's endpoint sent the first byte of its response: it works, however long the rest takes."""
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
