"""Numbers over time, on a terminal and as files."""

from __future__ import annotations

import importlib.util
import itertools
import math
import pathlib

import hypothesis
import pytest
from hypothesis import strategies
from rich.console import Console

from brickyard.cli import curvefile, curves, curvescreen
from brickyard.lib import errors

TIMES = [float(10 * place) for place in range(61)]


def chart(start: float | None = None) -> curves.Chart:
    rising = [place / 10 for place in range(61)]
    panels = [
        curves.Panel(
            "replicas of <chat> & co",
            "replicas",
            TIMES,
            [
                curves.Line("demand", curves.Kind.DEMAND, rising),
                curves.Line("actual", curves.Kind.ACTUAL, [math.ceil(each) for each in rising], steps=True),
                curves.Line("maximum", curves.Kind.BOUND, [8.0] * 61, steps=True),
            ],
            shaded=[(100.0, 200.0)],
            note="what came of it",
        ),
        curves.Panel("waiting", "requests", TIMES, [curves.Line("", curves.Kind.QUEUE, [3.0] * 61)], weight=1),
    ]
    return curves.Chart("an autoscaler", panels, start)


def screen(drawn: curves.Chart, width: int = 80) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as captured:
        console.print(curvescreen.draw(drawn, width, 10))
    return captured.get().splitlines()


def test_a_screen_names_what_it_draws() -> None:
    lines = screen(chart(), 100)
    assert lines[0] == "an autoscaler"
    assert lines[1].split() == [
        "replicas",
        "of",
        "<chat>",
        "&",
        "co",
        "replicas",
        "━━",
        "demand",
        "━━",
        "actual",
        "┄┄",
        "maximum",
        "▒▒",
        "panic",
    ]
    assert lines[2].lstrip().startswith("8┤")
    assert any(line.lstrip().startswith("0┤") for line in lines)
    axis = next(line for line in lines if "└" in line)
    assert axis.index("▒") == pytest.approx(3 + 97 / 6, abs=1)
    assert "what came of it" in lines
    assert all(len(line) <= 100 for line in lines)


def test_what_is_drawn_is_where_it_belongs() -> None:
    """A line that rises from 0 to the top has its first dot at the bottom left and its last at the top right."""
    line = curves.Line("up", curves.Kind.DEMAND, [0.0, 10.0])
    lines = screen(curves.Chart("", [curves.Panel("p", "u", [0.0, 60.0], [line])]))
    rows = [text.split("┤")[-1].split("│")[-1] for text in lines if "┤" in text or "│" in text]
    firsts = [next((place for place, sign in enumerate(row) if sign != " "), None) for row in rows]
    assert firsts[-1] == 0
    places = [each for each in firsts if each is not None]
    assert len(places) == len(rows)
    assert places == sorted(places, reverse=True)


def test_a_gap_stays_empty() -> None:
    line = curves.Line("some", curves.Kind.ACTUAL, [1.0, math.nan, 1.0], steps=True)
    lines = screen(curves.Chart("", [curves.Panel("p", "u", [0.0, 50.0, 100.0], [line])]))
    drawn = [text for text in lines if any(0x2800 < ord(sign) < 0x2900 for sign in text)]
    assert all(text.count(" ") > 60 for text in drawn)


@pytest.mark.parametrize(("unit", "head"), [("replicas", "replicas"), ("requests", "replicas  requests")])
def test_a_unit_that_is_the_title_is_said_once(unit: str, head: str) -> None:
    drawn = screen(curves.Chart("", [curves.Panel("replicas", unit, [0.0, 50.0], [])]))
    assert drawn[0].rstrip() == head


def test_nothing_known_is_drawn_as_nothing() -> None:
    line = curves.Line("none", curves.Kind.ACTUAL, [math.nan])
    assert screen(curves.Chart("", [curves.Panel("p", "u", [0.0], [line])]))


@hypothesis.given(strategies.floats(0.001, 1e9), strategies.integers(1, 12))
def test_ticks_reach_the_top_in_few_even_steps(most: float, number: int) -> None:
    marks = curves.ticks(most, number)
    assert marks[0] == 0
    assert marks[-1] >= most * (1 - 1e-6)
    assert len(marks) <= number + 2
    gaps = {round((after - before) / marks[1], 6) for before, after in itertools.pairwise(marks)}
    assert gaps == {1.0}


@pytest.mark.parametrize(
    ("span", "start", "named"),
    [
        (600.0, None, ["0 min", "2 min", "4 min", "6 min", "8 min", "10 min"]),
        (100.0, None, ["0 s", "30 s", "60 s", "90 s"]),
        (3600.0, 1700158546.0, ["18:20", "18:30", "18:40", "18:50", "19:00", "19:10"]),
        (40.0, 1700158546.0, ["18:15:50", "18:16:00", "18:16:10", "18:16:20"]),
        (86400.0, None, ["0 h", "4 h", "8 h", "12 h", "16 h", "20 h", "24 h"]),
    ],
)
def test_moments(span: float, start: float | None, named: list[str]) -> None:
    made = curves.Chart("", [curves.Panel("", "", [0.0, span], [])], start)
    assert [name for _, name in curves.moments(made, 6)] == named


def test_spans_of_what_is_marked() -> None:
    times = [0.0, 10.0, 20.0, 30.0, 40.0]
    assert curves.spans(times, [False, True, True, False, True]) == [(10.0, 30.0), (40.0, 40.0)]
    assert curves.spans([], []) == []


@pytest.mark.slow
def test_pictures(tmp_path: pathlib.Path) -> None:
    for start in (None, 1700158546.0):
        curvefile.write(chart(start), tmp_path / "one.svg")
        curvefile.write(chart(start), tmp_path / "two.svg")
        text = (tmp_path / "one.svg").read_text()
        assert text == (tmp_path / "two.svg").read_text()
        for word in (
            "an autoscaler",
            "replicas of &lt;chat&gt; &amp; co",
            "demand",
            "actual",
            "maximum",
            "panic",
            "what came of it",
        ):
            assert word in text
        assert ("18:20" in text) is (start is not None)
    curvefile.write(chart(), tmp_path / "one.PNG")
    assert (tmp_path / "one.PNG").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_said_before(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(curvefile.NoPictures, match=r"picture\.gif") as refused:
        curvefile.check(tmp_path / "picture.gif")
    assert ".svg or .png" in refused.value.hint
    with pytest.raises(curvefile.NoPictures, match="no folder"):
        curvefile.check(tmp_path / "nowhere" / "picture.svg")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(curvefile.NoPictures, match="matplotlib") as lacking:
        curvefile.check(tmp_path / "picture.svg")
    assert "brickyard[plot]" in lacking.value.hint


def test_a_place_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "picture.svg").mkdir()
    with pytest.raises(errors.UsageError, match="cannot be written"):
        curvefile.write(chart(), tmp_path / "picture.svg")
