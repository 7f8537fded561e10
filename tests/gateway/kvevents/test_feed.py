"""A connection that comes and goes, an engine that starts again, numbers that are missing; and a model of all of it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.kvevents import feed
from brickyard.kvindex import events

State = feed.State


def payload(number: int, life: int = 0) -> bytes:
    return f"{life}/{number}".encode()


def begun(last: int = 2) -> feed.Feed:
    """A feed that heard 0..last."""
    made = feed.Feed()
    made.connected()
    for number in range(last + 1):
        made.replayed(number, payload(number))
    made.replay_over()
    return made


def test_what_was_told_before_comes_first() -> None:
    made = feed.Feed()
    made.connected()
    assert (made.state, made.ask) == (State.BEGINNING, 0)
    assert made.live(2, payload(2)) == []
    assert made.live(3, payload(3)) == []
    assert list(made.replayed(0, payload(0))) == [events.RESET, payload(0)]
    assert [*made.replayed(1, payload(1)), *made.replayed(2, payload(2))] == [payload(1), payload(2)]
    assert made.replay_over() == [payload(3)]
    assert (made.state, made.ask, made.last) == (State.LIVE, None, 3)


def test_an_engine_that_tells_nothing_again() -> None:
    made = feed.Feed()
    made.connected()
    made.live(7, payload(7))
    assert made.replay_over() == [events.RESET, payload(7)]
    assert list(made.live(8, payload(8))) == [payload(8)]


def test_a_gap_is_filled() -> None:
    made = begun()
    assert list(made.live(5, payload(5))) == []
    assert (made.state, made.ask, made.gaps) == (State.FILLING, 3, 1)
    assert list(made.live(6, payload(6))) == []
    assert list(made.replayed(3, payload(3))) == [payload(3)]
    assert list(made.replayed(4, payload(4))) == [payload(4), payload(5), payload(6)]
    assert (made.state, made.ask, made.lost) == (State.LIVE, None, 0)
    assert made.replay_over() == []


def test_a_gap_that_stays_voids_what_is_known() -> None:
    made = begun()
    made.live(5, payload(5))
    assert made.replay_over() == [events.RESET, payload(5)]
    assert (made.state, made.lost, made.last) == (State.LIVE, 2, 5)


def test_the_same_engine_after_a_break() -> None:
    made = begun()
    made.connected()
    assert (made.state, made.ask) == (State.VERIFYING, 2)
    assert made.live(5, payload(5)) == []
    assert made.replayed(2, payload(2)) == []
    assert list(made.replayed(3, payload(3))) == [payload(3)]
    assert list(made.replayed(4, payload(4))) == [payload(4)]
    assert made.replay_over() == [payload(5)]
    assert (made.state, made.lost) == (State.LIVE, 0)


def test_another_engine_after_a_break() -> None:
    """Whether it told as much by now, less, or nothing at all."""
    for answers in ([2, 3], [3], []):
        made = begun()
        made.connected()
        steps: list[events.Step] = []
        for number in answers:
            if made.ask == 2:
                steps += made.replayed(number, payload(number, 1))
        if made.ask == 2:
            steps += made.replay_over()
        assert steps == [events.RESET], answers
        assert (made.state, made.ask, made.last) == (State.BEGINNING, 0, None)
        assert list(made.replayed(0, payload(0, 1))) == [events.RESET, payload(0, 1)]


def test_another_engine_without_a_break() -> None:
    made = begun()
    assert made.live(1, payload(1, 1)) == [events.RESET]
    assert (made.state, made.ask) == (State.BEGINNING, 0)
    assert list(made.replayed(0, payload(0, 1))) == [events.RESET, payload(0, 1)]
    assert made.replay_over() == [payload(1, 1)]


def test_another_engine_that_has_told_exactly_as_much() -> None:
    """Its next number is the last one that was heard: no engine says a number twice."""
    made = begun()
    assert made.live(2, payload(2, 1)) == [events.RESET]
    assert (made.state, made.ask, made.last) == (State.BEGINNING, 0, None)


def test_what_was_lost_of_one_engine_still_counts_after_it_was_replaced() -> None:
    made = begun()
    made.live(5, payload(5))
    made.replay_over()
    assert made.lost == 2
    made.live(0, payload(0, 1))
    assert made.lost == 2
    made.replayed(0, payload(0, 1))
    made.replay_over()
    made.live(3, payload(3, 1))
    made.replay_over()
    assert (made.lost, made.gaps) == (4, 2)


def test_what_waits_is_bounded() -> None:
    made = feed.Feed(held=2)
    made.connected()
    for number in range(4):
        made.live(number, payload(number))
    assert made.dropped == 2
    assert made.replay_over() == [events.RESET, payload(0), payload(1)]
    made.live(4, payload(4))
    assert made.ask == 2, "what was dropped is asked for"


class World:
    """An engine that may start again, a live socket that loses, a replay that remembers eight messages."""

    def __init__(self) -> None:
        self.feed = feed.Feed()
        self.told: list[bytes] = []
        self.passed: list[bytes] = []
        self.life = 0

    def take(self, found: Sequence[events.Step]) -> None:
        for step in found:
            if isinstance(step, bytes):
                self.passed.append(step)
            else:
                self.passed.clear()

    def connect(self) -> None:
        self.feed.connected()
        self.replay()

    def replay(self) -> None:
        while (first := self.feed.ask) is not None:
            for number in range(max(first, len(self.told) - 8), len(self.told)):
                if self.feed.ask == first:
                    self.take(self.feed.replayed(number, self.told[number]))
            if self.feed.ask == first:
                self.take(self.feed.replay_over())

    def restart(self) -> None:
        self.life, self.told = self.life + 1, []
        self.connect()

    def lose(self) -> None:
        self.told.append(payload(len(self.told), self.life))

    def tell(self) -> None:
        self.lose()
        self.take(self.feed.live(len(self.told) - 1, self.told[-1]))
        self.replay()


@given(st.lists(st.sampled_from(["tell", "tell", "tell", "lose", "connect", "restart"]), max_size=60))
def test_whatever_is_lost_what_is_passed_on_is_one_engines_in_order(steps: list[str]) -> None:
    world = World()
    world.connect()
    for step in steps:
        getattr(world, step)()
    world.connect()
    known = [each.decode().split("/") for each in world.passed]
    assert {each[0] for each in known} <= {str(world.life)}
    numbers = [int(each[1]) for each in known]
    assert numbers == list(range(numbers[0], len(world.told))) if numbers else not world.told
