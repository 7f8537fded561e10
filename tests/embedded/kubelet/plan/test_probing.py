"""Thresholds and timing of one probe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.plan import probing, spec


def prober(kind: spec.ProbeKind = spec.ProbeKind.READINESS, **fields: float) -> probing.Prober:
    return probing.first(spec.ProbeSpec(kind, {}, **fields), 100.0)  # type: ignore[arg-type] # thresholds are whole


def test_first_probe_comes_after_the_initial_delay() -> None:
    assert prober().next_at == 100
    assert prober(initial_delay=7).next_at == 107


def test_next_probe_comes_a_period_after_the_last_was_sent() -> None:
    each = prober(period=10)
    each.ask(100.0)
    under_way = not each.waiting
    each.answered(success=True, now=103.0)
    assert (under_way, each.waiting) == (True, True)
    assert each.next_at == 110


def test_an_answer_that_took_longer_than_a_period_is_followed_at_once() -> None:
    each = prober(period=2)
    each.ask(100.0)
    each.answered(success=False, now=105.0)
    assert each.next_at == 105


@pytest.mark.parametrize(
    ("kind", "passed"),
    [(spec.ProbeKind.STARTUP, False), (spec.ProbeKind.READINESS, False), (spec.ProbeKind.LIVENESS, True)],
)
def test_what_holds_before_the_first_answer(kind: spec.ProbeKind, passed: bool) -> None:
    assert prober(kind).passed is passed


# answers so far (+ good, - bad), success threshold 2, failure threshold 3 → passed, exhausted
ANSWERS = [
    ("", False, False),
    ("+", False, False),
    ("++", True, False),
    ("++--", True, False),
    ("++---", False, True),
    ("++---+", False, False),
    ("++---++", True, False),
    ("+-+-+-", False, False),
    ("---", False, True),
    ("--+---", False, True),
]


@pytest.mark.parametrize(("answers", "passed", "exhausted"), ANSWERS)
def test_thresholds_count_answers_in_a_row(answers: str, passed: bool, exhausted: bool) -> None:
    each = prober(success_threshold=2, failure_threshold=3)
    for answer in answers:
        each.ask(100.0)
        each.answered(answer == "+", 100.0)
    assert (each.passed, each.exhausted) == (passed, exhausted)


@given(
    st.lists(st.booleans(), max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([spec.ProbeKind.READINESS, spec.ProbeKind.LIVENESS]),
)
def test_state_is_that_of_the_last_decisive_streak(
    answers: list[bool], good: int, bad: int, kind: spec.ProbeKind
) -> None:
    each = prober(kind, success_threshold=good, failure_threshold=bad)
    expected = kind is spec.ProbeKind.LIVENESS
    streak, last = 0, None
    for answer in answers:
        each.ask(0.0)
        each.answered(answer, 0.0)
        streak, last = (streak + 1 if answer == last else 1), answer
        if streak >= (good if answer else bad):
            expected = answer
        assert each.passed == expected
