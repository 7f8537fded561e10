"""Events as lines."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.cli import happenings
from brickyard.lib import timestamps

NOW = 1_700_000_000.0


def event(name: str, ago: float, version: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "resourceVersion": str(version)},
        "involvedObject": {"kind": "Pod", "name": name},
        "type": "Normal", "reason": "Started", "message": f"about {name}",
        "lastTimestamp": timestamps.rfc3339(NOW - ago), **fields,
    }  # fmt: skip


def test_the_oldest_comes_first_under_one_header() -> None:
    lines = happenings.Lines(namespaces=False)
    said = lines.listed([event("young", 5), event("old", 90)], NOW)
    assert [line.split()[0] for line in said] == ["LAST", "90s", "5s"]
    assert said[1].endswith("about old")
    assert said[0].index("MESSAGE") == said[1].index("about") == said[2].index("about")


def test_what_follows_stands_below_what_came_first() -> None:
    lines = happenings.Lines(namespaces=False)
    first = lines.listed([event("a", 5)], NOW)
    more = lines.happened(event("b", 0), NOW)
    assert len(more) == 1
    assert more[0].index("about") == first[0].index("MESSAGE")


def test_a_second_listing_tells_only_what_is_new() -> None:
    lines = happenings.Lines(namespaces=False)
    lines.listed([event("a", 9, version=1), event("b", 8, version=2)], NOW)
    again = lines.listed([event("a", 9, version=1), event("b", 1, version=7, count=2)], NOW)
    assert len(again) == 1
    assert again[0].endswith("about b (x2)")


def test_what_expired_and_comes_again_is_told_again() -> None:
    lines = happenings.Lines(namespaces=False)
    lines.listed([event("a", 9)], NOW)
    lines.forget(event("a", 9))
    assert len(lines.listed([event("a", 9)], NOW)) == 1


def test_nothing_needs_no_header() -> None:
    assert happenings.Lines(namespaces=True).listed([], NOW) == []


def test_namespaces_are_shown_when_asked_for() -> None:
    assert happenings.Lines(namespaces=True).listed([event("a", 1)], NOW)[1].split()[:2] == ["default", "1s"]


def test_a_message_of_many_lines_is_one() -> None:
    said = happenings.Lines(namespaces=False).listed([event("a", 1, message="one\n  two ", type="Warning")], NOW)
    assert said[1].endswith("one two")
    assert "Warning" in said[1]


@pytest.mark.parametrize(
    ("fields", "moment"),
    [
        ({"series": {"lastObservedTime": "s", "count": 2}, "lastTimestamp": "l"}, "s"),
        ({"lastTimestamp": "l", "eventTime": "e"}, "l"),
        ({"lastTimestamp": None, "eventTime": "e", "firstTimestamp": "f"}, "e"),
        ({"firstTimestamp": "f"}, "f"),
        ({"metadata": {"creationTimestamp": "c"}}, "c"),
        ({}, ""),
    ],
)
def test_when_it_last_happened(fields: dict[str, Any], moment: str) -> None:
    assert happenings.last_seen(fields) == moment


def test_an_event_without_a_moment_is_no_crash() -> None:
    bare: dict[str, Any] = {"metadata": {"name": "bare"}}
    odd = {"metadata": {"name": "odd"}, "lastTimestamp": "yesterday"}
    assert len(happenings.Lines(namespaces=False).listed([bare, odd], NOW)) == 3


@pytest.mark.parametrize(
    ("kind", "name", "warnings", "selector"),
    [
        ("", "", False, ""),
        ("Pod", "", False, "involvedObject.kind=Pod"),
        ("Pod", "one", True, "involvedObject.kind=Pod,involvedObject.name=one,type=Warning"),
    ],
)
def test_which_events_are_asked_for(kind: str, name: str, warnings: bool, selector: str) -> None:
    assert happenings.selector(kind, name, warnings=warnings) == selector
