"""Who is next, who has to go, and that nobody is forgotten."""

from __future__ import annotations

import collections

import hypothesis
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from brickyard.gateway.queueing import line

NOBODY: frozenset[str] = frozenset()


def ticket(name: str, user: str = "", priority: int = 0, kind: str = "", at: float = 0.0) -> line.Ticket[str]:
    return line.Ticket(name, user, priority, kind, at)


def filled(*tickets: line.Ticket[str], limit: int = 100) -> line.Line[str]:
    waiting: line.Line[str] = line.Line(limit)
    for each in tickets:
        assert waiting.join(each) is None
    return waiting


def order(waiting: line.Line[str], stuck: frozenset[str] = NOBODY, now: float = 0.0) -> list[str]:
    """The names in the order in which their turns come."""
    names: list[str] = []
    while (following := waiting.next(stuck)) is not None:
        waiting.take(following, now)
        names.append(following.waiter)
    return names


class TestOrder:
    def test_first_come_first_served(self) -> None:
        assert order(filled(*map(ticket, "abcdefghijkl"))) == list("abcdefghijkl")

    def test_priority_goes_first(self) -> None:
        assert order(filled(ticket("low", priority=-1), ticket("mid"), ticket("high", priority=5))) == [
            "high",
            "mid",
            "low",
        ]

    def test_users_take_turns(self) -> None:
        flood = [ticket(f"a{n}", "ann") for n in range(4)]
        assert order(filled(*flood, ticket("b0", "bob"), ticket("b1", "bob"), ticket("c0", "cy"))) == [
            "a0",
            "b0",
            "c0",
            "a1",
            "b1",
            "a2",
            "a3",
        ]

    def test_users_take_turns_within_a_priority_only(self) -> None:
        waiting = filled(ticket("a0", "ann", 1), ticket("a1", "ann", 1), ticket("b0", "bob", 0))
        assert order(waiting) == ["a0", "a1", "b0"]

    def test_who_was_served_goes_to_the_end_of_the_round(self) -> None:
        waiting = filled(ticket("a0", "ann"), ticket("a1", "ann"), ticket("b0", "bob"))
        first = waiting.next(NOBODY)
        assert first is not None
        waiting.take(first, 0.0)
        waiting.join(ticket("c0", "cy"))
        assert order(waiting) == ["b0", "a1", "c0"]

    def test_the_eighth_turn_is_the_eldest_s(self) -> None:
        waiting = filled(ticket("old", priority=-5), *(ticket(f"h{n}", priority=5) for n in range(20)))
        assert order(waiting).index("old") == line.ELDER_EVERY - 1

    def test_asking_changes_nothing(self) -> None:
        waiting = filled(ticket("a", "ann"), ticket("b", "bob"))
        assert {each.waiter for each in (waiting.next(NOBODY), waiting.next(NOBODY)) if each is not None} == {"a"}

    def test_stuck_kinds_are_passed_over(self) -> None:
        waiting = filled(ticket("a", kind="north"), ticket("b", kind="south"), ticket("c", kind="north"))
        assert order(waiting, frozenset({"north"})) == ["b"]
        assert len(waiting) == 2
        assert waiting.next(frozenset({"north", "south"})) is None

    def test_stuck_kinds_are_passed_over_in_the_eldest_s_turn_too(self) -> None:
        waiting = filled(
            ticket("old", priority=-5, kind="north"), *(ticket(str(n), kind="south") for n in range(line.ELDER_EVERY))
        )
        assert order(waiting, frozenset({"north"})) == [str(n) for n in range(line.ELDER_EVERY)]

    def test_nobody_is_next_in_an_empty_line(self) -> None:
        assert line.Line[str](5).next(NOBODY) is None


class TestShedding:
    @pytest.mark.parametrize(
        ("waits", "newcomer", "shed"),
        [
            # all of one user: the newcomer
            ([("a", "ann", 0), ("b", "ann", 0)], ("c", "ann", 0), "c"),
            # a lower priority than anybody's: the newcomer
            ([("a", "ann", 0), ("b", "ann", 0)], ("c", "bob", -1), "c"),
            # a higher one: the latest of whoever has most in the lowest
            ([("a", "ann", 0), ("b", "bob", 0), ("c", "bob", 0)], ("d", "bob", 1), "c"),
            # the same, and somebody has more than the newcomer would have: theirs
            ([("a", "ann", 0), ("b", "ann", 0)], ("c", "bob", 0), "b"),
            # the same, and nobody has more: the newcomer
            ([("a", "ann", 0), ("b", "bob", 0)], ("c", "cy", 0), "c"),
            # whoever waits at a higher priority is safe
            ([("a", "ann", 3), ("b", "ann", 3), ("c", "bob", 0)], ("d", "cy", 1), "c"),
        ],
    )
    def test_who_has_to_go(self, waits: list[tuple[str, str, int]], newcomer: tuple[str, str, int], shed: str) -> None:
        waiting = filled(*(ticket(*each) for each in waits), limit=len(waits))
        gone = waiting.join(ticket(*newcomer))
        assert gone is not None
        assert gone.waiter == shed
        assert len(waiting) == len(waits)
        assert waiting.inconsistencies() == []

    def test_a_line_of_length_0_takes_nobody(self) -> None:
        waiting: line.Line[str] = line.Line(0)
        only = ticket("a")
        assert waiting.join(only) is only
        assert len(waiting) == 0

    def test_a_flood_leaves_each_user_a_fair_share(self) -> None:
        waiting: line.Line[str] = line.Line(30)
        for n in range(500):
            waiting.join(ticket(f"a{n}", "ann"))
        for user in ("bob", "cy"):
            for n in range(15):
                waiting.join(ticket(f"{user}{n}", user))
        held = collections.Counter(name.rstrip("0123456789") for name in order(waiting))
        assert held == {"a": 10, "bob": 10, "cy": 10}


