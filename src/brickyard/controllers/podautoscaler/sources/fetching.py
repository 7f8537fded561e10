"""Reads pages for all autoscalers together.

Ten thousand pods every ten seconds: a page must cost tens of microseconds, and one pod that hangs must cost the others nothing.

* **Once for all.** Autoscalers and metrics that want the same page of the same pod share one reading while it is fresh. What is kept of a
  page is its hash and the numbers that somebody asked for, never its bytes: pages of ten thousand vLLMs are gigabytes.
* **Not again.** A page that hashes as before is not looked through.
* **Two lanes.** A page that was late is asked for in a lane of its own until it is in time again, so that dead pods wait for one another
  and nobody else for them. Each page has its own deadline, and all pages of a question one together: what is not there by then is
  missing.

What counts between two readings is kept with the page, by the pod's uid: a new pod at an old address starts anew.
"""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

import xxhash

from brickyard.controllers.podautoscaler.sources import found, looks, settings
from brickyard.lib import clock, logs, pages, tasks

FORGET: Final = 300.0
"""Seconds after which what nobody asks for any more is forgotten."""
KEPT: Final = 16384
"""Most connections kept open between two readings."""
OTHER_FILES: Final = 1024
"""What the process opens beside them; where it may open less than twice that, half of it."""

log = logs.get(__name__)


class Ask(NamedTuple):
    """One metric on one page. ``who``: uid of the pod whose page it is; "" for others."""

    who: str
    url: str
    look: looks.Look


class Answer(NamedTuple):
    """What came of it. ``at``: Unix time of the reading. ``notes``: what its source adds."""

    number: found.Number
    at: float = 0.0
    notes: tuple[str, ...] = ()


class _Line:
    """One metric of a page, and how it went on."""

    __slots__ = ("answer", "found", "look", "track")

    def __init__(self, look: looks.Look) -> None:
        self.look = look
        self.track = found.Track()
        self.found: found.Found | None = None  # on the page as it was last; None before
        self.answer: Answer | None = None


class _Page:
    """What is kept of a page."""

    __slots__ = ("digest", "late", "lines", "read_at", "reading", "url", "wanted_at")

    def __init__(self, url: str) -> None:
        self.url = url
        self.lines: dict[str, _Line] = {}
        self.digest = 0
        self.late = False
        self.read_at = float("-inf")
        self.wanted_at = 0.0
        self.reading: asyncio.Task[None] | None = None

    def line(self, look: looks.Look) -> _Line:
        line = self.lines.get(look.key)
        if line is None:
            line = self.lines[look.key] = _Line(look)
        return line

    def take(self, body: bytes, now: float, at: float) -> None:
        """The page as it is now. ``now`` is monotonic, ``at`` Unix time."""
        digest = xxhash.xxh3_64_intdigest(body)
        same, self.digest = digest == self.digest, digest
        for line in self.lines.values():
            if line.found is None or not same:
                line.found = line.look.read(body, at)
            notes = () if isinstance(line.found, found.Absent) else line.found.notes
            line.answer = Answer(line.track.step(line.found, now), at, notes)

    def miss(self, why: str, at: float) -> None:
        """No page came."""
        for line in self.lines.values():
            line.answer = Answer(found.Absent(why), at)


class Fetcher:
    """``async with Fetcher(settings, time) as fetcher: await fetcher.read(asks)``."""

    def __init__(self, chosen: settings.Settings, time: clock.Clock, names: pages.Names | None = None) -> None:
        self._chosen = chosen
        self._names = names
        self._time = time
        self._pages: dict[tuple[str, str], _Page] = {}
        self._swept = time.monotonic()
        self._scope = tasks.Scope("autoscaler-pages")
        late = min(chosen.late_connections, chosen.connections // 2)
        self._prompt, self._late = self._lane(chosen.connections - late, affordable()), self._lane(late, late)
        self.fetched = 0
        """Pages asked for over the network so far."""

    def _lane(self, connections: int, kept: int) -> pages.Pages:
        return pages.Pages(
            connections=max(connections, 1),
            timeout=self._chosen.page_timeout,
            largest=self._chosen.largest_page,
            kept=kept,
            way=pages.Way(_trusting(), self._names),
        )

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, trace)
        finally:
            await self._prompt.__aexit__(kind, error, trace)
            await self._late.__aexit__(kind, error, trace)

    async def read(self, asks: Sequence[Ask]) -> list[Answer]:
        """An answer to each, in order, within the deadline. Never raises for what others do."""
        now = self._time.monotonic()
        self._sweep(now)
        looked = [self._look(each, now) for each in asks]
        waiting = {page.reading for page, _ in looked if page.reading is not None}
        if waiting:
            await asyncio.wait(waiting, timeout=self._chosen.deadline)
        return [self._answer(page, line) for page, line in looked]

    def _look(self, ask: Ask, now: float) -> tuple[_Page, _Line]:
        page = self._pages.get(ask[:2])
        if page is None:
            page = self._pages[ask[:2]] = _Page(ask.url)
        page.wanted_at = now
        line = page.line(ask.look)
        fresh = line.answer is not None and now - page.read_at < self._chosen.fresh
        if page.reading is None and not fresh:
            page.reading = self._scope.start(self._fetch(page), name="page")
        return page, line

    def _answer(self, page: _Page, line: _Line) -> Answer:
        if page.reading is None and line.answer is not None:
            return line.answer
        others = "pages that were late before are asked in turn" if page.late else "too many pages at once"
        return Answer(found.Absent(f"{page.url} could not be read within {self._chosen.deadline:g} s: {others}"))

    async def _fetch(self, page: _Page) -> None:
        self.fetched += 1
        lane = self._late if page.late else self._prompt
        try:
            answer = await lane.ask(page.url)
        except pages.PageMissed as error:
            page.late = isinstance(error, pages.PageLateError)
            page.miss(str(error), self._time.wall())
        else:
            page.late = False
            self._judge(page, answer)
        finally:
            page.read_at = self._time.monotonic()
            page.reading = None

    def _judge(self, page: _Page, answer: pages.Answer) -> None:
        at = self._time.wall()
        if answer.status == 200:
            page.take(answer.body, self._time.monotonic(), at)
            return
        plain = f"{page.url} answered {_status(answer)}"
        for line in page.lines.values():
            line.answer = Answer(found.Absent(line.look.refused(answer.status, answer.body) or plain), at)

    def _sweep(self, now: float) -> None:
        """Forget what nobody wants any more."""
        if now - self._swept < FORGET / 4:
            return
        self._swept = now
        for key in [key for key, page in self._pages.items() if now - page.wanted_at > FORGET and page.reading is None]:
            del self._pages[key]


def affordable() -> int:
    """How many connections may stay open, by the limit of files that holds now."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return KEPT if files == resource.RLIM_INFINITY else min(KEPT, max(files // 2, files - OTHER_FILES))


def _status(answer: pages.Answer) -> str:
    status = answer.status
    if 300 <= status < 400:
        where = f" to {answer.location}" if answer.location else ""
        return f"{status}, a redirect{where}, which is not followed: write the page's own address"
    if status in (401, 403):
        return f"{status}: it wants credentials, and metrics pages are read without"
    if status == 404:
        return "404: it has no such page; correct path or port"
    return f"{status}: its server has trouble" if status >= 500 else str(status)


def _trusting() -> ssl.SSLContext:
    """Pods sign for themselves: whoever answers at a pod's address is believed, as AIBrix does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
