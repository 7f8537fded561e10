"""Who somebody is, what they may use, and how a store keeps count.

**Three parties.** ``services`` writes users and keys. ``gateway`` asks a ``directory.Directory`` who sent a request and a
``limiter.Limiter`` whether it may go on. Both stand on one ``Store``, which the assembly opens from an address: SQLite on one machine,
Redis or Valkey where there are several, memory in tests.

**What the gateway does with a request** (all of it; the rest is this room's):

    user  = await directory.by_token(token)        # or by_name(header); None: 401
    given = await limiter.reserve(Demand(user, model, model_rps, tokens=estimate))
    if isinstance(given, Refusal): …               # 429: given.message, given.error_header, given.retry_after
    …                                              # given.standings: for x-ratelimit-* headers
    given.settle(usage.total_tokens)               # at the end; or given.cancel() when no engine was asked

**Limits are fixed windows.** A window is a whole number of periods since the Unix epoch: ``now // period``. What was counted in it lies
under a key that ends in the window's number modulo 64, as in the original, so that both may count in one Redis. RPM and TPM belong to
a user and have periods of 60 s; RPS belongs to a model and has a period of 1 s. A request is refused where a count *has reached* its
limit, so the last one let in may go over the tokens, never over the requests.

**Reserve, then settle.** Reserving takes one request and the tokens that the gateway expects, from all windows or from none: a refused
request has used nothing. Settling adds what was used beyond the expectation, or gives back what was not. Both happen in the window of
the moment; what was reserved in an earlier window went with that window, so only use beyond it is added to the new one. A reservation
that nobody settles costs what it reserved until its window ends. Settling twice, or settling what was cancelled, does nothing.

**Nothing waits for a settlement.** It is queued and travels with the next reservation, or shortly after. A batch of them carries an
id, which a store applies once, so a batch whose answer was lost can be sent again.

**A store that is away** (``errors.StoreAwayError``) means, by the operator's choice, that requests with limits are refused, as in the
original, or that each gateway counts for itself until the store is back. Users who were known go on being known for a while.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Protocol

from brickyard.lib import values

DEFAULT_RPM = 100
"""Requests per minute of a user whose record says 0."""
TOKENS_PER_REQUEST = 1000
"""A user whose record says ``tpm`` 0 has this many tokens per minute for each request per minute."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A user as stored. ``rpm`` and ``tpm`` are per minute: 0 means the default, below 0 no limit.

    The effective values are properties, None where there is no limit.
    """

    name: str
    rpm: int = 0
    tpm: int = 0

    @property
    def requests_per_minute(self) -> int | None:
        rpm = self.rpm or DEFAULT_RPM
        return rpm if rpm > 0 else None

    @property
    def tokens_per_minute(self) -> int | None:
        tpm = self.tpm or (self.rpm or DEFAULT_RPM) * TOKENS_PER_REQUEST
        return tpm if tpm > 0 else None


@dataclasses.dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as stored: never the token, only its keyed hash (64 hex digits). ``created`` is Unix seconds."""

    digest: str
    user: str
    created: float
    label: str = ""

    @property
    def id(self) -> str:
        """What people call it: the beginning of the hash."""
        return self.digest[:12]


class Kind(enum.Enum):
    """What a limit counts."""

    RPM = "rpm"
    TPM = "tpm"
    RPS = "rps"


@values.value
class Demand:
    """What a request asks for.

    Attributes:
        user: whose limits count; None: nobody's.
        model: the model's name.
        model_rps: requests per second that the model's profile allows; None or ≤ 0: no limit.
        tokens: expected total of prompt and answer; 0 where nothing is expected, which is what the original does.
    """

    user: User | None
    model: str = ""
    model_rps: int | None = None
    tokens: int = 0


