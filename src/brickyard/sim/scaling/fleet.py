"""Replicas that start, serve, drain and end; who gets which request, and what waits where.

    ordered ─► starting (cold start) ─► ready ─► draining (no new requests) ─► ended
                     └────────── taken back ──────────────────────────────────►┘

A request goes to the ready replica with the fewest open ones. With none ready it waits at the gateway, in the order of arrival, and is
handed out when one becomes so. What waits inside an engine stays there, as it does with real ones: a replica that starts helps those who
come after it. Who has to go: first those that are starting, the latest ordered first, then the ready ones, the latest first, as
ReplicaSets do. A replica costs from its order to its end.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import math
from collections.abc import Iterable
from typing import Final

from brickyard.sim.engine.core import params
from brickyard.sim.scaling import engine, errors

NEVER: Final = math.inf


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """What replicas are like.

    Attributes:
        engine: how fast, how large.
        cold_start: seconds from the order to readiness.
        grace: seconds that a replica may drain before what it has left is lost.
    """

    engine: params.Params
    cold_start: float = 120.0
    grace: float = 600.0

    def __post_init__(self) -> None:
        if not (self.cold_start >= 0 and self.grace >= 0 and math.isfinite(self.cold_start + self.grace)):
            raise errors.ReplayError(f"cold start and grace are seconds, not {self.cold_start!r} and {self.grace!r}")


class Replica:
    """One. ``ready_at`` is NEVER once it drains; ``number`` tells it from all others."""

    __slots__ = ("deadline", "draining", "engine", "number", "ordered", "ready_at")

    def __init__(self, number: int, given: params.Params, ordered: float, ready_at: float) -> None:
        self.number = number
        self.engine = engine.Engine(given)
        self.ordered = ordered
        self.ready_at = ready_at
        self.draining = False
        self.deadline = NEVER

    @property
    def name(self) -> str:
        """As a pod's."""
        return f"replica-{self.number}"


class Fleet:
    """Changes with ``submit``, ``resize`` and ``advance``, whose times never go back.

    Attributes:
        ready: those that take requests, in the order in which they became ready.
        starting: those that will, in the order of their orders.
        held: requests at the gateway, in the order of arrival.
        spent: replica-seconds of replicas that have ended.
        lost: requests whose replica ended before them.
        refused: requests that no replica could ever run.
        most_waiting: the most requests that waited at any time, at the gateway and in engines.
    """

    def __init__(self, build: Build, replicas: int) -> None:
        self._build = build
        self._numbers = 0
        self.ready: list[Replica] = []
        self.starting: collections.deque[Replica] = collections.deque()
        self.draining: dict[int, Replica] = {}
        self.held: collections.deque[engine.Job] = collections.deque()
        self.spent = 0.0
        self.lost = self.refused = self.most_waiting = 0
        self._due: list[tuple[float, int, Replica]] = []
        self._probe = engine.Engine(build.engine)
        for _ in range(replicas):
            self.ready.append(self._order(0.0, 0.0))

    @property
    def replicas(self) -> int:
        """Those that are to be: starting and ready."""
        return len(self.ready) + len(self.starting)

    @property
    def open(self) -> int:
        """Requests on their way: at the gateway and in engines."""
        return len(self.held) + sum(each.engine.open for each in self._all())

    @property
    def waiting(self) -> int:
        """Requests that nobody computes: at the gateway and in engines' queues."""
        return len(self.held) + sum(each.engine.waiting for each in self._all())

    def _all(self) -> Iterable[Replica]:
        yield from self.ready
        yield from self.draining.values()

    def cost(self, now: float) -> float:
        """Replica-seconds so far."""
        return self.spent + sum(now - each.ordered for each in (*self.starting, *self._all()))

    def next_at(self) -> float:
        """When ``advance`` has something to do; NEVER."""
        while self._due and not self._current(*self._due[0]):
            heapq.heappop(self._due)
        soonest = self._due[0][0] if self._due else NEVER
        return min(soonest, self.starting[0].ready_at) if self.starting else soonest

    @staticmethod
    def _current(at: float, number: int, replica: Replica) -> bool:
        del number
        return at in (replica.engine.due, replica.deadline)

    def submit(self, job: engine.Job, now: float) -> None:
        """A request comes."""
        if not self._probe.fits(job):
            self.refused += 1
            job.lost = True
            return
        self.held.append(job)
        self._hand_out(now)
        if self.held:
            self._watch()

    def _watch(self) -> None:
        self.most_waiting = max(self.most_waiting, self.waiting)

    def _hand_out(self, now: float) -> None:
        while self.held and self.ready:
            replica = min(self.ready, key=lambda each: each.engine.open)
            due = replica.engine.due
            replica.engine.submit(self.held.popleft(), now)
            if replica.engine.due != due:
                heapq.heappush(self._due, (replica.engine.due, replica.number, replica))
            if replica.engine.waiting:
                self._watch()

    def resize(self, wanted: int, now: float) -> None:
        """Order what is missing, or take back what is too many."""
        while self.replicas < wanted:
            self.starting.append(self._order(now, now + self._build.cold_start))
        while self.replicas > max(0, wanted):
            if self.starting:
                self.spent += now - self.starting.pop().ordered
            else:
                self._drain(self.ready.pop(), now)

    def _order(self, now: float, ready_at: float) -> Replica:
        self._numbers += 1
        return Replica(self._numbers, self._build.engine, now, ready_at)

    def _drain(self, replica: Replica, now: float) -> None:
        replica.draining = True
        replica.ready_at = NEVER
        replica.deadline = now + self._build.grace
        if replica.engine.open:
            self.draining[replica.number] = replica
            heapq.heappush(self._due, (replica.deadline, replica.number, replica))
        else:
            self._end(replica, now)

    def _end(self, replica: Replica, now: float) -> None:
        self.draining.pop(replica.number, None)
        self.spent += now - replica.ordered
        replica.deadline = NEVER
        for job in replica.engine.abandon():
            job.lost = True
            self.lost += 1

    def advance(self) -> None:
        """Do what is due at ``next_at()``."""
        now = self.next_at()
        if self.starting and self.starting[0].ready_at <= now:
            self.ready.append(self.starting.popleft())
            self._hand_out(now)
            return
        _, _, replica = heapq.heappop(self._due)
        if replica.engine.due <= now:
            replica.engine.advance()
            if replica.engine.due < NEVER:
                heapq.heappush(self._due, (replica.engine.due, replica.number, replica))
        if replica.draining and (not replica.engine.open or replica.deadline <= now):
            self._end(replica, now)
