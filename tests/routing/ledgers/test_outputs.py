"""Guesses of how long answers get."""

from __future__ import annotations

import collections
import math
import pickle

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


def test_what_nobody_asks_about_is_forgotten_all_the_same() -> None:
    """A model that is only served and never asked about, for a day: as much is kept of it as of its last minutes."""
    history = outputs.Outputs()
    for second in range(0, 240, 10):
        history.learn(100, 64, float(second))
    little = len(pickle.dumps(history))
    for second in range(240, 86_400, 10):
        history.learn(100, 64, float(second))
    assert len(pickle.dumps(history)) < 2 * little


@given(st.integers(1, 10**7))
def test_a_bucket_is_the_nearest_power_of_two(tokens: int) -> None:
    found = outputs.bucket(tokens)
    assert 0 <= found < outputs.BUCKETS
    if tokens < 1 << (outputs.BUCKETS - 1):
        assert abs(math.log2(tokens) - found) <= 0.5
    else:
        assert found == outputs.BUCKETS - 1


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40), st.integers(1, 400))
def test_lengths_are_drawn_as_often_as_they_were_seen(seen: list[int], parts: int) -> None:
    """Chances that cover [0, 1) evenly draw each length by its share, to one of them at most."""
    history = outputs.Outputs()
    for tokens in seen:
        history.learn(10, tokens, 0.0)
    shares = collections.Counter(1 << outputs.bucket(tokens) for tokens in seen)
    drawn = collections.Counter(history.draw(10, at / parts, 0.0) for at in range(parts))
    assert drawn.keys() <= shares.keys()
    for length, count in shares.items():
        assert abs(drawn[length] / parts - count / len(seen)) <= 1 / parts + 1e-9
