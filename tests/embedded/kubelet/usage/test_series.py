"""Readings → means: which window is taken, and that nothing impossible comes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.usage import series

NOW = 1_700_000_000.0


def made(*ages: float, born: float | None = None, rate: float = 0.5) -> series.Series:
    """Readings so many seconds ago, of something that uses ``rate`` cores."""
    found = series.Series(None if born is None else NOW - born)
    for age in ages:
        found.add(series.Reading(NOW - age, (10_000 - age) * rate, int(1000 - age)))
    return found


# Ages of the readings, age of the container → window (None: nothing to tell).
ROWS = [
    ((), None, None),
    ((), 5.0, None),
    ((0.0,), None, None),
    ((0.0,), 0.5, None),
    ((0.0,), 1.0, 1.0),
    ((0.0,), 60.0, 60.0),
    ((0.0,), 61.0, None),
    ((0.5, 0.0), None, None),
    ((0.5, 0.0), 3.0, 3.0),
    ((4.0, 2.0, 0.0), None, 4.0),
    ((4.0, 2.0, 0.0), 9.0, 9.0),
    ((4.0, 2.0, 0.0), 12.0, 12.0),
    ((15.0, 4.0, 0.0), 20.0, 15.0),
    ((30.0, 15.0, 0.0), None, 15.0),
    ((30.0, 15.0, 3.0, 0.0), None, 15.0),
    ((61.0, 0.0), None, None),
    ((61.0, 2.0, 0.0), None, 2.0),
]


@pytest.mark.parametrize(("ages", "born", "window"), ROWS)
def test_the_window(ages: tuple[float, ...], born: float | None, window: float | None) -> None:
    found = made(*ages, born=born).measured()
    assert (None if found is None else found.window) == window


def test_cpu_is_a_mean_and_memory_is_the_last() -> None:
    found = made(15.0, 0.0, rate=1.25).measured()
    assert found is not None
    assert (found.at, found.amount.memory) == (NOW, 1000)
    assert found.amount.cpu == pytest.approx(1.25)


def test_since_the_start_all_cpu_counts() -> None:
    one = series.Series(NOW - 4.0)
    one.add(series.Reading(NOW, 6.0, 1))
    found = one.measured()
    assert found is not None
    assert found.amount.cpu == pytest.approx(1.5)


def test_a_sum_that_falls_is_no_negative_use() -> None:
    one = series.Series()
    one.add(series.Reading(NOW - 15, 100.0, 1))
    one.add(series.Reading(NOW, 40.0, 1))
    found = one.measured()
    assert found is not None
    assert found.amount.cpu == 0.0


def test_a_reading_that_is_not_newer_is_ignored() -> None:
    one = made(15.0, 0.0)
    one.add(series.Reading(NOW, 1e9, 5))
    one.add(series.Reading(NOW - 5, 1e9, 5))
    found = one.measured()
    assert found is not None
    assert found.amount.memory == 1000
    assert one.newest == NOW


@given(
    st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 50.0)), max_size=40),
    st.one_of(st.none(), st.floats(0.0, 100.0)),
)
def test_whatever_is_read(steps: list[tuple[float, float]], born: float | None) -> None:
    """The window stays within its bounds, the rate is no greater than the steepest step, and memory is bounded."""
    one = series.Series(None if born is None else NOW - born)
    at, cpu = NOW, 0.0 if born is None else 1.0
    for wait, used in steps:
        at, cpu = at + wait, cpu + used
        one.add(series.Reading(at, cpu, 7))
    found = one.measured()
    if found is None:
        return
    assert series.SHORTEST <= found.window <= series.LONGEST
    assert 0.0 <= found.amount.cpu <= (cpu + 1e-6) / found.window
    assert found.at == one.newest
