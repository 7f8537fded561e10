import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brickyard.sim.engine.core import blocks


def name(number: int) -> bytes:
    return number.to_bytes(8)


def filled(pool: blocks.Pool, *content: int) -> list[int]:
    held = pool.allocate(len(content))
    assert held is not None
    for block, each in zip(held, content, strict=True):
        assert pool.seal(block, name(each))
    return held


def names(*numbers: int) -> list[bytes]:
    return [name(number) for number in numbers]


def test_a_prefix_is_found_again() -> None:
    pool = blocks.Pool(8)
    held = filled(pool, 1, 2, 3)
    assert pool.match(names(1, 2, 9, 3)) == 2
    assert pool.acquire(names(1, 2)) == held[:2]
    pool.release(held)
    assert pool.free == 6  # the first two have another holder
    assert pool.usage == 0.25


def test_what_was_released_is_still_found() -> None:
    pool = blocks.Pool(4)
    held = filled(pool, 1, 2)
    pool.release(held)
    assert (pool.free, pool.usage, pool.known) == (4, 0.0, 2)
    assert pool.acquire(names(1, 2)) == held
    assert pool.free == 2


def test_the_oldest_goes_first_and_of_a_sequence_its_end() -> None:
    pool = blocks.Pool(4, record=True)
    one, other = filled(pool, 1, 2), filled(pool, 3, 4)
    pool.release(one)
    pool.release(other)
    for gone in (2, 1, 4, 3):
        assert pool.allocate(1) is not None
        assert pool.take_events() == (blocks.Removed((name(gone),)),)
    assert pool.known == 0


def test_empty_blocks_are_taken_before_any_content_is_lost() -> None:
    pool = blocks.Pool(4)
    pool.release(filled(pool, 1, 2))
    partial = pool.allocate(1)
    assert partial is not None
    pool.release(partial)
    assert pool.allocate(2) is not None
    assert pool.match(names(1, 2)) == 2


def test_too_few() -> None:
    pool = blocks.Pool(3)
    filled(pool, 1)
    assert pool.allocate(3) is None
    assert pool.free == 2
    assert pool.allocate(0) == []


def test_the_same_content_twice_is_found_once() -> None:
    pool = blocks.Pool(3)
    first = filled(pool, 1)
    second = pool.allocate(1)
    assert second is not None
    assert not pool.seal(second[0], name(1))
    pool.release(second)
    assert pool.acquire(names(1)) == first


def test_clearing_keeps_what_is_held() -> None:
    pool = blocks.Pool(3, record=True)
    held = filled(pool, 1, 2)
    pool.clear()
    assert (pool.match(names(1)), pool.free) == (0, 1)
    assert pool.take_events() == (blocks.Cleared(),)
    pool.release(held)
    pool.validate()
    assert pool.free == 3


def test_nobody_listens() -> None:
    pool = blocks.Pool(1)
    pool.release(filled(pool, 1))
    pool.allocate(1)
    pool.clear()
    assert pool.take_events() == ()


def test_validate_notices() -> None:
    pool = blocks.Pool(2)
    held = pool.allocate(1)
    assert held is not None
    pool.release(held)
    pool.validate()
    pool.release(held)
    with pytest.raises(AssertionError, match="more often"):
        pool.validate()


@given(st.binary(min_size=0, max_size=200), st.binary(max_size=200), st.integers(1, 8))
def test_hashes_are_equal_as_far_as_the_sequences(one: bytes, other: bytes, size: int) -> None:
    root = blocks.root()
    left, right = blocks.hashes(root, one, size), blocks.hashes(root, other, size)
    assert len(left) == len(one) // (4 * size)
    shared = 0
    while one[: (shared + 1) * 4 * size] == other[: (shared + 1) * 4 * size] and shared < min(len(left), len(right)):
        shared += 1
    assert left[:shared] == right[:shared]
    assert not set(left[shared:]) & set(right[shared:])


def test_a_salt_keeps_apart() -> None:
    same = b"abcd" * 4
    assert blocks.hashes(blocks.root("a"), same, 2) != blocks.hashes(blocks.root("b"), same, 2)
    assert blocks.hashes(blocks.root("a"), same, 2) == blocks.hashes(blocks.root("a"), same, 2)


class PoolMachine(RuleBasedStateMachine):
    """Sequences come and go over few blocks; a model keeps count."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = blocks.Pool(7, record=True)
        self.held: list[list[int]] = []
        self.findable: set[bytes] = set()

    @rule(content=st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True), full=st.integers(0, 4))
    def begin(self, content: list[int], full: int) -> None:
        wanted = names(*content)
        hits = self.pool.match(wanted)
        assert all(each in self.findable for each in wanted[:hits])
        assert hits == len(wanted) or wanted[hits] not in self.findable
        found = self.pool.acquire(wanted[:hits])
        fresh = self.pool.allocate(len(wanted) - hits)
        self.hear()
        if fresh is None:
            self.pool.release(found)
        else:
            for block, each in list(zip(found + fresh, wanted, strict=True))[hits:full]:
                if self.pool.seal(block, each):
                    self.findable.add(each)
            self.held.append(found + fresh)

    @precondition(lambda self: self.held)
    @rule(place=st.integers(0, 100))
    def end(self, place: int) -> None:
        self.pool.release(self.held.pop(place % len(self.held)))

    @rule()
    def clear(self) -> None:
        self.pool.clear()
        self.hear()

    def hear(self) -> None:
        for event in self.pool.take_events():
            if isinstance(event, blocks.Removed):
                assert set(event.hashes) <= self.findable
                self.findable -= set(event.hashes)
            elif isinstance(event, blocks.Cleared):
                self.findable.clear()

    @invariant()
    def adds_up(self) -> None:
        self.pool.validate()
        self.hear()
        assert self.pool.free == 7 - len({block for held in self.held for block in held})
        assert all(self.pool.match([each]) == 1 for each in self.findable)
        assert self.pool.known == len(self.findable)


PoolMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestPool = PoolMachine.TestCase
