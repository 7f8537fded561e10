"""What settings of autoscaling do: the tables and the page."""

from __future__ import annotations

import json
import pathlib

import pytest

from bench import __main__ as bench
from bench import record, replays
from brickyard.sim.engine.core import presets
from brickyard.sim.scaling import fleet, replay, workload

BUILD = fleet.Build(presets.preset("a10/llama-3.1-8b"))


@pytest.fixture
def trace(tmp_path: pathlib.Path) -> str:
    """Ten minutes at two requests a second."""
    lines = [json.dumps({"timestamp": 500 * place, "input_length": 300, "output_length": 100}) for place in range(1200)]
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(lines))
    return str(path)


def test_every_way_is_replayed_by_every_strategy() -> None:
    found = replays.cases("trace.csv", [1.0, 3.0])
    assert len(found) == len(set(found)) == (2 + 3) * 3 * 3
    assert found[0].trace == "trace.csv"
    assert all(not each.trace for each in replays.cases("", [1.0]))


def test_a_case_is_scaled_as_its_way_says(trace: str) -> None:
    found = replays.run(replays.Case("running, 10 each, calm", "APA", trace, 1.0), BUILD)
    assert found.settings.strategy.value == "APA"
    assert (found.settings.up_tolerance, found.settings.down_window) == (0.2, 900.0)
    (row,) = replays.trace_rows({replays.Case("running, 10 each, calm", "APA", trace, 1.0): found})
    assert row[:4] == ("×1", "running, 10 each, calm", "APA", "0 of 1200")  # noqa: RUF001 - a multiplication sign


def test_changes_are_counted_once_a_load_has_settled() -> None:
    load = workload.make("step:1,6,3600", workload.Shape(seconds=replays.HOURS * 3600))
    (_, ways), *_ = replays.WAYS["arrivals, 1/s each"].settings()
    found = replay.run(load, replay.Plan("x", ways, BUILD))
    late = [each for each in found.moves if each.at > 1800]
    assert 0 < len(late) < len(found.moves) + 1
    assert replays.hourly(found) == len(late) / 2.0


@pytest.mark.slow
def test_the_page(
    trace: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(replays, "RATES", (1,))
    monkeypatch.setattr(replays, "CONSTANT", ("scaled by", "", "1/s"))
    assert bench.main(["autoscaler", "--trace", trace, "--factors", "1", "--jobs", "2"]) == 0
    assert "arrivals, 1/s each" in capsys.readouterr().out
    told = json.loads(next((tmp_path / "results").glob("autoscaler-*.json")).read_text())
    assert len(told["replays"]) == 18
    assert told["replays"][0]["trace"] == "trace.jsonl"
    text = next((tmp_path / "results").glob("autoscaler-*.html")).read_text()
    assert text.count("data:image/svg+xml;base64,") == 3
