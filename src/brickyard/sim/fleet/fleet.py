"""The event loop: requests arrive, the director chooses, engines step, the clock jumps to whatever comes next.

    arrival ─► choose ─► lease ─► scheduler.submit
    step's end ─► first token: answered ─► last token: lease released with what was used ─► next step
    scrape ─► the engine's metrics page, as it writes it, as its reader reads it

Equal traces, setups and seeds give equal outcomes, to the last digit.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from brickyard.engines import contract as engines
from brickyard.gateway import contract as gateway
from brickyard.gateway.endpoints import director, settings, table
from brickyard.gateway.kvevents import book, follower, sources
from brickyard.gateway.kvevents import settings as kv_settings
from brickyard.lib import clock
from brickyard.routing import contract, registry
from brickyard.sim.engine import pages
from brickyard.sim.engine.core import blocks, errors, params, scheduler, speech, statistics, tokens, work
from brickyard.sim.fleet import outcome, trace

MODEL: Final = "simulated"
ENGINE: Final = "vllm"
PORT: Final = 8000


@dataclasses.dataclass(frozen=True, slots=True)
class Setup:
    """A fleet.

    Attributes:
        strategy: a policy, or a mix of several.
        engine: what each endpoint is like.
        endpoints: how many.
        scrape: seconds between two looks at an engine's metrics page.
        seed: of the director's chance.
        kv_events: engines tell what they hold, and the director's index is corrected by it.
    """

    strategy: str
    engine: params.Params
    endpoints: int = 8
    scrape: float = 1.0
    seed: int = 0
    kv_events: bool = False


class Request:
    """One that is open: what a job's owner is here."""

    __slots__ = ("decision", "lease", "row")

    def __init__(self, decision: contract.Decision, lease: gateway.Lease, row: int) -> None:
        self.decision = decision
        self.lease = lease
        self.row = row


class Replica:
    """An engine and what it counts."""

    __slots__ = ("busy", "open", "scheduler", "statistics")

    def __init__(self, given: params.Params, *, record: bool) -> None:
        self.scheduler = scheduler.Scheduler(given, record=record)
        self.statistics = statistics.Statistics()
        self.busy = False
        self.open = 0

    def page(self) -> bytes:
        """Its metrics page."""
        return pages.render(ENGINE, pages.View(MODEL, self.scheduler, self.statistics, 0, (0.0, 0.0), {}))


