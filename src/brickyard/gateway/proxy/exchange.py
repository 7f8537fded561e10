"""One request that goes to an engine: understand, admit, choose, try, settle.

Whatever happens, the decision is recorded once and the counters move once: all of it in ``_settle``, which every way out leads to.
While nothing of a response has come back, a failed try moves on to another endpoint; after that, never: the engine may have
generated, and the client may have seen, what a second one would say differently.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Callable
from typing import Final, ParamSpec, Protocol

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import contract, errors
from brickyard.gateway.dialects import contract as dialects
from brickyard.gateway.proxy import (
    answers,
    attempt,
    endings,
    heads,
    incoming,
    ledger,
    plane,
    response,
    understand,
    upstream,
)
from brickyard.gateway.queueing import metrics as queueing
from brickyard.gateway.queueing import queue
from brickyard.gateway.usage import ask, reading
from brickyard.gateway.usage import contract as usage
from brickyard.gateway.usage import tail as tails
from brickyard.lib import logs
from brickyard.routing import contract as routing
from brickyard.routing import explain, router

_ID_LINE: Final = names.HEADER_REQUEST_ID.encode() + b": %b\r\n"
_STRATEGY_LINE: Final = names.HEADER_ROUTING_STRATEGY.encode() + b": %b\r\n"
_EXPLAIN: Final = names.HEADER_EXPLAIN.encode()
_LAST_CHUNK: Final = b"0\r\n\r\n"

log = logs.get(__name__)

P = ParamSpec("P")


class Client(Protocol):
    """The connection a request came from, as its exchange sees it. Of the last four, one is called, once, with nothing after it."""

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

    def fail(self, fault: Exception) -> None:
        """The gateway itself failed on the request; ``Exchange.stumbled`` is called back."""
        ...


class Exchange:
    """Answers one request from one of the endpoints that serve its model. ``client.over`` or ``break_off`` is called once."""

    __slots__ = (
        "_admission",
        "_admitting",
        "_asked",
        "_attempt",
        "_client",
        "_close",
        "_entry",
        "_incoming",
        "_meaning",
        "_plane",
        "_request",
        "_ticket",
        "_told",
    )

    def __init__(
        self,
        shared: plane.Plane,
        client: Client,
        given: incoming.Incoming,
        understood: understand.Understood,
        entry: ledger.Entry,
    ) -> None:
        self._plane = shared
        self._client = client
        self._incoming = given
        self._request = understood.request
        self._meaning = understood.meaning
        self._entry = entry
        self._admitting: asyncio.Task[None] | None = None
        self._admission: contract.Admission | None = None
        self._ticket: queue.Ticket | None = None
        self._told: routing.NoDecision | None = None
        self._asked = b""
        self._attempt: attempt.Attempt | None = None
        self._close = False

    # For the client connection.

    @property
    def responding(self) -> bool:
        """The response has begun."""
        return self._entry.status != 0

    def start(self) -> None:
        """Ask whether it may go on, where that is a question, and go; everything may be over before this returns."""
        gate = self._plane.gate
        if gate is not None:
            model_rps = self._plane.director.model_rps(self._request)
            if gate.concerns(self._incoming.notes, model_rps):
                self._admitting = asyncio.create_task(self._admit(gate, model_rps), name="gateway/admission")
                return
        self._go()

    async def _admit(self, gate: contract.Gate, model_rps: int | None) -> None:
        try:
            self._admission = await gate.admit(self._incoming.notes, self._request, model_rps)
            error = None
        except errors.RefusedError as refused:
            error = refused
        except Exception as broken:  # noqa: BLE001 - a task's border: whatever it is, the client must hear of it
            error = self._untold(broken)
        self._admitting = None
        self._entry.admission = self._plane.now() - self._entry.started
        if error is not None:
            self._refuse(error, None)
            return
        if self._admission is not None:
            self._entry.limits = self._admission.headers
            if self._admission.user:
                self._request = dataclasses.replace(self._request, user=self._admission.user)
                self._entry.user = self._admission.user
        self._safely(self._go)

    def _untold(self, broken: Exception) -> errors.RefusedError:
        log.error("admission failed", exc=broken, request_id=self._request.id)
        return errors.RefusedError(openai.ApiError(500, "the gateway could not tell whether this request may go on"))

    def _go(self) -> None:
        """Choose and go."""
        meaning = self._meaning
        if not meaning.tells_usage and self._admission is not None and self._admission.metered and meaning.document:
            self._asked = ask.asking(self._incoming.body, meaning.document)
        meaning.document = None
        line = self._plane.queue
        if line.waiting and line.has_line(self._request.model):
            self._wait(None)
            return
        decision = self._plane.director.choose(self._request)
        if isinstance(decision, routing.Decision):
            self._try(decision)
        elif line.takes(decision):
            self._wait(decision)
        else:
            self._refuse(understand.turned_away(decision), decision)

    def _wait(self, told: routing.NoDecision | None) -> None:
        """Stand in line: behind others, or because it was ``told`` that there is no room."""
        self._told = told
        self._ticket = self._plane.queue.join(self, self._request, self._meaning.priority, told)

    # What the queue calls.

    def choose(self, waited: float) -> routing.Decision | routing.NoDecision:
        self._request = dataclasses.replace(self._request, waited=waited)
        made = self._plane.director.choose(self._request)
        self._told = made if isinstance(made, routing.NoDecision) else None
        return made

    def called(self, decision: routing.Decision) -> None:
        self._left_line()
        if self._entry.attempts:
            self._plane.metrics.retries += 1
        self._safely(self._try, decision)

    def turned_away(self, refused: errors.RefusedError | None) -> None:
        self._left_line()
        if refused is None and self._told is not None:
            refused = understand.turned_away(self._told)
        if refused is not None:
            self._refuse(refused, self._told)

    def _left_line(self) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._entry.queued = (self._entry.queued or 0.0) + self._plane.now() - ticket.joined_at
            if ticket.slept:
                self._entry.waking = (self._entry.waking or 0.0) + ticket.slept

    # For the client connection.

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
        elif self._stop_waiting(queueing.End.GONE):
            self._settle(self._told, "the client closed the connection", cancelled=True)

    def stumbled(self) -> None:
        """The gateway itself failed on this request: end what is under way; the client hears of it from the caller."""
        current, self._attempt = self._attempt, None
        if current is not None:
            current.abandon()
        self._stop_waiting(queueing.End.GONE)
        self._entry.status = 500
        self._settle(current.decision if current is not None else None, "the gateway failed on this request")

    def cut(self) -> None:
        """The gateway stops: say so and end."""
        stopping = errors.StoppingError("the gateway is stopping: send the request again")
        if self._attempt is not None:
            self._attempt.interrupt(stopping)
        elif self._stop_waiting(queueing.End.STOPPED):
            self._refuse(errors.RefusedError(openai.ApiError(stopping.status, str(stopping), stopping.code)), None)

    def _stop_waiting(self, end: queueing.End) -> bool:
        """Leave the line, or end the question whether it may go on; False when there was neither."""
        ticket, asking, self._admitting = self._ticket, self._admitting, None
        if ticket is not None:
            self._plane.queue.leave(ticket, self._request.model, end)
            self._left_line()
            return True
        return asking is not None and asking.cancel()

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
        body = self._asked or given.body
        lines = given.lines
        if self._admission is not None and self._admission.secrets:
            lines = heads.without(lines, self._admission.secrets)
        if self._entry.trace is not None:
            lines, own = heads.without(lines, self._entry.trace.replaced), own + self._entry.trace.lines()
        head = heads.request_head(given.target, lines, own, len(body))
        self._plane.metrics.request_bytes += len(body)
        self._entry.connect = None if connection.requests else connection.opening
        connection.begin(
            current,
            self._client.write,
            (head, body),
            plain=given.http10,
            strip_usage=bool(self._asked),
            tail=tails.Tail(self._plane.now) if self._plane.settings.usage else None,
        )

    def used(self, reader: response.ResponseReader) -> routing.Usage | None:
        entry, head, tail = self._entry, reader.head, reader.tail
        if head is not None and head.events and tail is not None and tail.total:
            entry.first_token = tail.began - entry.started
        entry.usage = found = self._read_usage(reader)
        return None if found is None or found.estimated else routing.Usage(found.prompt, found.completion, found.cached)

    def _read_usage(self, reader: response.ResponseReader) -> usage.Usage | None:
        """What the answer used, as far as it came: told by the engine, or guessed where it is a model's text."""
        head, tail = reader.head, reader.tail
        if head is None or tail is None or head.status >= 300:
            return None
        found = reading.used(tail, chunked=head.chunked and not reader.unframed)
        if found is None and self._meaning.generates:
            return reading.estimated(len(self._request.prompt), tail, events=head.events)
        return found

    def responded(self, current: attempt.Attempt, head: heads.ResponseHead) -> bytes:
        entry, given = self._entry, self._incoming
        entry.first_byte = self._plane.now() - entry.started
        entry.status = head.status
        self._let_go_of_the_body()
        current.lease.answered()
        self._close = head.until_close or self._client.closes_after(given)
        own = answers.id_lines(self._request.id) + current.pool.response_lines + self._extra(current.decision)
        if self._admission is not None:
            own += self._admission.headers
        if self._plane.cors.enabled and (lines := self._plane.cors.lines(given.notes)):
            heads.drop_cors(head)
            own += lines
        return heads.response_head(head, own, chunked=head.chunked and not given.http10, close=self._close)

    def _let_go_of_the_body(self) -> None:
        """A response has begun, so that no other try follows: long answers to long prompts must not fill the memory with prompts."""
        given = self._incoming
        self._plane.budget.give(len(given.body))
        given.body = self._asked = b""

    def completed(self, current: attempt.Attempt, received: int) -> None:
        self._entry.received += received
        try:
            self._settle(current.decision, "")
        finally:
            self._client.over(close=self._close)

    def failed(self, current: attempt.Attempt, error: errors.UpstreamError, *, untouched: bool) -> None:
        self._safely(self._go_on, current, error, untouched=untouched)

    def _go_on(self, current: attempt.Attempt, error: errors.UpstreamError, *, untouched: bool) -> None:
        if untouched and not error.final and self._entry.attempts < self._plane.settings.max_attempts:
            excluded = self._request.excluded | {current.decision.endpoint.key}
            self._request = dataclasses.replace(self._request, excluded=excluded)
            decision = self._plane.director.choose(self._request)
            if isinstance(decision, routing.Decision):
                self._plane.metrics.retries += 1
                self._try(decision)
                return
            if self._plane.queue.takes(decision):
                self._attempt = None
                self._wait(decision)
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

    def _safely(self, step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """``step`` where it is not the client that calls: a fault must reach the client, and nobody else."""
        try:
            step(*args, **kwargs)
        except Exception as fault:  # noqa: BLE001 - the border of a request, as in the client connection
            self._client.fail(fault)

    def _end_broken(self, reader: response.ResponseReader, ending: bytes) -> None:
        if ending:
            self._client.write(ending)
            self._client.over(close=self._close)
        else:
            # A length or a last chunk that is missing tells the client; the end of the connection alone would tell it the opposite.
            self._client.break_off(reset=self._until_close(reader))

    def _try(self, decision: routing.Decision) -> None:
        self._entry.attempts += 1
        if self._entry.trace is not None:
            self._entry.trace.tried(decision.endpoint)
        self._attempt = attempt.Attempt(self._plane, self, decision)
        self._attempt.start()

    def _extra(self, decision: routing.Decision) -> bytes:
        """Who decided, and on request why."""
        line = _strategy_line(decision.profile.name)
        for name, value in router.response_headers(decision).items():
            line += b"%b: %b\r\n" % (name.encode(), heads.field_text(value))
        if self._incoming.notes.get(_EXPLAIN) != b"1":
            return line
        return line + b"%b: %b\r\n" % (_EXPLAIN, heads.field_text(explain.sentence(decision)))

    def _ending(self, error: errors.UpstreamError, reader: response.ResponseReader) -> bytes:
        """The error event that ends a broken stream, framed as the stream is; empty where nothing can be added to it."""
        head = reader.head
        if head is None or not head.events:
            return b""
        event = endings.event(error, self._incoming.path, reader.tail.end if reader.tail is not None else b"")
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
        self, refused: errors.RefusedError, decision: routing.Decision | routing.NoDecision | None, who: bytes = b""
    ) -> None:
        self._entry.status = refused.error.status
        try:
            self._settle(decision, refused.error.message)
        finally:
            self._client.answer(answers.refusal(refused, self._incoming.path), answers.id_lines(self._request.id) + who)

    def _settle(
        self, decision: routing.Decision | routing.NoDecision | None, error: str, *, cancelled: bool = False
    ) -> None:
        self._attempt = None
        if self._admission is not None:
            self._pay(self._admission.reservation)
        ledger.settle(self._plane, self._entry, self._incoming, decision, error, cancelled=cancelled)

    def _pay(self, reservation: contract.Reservation) -> None:
        """An engine that was asked costs the request, and what it generated; before that nothing is owed."""
        if self._entry.attempts == 0:
            reservation.cancel()
        else:
            reservation.settle(self._entry.usage.total if self._entry.usage is not None else 0)


@functools.lru_cache(maxsize=256)
def _strategy_line(name: str) -> bytes:
    return _STRATEGY_LINE % name.encode("latin-1", "replace")


def begin(shared: plane.Plane, client: Client, given: incoming.Incoming, dialect: dialects.Dialect) -> Exchange | None:
    """An exchange to start; None when the request was refused at once, and the client answered."""
    request_id = shared.ids.of(given.notes)
    started = shared.now()
    try:
        understood = understand.request(shared, given, dialect, request_id)
    except errors.RefusedError as refused:
        ledger.refused(shared, given, refused, request_id, started)
        client.answer(answers.refusal(refused, given.path), answers.id_lines(request_id))
        return None
    meaning = understood.meaning
    entry = ledger.Entry(request_id, started, meaning.model, shared.metrics.model(meaning.model), stream=meaning.stream)
    if shared.tracer is not None:
        entry.trace = shared.tracer.begin(given.notes, understood.request, stream=meaning.stream)
    return Exchange(shared, client, given, understood, entry)
