"""Messages in order: gaps wait for their replay, restarts void what was known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import events

R = events.RESET


def test_the_first_message_begins_and_the_next_follow() -> None:
    order = events.Order()
    assert order.live(7, b"7") == [R, b"7"]
    assert order.live(8, b"8") == [b"8"]
    assert (order.missing, order.lost) == (None, 0)


def test_a_gap_waits_for_its_replay() -> None:
    order = events.Order()
    order.live(0, b"0")
    assert order.live(3, b"3") == []
    asked_from = order.missing
    assert asked_from == 1
    assert order.replayed(0, b"0") == []
    assert order.replayed(1, b"1") == [b"1"]
    assert order.live(4, b"4") == []
    assert order.replayed(2, b"2") == [b"2", b"3", b"4"]
    assert order.replayed(3, b"3") == []
    assert order.missing is None
    assert order.lost == 0


def test_without_a_replay_it_begins_again_behind_the_last_gap() -> None:
    order = events.Order()
    order.live(0, b"0")
    for number in (2, 5, 6):
        order.live(number, b"%d" % number)
    assert order.give_up() == [R, b"5", b"6"]
    assert order.lost == 4
    assert order.live(7, b"7") == [b"7"]
    assert order.give_up() == []


def test_waiting_is_bounded() -> None:
    order = events.Order(held=3)
    order.live(0, b"0")
    assert [order.live(number, b"x") for number in (2, 3, 4)] == [[], [], []]
    assert order.live(5, b"x") == [R, b"x", b"x", b"x", b"x"]
    assert (order.lost, order.missing) == (1, None)


def test_a_lower_number_on_the_live_socket_is_a_restart() -> None:
    order = events.Order()
    order.live(40, b"40")
    order.live(43, b"43")
    assert order.live(0, b"new") == [R, b"new"]
    assert order.missing is None
    assert order.live(1, b"1") == [b"1"]


def test_a_replay_may_come_before_anything_live() -> None:
    order = events.Order()
    assert order.replayed(0, b"0") == [R, b"0"]
    assert order.replayed(1, b"1") == [b"1"]
    assert order.live(1, b"1") == [R, b"1"]  # live and known already: it can only be another life of the engine


@given(st.permutations(range(1, 12)), st.integers(0, 11))
def test_whatever_the_order_everything_comes_once_and_in_order(numbers: list[int], live: int) -> None:
    """The first ``live`` on the live socket in their order, all of them again by replay in any order."""
    order = events.Order()
    given_ = [*order.live(0, b"0")]
    for number in sorted(numbers[:live]):
        given_ += order.live(number, b"%d" % number)
    for number in numbers:
        given_ += order.replayed(number, b"%d" % number)
    assert given_ == [R, *(b"%d" % number for number in range(12))]
    assert order.lost == 0
