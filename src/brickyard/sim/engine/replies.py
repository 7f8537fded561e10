"""Answers to completion requests, as they come to be: an event per step for a stream, or one object at the end.

A stream costs one write per step: what every event of a choice has in common is made once, chunk framing included, and all words are
of the same length. A client that reads too slowly gets fewer, longer events, as the text that has come to be since.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson

from brickyard.sim.engine import http, prompts
from brickyard.sim.engine.core import disagg, faults, tokens, work

_DONE: Final = b"e\r\ndata: [DONE]\n\n\r\n" + http.LAST_CHUNK


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What an answer is called. ``chat`` or text; ``created`` in seconds since the epoch."""

    id: str
    model: str
    created: int
    chat: bool


class Ledger(Protocol):
    """Who is told how requests end, and can end them."""

    def cancel(self, job_id: str) -> None: ...

    def finished(self, finish: work.Finish, reason: str) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """What a reply needs of the engine: ``metrics`` makes the ``metrics`` object of a whole answer."""

    ledger: Ledger
    identity: disagg.Identity
    metrics: Callable[[list[work.Finish]], Mapping[str, Any]]
    crash: Callable[[int], None]


def crash(status: int) -> None:
    """End this process as a fault would: nothing is closed. ``status`` above 128 is a signal's number and 128."""
    if status > 128:
        os.kill(os.getpid(), signal.Signals(status - 128))
    os._exit(status)


class Choice:
    """One answer under way; the owner of its job."""

    __slots__ = ("answered", "finish", "generated", "head", "index", "job", "reply", "sent", "tail", "told")

    def __init__(self, reply: Reply, index: int, answered: prompts.Answered) -> None:
        self.reply = reply
        self.index = index
        self.answered = answered
        self.job: work.Job | None = None
        self.generated = 0
        self.sent = 0
        self.told = False
        self.finish: work.Finish | None = None
        self.head = self.tail = b""

    def token(self, output: work.Output) -> None:
        """Fills ``driver.Listener``."""
        self.generated += 1
        if output.finish is not None:
            self.finish = output.finish
            self.reply.context.ledger.finished(output.finish, self.answered.reason)
            if self.reply.handed is not None:
                self.reply.handed(output.finish)
        self.reply.advance(self)


class Reply:
    """The answer to one exchange; ``advance`` is called for every token of every choice.

    Attributes:
        handover: the KV cache's, when the request is half of one.
        handed: hears when the KV cache of the prompt is there.
    """

    def __init__(
        self, exchange: http.Exchange, asked: prompts.Asked, shape: Shape, context: Context, plan: faults.Plan
    ) -> None:
        self.exchange = exchange
        self.asked = asked
        self.shape = shape
        self.context = context
        self.plan = plan
        self.handover: disagg.Handover | None = None
        self.handed: Callable[[work.Finish], None] | None = None
        self.choices = [Choice(self, index, answered) for index, answered in enumerate(asked.answers)]
        self._open = len(self.choices)
        self._events = 0
        self._next_fault = plan.next_event(0)
        self._stalled: asyncio.TimerHandle | bool = False
        exchange.on_gone = self.abandon

    def advance(self, choice: Choice) -> None:
        """``choice`` has a token more."""
        if choice.finish is not None:
            self._open -= 1

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        if isinstance(self._stalled, asyncio.TimerHandle):
            self._stalled.cancel()
        for choice in self.choices:
            if choice.job is not None and choice.finish is None:
                self.context.ledger.cancel(choice.job.id)

    def fail(self, answer: http.Answer) -> None:
        """No answer can be given."""
        self.abandon()
        self.exchange.answer(answer)

    def strike(self) -> bool:
        """Let happen what is due after the events sent so far; whether the reply must stand still."""
        if self._stalled:
            return True
        if self._next_fault is None or self._events < self._next_fault:
            return False
        plan = self.plan
        at = self._next_fault
        self._next_fault = plan.next_event(at + 1)
        if plan.crash is not None and plan.crash[0] == at:
            self.context.crash(plan.crash[1])
        if plan.reset == at:
            self.exchange.reset()
            return True
        if plan.stall is not None and plan.stall[0] == at:
            self._stall(plan.stall[1])
            return True
        return False

    def _stall(self, seconds: float) -> None:
        endless = seconds == float("inf")
        self._stalled = True if endless else asyncio.get_running_loop().call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._stalled = False
        self.resume()

    def resume(self) -> None:
        """Send what has waited."""

    def usage(self) -> dict[str, Any]:
        """OpenAI's usage object, of what has been generated so far."""
        said = sum(choice.generated for choice in self.choices)
        cached = sum(choice.finish.cached + choice.finish.remote for choice in self.choices if choice.finish)
        return {
            "prompt_tokens": self.asked.prompt_tokens,
            "total_tokens": self.asked.prompt_tokens + said,
            "completion_tokens": said,
            "prompt_tokens_details": {"cached_tokens": min(cached, self.asked.prompt_tokens)},
        }


