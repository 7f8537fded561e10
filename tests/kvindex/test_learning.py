"""Which chain is which request's, where bytes end in it, and what follows for the index."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.engines import contract as engines
from brickyard.kvindex import learning, residency

SIZE = 4
"""Tokens of a block."""
WIDTH = 8
"""Bytes of a block; a token is two bytes."""


class Index:
    """Who holds which byte blocks, as a dict."""

    def __init__(self) -> None:
        self.held: dict[int, set[str]] = {}

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        for each in hashes:
            self.held.setdefault(each, set()).add(endpoint)

    def drop(self, hashes: Sequence[int], endpoint: str) -> None:
        for each in hashes:
            self.held.get(each, set()).discard(endpoint)

    def correct(self, held: Iterable[tuple[int, Iterable[str]]], among: Iterable[str], now: float) -> None:
        told = set(among)
        for each, holders in held:
            self.held[each] = (self.held.get(each, set()) - told) | (set(holders) & told)

    def of(self, endpoint: str, hashes: Sequence[int]) -> int:
        """Blocks in a row that an endpoint holds."""
        return sum(1 for _ in itertools.takewhile(lambda each: endpoint in self.held.get(each, ()), hashes))


def blocks(prompt: bytes) -> list[int]:
    return [hash(prompt[:end]) & (2**63 - 1) or 1 for end in range(WIDTH, len(prompt) + 1, WIDTH)]


def tokens(text: bytes) -> list[int]:
    return [int.from_bytes(text[at : at + 2]) for at in range(0, len(text), 2)]


class World:
    """Engines that tell what they hold, requests that are asked of them, a clock in seconds."""

    def __init__(self, links: int = 1000) -> None:
        self.now = 100.0
        self.index = Index()
        self.learner = learning.Learner(self.index, links)
        self.held = residency.Residency(residency.Chain("m"), 4096, 1 << 22, watch=self.learner)
        self.names: dict[tuple[str, tuple[int, ...]], int] = {}

    def name(self, endpoint: str, chain: Sequence[int]) -> int:
        return self.names.setdefault((endpoint, tuple(chain)), len(self.names) + 1)

    def tell(self, endpoint: str, *events: engines.KvEvent) -> None:
        self.learner.now = self.now
        self.held.take(endpoint, events)

    def store(self, endpoint: str, text: bytes, start: int, stop: int) -> None:
        """Token blocks ``start`` to ``stop`` of a text."""
        words = tokens(text)
        if stop > start:
            names = tuple(self.name(endpoint, words[: SIZE * (at + 1)]) for at in range(start, stop))
            parent = self.name(endpoint, words[: SIZE * start]) if start else None
            self.tell(endpoint, engines.BlocksStored(names, parent, tuple(words[SIZE * start : SIZE * stop]), SIZE))

    def evict(self, endpoint: str, text: bytes, start: int, stop: int) -> None:
        words = tokens(text)
        names = tuple(self.name(endpoint, words[: SIZE * (at + 1)]) for at in range(start, stop))
        self.tell(endpoint, engines.BlocksRemoved(names))

    def ended(
        self, endpoint: str, prompt: bytes, answer: bytes, sent: float, cached: int | None = None
    ) -> learning.Asked:
        hashes = blocks(prompt)
        made = learning.Asked(
            endpoint,
            hashes,
            [WIDTH * (at + 1) for at in range(len(hashes))],
            len(prompt),
            len(prompt) // 2,
            len(answer) // 2,
            cached,
            sent,
            self.now,
        )
        self.learner.asked(made)
        return made

    def ask(self, endpoint: str, prompt: bytes, answer: bytes = b"", cached: int = 0) -> learning.Asked:
        """A request by itself, from beginning to end, its first ``cached`` token blocks found."""
        sent, text = self.now, prompt + answer
        self.index.add(blocks(prompt), endpoint, self.now)
        self.now += 0.1
        full, last = len(prompt) // 2 // SIZE, (len(text) // 2 - 1) // SIZE
        self.store(endpoint, text, cached, full)
        for at in range(full, last):
            self.now += 0.1
            self.store(endpoint, text, at, at + 1)
        return self.ended(endpoint, prompt, answer, sent, cached * SIZE)

    def settle(self) -> None:
        self.now += 1.0
        self.learner.settle(self.now, self.held)


def text(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


PROMPT, ANSWER = text(1, 80), text(2, 22)


def test_what_an_engine_drops_goes_out_of_the_index() -> None:
    world = World()
    world.ask("a", PROMPT, ANSWER)
    world.settle()
    assert world.learner.counts == learning.Learned(matched=1)
    assert world.index.of("a", blocks(PROMPT)) == 10
    world.evict("a", PROMPT, 7, 10)
    assert world.index.of("a", blocks(PROMPT)) == 7
    world.store("a", PROMPT, 7, 10)
    assert world.index.of("a", blocks(PROMPT)) == 10, "it is back without being learned again"


def test_what_another_engine_stores_is_known_whoever_sent_it() -> None:
    world = World()
    world.store("b", PROMPT, 0, 6)
    world.ask("a", PROMPT, ANSWER)
    world.settle()
    assert world.index.of("b", blocks(PROMPT)) == 6, "known as the links are made"
    world.store("c", PROMPT, 0, 4)
    assert world.index.of("c", blocks(PROMPT)) == 4, "and as it is told"
    world.tell("a", engines.BlocksCleared())
    assert world.index.of("a", blocks(PROMPT)) == 0


def test_what_was_dropped_before_it_was_learned_is_known_to_be_gone() -> None:
    world = World()
    world.ask("a", PROMPT, ANSWER)
    world.evict("a", PROMPT, 3, 10)
    world.settle()
    assert world.learner.counts.matched == 1
    assert world.index.of("a", blocks(PROMPT)) == 0, "the way to the rest of it is lost, and with it what could be told"


def test_a_prompt_shorter_than_a_block_is_never_held() -> None:
    world = World()
    world.index.add([1], "a", 0.0)
    world.ask("a", PROMPT, ANSWER)  # for the size of blocks
    short = dataclasses.replace(world.ended("a", PROMPT[:8], b"", world.now), blocks=[1], prompt_tokens=3)
    world.learner.asked(short)
    world.settle()
    assert world.index.of("a", [1]) == 0


def test_turns_of_a_conversation_are_learned_one_by_one() -> None:
    world = World()
    history = PROMPT
    for turn in range(5):
        cached = 0 if not turn else len(history) // 2 // SIZE
        more = history + text(10 + turn, 40)
        world.ask("a", more, ANSWER, cached)
        world.settle()
        assert world.index.of("a", blocks(more)) == len(more) // WIDTH
        history = more + ANSWER[: len(ANSWER) - 2]
        history = history[: len(history) // WIDTH * WIDTH]
    assert world.learner.counts.matched == 5


def test_requests_side_by_side_are_told_apart_by_their_lengths() -> None:
    world = World()
    sent = world.now
    prompts = [text(20 + number, 40 + 8 * number) for number in range(8)]
    for prompt in prompts:
        world.now += 0.01
        world.store("a", prompt, 0, len(prompt) // WIDTH)
    for prompt in prompts:
        world.ended("a", prompt, b"xx", sent)
    world.settle()
    assert (world.learner.counts.matched, world.learner.counts.ambiguous) == (8, 0)
    world.evict("a", prompts[3], 2, 8)
    assert [world.index.of("a", blocks(prompt)) for prompt in prompts] == [5, 6, 7, 2, 9, 10, 11, 12]


def test_requests_that_look_alike_teach_nothing() -> None:
    world = World()
    sent, other = world.now, text(3, 80)
    for prompt in (PROMPT, other):
        world.store("a", prompt, 0, 10)
    for prompt in (PROMPT, other):
        world.ended("a", prompt, b"xx", sent)
    world.settle()
    assert (world.learner.counts.matched, world.learner.counts.ambiguous) == (0, 2)
    assert world.index.held == {}


def test_one_of_two_alike_whose_chain_alone_is_there_is_not_taken_for_the_other() -> None:
    """The other's prompt was all there: it stored nothing."""
    world = World()
    sent, other = world.now, text(3, 80)
    world.store("a", PROMPT, 0, 10)
    for prompt in (PROMPT, other):
        world.ended("a", prompt, b"xx", sent)
    world.settle()
    assert world.learner.counts.matched == 0


