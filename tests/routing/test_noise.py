"""Numbers that look like chance: in range, the same again, evenly spread."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import noise


@given(st.text(max_size=40), st.integers(0, 1_000_000))
def test_in_range_and_the_same_again(request_id: str, salt: int) -> None:
    number = noise.uniform(request_id, salt)
    assert 0.0 <= number < 1.0
    assert noise.uniform(request_id, salt) == number


@given(st.text(max_size=10), st.lists(st.integers(0, 1000), max_size=5))
def test_many_at_once_are_the_same_as_one_by_one(request_id: str, salts: list[int]) -> None:
    assert noise.spread(request_id, salts) == [noise.uniform(request_id, salt) for salt in salts]


def test_even_over_requests_and_over_salts() -> None:
    """Of 4000 even numbers the mean is within 0.5 +- 0.02 but for one time in 10 000; tenths hold 400 +- 80."""
    for numbers in (
        [noise.uniform(f"request-{at}", 0) for at in range(4000)],
        noise.spread("one request", range(4000)),
    ):
        assert abs(statistics.fmean(numbers) - 0.5) < 0.02
        tenths = [sum(1 for each in numbers if int(each * 10) == tenth) for tenth in range(10)]
        assert min(tenths) > 320
        assert max(tenths) < 480


def test_neighbours_have_nothing_to_do_with_each_other() -> None:
    numbers = noise.spread("x", range(2000))
    assert abs(statistics.correlation(numbers[:-1], numbers[1:])) < 0.1


@given(st.text(max_size=40), st.integers(0, 300), st.integers(0, 300))
def test_a_row_is_in_range_and_its_beginning_does_not_depend_on_its_length(name: str, count: int, more: int) -> None:
    numbers = noise.row(name, count)
    assert len(numbers) == count
    assert all(0.0 <= number < 1.0 for number in numbers)
    assert noise.row(name, count + more)[:count] == numbers


def test_rows_of_different_requests_have_nothing_to_do_with_each_other() -> None:
    one, other = noise.row("request-1", 2000), noise.row("request-2", 2000)
    assert abs(statistics.correlation(one, other)) < 0.1
    assert abs(statistics.fmean(one) - 0.5) < 0.03
