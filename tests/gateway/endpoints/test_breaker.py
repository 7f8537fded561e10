"""The breaker: opens after failures in a row, lets one request at a time find out, closes on proof."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.endpoints import breaker
from brickyard.lib import backoff

RULE = breaker.Rule(3, backoff.Backoff(1.0, 2.0, 8.0))


def after_failures(*times: float, state: breaker.Breaker = breaker.CLOSED) -> breaker.Breaker:
    for now in times:
        state = breaker.failed(state, now, RULE)
    return state


def test_a_closed_breaker_bars_nobody() -> None:
    assert not breaker.CLOSED.bars(0.0)


def test_fewer_failures_than_the_threshold_bar_nobody() -> None:
    assert not after_failures(10.0, 10.1).bars(10.1)


def test_the_third_in_a_row_opens_for_the_first_pause() -> None:
    state = after_failures(10.0, 10.1, 10.2)
    assert state.bars(10.2)
    assert state.bars(11.19)
    assert not state.bars(11.2)


def test_an_answer_in_between_starts_the_row_again() -> None:
    state = breaker.answered(after_failures(10.0, 10.1), sent_at=10.2)
    assert state is breaker.CLOSED
    assert not after_failures(10.3, 10.4, state=state).bars(10.4)


def test_a_burst_of_failures_of_one_outage_opens_once() -> None:
    state = after_failures(*[10.0 + n / 100 for n in range(40)])
    assert state.openings == 1
    assert not state.bars(11.1)


def test_half_open_lets_one_through_and_shuts_for_the_next_pause() -> None:
    state = breaker.sent(after_failures(10.0, 10.0, 10.0), 11.5, RULE)
    assert state.bars(11.6)
    assert state.bars(13.4)
    assert not state.bars(13.5)


def test_a_probe_that_fails_while_the_door_is_shut_does_not_shut_it_longer() -> None:
    state = breaker.sent(after_failures(10.0, 10.0, 10.0), 11.5, RULE)
    assert after_failures(11.6, state=state).open_until == state.open_until


def test_pauses_grow_up_to_the_cap() -> None:
    state, now, pauses = after_failures(0.0, 0.0, 0.0), 0.0, []
    for _ in range(6):
        pauses.append(state.open_until - now)
        now = state.open_until
        state = breaker.sent(state, now, RULE)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_a_request_sent_to_a_closed_or_open_breaker_changes_nothing() -> None:
    opened = after_failures(10.0, 10.0, 10.0)
    assert breaker.sent(breaker.CLOSED, 5.0, RULE) is breaker.CLOSED
    assert breaker.sent(opened, 10.5, RULE) is opened


def test_an_answer_to_a_request_from_before_the_outage_proves_nothing() -> None:
    opened = after_failures(10.0, 10.0, 10.0)
    assert breaker.answered(opened, sent_at=9.0) is opened
    assert breaker.answered(opened, sent_at=11.5) is breaker.CLOSED


def test_the_reason_counts_and_says_when() -> None:
    opened = after_failures(10.0, 10.0, 10.0)
    assert breaker.reason(opened, 10.4) == "its last 3 connections failed; next try in 0.6 s"


EVENTS = st.lists(st.tuples(st.sampled_from(["fail", "send", "answer"]), st.floats(0.0, 5.0)), max_size=60)


@given(EVENTS)
def test_whatever_happens_the_door_is_shut_for_at_most_the_cap(events: list[tuple[str, float]]) -> None:
    state, now = breaker.CLOSED, 0.0
    for event, passed in events:
        now += passed
        match event:
            case "fail":
                state = breaker.failed(state, now, RULE)
            case "send":
                state = breaker.sent(state, now, RULE)
            case _:
                state = breaker.answered(state, now)
        assert state.open_until <= now + RULE.pause.cap
        assert state.failures >= 0
        assert not state.bars(now) or state.failures >= RULE.threshold
    assert breaker.answered(state, now + 0.001) is breaker.CLOSED
