from __future__ import annotations

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin.balancer import choice, plan

A, B, C = (plan.Target(f"127.64.0.{number}", 8000) for number in (1, 2, 3))


def test_equals_take_turns() -> None:
    assert [choice.choose([A, B, C], {}, turn) for turn in range(4)] == [A, B, C, A]


def test_the_least_busy_comes_first() -> None:
    assert choice.choose([A, B, C], {A: 2, B: 1, C: 2}, 0) == B


def test_what_was_tried_is_not_tried_again() -> None:
    assert choice.choose([A, B], {}, 0, [A]) == B
    assert choice.choose([A, B], {}, 0, [A, B]) is None
    assert choice.choose([], {}, 0) is None


@given(st.integers(1, 5), st.integers(0, 60))
def test_open_connections_are_spread_evenly(count: int, connections: int) -> None:
    targets = [plan.Target(f"127.64.0.{number}", 1) for number in range(count)]
    busy: collections.Counter[plan.Target] = collections.Counter()
    for turn in range(connections):
        found = choice.choose(targets, busy, turn)
        assert found is not None
        busy[found] += 1
    held = [busy[each] for each in targets]
    assert max(held) - min(held) <= 1


def test_a_client_stays_with_its_target_for_a_while() -> None:
    known = choice.Affinity(10.0)
    known.remember("c", A, 0.0)
    assert known.recall("c", [A, B], 9.9) == A
    assert known.recall("c", [B], 9.9) is None
    assert known.recall("c", [A, B], 10.0) is None
    assert known.recall("other", [A, B], 0.0) is None


def test_each_connection_prolongs_it() -> None:
    known = choice.Affinity(10.0)
    known.remember("c", A, 0.0)
    known.remember("c", A, 8.0)
    assert known.recall("c", [A], 15.0) == A


@pytest.mark.parametrize("kept", [True, False])
def test_memory_is_bounded_and_forgets_the_quietest(kept: bool) -> None:
    known = choice.Affinity(10.0)
    known.remember("first", A, 0.0)
    for number in range(choice.CLIENTS - 1):
        known.remember(str(number), B, 0.0)
    if kept:
        known.remember("first", A, 0.0)
    known.remember("one more", B, 0.0)
    assert (known.recall("first", [A], 1.0) == A) is kept
