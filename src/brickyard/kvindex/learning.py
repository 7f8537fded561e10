"""What a prompt's bytes are in an engine's blocks, learned by watching: no tokenizer, no template, nothing asked of anybody.

An engine tells of token blocks, a gateway knows requests. Both are sides of the same thing: a request whose engine counted T tokens of
prompt and C of answer leaves a chain of exactly ⌊(T+C-1)/size⌋ blocks, which began to grow after the request was sent and stopped before
its end, and one of whose steps ended where the prompt's last full block does. Where one chain and one request fit each other and nobody
else, the chain is the request's, and each block of the prompt's bytes is **linked** to the token block that covers its end. From then on
what engines tell of the token block is told of the bytes: an engine that drops it does not hold that prefix any more, and one that stores
it does, whoever sent the prompt.

Where in the chain a byte block ends is not told: tokens are taken to be spread evenly between the deepest border that is known and the
prompt's end. Prompts that share bytes and part later correct each other: a border cannot lie behind the block where their chains part.

Two requests that fit the same chain teach nothing. A wrong link would be found out by the next prompt whose chain does not pass through
its block, and is forgotten then.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from brickyard.kvindex import lineage, links

RECENT: Final = 2048
"""Steps of one engine, and requests to it, that are looked at."""
LATE: Final = 0.5
"""Seconds after a request's end by which all that its engine tells of it is here."""
STRAY: Final = 64
"""Blocks by which a border may turn out to be wrong before its link counts as a mistake."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request that has ended.

    Attributes:
        endpoint: who answered it.
        blocks: hashes of the prompt's full byte blocks.
        ends: where each of them ends, in bytes.
        length: bytes of the whole prompt.
        prompt_tokens, completion_tokens: as the engine counted.
        cached_tokens: the same; None where it did not tell.
        sent, ended: seconds of the clock that events are stamped with.
    """

    endpoint: str
    blocks: Sequence[int]
    ends: Sequence[int]
    length: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    sent: float
    ended: float

    def form(self, size: int) -> tuple[int, int]:
        """Full token blocks of the prompt, and of prompt and answer."""
        return self.prompt_tokens // size, (self.prompt_tokens + self.completion_tokens - 1) // size


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """Blocks that an engine stored at once: they follow the block of depth ``start``; ``tip`` is the last, of depth ``end``."""

    at: float
    parent: int
    start: int
    tip: int
    end: int


class Index(Protocol):
    """Where it is kept who holds which bytes: ``prefix.PrefixIndex``."""

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None: ...

    def drop(self, hashes: Sequence[int], endpoint: str) -> None: ...

    def correct(self, held: Iterable[tuple[int, Iterable[str]]], among: Iterable[str], now: float) -> None: ...


class Holders(Protocol):
    """What engines hold: ``residency.Residency``."""

    def holders(self, key: int) -> list[str]: ...

    def block_size(self, endpoint: str) -> int: ...


@dataclasses.dataclass(slots=True)
class Learned:
    """What came of requests, for whoever shows it.

    Attributes:
        matched: whose chain was found. known: that stored nothing, all links of whose prompt there are.
        ambiguous: that fit several chains, or shared one. unmatched: that fit none.
        conflicts: links that turned out to be wrong.
    """

    matched: int = 0
    known: int = 0
    ambiguous: int = 0
    unmatched: int = 0
    conflicts: int = 0


