"""What a profile's parts may be besides what ``contract`` asks of them: told by ``isinstance``, and at best once per profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from brickyard.routing import contract


class Measures(Protocol):
    """What a scorer may also be: able to give the numbers behind its scores, in units of their own, for people who ask why."""

    def measure(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        """One number per row of ``rows``; NaN or an infinity: nothing is known of that row."""
        ...

    def normalise(self, measured: Sequence[float]) -> Sequence[float]:
        """The scores 0..1 that follow: ``scores`` is ``normalise`` of ``measure``."""
        ...


@runtime_checkable
class AddsHeaders(Protocol):
    """What a scorer may also be: in need of telling the client something."""

    def response_headers(self, endpoint: contract.Endpoint) -> Mapping[str, str]:
        """Headers for the answer of a request that was given to ``endpoint``."""
        ...


@runtime_checkable
class Describes(Protocol):
    """What a scorer may also be: able to say in words what it saw, for people who ask why."""

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        """The input behind a row's score, such as ``2 requests in flight``."""
        ...


@runtime_checkable
class StandsBehind(Protocol):
    """What a handler may also be: in need of knowing which filters every request passes, besides its own."""

    @property
    def name(self) -> str: ...

    def step(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, done: Mapping[str, contract.Decision]
    ) -> contract.Step | None:
        """As ``contract.ProfileHandler`` says."""
        ...

    def behind(self, before: tuple[contract.Filter, ...]) -> contract.ProfileHandler:
        """The handler that knows them."""
        ...
