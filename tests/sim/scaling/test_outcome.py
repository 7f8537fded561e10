"""Figures of numbers of replicas."""

from __future__ import annotations

import math

import pytest

from brickyard.sim.scaling import outcome


@pytest.mark.parametrize(
    ("replicas", "changes", "turns"),
    [
        ([], 0, 0),
        ([3], 0, 0),
        ([3, 3, 3], 0, 0),
        ([3, 4, 5, 5, 6], 3, 0),
        ([3, 4, 3], 2, 1),
        ([3, 4, 3, 3, 4], 3, 2),
        ([5, 3, 4, 4, 2, 6], 4, 3),
    ],
)
def test_changes_and_turns(replicas: list[int], changes: int, turns: int) -> None:
    assert outcome.events(replicas) == changes
    assert outcome.oscillations(replicas) == turns


def sample(ready: int, load: float, minimum: int = 1) -> outcome.Sample:
    return outcome.Sample(0.0, ready, ready, load, load, 0, False, minimum, 10)


def test_too_few_and_too_many() -> None:
    samples = [
        sample(3, 3.1),
        sample(3, 3.0),
        sample(3, 1.7),
        sample(3, 1.6),
        sample(1, 0.0),
        sample(3, 0.0, minimum=3),
    ]
    assert outcome.under(samples, 10.0) == 10.0
    assert outcome.over(samples, 10.0) == 10.0  # 1.6 is four fifths of the two that would be left


def test_a_share_of_nothing_is_unknown() -> None:
    assert math.isnan(outcome.share(0, 0))
    assert outcome.share(1, 4) == 0.25