class TestLeaving:
    def test_who_left_is_not_called(self) -> None:
        first, second = ticket("a"), ticket("b")
        waiting = filled(first, second)
        assert waiting.leave(first)
        assert not waiting.leave(first)
        assert order(waiting) == ["b"]

    def test_who_was_never_there_does_not_leave(self) -> None:
        assert not filled(ticket("a")).leave(ticket("b"))

    def test_taking_twice_is_taking_once(self) -> None:
        first = ticket("a", "ann")
        waiting = filled(first, ticket("b", "ann"), ticket("c", "bob"))
        waiting.take(first, 1.0)
        waiting.take(first, 1.0)
        assert order(waiting) == ["c", "b"]

    def test_who_has_waited_too_long_goes_in_order(self) -> None:
        waiting = filled(*(ticket(str(at), priority=-at, at=float(at)) for at in range(5)))
        assert [each.waiter for each in waiting.overdue(2.0)] == ["0", "1", "2"]
        assert waiting.overdue(2.0) == []
        assert order(waiting) == ["3", "4"]


class TestAdvice:
    def test_at_first_a_second(self) -> None:
        assert filled(ticket("a")).advice() == 1

    def test_as_long_as_the_line_takes(self) -> None:
        waiting = filled(*(ticket(str(n)) for n in range(200)), limit=200)
        for turn in range(190):
            following = waiting.next(NOBODY)
            assert following is not None
            waiting.take(following, 2.0 * (turn + 1))
        assert waiting.advice() == pytest.approx(22, abs=1)

    def test_never_more_than_a_minute(self) -> None:
        waiting = filled(ticket("a"), ticket("b"))
        first = waiting.next(NOBODY)
        assert first is not None
        waiting.take(first, 100_000.0)
        assert waiting.advice() == line.LONGEST_ADVICE

    def test_time_in_which_nobody_waited_is_no_pace(self) -> None:
        waiting = filled(ticket("a"))
        order(waiting, now=1.0)
        waiting.join(ticket("b", at=1000.0))
        order(waiting, now=1000.5)
        assert waiting.advice() == 1


@hypothesis.given(
    waits=st.lists(st.integers(-3, 0), min_size=1, max_size=20),
    arrivals=st.lists(st.integers(0, 3), min_size=300, max_size=300),
)
def test_nobody_starves(waits: list[int], arrivals: list[int]) -> None:
    """One newcomer of any higher priority per turn; whoever was there before is through by the promised turn."""
    waiting: line.Line[str] = line.Line(1000)
    for n, priority in enumerate(waits):
        waiting.join(ticket(f"old{n}", f"user{n}", priority))
    called: dict[str, int] = {}
    for turn, priority in enumerate(arrivals, 1):
        waiting.join(ticket(f"new{turn}", f"other{turn % 5}", priority))
        following = waiting.next(NOBODY)
        assert following is not None
        waiting.take(following, float(turn))
        called[following.waiter] = turn
    for n in range(len(waits)):
        assert called[f"old{n}"] <= line.ELDER_EVERY * (n + 1)


class Lines(stateful.RuleBasedStateMachine):
    """Any order of joining, turns and leaving, against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.line: line.Line[int] = line.Line(6)
        self.there: list[line.Ticket[int]] = []
        self.now = 0.0
        self.count = 0

    @stateful.rule(user=st.sampled_from("abc"), priority=st.integers(-1, 1), kind=st.sampled_from("xy"))
    def join(self, user: str, priority: int, kind: str) -> None:
        self.count += 1
        self.now += 1.0
        given = line.Ticket(self.count, user, priority, kind, self.now)
        shed = self.line.join(given)
        self.there.append(given)
        assert (shed is not None) == (len(self.there) > 6)
        if shed is not None:
            assert shed.priority == min(each.priority for each in self.there)
            self.there.remove(shed)

    @stateful.rule(stuck=st.sets(st.sampled_from("xy")))
    def turn(self, stuck: set[str]) -> None:
        self.now += 1.0
        following = self.line.next(stuck)
        possible = [each for each in self.there if each.kind not in stuck]
        assert (following is None) == (not possible)
        if following is not None:
            assert following in possible
            elder = following is possible[0]
            assert elder or following.priority == max(each.priority for each in possible)
            self.line.take(following, self.now)
            self.there.remove(following)

    @stateful.precondition(lambda self: bool(self.there))
    @stateful.rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(self.there))
        assert self.line.leave(gone)
        self.there.remove(gone)

    @stateful.rule(ago=st.floats(0.0, 10.0))
    def wait(self, ago: float) -> None:
        before = self.now - ago
        gone = self.line.overdue(before)
        assert gone == [each for each in self.there if each.joined_at <= before]
        self.there = [each for each in self.there if each not in gone]

    @stateful.invariant()
    def sound(self) -> None:
        assert self.line.inconsistencies() == []
        assert len(self.line) == len(self.there)
        assert 1 <= self.line.advice() <= line.LONGEST_ADVICE


TestLines = Lines.TestCase
