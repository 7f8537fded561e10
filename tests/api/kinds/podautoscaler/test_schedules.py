"""Daily windows: what they mean and what is wrong with them, row by row."""

import datetime
import time
import zoneinfo
from typing import Any

import pytest

from brickyard.api.kinds.podautoscaler import admission, schedules

BASE = schedules.Bounds(1, 10)
DAY = {"name": "day", "startTime": "09:00", "endTime": "18:00", "minReplicas": 2}


def entry(**fields: Any) -> dict[str, Any]:
    """A sound schedule with ``fields`` changed; None takes a field away."""
    return {key: each for key, each in (DAY | fields).items() if each is not None}


def faults(*entries: Any, base: schedules.Bounds = BASE) -> list[str]:
    return list(schedules.faults(entries, base))


class TestMeaning:
    def test_defaults(self) -> None:
        assert schedules.windows([entry()], BASE) == [
            schedules.Window("day", frozenset(range(7)), 540, 1080, 2, 10, own_minimum=True)
        ]

    def test_days_and_bounds(self) -> None:
        found = entry(daysOfWeek=["mon", "TUE", "Wed"], minReplicas=None, maxReplicas=12, timezone="Asia/Shanghai")
        assert schedules.windows([found], BASE) == [
            schedules.Window("day", frozenset({0, 1, 2}), 540, 1080, 1, 12, own_minimum=False)
        ]

    def test_edges_of_the_day(self) -> None:
        (window,) = schedules.windows([entry(startTime="00:00", endTime="23:59")], BASE)
        assert (window.start, window.end) == (0, 1439)

    def test_what_means_nothing_is_an_error(self) -> None:
        with pytest.raises(schedules.ScheduleError, match=r"^schedules\[0\]: name is required$"):
            schedules.windows([{}], BASE)

    @pytest.mark.parametrize(
        ("spec", "bounds"),
        [
            ({"minReplicas": 2, "maxReplicas": 9}, schedules.Bounds(2, 9)),
            ({"minReplicas": 0, "maxReplicas": 9}, schedules.Bounds(0, 9)),
            ({"maxReplicas": 9}, schedules.Bounds(1, 9)),
            ({"maxReplicas": "9"}, schedules.Bounds(1, None)),
            ({}, schedules.Bounds(1, None)),
            (None, schedules.Bounds(1, None)),
        ],
    )
    def test_base_bounds(self, spec: Any, bounds: schedules.Bounds) -> None:
        assert schedules.bounds(spec) == bounds

    def test_weekdays_are_numbered_as_dates_number_them(self) -> None:
        monday = datetime.date(2026, 8, 3)
        assert schedules.WEEKDAYS[monday.weekday()] == "mon"