class Learner:
    """The links of one model, and the watch that keeps ``index`` in step with engines. ``most`` links are kept.

    ``now`` is set by whoever brings events: it is when they came.
    """

    def __init__(self, index: Index, most: int) -> None:
        self.now = 0.0
        self.counts = Learned()
        self.links = links.Links(most)
        self.lineage = lineage.Lineage()
        self._index = index
        self._engines: dict[str, _Engine] = {}

    @property
    def bytes(self) -> int:
        """Bytes of links and lineage."""
        return self.links.bytes + self.lineage.bytes

    @property
    def unsettled(self) -> int:
        """Requests that have ended and are not learned from yet."""
        return sum(len(engine.waiting) for engine in self._engines.values())

    def stored(self, endpoint: str, parent: int, keys: Sequence[int]) -> None:
        """Blocks came; fills ``residency.Watch``."""
        linked = self.links.all(keys)
        if linked:
            self._index.add(linked, endpoint, self.now)
        start = self.lineage.depth(parent)
        if keys and (start or not parent):
            self.lineage.extend(keys, parent, start)
            self._engine(endpoint).step(_Step(self.now, parent, start, keys[-1], start + len(keys)))

    def dropped(self, endpoint: str, key: int, *, last: bool) -> None:
        """A block went; fills ``residency.Watch``."""
        linked = self.links.blocks(key)
        if linked:
            self._index.drop(linked, endpoint)
        if last:
            self.lineage.drop(key)

    def asked(self, request: Asked) -> None:
        """A request ended; it teaches once all that its engine told of it is here: see ``settle``."""
        waiting = self._engine(request.endpoint).waiting
        if len(waiting) == RECENT:
            waiting.popleft()
            self.counts.unmatched += 1
        waiting.append(request)

    def forget(self, endpoint: str) -> None:
        """The endpoint began anew, or is gone."""
        self._engines.pop(endpoint, None)

    def settle(self, now: float, held: Holders) -> None:
        """Learn from the requests that ended ``LATE`` seconds ago, or earlier."""
        for endpoint, engine in self._engines.items():
            size = held.block_size(endpoint)
            due = []
            while engine.waiting and engine.waiting[0].ended + LATE <= now:
                due.append(engine.waiting.popleft())
            if size:
                for request in due:
                    engine.note(request, size)
                for request in due:
                    self._learn(engine, request, size, held)

    def _engine(self, endpoint: str) -> _Engine:
        engine = self._engines.get(endpoint)
        if engine is None:
            engine = self._engines[endpoint] = _Engine()
        return engine

    def _learn(self, engine: _Engine, request: Asked, size: int, held: Holders) -> None:
        if not request.blocks:
            return
        if request.prompt_tokens < size:  # less than a block is never kept
            self._index.drop(request.blocks, request.endpoint)
            return
        tips = engine.tips(request, size)
        if not tips:
            known = self.links.key(request.blocks[-1]) is not None
            self.counts.known += known
            self.counts.unmatched += not known
        elif len(tips) > 1 or engine.rivals(request, size):
            self.counts.ambiguous += 1
        else:
            self.counts.matched += 1
            made = self._linked(request, self.lineage.at(tips.pop(), request.prompt_tokens // size), size)
            for block, key in made:
                self.links.put(block, key)
            self._index.correct(((block, held.holders(key)) for block, key in made), self._engines, self.now)
            # Where the way through the chain is broken, nobody holds what it led through any more.
            gone = [block for block in request.blocks if self.links.key(block) is None]
            if gone:
                self._index.drop(gone, request.endpoint)

    def _linked(self, request: Asked, leaf: int, size: int) -> list[tuple[int, int]]:
        """Links of the prompt's byte blocks to the chain that ends, as far as the prompt goes, with ``leaf``; without those there are."""
        if not leaf:
            return []
        known, made = self._known(request.blocks, leaf)
        base, begin = 0, 0
        if known:
            base, begin = request.ends[known - 1], self._depth_of(request.blocks[known - 1], made)
        per_byte = (request.prompt_tokens / size - begin) / max(1, request.length - base)
        deepest, key = self.lineage.depth(leaf), leaf
        for number in range(len(request.blocks) - 1, known - 1, -1):
            depth = begin + math.ceil((request.ends[number] - base) * per_byte)
            key = self.lineage.at(key, min(deepest, max(1, depth)))
            if not key:
                break
            made.append((request.blocks[number], key))
        return made

    def _known(self, blocks: Sequence[int], leaf: int) -> tuple[int, list[tuple[int, int]]]:
        """How many of the first byte blocks are linked to this chain, and links to mend: those behind where it parts from theirs."""
        known = bisect.bisect_left(blocks, x=True, key=lambda block: self.links.key(block) is None)
        while known and not self._depth_of(blocks[known - 1], ()):
            known -= 1  # nobody holds it: nothing can be told of it
        if not known:
            return 0, []
        key = self.links.key(blocks[known - 1]) or 0
        parting = self.lineage.shared(key, leaf, STRAY)
        if parting == key:
            return known, []
        if not parting:
            for block in blocks[:known]:
                self.counts.conflicts += 1
                self.links.drop(block)
            return 0, []
        deepest = self.lineage.depth(parting)
        return known, [(block, parting) for block in blocks[:known] if self._depth_of(block, ()) > deepest]

    def _depth_of(self, block: int, made: Sequence[tuple[int, int]]) -> int:
        key = made[-1][1] if made else self.links.key(block)
        return self.lineage.depth(key or 0)


class _Engine:
    """The latest of one engine's steps and requests, so kept that nothing is looked for one by one."""

    def __init__(self) -> None:
        self.waiting: collections.deque[Asked] = collections.deque()
        self._steps: collections.deque[_Step] = collections.deque()
        self._by_tip: dict[int, _Step] = {}
        self._by_end: dict[int, collections.deque[_Step]] = {}
        self._after: dict[int, _Step] = {}
        self._asked: collections.deque[tuple[tuple[int, int], Asked]] = collections.deque()
        self._by_form: dict[tuple[int, int], collections.deque[Asked]] = {}

    def step(self, step: _Step) -> None:
        """The engine stored blocks."""
        if len(self._steps) == RECENT:
            self._forget(self._steps.popleft())
        self._steps.append(step)
        self._by_tip[step.tip] = step
        self._by_end.setdefault(step.end, collections.deque()).append(step)
        self._after.setdefault(step.parent, step)

    def _forget(self, step: _Step) -> None:
        if self._by_tip.get(step.tip) is step:
            del self._by_tip[step.tip]
        if self._after.get(step.parent) is step:
            del self._after[step.parent]
        same = self._by_end[step.end]
        same.popleft()
        if not same:
            del self._by_end[step.end]

    def note(self, request: Asked, size: int) -> None:
        """The request is over; others that look alike hear of it."""
        if len(self._asked) == RECENT:
            form, old = self._asked.popleft()
            self._by_form[form].remove(old)
            if not self._by_form[form]:
                del self._by_form[form]
        form = request.form(size)
        self._asked.append((form, request))
        self._by_form.setdefault(form, collections.deque()).append(request)

    def rivals(self, request: Asked, size: int) -> bool:
        """Whether another prompt was under way at the same time and leaves a chain of the same form."""
        form, leaf = request.form(size), request.blocks[-1:]
        for other in reversed(self._by_form.get(form, ())):
            if other.ended < request.sent:
                break
            if other.sent <= request.ended and other.blocks[-1:] != leaf:
                return True
        return any(
            other.sent <= request.ended and other.form(size) == form and other.blocks[-1:] != leaf
            for other in self.waiting
        )

    def tips(self, request: Asked, size: int) -> set[int]:
        """The last blocks of chains that may be the request's."""
        total = request.prompt_tokens + request.completion_tokens
        found: set[int] = set()
        for end in {(total - 1) // size, total // size}:  # an engine that works ahead has counted one token more
            for step in reversed(self._by_end.get(end, ())):
                if step.at < request.sent:
                    break
                if step.at <= request.ended + LATE and self._fits(step, request, size):
                    found.add(step.tip)
        return found

    def _within(self, step: _Step, request: Asked) -> bool:
        return request.sent <= step.at <= request.ended + LATE

    def _went_on(self, step: _Step, request: Asked) -> bool:
        """Whether the chain grew on while the request was still being answered."""
        after = self._after.get(step.tip)
        return after is not None and step.at <= after.at < request.ended

    def _fits(self, step: _Step, request: Asked, size: int) -> bool:
        """Whether a chain's steps end where the prompt and the answer do, and begin where its cached part did."""
        if self._went_on(step, request):
            return False
        prompt, cached = request.prompt_tokens // size, (request.cached_tokens or 0) // size
        at_prompt = step.end == prompt
        while (before := self._by_tip.get(step.parent)) and before.end > cached and self._within(before, request):
            step = before
            at_prompt = at_prompt or step.end == prompt
        return (at_prompt or step.start == prompt) and step.start >= cached
