"""``/v1/chat/completions``, ``/v1/completions`` and ``/v1/embeddings``: from a body to jobs in the scheduler and an answer under way."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.lib import clock, logs
from brickyard.sim.engine import bodies, canned, driver, http, options, prompts, replies, rooms
from brickyard.sim.engine.core import disagg, errors, faults, speech, tokens, work
from brickyard.sim.engine.core.lora import Adapters

log = logs.get(__name__)

RECENT: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What all requests share."""

    options: options.Options
    driver: driver.Driver
    adapters: Adapters
    faults: faults.Faults
    identity: disagg.Identity
    rooms: rooms.Rooms | None
    clock: clock.Clock
    crash: Callable[[int], None] = replies.crash


class Completions:
    """Handlers. ``inflight`` are requests begun and not ended; ``close`` ends what waits for other engines."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._most = 0
        self._recent: collections.deque[int] = collections.deque(maxlen=RECENT)
        self._context = replies.Context(self, machine.identity, self._metrics, machine.crash)

    async def close(self) -> None:
        """Stop waiting for other engines."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Fills ``replies.Ledger``.

    def cancel(self, job_id: str) -> None:
        self._machine.driver.cancel(job_id)

    def finished(self, finish: work.Finish, reason: str) -> None:
        self._machine.driver.statistics.finish(finish, reason)

    # Handlers.

    def chat(self, exchange: http.Exchange) -> None:
        """``/v1/chat/completions``."""
        self._complete(exchange, prompts.chat, chat=True)

    def text(self, exchange: http.Exchange) -> None:
        """``/v1/completions``."""
        self._complete(exchange, prompts.completion, chat=False)

    def embeddings(self, exchange: http.Exchange) -> None:
        """``/v1/embeddings``: every text passes through the scheduler as a prompt does."""
        body = bodies.document(exchange.request)
        model, _ = self._model(body)
        found = canned.inputs(body)
        answer = canned.embeddings(body, found, model)
        pooling = _Pooling(exchange, answer, len(found), self)
        exchange.on_gone = pooling.abandon
        number = next(self._numbers)
        try:
            for index, text in enumerate(found):
                job = work.Job(f"embd-{number}-{index}", text, speech.say(0, 1), owner=pooling)
                self._machine.driver.submit(job)
                pooling.jobs.append(job.id)
        except errors.RejectedError:
            pooling.abandon()
            raise

    def rerank(self, exchange: http.Exchange) -> None:
        """``/v1/rerank``."""
        body = bodies.document(exchange.request)
        exchange.answer(canned.rerank(body, self._model(body)[0]))

    def _complete(self, exchange: http.Exchange, read: Callable[..., prompts.Asked], *, chat: bool) -> None:
        machine = self._machine
        body = bodies.document(exchange.request)
        model, adapter = self._model(body)
        asked = read(body, longest=machine.options.params.max_model_len, seed=machine.options.seed)
        role = disagg.Role(machine.options.role) if machine.options.role else None
        handover = disagg.read(body, machine.options.params.block_size, role)
        plan = self._plan(exchange, model)
        number = next(self._numbers)
        name = exchange.request.headers.get(names.HEADER_REQUEST_ID) or f"{number:016x}"
        shape = replies.Shape(f"{'chatcmpl' if chat else 'cmpl'}-{name}", model, int(machine.clock.wall()), chat)
        reply = (replies.Stream if asked.stream else replies.Whole)(exchange, asked, shape, self._context, plan)
        reply.handover = handover
        if plan.error is not None and not plan.delay:
            exchange.answer(_fault(plan.error))
        elif plan.delay or _meets(handover):
            self._later(self._prepare(reply, adapter, number))
        else:
            self._submit(reply, adapter, number, 0)

    def _plan(self, exchange: http.Exchange, model: str) -> faults.Plan:
        rules = self._machine.faults.draw(exchange.request.path, model)
        if text := exchange.request.headers.get(faults.HEADER):
            rules = (*(faults.parse(each) for each in text.split(",")), *rules)
        return faults.plan(rules) if rules else faults.NONE

    def _model(self, body: Mapping[str, Any]) -> tuple[str, str]:
        """The model's name as it is told in the answer, and the adapter it means.

        Raises:
            RejectedError: the field is missing where it must be there.
            AdapterError: there is no such model.
        """
        served = self._machine.options.models
        model = body.get("model")
        if model is None and not self._machine.options.any_model:
            return served[0], ""
        if not isinstance(model, str) or not model:
            raise errors.RejectedError("model is missing: name one of those that GET /v1/models lists", "model")
        if model in self._machine.adapters:
            return model, model
        if model in served or self._machine.options.any_model:
            return model, ""
        raise errors.AdapterError(404, "NotFoundError", f"The model `{model}` does not exist.")

    # On the way to the scheduler.

    def _later(self, work_to_do: Any) -> None:
        task = asyncio.create_task(work_to_do, name="completions/prepare")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _prepare(self, reply: replies.Reply, adapter: str, number: int) -> None:
        """What must happen before the request is queued: a delay on purpose, the other half of it."""
        try:
            if reply.plan.delay:
                await asyncio.sleep(reply.plan.delay)
            if reply.plan.error is not None:
                reply.fail(_fault(reply.plan.error))
                return
            remote = 0
            if reply.handover is not None and reply.handover.room is not None and _meets(reply.handover):
                remote = await rooms.wait_for(reply.handover.room)
            if reply.exchange.open:
                self._submit(reply, adapter, number, remote)
        except errors.TransferError as error:
            reply.fail(http.error(500, str(error), "KVTransferError"))
        except errors.RejectedError as error:
            reply.fail(refusal(error))

    def _submit(self, reply: replies.Reply, adapter: str, number: int, remote: int) -> None:
        machine = self._machine
        handover = reply.handover
        ready_at = 0.0
        if handover is not None:
            remote = max(remote, handover.remote)
            if remote:
                moved = min(remote, reply.asked.prompt_tokens)
                ready_at = machine.driver.now + moved * machine.options.params.timing.transfer_token
            self._hand_over(reply, handover)
        self._recent.append(machine.driver.load)
        try:
            for choice in reply.choices:
                job = work.Job(
                    f"{number}-{choice.index}",
                    choice.answered.prompt,
                    choice.answered.output,
                    adapter,
                    reply.asked.priority,
                    remote,
                    ready_at,
                    reply.asked.salt,
                    choice,
                )
                machine.driver.submit(job)
                choice.job = job
        except errors.RejectedError:
            reply.abandon()
            raise
        self._most = max(self._most, machine.driver.load)

    def _hand_over(self, reply: replies.Reply, handover: disagg.Handover) -> None:
        kept = self._machine.rooms
        room = handover.room
        if kept is not None and room is not None and handover.role is disagg.Role.PREFILL:
            reply.handed = lambda finish: kept.computed(room.number, finish.prompt)

    def _metrics(self, finishes: list[work.Finish]) -> Mapping[str, Any]:
        """What AIBrix' own mock tells of itself in a whole answer."""
        capacity = self._machine.options.params.max_num_seqs
        begun = min(finish.arrived for finish in finishes)
        first = min(finish.first_token for finish in finishes)
        last = max(finish.finished for finish in finishes)
        said = max(finish.generated for finish in finishes)
        at_start = self._recent[-1] if self._recent else 0
        return {
            "time_to_first_token_seconds": first - begun,
            "time_per_output_token_seconds": (last - first) / (said - 1) if said > 1 else 0.0,
            "mock_latency_seconds": last - begun,
            "mock_inflight_at_start": at_start,
            "mock_max_inflight": self._most,
            "mock_capacity": capacity,
            "mock_overload": max(0, at_start - capacity),
            "mock_request_index": sum(self._machine.driver.statistics.finished.values()),
            "mock_pod": self._machine.options.pod,
        }


