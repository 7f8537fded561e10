"""One replica: the engine double's continuous batching, computed many steps at a time.

Between two arrivals or endings a batch that only decodes is the same sequences over and over, and what each of its steps takes grows
by the same amount. ``k`` of them take, with the words of ``sim.engine.core.params``, D sequences and K tokens of KV cache at the first,

    k · (step + decode_sequence · D + decode_kv_token · (K + D · (k - 1) / 2))

so a stretch costs one computation, not k: an hour of a fleet is a second or two. Steps that compute prompts are made one by one. Times
agree with ``sim.engine.core.scheduler`` (its tests hold the two side by side) where no prefix is shared; blocks are single tokens here.

A stretch that a new request could join is cut at the end of the step under way, as an engine would.
"""

from __future__ import annotations

import collections
import heapq
import math
from typing import Final

from brickyard.sim.engine.core import params

IDLE: Final = math.inf


class Job:
    """One request. Times are the caller's, in seconds; negative until they have come.

    Attributes:
        arrived: when somebody asked, which may be before any engine heard of it.
        prompt, output: tokens.
        generated: tokens said so far.
        computed: tokens whose KV cache was there when it last joined the decoding, or as far as its prompt has come.
        first_token: when the first token was there.
        ended: when the last was.
        lost: its engine ended before it did.
    """

    __slots__ = ("arrived", "computed", "ended", "first_token", "generated", "joined", "lost", "output", "prompt")

    def __init__(self, arrived: float, prompt: int, output: int) -> None:
        self.arrived = arrived
        self.prompt = prompt
        self.output = output
        self.generated = 0
        self.computed = 0
        self.joined = 0
        self.first_token = -1.0
        self.ended = -1.0
        self.lost = False


