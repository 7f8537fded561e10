"""What the data plane tells of a request while it runs, and the header fields by which engines' own spans join.

    request                                the client's span is its parent, where it names one
    ├── admission, queue                   where it waited
    ├── demo-a                             a try that failed
    └── demo-b                             the one that answered; the engine's spans are its children

Without a tracer nothing of this is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from brickyard.gateway import contract
from brickyard.routing import contract as routing


class Trace(Protocol):
    """One request. ``ended`` is called once, with nothing after it."""

    @property
    def replaced(self) -> frozenset[bytes]:
        """The client's header fields, lower case, that must not reach the engine beside ``lines``."""
        ...

    def tried(self, endpoint: routing.Endpoint) -> None:
        """A try begins; the one before it failed."""
        ...

    def lines(self) -> bytes:
        """Complete header lines for the engine of the current try."""
        ...

    def ended(
        self, decision: routing.Decision | routing.NoDecision | None, outcome: contract.Outcome, *, cancelled: bool
    ) -> None:
        """The request is over. ``cancelled``: its client went away."""
        ...


class Tracer(Protocol):
    """Makes traces."""

    def begin(self, notes: Mapping[bytes, bytes], request: routing.Request, *, stream: bool) -> Trace:
        """A request that was understood. ``notes``: header fields by lower-case name, ``traceparent`` among them."""
        ...
