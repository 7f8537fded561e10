"""Guesses of how long answers get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing.ledgers import outputs


@pytest.mark.parametrize(
    ("tokens", "place"),
    [(-1, 0), (0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (6, 3), (1000, 10), (1 << 20, 20), (1 << 40, 20)],
)
def test_buckets_are_powers_of_two(tokens: int, place: int) -> None:
    assert outputs.bucket(tokens) == place


def test_without_history_the_guess_is_one_token() -> None:
    history = outputs.Outputs()
    assert history.draw(100, 0.5, 0.0) == 1
    assert history.mean(100, 0.0) is None


@pytest.mark.parametrize(("chance", "length"), [(0.0, 16), (0.74, 16), (0.75, 256), (0.999, 256)])
def test_lengths_are_drawn_by_their_frequency(chance: float, length: int) -> None:
    history = outputs.Outputs()
    for output in (15, 16, 18, 250):
        history.learn(100, output, 1.0)
    assert history.draw(128, chance, 2.0) == length
    assert history.mean(128, 2.0) == (3 * 16 + 256) // 4


def test_prompts_of_another_length_are_another_history() -> None:
    history = outputs.Outputs()
    history.learn(100, 500, 1.0)
    assert history.draw(1000, 0.0, 1.0) == 1
    assert history.mean(1000, 1.0) is None


def test_history_leaves_the_window_slice_by_slice() -> None:
    history = outputs.Outputs()
    history.learn(100, 16, 5.0)
    history.learn(100, 64, 15.0)
    assert history.mean(100, 239.0) == 40
    assert history.mean(100, 250.0) == 64
    assert history.mean(100, 260.0) is None


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 5000), st.floats(0, 100)), max_size=30), st.floats(0, 0.999)
)
def test_what_is_drawn_was_seen(seen: list[tuple[int, int, float]], chance: float) -> None:
    history, now = outputs.Outputs(), 0.0
    kept: list[tuple[int, int, float]] = []
    for prompt, output, step in seen:
        now += step
        history.learn(prompt, output, now)
        kept.append((prompt, output, now))
    for prompt in (1, 100, 4000):
        drawn = history.draw(prompt, chance, now)
        same = [
            1 << outputs.bucket(output)
            for other, output, at in kept
            if outputs.bucket(other) == outputs.bucket(prompt) and at // 10 >= (now - 240) // 10
        ]
        assert drawn in (same or [1])
        mean = history.mean(prompt, now)
        assert (mean is None) == (not same)
        assert mean is None or min(same) <= mean <= max(same)
