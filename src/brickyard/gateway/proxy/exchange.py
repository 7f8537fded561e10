"""One request that goes to an engine: understand, choose, try, settle.

Whatever happens, the decision is recorded once and the counters move once: all of it in ``_settle``, which every way out leads to.
While nothing of a response has come back, a failed try moves on to another endpoint; after that, never: the engine may have
generated, and the client may have seen, what a second one would say differently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, Protocol

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract as dialects
from brickyard.gateway.proxy import answers, attempt, heads, incoming, ledger, plane, response, understand, upstream
from brickyard.routing import contract as routing
from brickyard.routing import explain

_ID_LINE: Final = names.HEADER_REQUEST_ID.encode() + b": %b\r\n"
_STRATEGY_LINE: Final = names.HEADER_ROUTING_STRATEGY.encode() + b": %b\r\n"
_EXPLAIN: Final = names.HEADER_EXPLAIN.encode()
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Client(Protocol):
    """The connection a request came from, as its exchange sees it. Of the last three, one is called, once, with nothing after it."""

    write: Callable[[bytes], None]

    @property
    def paused(self) -> bool:
        """The client does not take what was written."""
        ...

    def closes_after(self, request: incoming.Incoming) -> bool:
        """Whether the connection ends with the answer to ``request``."""
        ...

    def answer(self, answer: answers.Answer, own: bytes = b"") -> None:
        """Send a whole answer of the gateway's, with ``own`` header lines."""
        ...

    def over(self, *, close: bool) -> None:
        """The answer is out; the next request may start, or the connection end."""
        ...

    def break_off(self, *, reset: bool) -> None:
        """The answer cannot be completed. ``reset``: an orderly end would look like its regular end."""
        ...