def test_a_chain_that_grows_on_belongs_to_somebody_else() -> None:
    world = World()
    sent, longer = world.now, PROMPT + text(4, 16)
    world.store("a", longer, 0, 10)
    world.now += 0.1
    world.store("a", longer, 10, 11)
    world.now += 0.1
    world.ended("a", PROMPT, b"xx", sent)
    world.settle()
    assert (world.learner.counts.matched, world.learner.counts.unmatched) == (0, 1)


def test_steps_before_and_long_after_a_request_are_not_its_own() -> None:
    world = World()
    world.store("a", PROMPT, 0, 10)
    world.now += 1
    world.ended("a", PROMPT, b"xx", world.now)
    world.now += 1
    world.store("a", text(5, 80), 0, 10)
    world.settle()
    assert world.learner.counts.matched == 0


def test_prompts_that_part_correct_where_a_border_lies() -> None:
    """The first prompt's bytes are spread unevenly over its tokens: its border was taken to lie further than it does."""
    world = World()
    shared = text(6, 40)
    world.ask("a", shared + text(7, 40), b"xx")
    world.settle()
    deep = world.learner.links.key(blocks(shared)[-1])
    assert deep is not None
    world.learner.links.put(blocks(shared)[-1], world.learner.links.key(blocks(shared + text(7, 40))[6]) or 0)
    world.ask("a", shared + text(8, 40), b"xx", cached=5)
    world.settle()
    assert world.learner.links.key(blocks(shared)[-1]) == deep
    assert world.learner.counts.conflicts == 0