@values.value
class Claim:
    """One counter that a request takes from.

    Attributes:
        kind: what it counts.
        key: where the count lies, the window's number modulo 64 included.
        window: the window's number since the epoch. A count that was made in another one is 0 in this.
        period: seconds that a window lasts; what a store keeps of it may be forgotten as long after the last change.
        amount: what is taken.
        limit: the claim fails where the count has reached it; None: it never fails, and is counted.
    """

    kind: Kind
    key: str
    window: int
    period: int
    amount: int
    limit: int | None

    @property
    def ends(self) -> int:
        """Unix seconds at which the window ends."""
        return (self.window + 1) * self.period


@values.value
class Charge:
    """A change of one counter without a question; below 0 it gives back. A count never falls below 0."""

    key: str
    window: int
    period: int
    amount: int

    @property
    def ends(self) -> int:
        """Unix seconds at which the window ends."""
        return (self.window + 1) * self.period


@values.value
class Taken:
    """What became of a request's claims.

    Attributes:
        counts: the counters as they are now, in the claims' order: with what was taken, or without where it was refused.
        refused: index of the first claim that failed; None: none did and all were taken.
    """

    counts: Sequence[int]
    refused: int | None = None


@values.value
class Batch:
    """What is sent to a store at once, and happens at once: first the charges, then the asks in order.

    ``id`` names the charges: a store that has applied them leaves them out when they come again, for at least ten minutes.
    """

    id: str
    charges: Sequence[Charge] = ()
    asks: Sequence[Sequence[Claim]] = ()


class Records(Protocol):
    """Users and keys. Every method may raise ``errors.StoreAwayError``; reading ones ``errors.DamagedRecordError``."""

    async def create(self, user: User) -> bool:
        """Add a user; False, and nothing changed, where the name is taken."""
        ...

    async def read(self, name: str) -> User | None: ...

    async def update(self, user: User) -> bool:
        """Replace a user's limits; False where there is none of that name."""
        ...

    async def delete(self, name: str) -> bool:
        """Remove a user and all of their keys; False where there is none of that name."""
        ...

    async def users(self, *, after: str = "", limit: int = 1000) -> Sequence[User]:
        """Users by name, those after ``after``, ``limit`` at most. Records that cannot be read are left out and logged."""
        ...

    async def add_key(self, key: ApiKey) -> bool:
        """Add a key; False where its user is not there."""
        ...

    async def keys(self, user: str) -> Sequence[ApiKey]:
        """A user's keys, oldest first."""
        ...

    async def key(self, digest: str) -> ApiKey | None: ...

    async def revoke(self, key: ApiKey) -> bool:
        """Remove a key; False where it is gone already."""
        ...


class Counters(Protocol):
    """Counts of windows."""

    async def exchange(self, batch: Batch, now: float) -> Sequence[Taken]:
        """Apply a batch, all of it at once for whoever else counts; answers its asks in order. ``now`` is Unix seconds.

        Raises:
            StoreAwayError: the store did not answer; the batch may have been applied.
        """
        ...


class Store(Records, Counters, Protocol):
    """Both in one place."""

    async def ping(self) -> None:
        """Return when the store answers.

        Raises:
            StoreAwayError: it does not.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and files. What was acknowledged stays."""
        ...


@values.value
class Standing:
    """How one limit stands after a request: for ``x-ratelimit-*`` headers. ``limit`` None: none; ``resets`` is in seconds from now."""

    kind: Kind
    limit: int | None
    used: int
    resets: float


@values.value
class Refusal:
    """A request that may not go on now.

    Attributes:
        kind: the limit that was reached.
        message: for the client.
        error_header: the name of the original's header that tells which limit it was; its value is ``true``.
        retry_after: seconds until the window ends, at least 1, for ``Retry-After``.
        standings: how all of the request's limits stand.
    """

    kind: Kind
    message: str
    error_header: str
    retry_after: int
    standings: Sequence[Standing]


class Reservation(Protocol):
    """A request that may go on. End it once, by one of the two; what comes after the first does nothing."""

    @property
    def standings(self) -> Sequence[Standing]:
        """How the request's limits stand, its own reservation counted."""
        ...

    def settle(self, tokens: int) -> None:
        """The request is over and used ``tokens`` in all. Returns at once."""
        ...

    def cancel(self) -> None:
        """No engine was asked: give everything back. Returns at once."""
        ...