class Whole(Reply):
    """One JSON object when all choices are complete."""

    def advance(self, choice: Choice) -> None:
        super().advance(choice)
        self._events += 1
        if not self.strike() and self._open == 0:
            self.resume()

    def resume(self) -> None:
        if self._open == 0 and not self.strike():
            self.exchange.answer(http.json(self._document()))

    def _document(self) -> dict[str, Any]:
        shape = self.shape
        document: dict[str, Any] = {
            "id": shape.id,
            "object": "chat.completion" if shape.chat else "text_completion",
            "created": shape.created,
            "model": shape.model,
            "choices": [self._choice(choice) for choice in self.choices],
            "usage": self.usage(),
        }
        finishes = [choice.finish for choice in self.choices if choice.finish]
        document["metrics"] = self.context.metrics(finishes)
        first = self.choices[0]
        if self.handover is not None and first.finish is not None and first.job is not None:
            added = dict(disagg.answer(self.handover, first.job, first.finish, self.context.identity))
            document["choices"][0].update(added.pop("choice", {}))
            document.update(added)
        return document

    def _choice(self, choice: Choice) -> dict[str, Any]:
        text = choice.answered.output[: choice.answered.visible].decode()
        made: dict[str, Any] = {"index": choice.index}
        if self.shape.chat:
            made["message"] = {"role": "assistant", "content": text}
        else:
            made["text"] = text
        return {**made, "logprobs": None, "finish_reason": choice.answered.reason}


class Stream(Reply):
    """Server-sent events."""

    def __init__(
        self, exchange: http.Exchange, asked: prompts.Asked, shape: Shape, context: Context, plan: faults.Plan
    ) -> None:
        super().__init__(exchange, asked, shape, context, plan)
        exchange.on_writable = self.resume
        for choice in self.choices:
            head, tail = self._around(choice)
            size = len(head) + tokens.WIDTH + len(tail)
            choice.head, choice.tail = b"%x\r\n" % size + head, tail + b"\r\n"

    def _around(self, choice: Choice) -> tuple[bytes, bytes]:
        """What stands before and after the text in every event of ``choice``."""
        before, _, after = self._event(choice, "@@", None).partition(b"@@")
        return before, after

    def _event(self, choice: Choice, text: str | None, reason: str | None, *, role: bool = False) -> bytes:
        made: dict[str, Any] = {"index": choice.index}
        if self.shape.chat:
            delta = {} if text is None else {"content": text}
            made["delta"] = {"role": "assistant", **delta} if role else delta
        else:
            made["text"] = text or ""
        return self._data({"choices": [{**made, "logprobs": None, "finish_reason": reason}]})

    def _data(self, fields: Mapping[str, Any]) -> bytes:
        shape = self.shape
        kind = "chat.completion.chunk" if shape.chat else "text_completion"
        whole = {"id": shape.id, "object": kind, "created": shape.created, "model": shape.model, **fields}
        return b"data: " + orjson.dumps(whole) + b"\n\n"

    def advance(self, choice: Choice) -> None:
        super().advance(choice)
        exchange = self.exchange
        if not exchange.streaming:
            exchange.stream()
        if exchange.writable and not (self._next_fault is not None and self.strike()) and not self._stalled:
            self._emit(choice)

    def resume(self) -> None:
        for choice in self.choices:
            if choice.generated and self.exchange.open and self.exchange.writable and not self.strike():
                self._emit(choice)

    def _emit(self, choice: Choice) -> None:
        """Send what ``choice`` has said since the last time, and its end."""
        answered = choice.answered
        upto = tokens.WIDTH * choice.generated
        upto = min(upto, answered.visible)
        text = answered.output[choice.sent : upto]
        parts: list[bytes] = []
        if choice.sent == 0 and not choice.told and self.shape.chat:
            parts.append(chunk(self._event(choice, "", None, role=True)))
            choice.told = True
        if text:
            parts.append(
                choice.head + text + choice.tail if len(text) == tokens.WIDTH else self._long(choice, text.decode())
            )
            choice.sent = upto
            self._events += 1
        if choice.finish is not None:
            self._finish(choice, parts)
        if len(parts) == 1:
            self.exchange.write(parts[0])
        elif parts:
            self.exchange.write(b"".join(parts))
        if choice.finish is not None and self._open == 0 and all(each.head == b"" for each in self.choices):
            self.exchange.end()

    def _long(self, choice: Choice, text: str) -> bytes:
        return chunk(self._event(choice, text, None))

    def _finish(self, choice: Choice, parts: list[bytes]) -> None:
        """The events after the last word; of the last choice also what ends the stream. Once per choice."""
        if not choice.head:
            return
        choice.head = b""
        parts.append(chunk(self._event(choice, None, choice.answered.reason)))
        if self._open or any(each.head for each in self.choices):
            return
        if self.asked.include_usage:
            parts.append(chunk(self._data({"choices": [], "usage": self.usage()})))
        parts.append(_DONE)


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
