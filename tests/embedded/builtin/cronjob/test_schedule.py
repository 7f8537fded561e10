from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin.cronjob import schedule

UTC = datetime.UTC


def at(text: str, zone: datetime.tzinfo = UTC) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2024-01-01T00:00:00", "2024-01-01T00:01:00"),
        ("* * * * *", "2024-01-01T00:00:59", "2024-01-01T00:01:00"),
        ("*/15 * * * *", "2024-01-01T00:16:00", "2024-01-01T00:30:00"),
        ("5-20/5 * * * *", "2024-01-01T00:20:00", "2024-01-01T01:05:00"),
        ("30/10 * * * *", "2024-01-01T00:31:00", "2024-01-01T00:40:00"),
        ("0 9-17 * * mon-fri", "2024-01-05T17:00:00", "2024-01-08T09:00:00"),
        ("0 0 1 jan *", "2024-01-01T00:00:00", "2025-01-01T00:00:00"),
        ("0 0 29 2 *", "2024-03-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 13 * fri", "2024-01-06T00:00:00", "2024-01-12T00:00:00"),
        ("0 0 13 * fri", "2024-01-12T00:00:00", "2024-01-13T00:00:00"),
        ("0 0 */2 * mon", "2024-01-02T00:00:00", "2024-01-15T00:00:00"),
        ("@hourly", "2024-01-01T00:30:00", "2024-01-01T01:00:00"),
        ("@weekly", "2024-01-01T00:00:00", "2024-01-07T00:00:00"),
        ("@every 90s", "2024-01-01T00:00:00", "2024-01-01T00:01:30"),
        ("@every 1h30m", "2024-01-01T00:00:00", "2024-01-01T01:30:00"),
    ],
)
def test_the_next_time(text: str, after: str, expected: str) -> None:
    assert schedule.parse(text).next(at(after), UTC) == at(expected)


def test_a_day_that_never_comes() -> None:
    assert schedule.parse("0 0 30 2 *").next(at("2024-01-01T00:00:00"), UTC) is None


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # In Berlin 02:30 does not come on the last Sunday of March, and twice on that of October.
        ("2024-03-30T12:00:00", "2024-04-01T02:30:00"),
        ("2024-10-26T12:00:00", "2024-10-27T02:30:00"),
    ],
)
def test_clocks_that_change(after: str, expected: str) -> None:
    berlin = schedule.zone("Europe/Berlin")
    assert schedule.parse("30 2 * * *").next(at(after, berlin), berlin) == at(expected, berlin)


def test_a_time_that_comes_twice_comes_once() -> None:
    berlin = schedule.zone("Europe/Berlin")
    first = at("2024-10-27T02:30:00", berlin)
    assert schedule.parse("30 2 * * *").next(first, berlin) == at("2024-10-28T02:30:00", berlin)


@pytest.mark.parametrize("text", ["", "* * * *", "60 * * * *", "x * * * *", "5-3 * * * *", "@every x"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        schedule.parse(text)


def test_zones() -> None:
    assert schedule.zone(None) is UTC
    with pytest.raises(ValueError, match="unknown time zone"):
        schedule.zone("Nowhere/Land")


@given(
    st.integers(0, 59), st.integers(0, 23), st.integers(1_600_000_000, 1_900_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)  # fmt: skip
def test_a_daily_time_is_later_shown_on_the_clock_and_soon(minute: int, hour: int, after: int, name: str) -> None:
    zone = schedule.zone(name)
    found = schedule.parse(f"{minute} {hour} * * *").next(after, zone)
    assert found is not None
    assert after < found <= after + 2 * 86400 + 3600
    shown = datetime.datetime.fromtimestamp(found, zone)
    assert (shown.hour, shown.minute) == (hour, minute)
