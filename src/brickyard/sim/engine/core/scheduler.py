"""Continuous batching: which tokens are computed in the next step, and how long it takes.

One call of ``step`` is one pass through the model. Running sequences come first, in order, each with as many uncomputed tokens as
the step's budget leaves (one, when it decodes); then waiting ones are admitted while there is budget, place in the batch, blocks and
an adapter slot. A running sequence that finds no block takes them from the last in order, which goes back to the queue and is
computed again, from whatever of it the cache still knows.

    submitted ─► deferred (until its KV cache was handed over) ─► waiting ⇄ running ─► done
                                                                   preempted

Time is an argument: real in the HTTP server, virtual in a simulator. What a step says is true at its end; the sequences that ended in it
give their blocks back when the next one begins.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Iterator

from brickyard.sim.engine.core import blocks, errors, params, work
from brickyard.sim.engine.core.sequence import Sequence


class Scheduler:
    """One engine's queue, batch and blocks.

    Attributes:
        pool: the blocks.
        asleep: no step is made; requests wait.
        preemptions, queries, hits, remote_queries, remote_hits: totals since the start; the last four in prompt tokens.
    """

    def __init__(self, settings: params.Params, *, record: bool = False) -> None:
        """``record`` makes steps report what the cache stored and lost."""
        self.params = settings
        self.pool = blocks.Pool(settings.blocks, record=record)
        self.asleep = False
        self.preemptions = self.queries = self.hits = self.remote_queries = self.remote_hits = 0
        self._jobs: dict[str, Sequence] = {}
        self._deferred: list[tuple[float, int, Sequence]] = []
        self._waiting: list[tuple[tuple[int, float, int], Sequence]] = []
        self._queued = 0
        self._running: list[Sequence] = []
        self._ended: list[Sequence] = []
        self._number = 0
        self._by_priority = settings.policy == "priority"

    @property
    def running(self) -> int:
        """Sequences in the batch."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Sequences that wait for a place, or for their KV cache."""
        return self._queued

    @property
    def deferred(self) -> int:
        """Of those waiting, how many wait for their KV cache."""
        return sum(not sequence.done for _, _, sequence in self._deferred)

    def running_adapters(self) -> set[str]:
        """The adapters in the batch."""
        return {sequence.job.adapter for sequence in self._running} - {""}

    def waiting_adapters(self) -> set[str]:
        """The adapters that requests in the queue need."""
        return {sequence.job.adapter for _, sequence in self._waiting if not sequence.done} - {""}

    def submit(self, job: work.Job, now: float) -> None:
        """Queue ``job``.

        Raises:
            RejectedError: it can never run here.
            BusyError: the queue is full.
        """
        sequence = Sequence(job, now, self._key(job, now))
        self._check(sequence)
        self._jobs[job.id] = sequence
        self._queued += 1
        if job.ready_at > now:
            heapq.heappush(self._deferred, (job.ready_at, self._number, sequence))
        else:
            heapq.heappush(self._waiting, (sequence.key, sequence))

    def _key(self, job: work.Job, now: float) -> tuple[int, float, int]:
        self._number += 1
        return (job.priority if self._by_priority else 0, now, self._number)

    def _check(self, sequence: Sequence) -> None:
        limits = self.params
        total = sequence.prompt + sequence.limit
        if sequence.job.id in self._jobs:
            raise errors.RejectedError(f"there is a request {sequence.job.id} already")
        if sequence.prompt < 1 or sequence.limit < 1:
            raise errors.RejectedError("a request has at least one token of prompt and one of output", "prompt")
        if total > limits.max_model_len:
            raise errors.RejectedError(
                f"this model's maximum context length is {limits.max_model_len} tokens, and the request asks for {total} "
                f"({sequence.prompt} in the prompt, {sequence.limit} in the output): shorten the prompt or lower max_tokens",
                "prompt",
            )
        if total > limits.capacity:
            raise errors.RejectedError(
                f"the KV cache holds {limits.capacity} tokens, and the request needs {total}", "prompt"
            )
        if sequence.job.adapter and limits.max_loras == 0:
            raise errors.RejectedError("this engine runs no adapters: start it with LoRA enabled", "model")
        if limits.max_queued and self._queued >= limits.max_queued:
            raise errors.BusyError(f"{self._queued} requests wait, which is as many as may: try again shortly")

    def cancel(self, job_id: str) -> bool:
        """Forget a job; False when there is none. A step under way still counts it, and its token is to be dropped."""
        sequence = self._jobs.pop(job_id, None)
        if sequence is None:
            return False
        if sequence.held:
            self._running.remove(sequence)
            self.pool.release(sequence.held)
            sequence.held = []
        else:
            self._queued -= 1
        sequence.done = True
        self._compact()
        return True

    def _compact(self) -> None:
        """Keep what is left of cancelled requests in the queue's heaps in proportion to those that wait."""
        if len(self._waiting) + len(self._deferred) <= 2 * self._queued + 64:
            return
        self._waiting = [item for item in self._waiting if not item[1].done]
        self._deferred = [item for item in self._deferred if not item[2].done]
        heapq.heapify(self._waiting)
        heapq.heapify(self._deferred)

    def next_ready(self) -> float | None:
        """When the next deferred job can start; None when there is none."""
        while self._deferred and self._deferred[0][2].done:
            heapq.heappop(self._deferred)
        return self._deferred[0][0] if self._deferred else None

    def sleep(self) -> None:
        """Stop computing and drop the KV cache; running sequences go back to the queue."""
        self.asleep = True
        self._settle()
        while self._running:
            self._preempt(self._running[-1])
        self.pool.clear()

    def wake(self) -> None:
        """Compute again."""
        self.asleep = False

    def step(self, now: float) -> work.Step | None:
        """Decide the next step, which begins at ``now``; None when there is nothing to compute."""
        self._settle()
        self._admit_deferred(now)
        if self.asleep or not (self._running or self._waiting):
            return None
        batch = _Batch(self.params, now)
        self._continue(batch)
        if not batch.preempted:
            self._admit(batch)
        if not batch.tokens:
            return None  # all that waited was cancelled
        end = now + batch.seconds()
        outputs = tuple(self._outputs(batch, end))
        return work.Step(
            now, end - now, outputs, batch.prefill, batch.decodes, tuple(batch.preempted), self.pool.take_events()
        )

    def _settle(self) -> None:
        for sequence in self._ended:
            if self._jobs.get(sequence.job.id) is sequence:
                del self._jobs[sequence.job.id]
                self._running.remove(sequence)
                self.pool.release(sequence.held)
                sequence.held = []
        self._ended.clear()

    def _admit_deferred(self, now: float) -> None:
        while self._deferred and self._deferred[0][0] <= now:
            sequence = heapq.heappop(self._deferred)[2]
            if not sequence.done:
                heapq.heappush(self._waiting, (sequence.key, sequence))

    # Sequences that run already.

    def _continue(self, batch: _Batch) -> None:
        running = self._running
        size = self.params.block_size
        place = 0
        while place < len(running) and batch.budget > 0:
            sequence = running[place]
            count = sequence.length - sequence.computed
            if count == 1:
                # A token that decodes needs a new block only where the last one is full.
                if len(sequence.held) * size == sequence.computed and not self._grow(sequence, 1, batch):
                    break
            else:
                count = min(count, batch.budget)
                if not self._grow(sequence, count, batch):
                    break
            self._take(sequence, count, batch)
            place += 1

    def _grow(self, sequence: Sequence, count: int, batch: _Batch) -> bool:
        """Blocks for ``count`` more tokens, if need be at the expense of those later in order; False when it was itself the last."""
        need = -(-(sequence.computed + count) // self.params.block_size) - len(sequence.held)
        if need <= 0:
            return True
        while (taken := self.pool.allocate(need)) is None:
            victim = self._running[-1]
            self._preempt(victim)
            batch.preempted.append(victim.job.id)
            if victim is sequence:
                return False
        sequence.held += taken
        return True

    def _preempt(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self.pool.release(sequence.held)
        sequence.forget()
        self.preemptions += 1
        self._queued += 1
        heapq.heappush(self._waiting, (sequence.key, sequence))

    # Sequences that wait.

    def _admit(self, batch: _Batch) -> None:
        skipped: list[tuple[tuple[int, float, int], Sequence]] = []
        adapters = self.running_adapters()
        waiting = self._waiting
        while waiting and batch.budget > 0 and len(self._running) < self.params.max_num_seqs:
            sequence = waiting[0][1]
            if sequence.done:
                heapq.heappop(waiting)
            elif self._lacks_slot(sequence, adapters):
                skipped.append(heapq.heappop(waiting))
            elif self._start(sequence, batch):
                heapq.heappop(waiting)
                if sequence.job.adapter:
                    adapters.add(sequence.job.adapter)
            else:
                break
        for item in skipped:
            heapq.heappush(waiting, item)

    def _lacks_slot(self, sequence: Sequence, adapters: set[str]) -> bool:
        name = sequence.job.adapter
        return bool(name) and name not in adapters and len(adapters) >= self.params.max_loras

    def _start(self, sequence: Sequence, batch: _Batch) -> bool:
        """Let ``sequence`` into the batch; False when there is no room for it in this step."""
        size = self.params.block_size
        hits = self._hits(sequence)
        # The last token is always computed: without it there is nothing to sample from.
        # What another engine handed over is lost with the blocks it lay in.
        handed = sequence.job.remote if not sequence.preemptions else 0
        remote = max(0, min(handed, sequence.length - 1) - hits * size)
        computed = hits * size + remote
        count = sequence.length - computed
        if count > batch.budget:
            if not self.params.chunked_prefill and batch.tokens:
                return False
            count = min(count, batch.budget)
        known = sequence.hashes[:hits]
        held = self.pool.acquire(known)
        taken = self.pool.allocate(-(-(computed + count) // size) - hits)
        if taken is None:
            self.pool.release(held)
            return False
        sequence.held = held + taken
        sequence.sealed = hits
        sequence.computed = computed
        self._queued -= 1
        bisect.insort(self._running, sequence, key=lambda each: each.key)
        if sequence.scheduled < 0:
            self._count(sequence, hits * size, remote, batch.start)
            batch.started += 1
        self._take(sequence, count, batch)
        return True

    def _take(self, sequence: Sequence, count: int, batch: _Batch) -> None:
        """``count`` tokens of ``sequence`` are computed in this step. What is full by its end can be shared from here on."""
        batch.add(sequence, count)
        sequence.computed += count
        if sequence.computed // self.params.block_size > sequence.sealed and self.params.prefix_caching:
            self._seal(sequence)

    def _hits(self, sequence: Sequence) -> int:
        if not self.params.prefix_caching:
            return 0
        size = self.params.block_size
        sequence.hash_until((sequence.length - 1) // size, size)
        return self.pool.match(sequence.hashes[: (sequence.length - 1) // size])

    def _count(self, sequence: Sequence, cached: int, remote: int, now: float) -> None:
        sequence.scheduled = now
        sequence.cached = cached
        sequence.remote = remote
        self.queries += sequence.prompt
        self.hits += cached
        if sequence.job.remote:
            self.remote_queries += sequence.prompt - cached
            self.remote_hits += remote

    # What a step leaves behind.

    def _outputs(self, batch: _Batch, end: float) -> Iterator[work.Output]:
        for sequence in batch.scheduled:
            if sequence.computed == sequence.length:
                yield self._sampled(sequence, end)

    def _sampled(self, sequence: Sequence, end: float) -> work.Output:
        sequence.generated += 1
        sequence.length += 1
        gap = end - sequence.last_token
        sequence.last_token = end
        first = sequence.generated == 1
        if first:
            sequence.first_token = end
        finish = None
        if sequence.generated == sequence.limit:
            sequence.done = True
            self._ended.append(sequence)
            finish = sequence.finish(end, -(-sequence.prompt // self.params.block_size))
        return work.Output(sequence.job, first, gap, sequence.cached + sequence.remote, finish)

    def _seal(self, sequence: Sequence) -> None:
        """Register the blocks that have become full, and report them as one run or, where some were known, as several."""
        size = self.params.block_size
        full = sequence.computed // size
        sequence.hash_until(full, size)
        start = sequence.sealed
        run: list[int] = []
        for place in range(start, full):
            if self.pool.seal(sequence.held[place], sequence.hashes[place]):
                run.append(place)
            elif run:
                self._report(sequence, run)
                run = []
        if run:
            self._report(sequence, run)
        sequence.sealed = full

    def _report(self, sequence: Sequence, run: list[int]) -> None:
        if not self.pool.record:
            return
        first, past = run[0], run[-1] + 1
        width = self.params.block_size * 4
        self.pool.events.append(
            blocks.Stored(
                tuple(sequence.hashes[first:past]),
                sequence.hashes[first - 1] if first else None,
                sequence.text[first * width : past * width],
                self.params.block_size,
                sequence.job.adapter,
            )
        )

    def validate(self) -> None:
        """Check every invariant.

        Raises:
            AssertionError: one is broken.
        """
        self.pool.validate()
        if self._queued != sum(not each.done for _, each in self._waiting) + self.deferred:
            raise AssertionError("the queue's count is wrong")
        if len(self._running) > self.params.max_num_seqs:
            raise AssertionError("the batch is larger than it may be")
        if self._running != sorted(self._running, key=lambda each: each.key):
            raise AssertionError("the batch is out of order")
        for sequence in self._running:
            if len(sequence.held) * self.params.block_size < sequence.computed:
                raise AssertionError("a sequence has computed more than its blocks hold")
        if len(self.running_adapters()) > self.params.max_loras:
            raise AssertionError("more adapters run than may")


class _Batch:
    """The step that is being put together."""

    __slots__ = (
        "adapters",
        "budget",
        "decodes",
        "kv_tokens",
        "pairs",
        "preempted",
        "prefill",
        "scheduled",
        "start",
        "started",
        "timing",
    )

    def __init__(self, settings: params.Params, start: float) -> None:
        self.timing = settings.timing
        self.start = start
        self.budget = settings.max_num_batched_tokens
        self.scheduled: list[Sequence] = []
        self.preempted: list[str] = []
        self.adapters: set[str] = set()
        self.prefill = self.pairs = self.decodes = self.kv_tokens = self.started = 0

    @property
    def tokens(self) -> int:
        return self.prefill + self.decodes

    def add(self, sequence: Sequence, count: int) -> None:
        self.budget -= count
        self.scheduled.append(sequence)
        if sequence.generated and count == 1:
            self.decodes += 1
            self.kv_tokens += sequence.computed
        else:
            self.prefill += count
            self.pairs += count * sequence.computed + count * count // 2
        if sequence.job.adapter:
            self.adapters.add(sequence.job.adapter)

    def seconds(self) -> float:
        timing = self.timing
        return (
            timing.step
            + timing.request * self.started
            + timing.prefill_token * self.prefill
            + timing.prefill_pair * self.pairs
            + timing.decode_sequence * self.decodes
            + timing.decode_kv_token * self.kv_tokens
            + timing.adapter * len(self.adapters)
        )
