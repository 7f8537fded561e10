import dataclasses
import json
import pathlib
from xml.etree import ElementTree

import pytest

from bench import __main__ as bench
from bench import quality, record
from brickyard.sim.fleet import outcome, trace

FIGURES = outcome.Figures(10, 0, 0.5, 2.0, 1.0, 3.0, 4.0, 0.01, 1.1, 3, 60.0)


def faster(by: float) -> outcome.Figures:
    return dataclasses.replace(FIGURES, mean=FIGURES.mean * by)


def test_rows_compare_with_chance() -> None:
    found = quality.rows({"random": FIGURES, "prefix-cache": faster(0.5)})
    assert [row[:4] for row in found] == [
        ("random", "50.0%", "2.000", "+0%"),
        ("prefix-cache", "50.0%", "1.000", "-50%"),
    ]


def test_without_chance_nothing_is_compared() -> None:
    assert quality.rows({"prefix-cache": FIGURES})[0][3] == ""
    assert quality.verdict({"prefix-cache": FIGURES}) == ""


@pytest.mark.parametrize(("by", "word"), [(0.5, "-45% everywhere"), (0.54, "-45% everywhere"), (0.56, "NOT")])
def test_the_verdict_holds_the_claim_against_the_figures(by: float, word: str) -> None:
    assert word in quality.verdict({"random": FIGURES, "prefix-cache": faster(by), "least-request": FIGURES})


def test_engines_take_prompts_as_long_as_their_memory() -> None:
    made = quality.engine("h200/qwen2.5-7b")
    assert made.max_model_len == made.capacity > 1_000_000


@pytest.mark.slow
def test_engines_tell_what_they_hold_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines too small for what they are sent: what they drop is known to the index only where they tell."""
    small = dataclasses.replace(quality.engine("h200/qwen2.5-7b"), blocks=500, max_model_len=500 * quality.BLOCK)
    monkeypatch.setattr(quality, "engine", lambda name: small)
    run = quality.Run("prefix-cache", 1.0, "", 2, "", 120)
    guessed, told = (quality.figures(dataclasses.replace(run, kv_events=kv_events)) for kv_events in (False, True))
    assert told.requests == guessed.requests == 120
    assert told.hit_rate != guessed.hit_rate


@pytest.mark.parametrize(("words", "kv_events"), [([], False), (["--kv-events"], True)])
def test_kv_events_are_an_option(words: list[str], kv_events: bool) -> None:
    assert quality.options(words).kv_events is kv_events


def test_a_picture_stands_alone() -> None:
    drawn = quality.picture("a trace", {"random": FIGURES, "prefix-cache": faster(0.5)})
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [
        "Mean time to the first token, and hits: a trace (logarithmic)",
        *("random", "2.00 s, 50%", "prefix-cache", "1.00 s, 50%"),
    ]
    widths = [float(each.attrib["width"]) for each in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[0] > widths[1] > 0
    assert root.find("{http://www.w3.org/2000/svg}style") is not None


@pytest.mark.slow
def test_a_trace_from_a_file_is_run_and_recorded(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.jsonl"
    file.write_text("\n".join(trace.write(trace.Conversations(number=40, every=0.5).arrivals())))
    monkeypatch.setattr(record, "FOLDER", tmp_path / "results")
    words = ["quality", "--trace", str(file), "--paces", "1", "--jobs", "1", "--picture", str(tmp_path / "p.svg")]
    assert bench.main([*words, "--strategies", "random", "prefix-and-load"]) == 0
    assert "prefix-and-load" in (tmp_path / "p.svg").read_text()
    assert "prefix-and-load" in capsys.readouterr().out
    (figures,) = (tmp_path / "results").glob("quality-*.json")
    (picture,) = (tmp_path / "results").glob("quality-*.html")
    runs = {run["strategy"]: run["figures"] for run in json.loads(figures.read_text())["runs"]}
    assert runs["prefix-and-load"]["hit_rate"] > runs["random"]["hit_rate"]
    assert picture.read_text().count("<svg") == 3


@pytest.mark.parametrize("words", [["no-such"], ["sim", "--rounds", "1"], ["--rounds", "1"], ["gateway", "sim", "-h"]])
def test_what_nobody_understands_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(words) == 2
    assert capsys.readouterr().err