class Fleet:
    """One run: make it, ``run`` it once.

    Raises:
        PolicyError: there is no such strategy.
    """

    def __init__(self, setup: Setup, policies: registry.Registry, readers: Mapping[str, engines.MetricsReader]) -> None:
        self._setup = setup
        self._reader = readers[ENGINE]
        self._clock = clock.ManualClock(0.0)
        rows = [
            contract.Endpoint(
                f"default/engine-{row:03d}:{PORT}", "default", f"engine-{row:03d}", "127.0.0.1", PORT, MODEL, ENGINE
            )
            for row in range(setup.endpoints)
        ]
        self.director = director.StaticDirector(
            rows,
            policies,
            settings.EndpointSettings(strategy=setup.strategy),
            time=self._clock,
            rng=random.Random(setup.seed),  # noqa: S311 - it spreads load and guards nothing
        )
        self.replicas = [Replica(setup.engine, record=setup.kv_events) for _ in rows]
        self.book = self._followed(rows) if setup.kv_events else None
        self._keys = [endpoint.key for endpoint in rows]
        self._row_of = {endpoint.key: row for row, endpoint in enumerate(rows)}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._left = 0
        self._refused = self._most_open = 0
        self._served: list[outcome.Served] = []

    def _followed(self, rows: Sequence[contract.Endpoint]) -> book.Book:
        known = self.director.prefixes
        made = book.Book(known.made, known, kv_settings.KvEventSettings(), self._clock)
        for each in rows:
            made.join(sources.Source(each.key, each.pod, MODEL, ENGINE, "", ()))
        known.witness = made
        return made

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._clock.monotonic()

    def run(self, arrivals: Sequence[trace.Arrival]) -> outcome.Outcome:
        """Until every request has ended."""
        self._left = len(arrivals)
        for number, each in enumerate(arrivals):
            self._at(each.at, functools.partial(self._arrive, number, each))
        if self.director.loads_wanted:
            for place, slot in enumerate(self.director.table.routable()):
                self._at(self._setup.scrape * place / len(self.replicas), functools.partial(self._scrape, slot))
        if self.book is not None:
            self._settle(self.book)
        while self._queue:
            at, _, act = heapq.heappop(self._queue)
            self._clock.advance(max(0.0, at - self.now))
            act()
        return outcome.Outcome(
            self._setup.strategy, len(self.replicas), tuple(self._served), self._refused, self._most_open
        )

    def _at(self, at: float, act: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (at, self._number, act))

    def _arrive(self, number: int, each: trace.Arrival) -> None:
        prompt = each.text()
        asked = contract.Request(
            f"r{number}", MODEL, "/v1/completions", prompt, each.user, session_key=each.session, max_tokens=each.output
        )
        made = self.director.choose(asked)
        if not isinstance(made, contract.Decision):
            raise errors.SimError(f"nobody takes a request: {made.reason}")
        row = self._row_of[made.endpoint.key]
        request = Request(made, self.director.lease(made), row)
        replica = self.replicas[row]
        job = work.Job(asked.id, prompt, speech.say(speech.offset(prompt), each.output), owner=request)
        try:
            replica.scheduler.submit(job, self.now)
        except errors.RejectedError:
            request.lease.release()
            self._refused += 1
            self._left -= 1
            return
        replica.open += 1
        self._most_open = max(self._most_open, replica.open)
        if not replica.busy:
            replica.busy = True
            self._at(self.now, functools.partial(self._begin, row))  # after what else arrives at this moment

    def _begin(self, row: int) -> None:
        replica = self.replicas[row]
        step = replica.scheduler.step(self.now)
        replica.busy = step is not None
        if step is not None:
            self._at(step.end, functools.partial(self._end, row, step))

    def _end(self, row: int, step: work.Step) -> None:
        self.replicas[row].statistics.step(step)
        if self.book is not None and step.events:
            self.book.take(self._keys[row], engines.KvEvents(self.now, tuple(map(_understood, step.events))))
        for output in step.outputs:
            if output.first or output.finish is not None:
                self._told(output)
        self._begin(row)

    def _told(self, output: work.Output) -> None:
        request = output.job.owner
        if not isinstance(request, Request):
            raise TypeError(f"job {output.job.id} belongs to nobody")
        if output.first:
            request.lease.answered()
        if output.finish is not None:
            self._finished(request, output.finish)

    def _finished(self, request: Request, how: work.Finish) -> None:
        request.lease.release(contract.Usage(how.prompt, how.generated, how.cached))
        replica = self.replicas[request.row]
        replica.statistics.finish(how, "stop")
        replica.open -= 1
        self._left -= 1
        self._served.append(
            outcome.Served(
                request.row,
                how.arrived,
                how.first_token - how.arrived,
                how.finished - how.arrived,
                how.prompt,
                how.cached,
                how.generated,
            )
        )

    def _settle(self, told: book.Book) -> None:
        if self._left:
            told.settle()
            self._at(self.now + follower.LOOK_EVERY, functools.partial(self._settle, told))

    def _scrape(self, slot: table.Slot) -> None:
        if not self._left:
            return  # nothing comes any more: the run may end
        page = self.replicas[self._row_of[slot.endpoint.key]].page()
        self.director.table.heard(slot, self._reader.parse(page), self.now)
        self._at(self.now + self._setup.scrape, functools.partial(self._scrape, slot))


def _understood(event: blocks.Event) -> engines.KvEvent:
    """What the engine tells, as its decoder would put it."""
    if isinstance(event, blocks.Stored):
        parent = None if event.parent is None else int.from_bytes(event.parent)
        names = tuple(map(int.from_bytes, event.hashes))
        return engines.BlocksStored(names, parent, tuple(tokens.ids(event.tokens)), event.block_size)
    if isinstance(event, blocks.Removed):
        return engines.BlocksRemoved(tuple(map(int.from_bytes, event.hashes)))
    return engines.BlocksCleared()
