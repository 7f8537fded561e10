"""Schedules on a clock on the wall, leaps included."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import bounds, contract, schedule, testing

BASE = schedules.Bounds(1, 10)


def with_hours(*entries: dict[str, Any], base: schedules.Bounds = BASE) -> contract.Settings:
    zone = entries[0].get("timezone", schedules.UTC)
    hours = tuple(schedules.windows(entries, base))
    return testing.settings(bounds=(base.minimum, base.maximum), hours=hours, timezone=zone)


def entry(start: str, end: str, name: str = "day", **own: Any) -> dict[str, Any]:
    return {"name": name, "startTime": start, "endTime": end, "minReplicas": 2} | own


def moment(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def held(own: contract.Settings, at: float) -> tuple[int, int, str]:
    found = bounds.effective(own, at)
    return found.minimum, found.maximum, found.schedule


class TestActive:
    def test_sc1_days_and_zone(self) -> None:
        own = with_hours(
            entry(
                "09:00",
                "18:00",
                daysOfWeek=["mon", "TUE", "Wed"],
                timezone="Asia/Shanghai",
                minReplicas=3,
                maxReplicas=12,
            )
        )
        assert held(own, moment("2026-08-03T02:00")) == (3, 12, "day")
        assert held(own, moment("2026-08-03T10:00")) == (1, 10, "")
        assert held(own, moment("2026-08-06T02:00")) == (1, 10, "")
        # Sunday evening in UTC, Monday morning in Shanghai.
        assert held(own, moment("2026-08-03T01:00")) == (3, 12, "day")
        assert held(own, moment("2026-08-02T23:59")) == (1, 10, "")

    @pytest.mark.parametrize(
        ("at", "holds"),
        [("09:30", True), ("09:00", True), ("10:00", False), ("08:59", False), ("09:59:59", True)],
    )
    def test_sc2_half_open(self, at: str, holds: bool) -> None:
        own = with_hours(entry("09:00", "10:00"))
        assert held(own, moment(f"2026-08-08T{at}")) == ((2, 10, "day") if holds else (1, 10, ""))

    def test_touching_ones(self) -> None:
        own = with_hours(entry("09:00", "10:00", "one"), entry("10:00", "11:00", "two", minReplicas=4))
        assert held(own, moment("2026-08-08T09:59")) == (2, 10, "one")
        assert held(own, moment("2026-08-08T10:00")) == (4, 10, "two")

    def test_none(self) -> None:
        assert schedule.active(testing.settings(), 0) is None
        assert schedule.next_transition(testing.settings(), 0) is None


def after(own: contract.Settings, at: float) -> float | None:
    found = schedule.next_transition(own, at)
    return None if found is None else found - at


class TestTransition:
    def test_sc4(self) -> None:
        own = with_hours(entry("09:00", "18:00"))
        assert after(own, moment("2026-08-03T08:30")) == 30 * 60
        assert after(own, moment("2026-08-03T09:30")) == 8.5 * 3600
        # Strictly after.
        assert after(own, moment("2026-08-03T09:00")) == 9 * 3600
        assert after(own, moment("2026-08-03T18:00")) == 15 * 3600

    def test_a_week_ahead(self) -> None:
        own = with_hours(entry("09:00", "10:00", daysOfWeek=["Mon"]))
        assert after(own, moment("2026-08-03T10:00")) == 7 * 86_400 - 3600

    def test_one_follows_another(self) -> None:
        own = with_hours(entry("09:00", "10:00", "one"), entry("10:00", "11:00", "two"))
        assert after(own, moment("2026-08-03T09:30")) == 1800
        assert after(own, moment("2026-08-03T10:00")) == 3600

    def test_fractions_of_a_second(self) -> None:
        own = with_hours(entry("09:00", "18:00"))
        assert after(own, moment("2026-08-03T08:59:59") + 0.75) == pytest.approx(0.25)


BERLIN = "Europe/Berlin"


class TestLeaps:
    """Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00."""

    def test_a_beginning_in_the_hour_left_out(self) -> None:
        own = with_hours(entry("02:30", "04:00", timezone=BERLIN))
        leap = moment("2026-03-29T01:00")
        assert held(own, leap - 1) == (1, 10, "")
        assert held(own, leap) == (2, 10, "day")
        assert after(own, leap - 600) == 600
        assert schedule.next_transition(own, leap) == moment("2026-03-29T02:00")

    def test_a_schedule_wholly_in_the_hour_left_out(self) -> None:
        own = with_hours(entry("02:10", "02:50", timezone=BERLIN, daysOfWeek=["Sun"]))
        assert schedule.next_transition(own, moment("2026-03-28T12:00")) == moment("2026-04-05T02:10", BERLIN)

    def test_an_hour_that_happens_twice(self) -> None:
        own = with_hours(entry("02:30", "02:45", timezone=BERLIN))
        at = moment("2026-10-25T00:00")
        found = []
        for _ in range(4):
            at = schedule.next_transition(own, at) or 0.0
            found.append(at)
        first, second = moment("2026-10-25T02:30", BERLIN), moment("2026-10-25T02:30", BERLIN, fold=1)
        assert second - first == 3600
        assert found == [first, first + 900, second, second + 900]

    def test_an_end_that_is_set_back_over(self) -> None:
        """Open from 01:00 to 02:30: it ends at 02:30, begins again when the clock goes back to 02:00, and ends again."""
        own = with_hours(entry("01:00", "02:30", timezone=BERLIN))
        end = moment("2026-10-25T02:30", BERLIN)
        assert schedule.next_transition(own, end - 60) == end
        assert schedule.next_transition(own, end) == moment("2026-10-25T01:00")
        assert schedule.next_transition(own, moment("2026-10-25T01:00")) == end + 3600

    @given(
        begin=st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2027, 1, 1)),  # noqa: DTZ001 - made UTC below
        start=st.integers(0, 1437),
        length=st.integers(1, 600),
        zone=st.sampled_from(
            ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]
        ),
        days=st.sets(st.sampled_from(["Mon", "Wed", "Sat", "Sun"]), min_size=1),
    )
    def test_nothing_changes_before_it_and_something_does_with_it(
        self, begin: datetime.datetime, start: int, length: int, zone: str, days: set[str]
    ) -> None:
        end = min(start + length, 1439)
        clock = [f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end)]
        own = with_hours(entry(*clock, timezone=zone, daysOfWeek=sorted(days)))
        now = begin.replace(tzinfo=datetime.UTC).timestamp()
        found = schedule.next_transition(own, now)
        assert found is not None
        assert found > now
        holding = schedule.active(own, now)
        assert schedule.active(own, found) is not holding
        for part in range(1, 200):
            assert schedule.active(own, now + (found - now) * part / 200) is holding
        assert schedule.active(own, found - 1) is holding or found - 1 < now


class TestCheck:
    """When bounds alone decide."""

    @pytest.mark.parametrize(
        ("current", "minimum", "maximum", "explicit", "found"),
        [
            (0, 1, 10, False, (0, bounds.DISABLED)),
            (0, 4, 10, True, (4, bounds.UNDERCUT)),
            (0, 0, 10, False, None),
            (0, 0, 10, True, None),
            (11, 1, 10, False, (10, bounds.EXCEEDED)),
            (1, 2, 10, False, (2, bounds.UNDERCUT)),
            (2, 2, 10, False, None),
            (10, 2, 10, False, None),
        ],
    )
    def test_row(self, current: int, minimum: int, maximum: int, explicit: bool, found: tuple[int, str] | None) -> None:
        assert bounds.check(bounds.Effective(minimum, maximum, "", explicit), current) == found

    def test_sc5_through_a_pass(self) -> None:
        at = moment("2026-08-03T09:30")
        own = with_hours(entry("09:00", "10:00", minReplicas=4))
        made = testing.Workload(own, 0, at).look()
        assert (made.desired, made.moves, made.schedule, made.algorithm) == (4, True, "day", contract.BOUNDARY_CHECK)
        only_most = {"name": "day", "startTime": "09:00", "endTime": "10:00", "maxReplicas": 4}
        made = testing.Workload(with_hours(only_most), 0, at).look()
        assert (made.desired, made.moves, made.reason) == (0, False, bounds.DISABLED)

    def test_sc6_bounds_of_all_day(self) -> None:
        own = with_hours(entry("00:00", "23:59", minReplicas=4, maxReplicas=7), base=schedules.Bounds(1, 3))
        assert held(own, moment("2026-08-03T12:00")) == (4, 7, "day")

    def test_without_a_maximum(self) -> None:
        assert bounds.effective(testing.settings(bounds=(1, None)), 0).clamp(10**12) == 2**31 - 1