def test_a_wrong_link_is_forgotten_when_a_prompt_shows_it() -> None:
    world = World()
    other = text(9, 80)
    world.store("a", other, 0, 10)
    world.ask("a", PROMPT, ANSWER)
    world.settle()
    wrong = residency.Chain("m").hashes(tokens(other), SIZE)
    for block, key in zip(blocks(PROMPT), wrong, strict=True):
        world.learner.links.put(block, key)
    world.ask("a", PROMPT + text(11, 8), ANSWER, cached=10)
    world.settle()
    assert world.learner.counts.conflicts == 10
    assert world.learner.links.key(blocks(PROMPT)[4]) not in wrong


def test_an_endpoint_that_is_forgotten_teaches_nothing_more() -> None:
    world = World()
    world.ask("a", PROMPT, ANSWER)
    world.learner.forget("a")
    world.settle()
    assert world.learner.counts == learning.Learned()
    assert world.learner.unsettled == 0


def test_what_is_remembered_of_an_engine_is_bounded() -> None:
    world = World(links=50)
    for number in range(learning.RECENT + 200):
        world.ended("a", PROMPT, ANSWER, world.now)
        world.store("a", text(number, 8), 0, 1)
    assert world.learner.unsettled == learning.RECENT
    world.settle()
    for number in range(40):
        world.ask("a", text(10_000 + number, 80 + 8 * (number % 7)), ANSWER)
        world.settle()
    assert len(world.learner.links) <= 50
    assert world.learner.counts.matched == 40


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), st.integers(0, 9)), max_size=25))
def test_alone_on_an_engine_the_index_is_exact(steps: list[tuple[int, int, int]]) -> None:
    """Requests one after the other and evictions from the end of prompts: what the index says is what is held."""
    world = World()
    there: dict[tuple[str, int], int] = {}
    for number, engine, cut in steps:
        endpoint, prompt = "abc"[engine], text(50 + number, 48 + 16 * number)
        full = len(prompt) // WIDTH
        if cut < 4:
            left = min(there.get((endpoint, number), 0), cut)
            world.evict(endpoint, prompt, left, full)
            there[endpoint, number] = left
        else:
            world.ask(endpoint, prompt, text(cut, 4), cached=min(there.get((endpoint, number), 0), full))
            world.settle()
            there[endpoint, number] = full
        for (holder, which), blocks_held in there.items():
            told = blocks(text(50 + which, 48 + 16 * which))
            assert world.index.of(holder, told) == blocks_held