class Engine:
    """A queue, a batch, and the stretch of steps under way.

    Attributes:
        due: when the stretch ends; ``IDLE`` without one. Changes with ``submit`` and ``advance`` only.
        prompted, said: tokens of prompts computed and tokens generated, since the start.
        ended: requests answered since the start.
        preemptions: since the start.
    """

    def __init__(self, given: params.Params) -> None:
        self._given = given
        self._timing = given.timing
        self._capacity = given.capacity
        self.due = IDLE
        self.prompted = self.said = self.ended = self.preemptions = 0
        self._waiting: collections.deque[Job] = collections.deque()
        self._filling: dict[Job, None] = {}
        self._decoding: dict[Job, None] = {}
        self._ends: list[tuple[int, int, Job]] = []
        self._pushed = 0
        self._steps = 0
        self._kv = 0
        # The stretch under way.
        self._began = 0.0
        self._count = 0
        self._chunks: list[tuple[Job, int]] = []

    @property
    def running(self) -> int:
        """Requests in the batch."""
        return len(self._filling) + len(self._decoding)

    @property
    def waiting(self) -> int:
        """Requests that wait for a place in it."""
        return len(self._waiting)

    @property
    def open(self) -> int:
        """Both."""
        return len(self._waiting) + len(self._filling) + len(self._decoding)

    def fits(self, job: Job) -> bool:
        """Whether it can ever run here."""
        return job.prompt + job.output <= min(self._given.max_model_len, self._capacity)

    def kv_usage(self, now: float) -> float:
        """Share of the KV cache in use, 0..1."""
        told = 0 if self.due == IDLE or self._chunks else self._until(now) * len(self._decoding)
        return min(1.0, (self._kv + told) / self._capacity)

    def submit(self, job: Job, now: float) -> None:
        """Queue it. One that does not fit must not come here."""
        self._waiting.append(job)
        if self.due == IDLE:
            self._begin(now)
        elif not self._chunks and len(self._waiting) == 1 and self._room():
            self._cut(now)

    def advance(self) -> list[Job]:
        """End the stretch at ``due`` and begin the next: the requests that were answered at its end."""
        now = self.due
        if self._chunks:
            done = self._filled(now)
        else:
            self._decoded(self._count)
            done = []
        done += self._finish(now)
        self._begin(now)
        return done

    def abandon(self) -> list[Job]:
        """Stop at once: what was open and is lost."""
        lost = [*self._waiting, *self._filling, *self._decoding]
        self._waiting.clear()
        self._filling.clear()
        self._decoding.clear()
        self._ends.clear()
        self._chunks = []
        self._kv = 0
        self.due = IDLE
        return lost

    # Stretches of decoding.

    def _seconds(self, count: int) -> float:
        timing, number = self._timing, len(self._decoding)
        read = count * self._kv + number * count * (count - 1) // 2
        return count * (timing.step + timing.decode_sequence * number) + timing.decode_kv_token * read

    def _until(self, now: float) -> int:
        """Steps of the stretch that have ended by ``now``."""
        timing, number = self._timing, len(self._decoding)
        grows = timing.decode_kv_token * number / 2
        first = timing.step + timing.decode_sequence * number + timing.decode_kv_token * self._kv - grows
        passed = max(0.0, now - self._began)
        if grows > 0:
            count = int((math.sqrt(first * first + 4 * grows * passed) - first) / (2 * grows))
        else:
            count = int(passed / first) if first > 0 else self._count
        while count > 0 and self._seconds(count) > passed:
            count -= 1
        while count < self._count and self._seconds(count + 1) <= passed:
            count += 1
        return min(count, self._count)

    def _cut(self, now: float) -> None:
        count = min(self._count, self._until(now) + 1)
        if count < self._count:
            self._count = count
            self.due = self._began + self._seconds(count)

    def _decoded(self, count: int) -> None:
        number = len(self._decoding)
        self._steps += count
        self._kv += number * count
        self.said += number * count

    def _finish(self, now: float) -> list[Job]:
        done = []
        while self._ends and self._ends[0][0] <= self._steps:
            last, _, job = heapq.heappop(self._ends)
            if job in self._decoding and self._last_of(job) == last:  # else it was preempted since
                del self._decoding[job]
                self._kv -= job.computed + self._steps - job.joined
                job.generated = job.output
                job.ended = now
                self.ended += 1
                done.append(job)
        return done

    @staticmethod
    def _last_of(job: Job) -> int:
        return job.joined + job.output - job.generated

    # Steps that compute prompts.

    def _filled(self, now: float) -> list[Job]:
        """The step under way ends: prompts have come as far as they were to, and those that are whole say a token."""
        self._decoded(1)
        done = []
        for job, count in self._chunks:
            job.computed += count
            if job.computed == job.prompt + job.generated:
                del self._filling[job]
                done += self._joins(job, now)
        self._chunks = []
        return done

    def _joins(self, job: Job, now: float) -> list[Job]:
        job.generated += 1
        self.said += 1
        if job.first_token < 0:
            job.first_token = now
        if job.generated == job.output:
            self._kv -= job.computed
            job.ended = now
            self.ended += 1
            return [job]
        job.joined = self._steps
        self._decoding[job] = None
        self._pushed += 1
        heapq.heappush(self._ends, (self._last_of(job), self._pushed, job))
        return []

    # Beginning.

    def _begin(self, now: float) -> None:
        self._began = now
        chunks, whole = self._continue()
        started = self._admit(chunks) if whole else 0
        self._chunks = chunks
        if chunks:
            self._count = 1
            self.due = now + self._step(started)
        elif self._decoding:
            room = (self._capacity - self._kv) // len(self._decoding)
            self._count = min(self._next_end() - self._steps, room)
            self.due = now + self._seconds(self._count)
        else:
            self.due = IDLE

    def _next_end(self) -> int:
        while True:
            last, _, job = self._ends[0]
            if job in self._decoding and self._last_of(job) == last:
                return last
            heapq.heappop(self._ends)

    def _continue(self) -> tuple[list[tuple[Job, int]], bool]:
        """The next chunks of the prompts in the batch, and whether all of the batch found room for its next tokens."""
        whole = True
        while self._free() < 0:
            self._preempt()
            whole = False
        budget = self._given.max_num_batched_tokens - len(self._decoding)
        chunks: list[tuple[Job, int]] = []
        for job in list(self._filling):
            count = min(job.prompt + job.generated - job.computed, budget)
            while job in self._filling and count > self._free():
                self._preempt()
                whole = False
            if job in self._filling and count:
                chunks.append((job, count))
                self._kv += count
                budget -= count
        return chunks, whole

    def _free(self) -> int:
        """Tokens of KV cache that are left once each sequence that decodes has its next."""
        return self._capacity - self._kv - len(self._decoding)

    def _room(self) -> bool:
        """Whether the first that waits could join the next step."""
        if self.running >= self._given.max_num_seqs:
            return False
        job = self._waiting[0]
        budget = self._given.max_num_batched_tokens - len(self._decoding)
        return 0 < min(job.prompt + job.generated, budget) <= self._free()

    def _admit(self, chunks: list[tuple[Job, int]]) -> int:
        budget = self._given.max_num_batched_tokens - len(self._decoding) - sum(count for _, count in chunks)
        started = 0
        while self._waiting and budget > 0 and self.running < self._given.max_num_seqs:
            job = self._waiting[0]
            count = min(job.prompt + job.generated, budget)
            if count > self._free():
                break
            self._waiting.popleft()
            self._filling[job] = None
            started += job.generated == 0
            chunks.append((job, count))
            self._kv += count
            budget -= count
        return started

    def _step(self, started: int) -> float:
        """Seconds that a step with ``_chunks`` takes, ``started`` of which are of requests new to the batch."""
        timing, number, chunks = self._timing, len(self._decoding), self._chunks
        prefill = sum(count for _, count in chunks)
        self.prompted += prefill
        pairs = sum(count * job.computed + count * count // 2 for job, count in chunks)
        return (
            timing.step
            + timing.request * started
            + timing.prefill_token * prefill
            + timing.prefill_pair * pairs
            + timing.decode_sequence * number
            + timing.decode_kv_token * (self._kv - self._held())
        )

    def _held(self) -> int:
        """KV tokens of prompts that are not whole, those of this step among them."""
        return sum(job.computed for job in self._filling) + sum(count for _, count in self._chunks)

    def _preempt(self) -> None:
        """The latest of the batch goes back to the head of the queue, and will be computed again from its start."""
        if self._filling:
            job, _ = self._filling.popitem()
            self._kv -= job.computed
        else:
            job, _ = self._decoding.popitem()
            said = self._steps - job.joined
            self._kv -= job.computed + said
            job.generated += said
        job.computed = 0
        self.preemptions += 1
        self._waiting.appendleft(job)