def refusal(error: errors.RejectedError) -> http.Answer:
    """A request that is not taken, as an answer."""
    if isinstance(error, errors.BusyError):
        answer = http.error(503, str(error), "ServiceUnavailableError")
        return dataclasses.replace(answer, headers=(("retry-after", "1"),))
    return http.error(400, str(error), param=error.param or None)


def _meets(handover: disagg.Handover | None) -> bool:
    return handover is not None and handover.room is not None and handover.role is disagg.Role.DECODE


def _fault(status: int) -> http.Answer:
    return http.error(status, "this error was asked for: a fault is in force", "InjectedFault")


class _Pooling:
    """Answers when every text has passed."""

    def __init__(self, exchange: http.Exchange, answer: http.Answer, left: int, ledger: replies.Ledger) -> None:
        self._exchange = exchange
        self._answer = answer
        self._left = left
        self._ledger = ledger
        self.jobs: list[str] = []

    def token(self, output: work.Output) -> None:
        """Fills ``driver.Listener``."""
        if output.finish is not None:
            self._ledger.finished(output.finish, "length")
        self._left -= 1
        if self._left == 0:
            self._exchange.answer(self._answer)

    def abandon(self) -> None:
        for job in self.jobs:
            self._ledger.cancel(job)


def tokenize(body: Mapping[str, Any], longest: int) -> http.Answer:
    """``/tokenize`` of a prompt or of messages.

    Raises:
        RejectedError: neither is there.
    """
    if isinstance(messages := body.get("messages"), list):
        found = tokens.encode(tokens.render(messages, prompt=body.get("add_generation_prompt") is not False))
    elif isinstance(prompt := body.get("prompt"), str):
        found = tokens.encode(prompt, begin=body.get("add_special_tokens") is not False)
    else:
        raise errors.RejectedError("send a prompt as text, or messages as a list", "prompt")
    answer = {"count": tokens.count(found), "max_model_len": longest, "tokens": tokens.ids(found), "token_strs": None}
    if body.get("return_token_strs"):
        answer["token_strs"] = tokens.strings(found)
    return http.json(answer)


def detokenize(body: Mapping[str, Any]) -> http.Answer:
    """``/detokenize``, the inverse; the token that begins a prompt is no text.

    Raises:
        RejectedError: ``tokens`` are none.
    """
    given = body.get("tokens")
    if not isinstance(given, list):
        raise errors.RejectedError("tokens must be a list of token ids", "tokens")
    return http.json({"prompt": tokens.decode(tokens.from_ids(given)).removeprefix(tokens.BEGIN)})
