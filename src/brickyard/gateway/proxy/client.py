"""One client connection.

Requests are answered one at a time, in order; what is pipelined behind the current one waits, bounded, and then the reading stops.
A client that closes its side still gets its answer, if it is there to take it: an interim response finds out (see ``_look_for_life``).
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Callable
from typing import Final, cast

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.proxy import answers, exchange, incoming, ledger, plane, reader, sockets
from brickyard.lib import logs

log = logs.get(__name__)

SLICE: Final = 16 * 1024
"""Bytes parsed at once while requests may come pipelined: bounds how many a single read can queue."""
LINGER: Final = 2.0
"""Seconds for which a refused client's bytes are still read, so that a reset does not overtake the answer."""
PROBES: Final[tuple[float, ...]] = (0.02, 0.1, 0.5, 2.0)
"""Seconds after which a half-closed connection is looked at, one after the other."""

_NEVER: Final = float("inf")


class ClientConnection(asyncio.Protocol):
    """From accept to close."""

    __slots__ = (
        "_current",
        "_deadline",
        "_ending",
        "_exchange",
        "_half_closed",
        "_page",
        "_plane",
        "_probe",
        "_pumping",
        "_queue",
        "_read_paused",
        "_reader",
        "_stage",
        "_stash",
        "_transport",
        "paused",
        "write",
    )

    def __init__(self, shared: plane.Plane) -> None:
        self._plane = shared
        self._queue: collections.deque[incoming.Incoming] = collections.deque()
        self._reader = reader.RequestReader(shared.settings, shared.budget, shared.router.find, self._queue)
        self._stage = reader.Stage.IDLE
        self._stash = b""
        self._current: incoming.Incoming | None = None
        self._exchange: exchange.Exchange | None = None
        self._page: asyncio.Future[answers.Answer] | None = None
        self._pumping = False
        self._read_paused = False
        self._half_closed = False
        self._ending = False
        self._probe: asyncio.TimerHandle | None = None
        self._deadline = _NEVER
        self.paused = False
        self.write: Callable[[bytes], None] = _nowhere

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._plane
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        sockets.notice_vanished(transport)
        shared.clients.add(self)
        self._deadline = shared.tick + shared.settings.head_timeout
        if len(shared.clients) > shared.settings.max_connections:
            shared.metrics.refused_connections += 1
            error = openai.ApiError(503, "the gateway has as many connections as it may: try again shortly")
            refused = errors.RefusedError(error, (("retry-after", "1"),), close=True)
            self.write(answers.render(answers.refusal(refused), close=True))
            self._end(linger=True)

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return  # lingering: the answer is out, the rest is only read so that it arrives
        if len(data) <= SLICE and not self._stash:
            self._reader.feed(data)
        else:
            self._stash += data
            self._feed_slices()
        self._react()

    def eof_received(self) -> bool:
        self._half_closed = True
        if self._ending or not (self._current or self._queue):
            return False
        if not self._transport.can_write_eof():
            return False  # TLS: a client that says goodbye there takes nothing more
        self._look_for_life()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        shared = self._plane
        self._ending = True
        current, self._exchange = self._exchange, None
        if current is not None:
            current.client_gone()
        if self._current is not None:
            shared.budget.give(len(self._current.body))
            self._current = None
        if self._probe is not None:
            self._probe.cancel()
        if self._page is not None:
            self._page.cancel()
        self._reader.close()
        self._stash = b""
        self.write = _nowhere
        shared.clients.discard(self)
        if shared.emptied is not None and not shared.clients:
            shared.emptied.set()

    def pause_writing(self) -> None:
        self.paused = True
        self._deadline = self._plane.tick + self._plane.settings.client_stall_timeout
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        self.paused = False
        self._set_deadline()
        if self._exchange is not None:
            self._exchange.resume()
        else:
            self._pump()

    # For the sweeper and the server.

    def sweep(self, now: float) -> None:
        """Look at the deadlines."""
        if self._exchange is not None:
            self._exchange.sweep(now)
        if now < self._deadline:
            return
        if self._ending or self.paused or self._stage is reader.Stage.IDLE:
            self._abort_or_close()
        else:
            self._deadline = _NEVER
            self._reader.time_out()
            self._react()

    def _abort_or_close(self) -> None:
        if self._ending or self.paused:
            self._transport.abort()
        else:
            self._transport.close()

    def drain(self) -> None:
        """Close when nothing is under way; what is, ends with ``Connection: close``."""
        if self._current is None and not self._queue and self._stage is reader.Stage.IDLE:
            self._end(linger=False)

    def cut(self) -> None:
        """End what is under way, saying so where the protocol allows."""
        if self._exchange is not None:
            self._exchange.cut()
        elif not self._ending:
            self._transport.abort()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    # For the exchange.

    def closes_after(self, request: incoming.Incoming) -> bool:
        """Whether the connection ends with the answer to ``request``."""
        return not request.keep_alive or self._nothing_follows()

    def _nothing_follows(self) -> bool:
        if self._plane.draining:
            return True
        return self._half_closed and not self._queue and not self._stash

    def answer(self, answer: answers.Answer, own: bytes = b"") -> None:
        """Send a whole answer of the gateway's."""
        request = self._current
        if request is None:
            return
        close = self.closes_after(request)
        own += self._plane.cors.lines(request.notes) if self._plane.cors.enabled else b""
        self.write(answers.render(answer, own, close=close, head_only=request.method == b"HEAD"))
        self.over(close=close)

    def over(self, *, close: bool) -> None:
        """The answer is out."""
        request, self._current = self._current, None
        self._exchange = None
        if request is not None:
            self._plane.budget.give(len(request.body))
        if close or self._nothing_follows():
            self._end(linger=self._reader.broken)
            return
        self._set_deadline()
        if not self._pumping:
            self._pump()

    def break_off(self, *, reset: bool) -> None:
        """The answer cannot be completed."""
        if reset:
            sockets.reset(self._transport)
        else:
            self._end(linger=False)

    def fail(self, fault: Exception) -> None:
        """The gateway itself failed on the current request."""
        if self._current is not None:
            self._fail(self._current, fault)

    # Requests.

    def _feed_slices(self) -> None:
        """Parse what has come as far as there is room for requests; the rest waits, and so does the peer."""
        data, room = memoryview(self._stash), self._plane.settings.max_pipelined
        at = 0
        while at < len(data) and len(self._queue) < room:
            step = max(SLICE, self._reader.body_left)
            self._reader.feed(data[at : at + step])
            at += step
        self._stash = b"" if self._reader.done else bytes(data[at:])

    def _react(self) -> None:
        if self._queue and self._current is None:
            self._pump()
        else:
            self._follow()

    def _pump(self) -> None:
        """Start requests until one is under way or none is left."""
        self._pumping = True
        try:
            while self._current is None and not self._ending and not self.paused:
                if self._queue:
                    self._start(self._queue.popleft())
                elif self._stash:
                    self._feed_slices()
                else:
                    break
        finally:
            self._pumping = False
        self._follow()

    def _follow(self) -> None:
        """Do what the reader's state asks for: an interim response, a deadline, a pause."""
        if self._ending:
            return
        if self._reader.continue_due and self._current is None:
            self._reader.continue_due = False
            self.write(answers.CONTINUE)
        if self._reader.stage is not self._stage:
            self._stage = self._reader.stage
            self._set_deadline()
        full = bool(self._stash) or len(self._queue) >= self._plane.settings.max_pipelined
        if full is not self._read_paused and not self._half_closed:
            self._read_paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _start(self, request: incoming.Incoming) -> None:
        self._current = request
        self._deadline = _NEVER
        try:
            self._dispatch(request)
        except Exception as error:  # noqa: BLE001 - the border of a request: its fault must not end the others'
            self._fail(request, error)

    def _fail(self, request: incoming.Incoming, error: Exception) -> None:
        log.error("request failed inside the gateway", exc=error, path=request.path.decode("latin-1"))
        current, self._exchange = self._exchange, None
        try:
            if current is not None:
                current.stumbled()
        finally:
            if self._current is request:
                refused = errors.RefusedError(
                    openai.ApiError(500, "the gateway failed on this request: its log says how")
                )
                self.answer(answers.refusal(refused, request.path))

    def _dispatch(self, request: incoming.Incoming) -> None:
        route = request.route
        if request.refusal is not None or route is None:
            self._refuse(request)
        elif request.method == b"OPTIONS":
            self.answer(self._plane.cors.options(request.notes, route.allow))
        elif route.page is not None:
            made = route.page(route.rest)
            if isinstance(made, answers.Answer):
                self.answer(made)
            else:
                self._page = asyncio.ensure_future(made)
                self._page.add_done_callback(self._page_made)
        elif route.dialect is not None:
            current = exchange.begin(self._plane, self, request, route.dialect)
            if current is not None:
                self._exchange = current
                current.start()

    def _page_made(self, page: asyncio.Future[answers.Answer]) -> None:
        self._page = None
        if page.cancelled() or self._current is None:
            return
        try:
            self.answer(page.result())
        except Exception as error:  # noqa: BLE001 - the border of a request, as in ``_start``
            self._fail(self._current, error)

    def _refuse(self, request: incoming.Incoming) -> None:
        refused = request.refusal
        if refused is not None:
            shared = self._plane
            request_id = shared.ids.of(request.notes)
            ledger.refused(shared, request, refused, request_id, shared.now())
            self.answer(answers.refusal(refused, request.path), answers.id_lines(request_id))

    # Ends.

    def _end(self, *, linger: bool) -> None:
        """Close once everything written is out. ``linger``: the peer may be sending still."""
        self._ending = True
        self._deadline = self._plane.tick + (LINGER if linger else self._plane.settings.client_stall_timeout)
        if linger and not self._half_closed:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            if self._read_paused:
                self._transport.resume_reading()
        else:
            self._transport.close()

    def _set_deadline(self) -> None:
        options = self._plane.settings
        if self.paused:
            return
        if self._stage is reader.Stage.HEAD:
            self._deadline = self._plane.tick + options.head_timeout
        elif self._stage is reader.Stage.BODY:
            self._deadline = self._plane.tick + options.body_timeout
        else:
            self._deadline = _NEVER if self._current is not None else self._plane.tick + options.keepalive_timeout

    # A closed sending side: gone, or only done with sending?

    def _look_for_life(self) -> None:
        """Ask with an interim response, which a client that is there skips and one that is gone answers with a reset.

        TCP says the same for both, and engines must not generate for nobody. Once the response has begun, its own bytes ask.
        """
        current = self._current
        if self._exchange is not None and current is not None and not current.http10 and not self._exchange.responding:
            self.write(answers.CONTINUE)
            self._look_again(0)

    def _look_again(self, turn: int) -> None:
        self._probe = None
        if turn and sockets.has_failed(self._transport):
            self._transport.abort()
        elif turn < len(PROBES):
            self._probe = asyncio.get_running_loop().call_later(PROBES[turn], self._look_again, turn + 1)


def _nowhere(_data: bytes) -> None:
    """Where bytes go once the connection is gone."""
