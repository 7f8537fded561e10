"""Keeps the lines moving: one per model, made when its first request has to wait and gone with its last.

A request waits when its decision says that endpoints are there and full (``NoDecision.saturated``), or that none is there yet, where that
is allowed or the model is one that wakes up when it is asked (``Sleep``). Whoever gives a place back says ``freed``, and within the same
turn of the loop those whose turn it is are asked to choose again. An adapter's endpoints are those of the model it adapts: a place there is
room for either line. What nobody says (an engine's own queue got shorter, another gateway's request ended) is found by the sweep.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Protocol

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.queueing import line, metrics, settings
from brickyard.lib import logs
from brickyard.routing import contract as routing

log = logs.get(__name__)

MOST_STUCK: Final = 16
"""Kinds of request that one look finds no room for, before it leaves the rest to the next one: clients choose the kinds."""


class Waiter(Protocol):
    """Who waits. Of the two calls that end the waiting, one comes, once, unless it leaves by itself."""

    def choose(self, waited: float) -> routing.Decision | routing.NoDecision:
        """Ask again where it could go, now that it has waited for so many seconds."""
        ...

    def called(self, decision: routing.Decision) -> None:
        """Its turn has come: go. The place must be taken before this returns."""
        ...

    def turned_away(self, refused: errors.RefusedError | None) -> None:
        """It waited in vain. None: waiting would not help any more, as it was told when it last chose."""
        ...


class Sleep(Protocol):
    """Models without any endpoint that wake up when they are asked.

    Attributes:
        limit: requests of one such model that may wait.
        timeout: seconds that they may.
    """

    @property
    def limit(self) -> int: ...

    @property
    def timeout(self) -> float: ...

    def holds(self, model: str) -> bool:
        """Whether requests for ``model``, which has no endpoint, should wait for one."""
        ...

    def take(self, size: int) -> bool:
        """Count so many bytes that are kept in memory for a request; False, and nothing counted, when there are too many."""
        ...

    def give(self, size: int) -> None:
        """Those bytes are kept no longer."""
        ...

    def begun(self, model: str) -> None:
        """Somebody waits for ``model``, and nobody did before."""
        ...

    def woken(self, model: str, seconds: float) -> None:
        """``model`` has an endpoint, so many seconds after somebody first waited for one."""
        ...

    def ended(self, end: metrics.End) -> None:
        """Somebody who waited for an endpoint, or would have, does not any more."""
        ...

    def full(self, model: str) -> errors.RefusedError:
        """What is said when there is no place left to wait for ``model``."""
        ...

    def late(self, model: str) -> errors.RefusedError:
        """What is said when ``model`` had no endpoint in time."""
        ...


Ticket = line.Ticket[Waiter]


class _ModelLine(line.Line[Waiter]):
    """A line, the kinds of request for which there was no room when last asked, and whether it is about to be looked at.

    ``base``: whose endpoints it waits for, where they are another model's. ``asleep``: its model has no endpoint, since ``fell``; else it
    has had some since ``woke``.
    """

    def __init__(self, limit: int, base: str) -> None:
        super().__init__(limit)
        self.base = base
        self.stuck: set[Hashable] = set()
        self.due = False
        self.asleep = False
        self.fell = math.inf
        self.woke = -math.inf

    def slept(self, ticket: Ticket, now: float) -> float:
        """Seconds that ``ticket`` has waited while there was no endpoint."""
        return max(0.0, (now if self.asleep else self.woke) - max(ticket.joined_at, self.fell))


class Queue:
    """All lines of one gateway.

    Attributes:
        waiting: requests in all lines.
    """

    def __init__(self, options: settings.QueueSettings, now: Callable[[], float], sleep: Sleep | None = None) -> None:
        self.waiting = 0
        self.metrics = metrics.QueueMetrics()
        self.metrics.lengths = lambda: [(model, len(each)) for model, each in self._lines.items()]
        self._options = options
        self._now = now
        self._sleep = sleep
        self._lines: dict[str, _ModelLine] = {}
        self._adapters: dict[str, dict[str, _ModelLine]] = {}

    def has_line(self, model: str) -> bool:
        """Whether somebody waits for ``model`` already, so that nobody may go past."""
        return model in self._lines

    def takes(self, made: routing.NoDecision) -> bool:
        """Whether waiting may help."""
        if made.bad_request:
            return False
        if self._sleeps(made):
            return True
        return self._options.length > 0 and (
            made.saturated or (self._options.hold_absent and not made.snapshot.endpoints)
        )

    def asleep(self) -> Iterator[tuple[str, int, float]]:
        """Models that requests wait for although they have no endpoint: how many, and since when somebody has."""
        return ((model, len(each), each.fell) for model, each in self._lines.items() if each.asleep)

    def join(
        self, waiter: Waiter, request: routing.Request, priority: int, told: routing.NoDecision | None
    ) -> Ticket | None:
        """Let ``waiter`` wait; None when it was turned away at once, since the line is full.

        ``told``: it has just been told that there is no room; otherwise it only stands behind others.
        """
        found = self._lines.get(request.model) or self._line(request.model, told)
        kind = (request.strategy, request.label_filter, request.profile, request.excluded)
        ticket = Ticket(waiter, request.user, priority, kind, self._now())
        self.waiting += 1
        if not self._weigh(ticket, found, len(request.prompt)):
            self._shed(ticket, request.model, found)
            return None
        shed = found.join(ticket)
        if told is not None:
            found.stuck.add(kind)
        elif kind not in found.stuck:
            self._look_soon(request.model, found)
        if shed is not None:
            self._shed(shed, request.model, found)
        return None if shed is ticket else ticket

    def leave(self, ticket: Ticket, model: str, end: metrics.End = metrics.End.GONE) -> None:
        """Wait no more; who does not wait may say so."""
        found = self._lines.get(model)
        if found is not None and found.leave(ticket):
            self._left(ticket, model, found, end)

    def freed(self, model: str) -> None:
        """There may be room again. Costs nothing where nobody waits."""
        found = self._lines.get(model)
        if found is not None:
            self._unstick(model, found)
        if model in self._adapters:
            for adapter, waiting in self._adapters[model].items():
                self._unstick(adapter, waiting)

    def sweep(self, now: float) -> None:
        """Turn away who has waited too long, and look whether there is room that nobody told of."""
        for model, found in tuple(self._lines.items()):
            for ticket in self._overdue(found, now):
                self._left(ticket, model, found, metrics.End.LATE)
                ticket.waiter.turned_away(self._too_late(model, found))
            self.freed(model)

    # Inside.

    def _line(self, model: str, told: routing.NoDecision | None) -> _ModelLine:
        owners = {endpoint.model for endpoint in told.snapshot.endpoints} - {model} if told is not None else ()
        sleep = self._sleep if told is not None and self._sleeps(told) else None
        made = _ModelLine(self._options.length if sleep is None else sleep.limit, min(owners, default=""))
        self._lines[model] = made
        if made.base:
            self._adapters.setdefault(made.base, {})[model] = made
        if sleep is not None:
            made.asleep, made.fell = True, self._now()
            sleep.begun(model)
        return made

    def _sleeps(self, made: routing.NoDecision) -> bool:
        """Whether its model has no endpoint, and is one that wakes up."""
        if made.snapshot.endpoints or self._sleep is None:
            return False
        return self._sleep.holds(made.request.model)

    def _learn(self, model: str, found: _ModelLine, made: routing.Decision | routing.NoDecision, now: float) -> None:
        """Note whether the model of a line has endpoints."""
        asleep = isinstance(made, routing.NoDecision) and self._sleeps(made)
        if self._sleep is None or asleep is found.asleep:
            return
        found.asleep = asleep
        if asleep:
            found.fell = now
            self._sleep.begun(model)
        else:
            found.woke = now
            if made.snapshot.endpoints:
                self._sleep.woken(model, now - found.fell)

    def _weigh(self, ticket: Ticket, found: _ModelLine, size: int) -> bool:
        """Count the bytes of somebody who waits for a model that sleeps; False when there are too many."""
        if self._sleep is None or not found.asleep:
            return True
        if not self._sleep.take(size):
            return False
        ticket.weight = size
        return True

    def _overdue(self, found: _ModelLine, now: float) -> list[Ticket]:
        """Who has waited too long; the time that it took to wake the model is not counted as waiting for room."""
        if found.asleep and self._sleep is not None:
            return found.overdue(now - self._sleep.timeout)
        return found.overdue(now - self._options.timeout) if now - found.woke >= self._options.timeout else []

    def _unstick(self, model: str, found: _ModelLine) -> None:
        found.stuck.clear()
        self._look_soon(model, found)

    def _look_soon(self, model: str, found: _ModelLine) -> None:
        """Once per turn of the loop, and never inside the call of somebody who is just giving a place back."""
        if not found.due:
            found.due = True
            asyncio.get_running_loop().call_soon(self._look, model, found)

    def _look(self, model: str, found: _ModelLine) -> None:
        """Call everybody for whom there is room."""
        found.due = False
        tries = MOST_STUCK
        while tries and (ticket := found.next(found.stuck)) is not None:
            now = self._now()
            try:
                made = ticket.waiter.choose(now - ticket.joined_at)
            except Exception as fault:  # noqa: BLE001 - the border of a request: others stand behind it
                self._stumbled(ticket, model, fault)
                continue
            self._learn(model, found, made, now)
            if isinstance(made, routing.Decision):
                found.take(ticket, now)
                self._left(ticket, model, found, metrics.End.SENT)
                ticket.waiter.called(made)
            elif self.takes(made):
                found.stuck.add(ticket.kind)
                tries -= 1
            else:
                self.leave(ticket, model, metrics.End.REFUSED)
                ticket.waiter.turned_away(None)

    def _stumbled(self, ticket: Ticket, model: str, fault: Exception) -> None:
        log.error("a request in line failed inside the gateway", exc=fault, model=model)
        self.leave(ticket, model, metrics.End.REFUSED)
        message = "the gateway failed on this request: its log says how"
        ticket.waiter.turned_away(errors.RefusedError(openai.ApiError(500, message)))

    def _shed(self, ticket: Ticket, model: str, found: _ModelLine) -> None:
        self._left(ticket, model, found, metrics.End.FULL)
        if found.asleep and self._sleep is not None:
            ticket.waiter.turned_away(self._sleep.full(model))
            return
        message = (
            f"model {model} has more requests than it can take: all of its endpoints are full, and {self._options.length} requests, "
            "as many as may, wait already: try again later"
        )
        error = openai.ApiError(429, message, "overloaded", "model")
        ticket.waiter.turned_away(errors.RefusedError(error, (("retry-after", str(found.advice())),)))

    def _too_late(self, model: str, found: _ModelLine) -> errors.RefusedError:
        if found.asleep and self._sleep is not None:
            return self._sleep.late(model)
        message = f"model {model} had no room for this request within {self._options.timeout:g} s: try again later"
        error = openai.ApiError(503, message, "overloaded", "model")
        return errors.RefusedError(error, (("retry-after", str(found.advice())),))

    def _left(self, ticket: Ticket, model: str, found: _ModelLine, end: metrics.End) -> None:
        """Count somebody who waits no more, and forget a line without anybody."""
        self.waiting -= 1
        self.metrics.ends[end] += 1
        if self._sleep is not None:
            ticket.slept = found.slept(ticket, self._now())
            if found.asleep or ticket.slept:
                self._sleep.ended(end)
            self._sleep.give(ticket.weight)
            ticket.weight = 0
        if not len(found) and self._lines.get(model) is found:
            del self._lines[model]
            if found.base:
                del self._adapters[found.base][model]
                if not self._adapters[found.base]:
                    del self._adapters[found.base]