def test_a_prompt_that_is_all_there_and_known_counts_as_known() -> None:
    world = World()
    world.ask("a", PROMPT, ANSWER)
    world.settle()
    sent = world.now
    world.ended("a", PROMPT, b"xx", sent, cached=len(PROMPT) // 2)
    world.settle()
    assert world.learner.counts == learning.Learned(matched=1, known=1)


def test_blocks_behind_one_that_nobody_knows_are_no_chain() -> None:
    """Where a chain hangs is not known, so nothing can be told of how deep it is."""
    world = World()
    world.held.take("a", [])
    world.learner.stored("a", 77, [5, 6])
    world.learner.stored("a", 0, [])
    assert world.learner.lineage.depth(6) == 0
    world.learner.stored("a", 0, [7, 8])
    assert world.learner.lineage.depth(8) == 2


def alike(world: World, prompts: Sequence[bytes], ends: Sequence[float]) -> None:
    """Requests of one form that were sent together and end one after the other; only the first stores something."""
    sent = world.now
    world.store("a", prompts[0], 0, 10)
    for prompt, at in zip(prompts, ends, strict=True):
        world.now = sent + at
        world.ended("a", prompt, b"xx", sent)
    world.now = sent + ends[0] + learning.LATE
    world.learner.settle(world.now, world.held)


def test_a_rival_that_has_only_just_ended_is_one() -> None:
    """The first is due, the other not yet: it was under way at the same time all the same."""
    world = World()
    alike(world, [PROMPT, text(3, 80)], [0.1, 0.4])
    assert world.learner.unsettled == 1
    assert (world.learner.counts.matched, world.learner.counts.ambiguous) == (0, 1)


def test_the_same_prompt_once_more_is_no_rival() -> None:
    world = World()
    alike(world, [PROMPT, PROMPT], [0.1, 0.4])
    assert world.learner.unsettled == 1
    assert (world.learner.counts.matched, world.learner.counts.ambiguous) == (1, 0)


@pytest.mark.parametrize(("pause", "matched", "ambiguous"), [(learning.LATE, 2, 0), (learning.LATE - 0.2, 1, 1)])
def test_who_was_sent_when_the_other_had_ended_is_no_rival(pause: float, matched: int, ambiguous: int) -> None:
    """Within the time in which an engine may still tell of the first, what the second stores may be the first's; not the reverse."""
    world = World()
    world.ask("a", PROMPT, b"xx")
    world.now += pause
    world.ask("a", text(3, 80), b"xx")
    world.settle()
    assert (world.learner.counts.matched, world.learner.counts.ambiguous) == (matched, ambiguous)


def test_what_another_stored_in_the_meantime_and_was_found_is_not_ones_own_step() -> None:
    """A longer prompt waits while its beginning is computed for a shorter one: its chain begins where its cached part ends."""
    world = World()
    sent, short = world.now, PROMPT[:40]
    world.now += 0.1
    world.store("a", short, 0, 5)
    world.ended("a", short, b"xx", sent)
    world.now += 0.1
    world.store("a", PROMPT, 5, 10)
    world.ended("a", PROMPT, b"xx", sent, cached=5 * SIZE)
    world.settle()
    assert world.learner.counts.matched >= 1
    world.evict("a", PROMPT, 8, 10)
    assert world.index.of("a", blocks(PROMPT)) == 8


def test_memory_of_an_engine_that_never_stands_still_is_bounded() -> None:
    """Blocks come and go ten thousand times: what is kept is the latest."""
    world = World(links=50)
    sizes = []
    for number in range(3 * learning.RECENT):
        world.learner.stored("a", 0, [number + 1])
        world.learner.dropped("a", number + 1, last=True)
        if (number + 1) % learning.RECENT == 0:
            sizes.append(len(pickle.dumps(world.learner)))
    assert sizes[2] < 1.1 * sizes[0]