class Exchange:
    """Answers one request from one of the endpoints that serve its model. ``client.over`` or ``break_off`` is called once."""

    __slots__ = ("_attempt", "_client", "_close", "_entry", "_incoming", "_plane", "_request")

    def __init__(
        self,
        shared: plane.Plane,
        client: Client,
        given: incoming.Incoming,
        request: routing.Request,
        entry: ledger.Entry,
    ) -> None:
        self._plane = shared
        self._client = client
        self._incoming = given
        self._request = request
        self._entry = entry
        self._attempt: attempt.Attempt | None = None
        self._close = False

    # For the client connection.

    @property
    def responding(self) -> bool:
        """The response has begun."""
        return self._entry.status != 0

    def start(self) -> None:
        """Choose and go; everything may be over before this returns."""
        decision = self._plane.director.choose(self._request)
        if isinstance(decision, routing.Decision):
            self._try(decision)
        else:
            self._refuse(understand.turned_away(decision), decision)

    def pause(self) -> None:
        """The client does not keep up."""
        if self._attempt is not None:
            self._attempt.pause()

    def resume(self) -> None:
        """The client takes bytes again."""
        if self._attempt is not None:
            self._attempt.resume()

    def client_gone(self) -> None:
        """Nobody waits for the answer any more: stop the endpoint at once."""
        current, self._attempt = self._attempt, None
        if current is not None:
            self._entry.received += current.abandon()
            self._settle(current.decision, "the client closed the connection", cancelled=True)

    def cut(self) -> None:
        """The gateway stops: say so and end."""
        if self._attempt is not None:
            self._attempt.interrupt(errors.StoppingError("the gateway is stopping: send the request again"))

    def sweep(self, now: float) -> None:
        """Look at the deadlines."""
        current = self._attempt
        if current is None:
            return
        limit = self._plane.settings.total_timeout
        if now >= self._entry.started + limit:
            current.interrupt(errors.OutOfTimeError(f"the request was not finished within {limit:g} s"))
        else:
            current.sweep(now)

    # What the attempt calls.

    @property
    def paused(self) -> bool:
        return self._client.paused

    def send(self, current: attempt.Attempt, connection: upstream.UpstreamConnection) -> None:
        given = self._incoming
        own = current.pool.host_line + _ID_LINE % self._request.id.encode()
        head = heads.request_head(given.target, given.lines, own, len(given.body))
        self._plane.metrics.request_bytes += len(given.body)
        connection.begin(current, self._client.write, (head, given.body), plain=given.http10)

    def responded(self, current: attempt.Attempt, head: heads.ResponseHead) -> bytes:
        entry, given = self._entry, self._incoming
        entry.first_byte = self._plane.now() - entry.started
        entry.status = head.status
        self._plane.director.report_answer(current.decision)
        self._close = head.until_close or self._client.closes_after(given)
        own = answers.id_lines(self._request.id) + current.pool.response_lines + self._extra(current.decision)
        if self._plane.cors.enabled and (lines := self._plane.cors.lines(given.notes)):
            heads.drop_cors(head)
            own += lines
        return heads.response_head(head, own, chunked=head.chunked and not given.http10, close=self._close)

    def completed(self, current: attempt.Attempt, received: int) -> None:
        self._entry.received += received
        try:
            self._settle(current.decision, "")
        finally:
            self._client.over(close=self._close)

    def failed(self, current: attempt.Attempt, error: errors.UpstreamError, *, untouched: bool) -> None:
        if untouched and not error.final and self._entry.attempts < self._plane.settings.max_attempts:
            excluded = self._request.excluded | {current.decision.endpoint.key}
            self._request = dataclasses.replace(self._request, excluded=excluded)
            decision = self._plane.director.choose(self._request)
            if isinstance(decision, routing.Decision):
                self._plane.metrics.retries += 1
                self._try(decision)
                return
        self._give_up(current, error)

    def broken(self, current: attempt.Attempt, error: errors.UpstreamError, reader: response.ResponseReader) -> None:
        ending = self._ending(error, reader)
        self._entry.received += reader.body_bytes
        self._plane.metrics.broken_streams += 1
        try:
            self._settle(current.decision, str(error))
        finally:
            self._end_broken(reader, ending)

    # Inside.

    def _end_broken(self, reader: response.ResponseReader, ending: bytes) -> None:
        if ending:
            self._client.write(ending)
            self._client.over(close=self._close)
        else:
            # A length or a last chunk that is missing tells the client; the end of the connection alone would tell it the opposite.
            self._client.break_off(reset=self._until_close(reader))

    def _try(self, decision: routing.Decision) -> None:
        self._entry.attempts += 1
        self._attempt = attempt.Attempt(self._plane, self, decision)
        self._attempt.start()

    def _extra(self, decision: routing.Decision) -> bytes:
        """Who decided, and on request why."""
        line = _STRATEGY_LINE % decision.profile.name.encode("latin-1", "replace")
        if self._incoming.notes.get(_EXPLAIN) != b"1":
            return line
        return line + b"%b: %b\r\n" % (_EXPLAIN, heads.field_text(explain.sentence(decision)))

    def _ending(self, error: errors.UpstreamError, reader: response.ResponseReader) -> bytes:
        """The error event that ends a broken stream, framed as the stream is; empty where nothing can be added to it."""
        head = reader.head
        if head is None or not head.events:
            return b""
        event = answers.error_event(error)
        if self._until_close(reader):
            return event
        return b"%x\r\n%b\r\n%b" % (len(event), event, _LAST_CHUNK) if head.chunked and reader.at_boundary() else b""

    def _until_close(self, reader: response.ResponseReader) -> bool:
        """For the client, the end of the connection is the end of the body."""
        head = reader.head
        return head is not None and (head.until_close or (head.chunked and self._incoming.http10))

    def _give_up(self, current: attempt.Attempt, error: errors.UpstreamError) -> None:
        tried = "1 endpoint was" if self._entry.attempts == 1 else f"{self._entry.attempts} endpoints were"
        message = f"no answer from model {self._request.model}: {error} ({tried} tried)"
        headers = (("retry-after", "1"),) if error.status == 503 else ()
        refused = errors.RefusedError(openai.ApiError(error.status, message, error.code), headers)
        self._refuse(refused, current.decision, current.pool.response_lines)

    def _refuse(
        self, refused: errors.RefusedError, decision: routing.Decision | routing.NoDecision, who: bytes = b""
    ) -> None:
        self._entry.status = refused.error.status
        try:
            self._settle(decision, refused.error.message)
        finally:
            self._client.answer(answers.refusal(refused), answers.id_lines(self._request.id) + who)

    def _settle(self, decision: routing.Decision | routing.NoDecision, error: str, *, cancelled: bool = False) -> None:
        self._attempt = None
        ledger.settle(self._plane, self._entry, self._incoming, decision, error, cancelled=cancelled)


def begin(shared: plane.Plane, client: Client, given: incoming.Incoming, dialect: dialects.Dialect) -> Exchange | None:
    """An exchange to start; None when the request was refused at once, and the client answered."""
    request_id = shared.ids.of(given.notes)
    started = shared.now()
    try:
        request, stream = understand.request(shared, given, dialect, request_id)
    except errors.RefusedError as refused:
        ledger.refused(shared, given, refused, request_id, started)
        client.answer(answers.refusal(refused), answers.id_lines(request_id))
        return None
    entry = ledger.Entry(started, request.model, shared.metrics.model(request.model), stream=stream)
    return Exchange(shared, client, given, request, entry)