class TestZones:
    def test_utc_needs_no_data(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(zoneinfo, "ZoneInfo", None)
        assert schedules.timezone("") is datetime.UTC
        assert schedules.timezone("UTC") is datetime.UTC

    def test_a_name(self) -> None:
        assert schedules.timezone("America/Los_Angeles") == zoneinfo.ZoneInfo("America/Los_Angeles")

    @pytest.mark.parametrize(
        "name",
        ["Mars/Olympus_Mons", "America", "/etc/passwd", "../UTC", "a\0b", " ", "Europe/", "x" * 5000, "EUROPE\n"],
    )
    def test_no_name(self, name: str) -> None:
        with pytest.raises(schedules.ScheduleError, match="unknown time zone"):
            schedules.timezone(name)

    def test_without_any_data_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(schedules, "_has_data", lambda: False)
        with pytest.raises(schedules.ScheduleError, match="no time zone data, install tzdata"):
            schedules.timezone("Mars/Olympus_Mons")


# what | text
ROWS = [
    ({"name": None}, "schedules[0]: name is required"),
    ({"name": ""}, "schedules[0]: name is required"),
    ({"name": "Bad_Name"}, "schedules[0]: name must use Kubernetes DNS label style"),
    ({"name": "-a"}, "schedules[0]: name must use Kubernetes DNS label style"),
    ({"name": "a-"}, "schedules[0]: name must use Kubernetes DNS label style"),
    ({"name": "a\n"}, "schedules[0]: name must use Kubernetes DNS label style"),
    (
        {"timezone": "Mars/Olympus_Mons"},
        "schedules[0]: timezone: unknown time zone Mars/Olympus_Mons: write an IANA name such as Europe/Berlin",
    ),
    ({"daysOfWeek": []}, "schedules[0]: daysOfWeek must not be empty"),
    ({"daysOfWeek": ["Monday"]}, 'schedules[0]: daysOfWeek: unsupported weekday "Monday"'),
    ({"daysOfWeek": ["mon", ""]}, 'schedules[0]: daysOfWeek: unsupported weekday ""'),
    ({"startTime": None}, "schedules[0]: startTime: must use HH:MM"),
    ({"startTime": "9:00"}, "schedules[0]: startTime: must use HH:MM"),
    ({"startTime": "24:00"}, "schedules[0]: startTime: must use HH:MM"),
    ({"startTime": "09:60"}, "schedules[0]: startTime: must use HH:MM"),
    ({"startTime": "\u0660\u0669:00"}, "schedules[0]: startTime: must use HH:MM"),
    ({"endTime": "18:00:00"}, "schedules[0]: endTime: must use HH:MM"),
    ({"endTime": "18:00\n"}, "schedules[0]: endTime: must use HH:MM"),
    ({"startTime": "18:00", "endTime": "09:00"}, "schedules[0]: startTime must be earlier than endTime"),
    ({"startTime": "09:00", "endTime": "09:00"}, "schedules[0]: startTime must be earlier than endTime"),
    ({"minReplicas": None}, "schedules[0]: at least one of minReplicas or maxReplicas must be set"),
    ({"minReplicas": -1}, "schedules[0]: effective minReplicas must be non-negative"),
    ({"maxReplicas": 0}, "schedules[0]: effective maxReplicas must be positive"),
    (
        {"minReplicas": 11},
        "schedules[0]: effective minReplicas must not be greater than effective maxReplicas",
    ),
    (
        {"minReplicas": 3, "maxReplicas": 2},
        "schedules[0]: effective minReplicas must not be greater than effective maxReplicas",
    ),
]


class TestFaults:
    @pytest.mark.parametrize(("fields", "text"), ROWS)
    def test_row(self, fields: dict[str, Any], text: str) -> None:
        assert faults(entry(**fields)) == [text]

    def test_empty(self) -> None:
        assert faults() == ["schedules must not be empty"]

    @pytest.mark.parametrize(("fewest", "most"), [(0, None), (0, 1), (1, 1), (10, None), (None, 1)])
    def test_bounds_at_the_edge(self, fewest: int | None, most: int | None) -> None:
        assert faults(entry(minReplicas=fewest, maxReplicas=most), base=schedules.Bounds(1, 10)) == []

    def test_the_base_bounds_count(self) -> None:
        assert faults(entry(minReplicas=None, maxReplicas=2), base=schedules.Bounds(3, 10)) == [
            "schedules[0]: effective minReplicas must not be greater than effective maxReplicas"
        ]
        assert faults(entry(minReplicas=99), base=schedules.Bounds(1, None)) == []

    def test_zones_are_one(self) -> None:
        assert faults(entry(), entry(name="night", startTime="20:00", endTime="21:00", timezone="Asia/Tokyo")) == [
            "schedules[1].timezone: mixed timezone values are not supported"
        ]

    def test_no_zone_is_utc(self) -> None:
        late = entry(name="late", startTime="18:00", endTime="19:00", timezone="UTC")
        assert faults(entry(), late, entry(name="more", startTime="20:00", endTime="21:00", timezone="")) == []

    def test_a_name_twice(self) -> None:
        assert faults(entry(), entry(startTime="20:00", endTime="21:00")) == ['schedules[1].name: duplicate name "day"']

    @pytest.mark.parametrize(
        ("start", "end", "clashes"),
        [
            ("08:00", "09:00", False),
            ("08:00", "09:01", True),
            ("09:00", "18:00", True),
            ("10:00", "11:00", True),
            ("08:00", "19:00", True),
            ("17:59", "19:00", True),
            ("18:00", "19:00", False),
        ],
    )
    def test_overlaps(self, start: str, end: str, clashes: bool) -> None:
        found = faults(entry(), entry(name="other", startTime=start, endTime=end))
        assert found == (['schedules[1]: overlaps schedule "day"'] if clashes else [])

    def test_other_days_do_not_overlap(self) -> None:
        assert faults(entry(daysOfWeek=["Mon", "Tue"]), entry(name="b", daysOfWeek=["Wed", "sun"])) == []
        assert faults(entry(daysOfWeek=["Mon", "Tue"]), entry(name="b", daysOfWeek=["Tue", "Wed"])) == [
            'schedules[1]: overlaps schedule "day"'
        ]

    def test_every_schedule_is_told_of(self) -> None:
        assert faults(entry(name=""), entry(), entry(name="b", endTime="x"), entry()) == [
            "schedules[0]: name is required",
            "schedules[2]: endTime: must use HH:MM",
            'schedules[3].name: duplicate name "day"',
        ]

    @pytest.mark.parametrize("strange", [None, 1, "x", [], {"name": 1, "startTime": 9, "daysOfWeek": "mon"}])
    def test_strange_shapes(self, strange: Any) -> None:
        assert faults(strange) == ["schedules[0]: name is required"]

    def test_thousands_take_no_time(self) -> None:
        """A megabyte of schedules must not hold up a server: pairs are not compared one by one, zones not looked up each."""
        minutes = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(1440)]
        many = [
            entry(name=f"n{index}", startTime=minutes[index % 1439], endTime=minutes[index % 1439 + 1])
            for index in range(10_000)
        ]
        begin = time.process_time()
        assert len(faults(*many)) == 10_000 - 1439
        assert len(faults(*(entry(name=f"n{index}", timezone=f"No/Zone{index}") for index in range(10_000)))) > 9_000
        assert time.process_time() - begin < 5

    def test_a_podautoscaler_says_where(self) -> None:
        spec = {"schedules": [entry(name="")], "maxReplicas": 5}
        errors = [each for each in admission.Rules().validate({"spec": spec}, None) if each.path == "spec.schedules"]
        assert [each.message for each in errors] == ["Invalid value: schedules[0]: name is required"]
