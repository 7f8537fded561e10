from __future__ import annotations

from typing import Any

import pytest

from brickyard.kube.reconcile import election

TIMING = election.Timing()


def lease(holder: str | None, renewed: str = "t0", duration: int = 15, transitions: int = 3) -> dict[str, Any]:
    return {
        "spec": {
            "holderIdentity": holder,
            "renewTime": renewed,
            "acquireTime": "t0",
            "leaseDurationSeconds": duration,
            "leaseTransitions": transitions,
        }
    }


# lease first seen at 0, seconds since, may be taken by "me"
ROWS = [
    (None, 0.0, True),
    ({}, 0.0, True),
    (lease(""), 0.0, True),
    (lease(None), 0.0, True),
    (lease("me"), 0.0, True),
    (lease("you"), 0.0, False),
    (lease("you"), 14.9, False),
    (lease("you"), 15.0, True),
    (lease("you", duration=60), 59.0, False),
    (lease("you", duration=60), 60.0, True),
    ({"spec": {"holderIdentity": "you"}}, 14.9, False),
    ({"spec": {"holderIdentity": "you"}}, 15.0, True),
]


@pytest.mark.parametrize(("seen", "now", "may"), ROWS)
def test_who_may_take_the_lease(seen: dict[str, Any] | None, now: float, may: bool) -> None:
    candidate = election.Candidate("me", TIMING)
    candidate.observe(seen, 0.0)
    assert candidate.may_take(now) is may


def test_silence_is_counted_from_the_last_change_by_our_own_clock() -> None:
    candidate = election.Candidate("me", TIMING)
    candidate.observe(lease("you", "t0"), 0.0)
    candidate.observe(lease("you", "t0"), 10.0)
    assert candidate.may_take(15.0)
    candidate.observe(lease("you", "t1"), 14.0)
    assert not candidate.may_take(28.9)
    assert candidate.may_take(29.0)


def test_taking_over_is_a_transition() -> None:
    candidate = election.Candidate("me", TIMING)
    candidate.observe(lease("you"), 0.0)
    assert candidate.spec("t9") == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "t9",
        "renewTime": "t9",
        "leaseTransitions": 4,
    }


def test_renewing_is_none() -> None:
    candidate = election.Candidate("me", TIMING)
    candidate.observe(lease("me"), 0.0)
    spec = candidate.spec("t9")
    assert (spec["acquireTime"], spec["renewTime"], spec["leaseTransitions"]) == ("t0", "t9", 3)


def test_the_first_holder_begins_at_none() -> None:
    candidate = election.Candidate("me", TIMING)
    candidate.observe(None, 0.0)
    assert candidate.spec("t9")["leaseTransitions"] == 0


def test_what_is_released_can_be_taken_at_once() -> None:
    mine, yours = election.Candidate("me", TIMING), election.Candidate("you", TIMING)
    mine.observe(lease("me"), 0.0)
    yours.observe({"spec": mine.released("t9")}, 0.0)
    assert (yours.holder, yours.may_take(0.0)) == ("", True)


@pytest.mark.parametrize(
    "timing",
    [
        {"lease_duration": 10.0, "renew_deadline": 10.0},
        {"renew_deadline": 2.0, "retry_period": 2.0},
        {"retry_period": 0.0},
    ],
)
def test_timing_that_lets_two_lead_is_refused(timing: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry_period < renew_deadline"):
        election.Timing(**timing)
