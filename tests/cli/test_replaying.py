"""From options to replays, and from replays to tables and curves."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import pathlib
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brickyard.cli import curves, main, replaying
from brickyard.controllers.podautoscaler import history
from brickyard.lib import errors
from brickyard.scaling import contract, settings, testing
from brickyard.sim.scaling import errors as sim_errors

FEW = replaying.Source(None, "constant:2", seconds=300.0)
LIKE = replaying.Like("a10/llama-3.1-8b", 120.0, 5.0)
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: chat}
---
apiVersion: autoscaling.aibrix.ai/v1alpha1
kind: PodAutoscaler
metadata:
  name: mine
  annotations: {autoscaling.aibrix.ai/scale-down-cooldown-window: 90s}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
  minReplicas: 2
  maxReplicas: 7
  scalingStrategy: APA
  metricsSources:
  - {metricSourceType: pod, protocolType: http, port: "8000", path: /metrics, targetMetric: num_requests_waiting, targetValue: "4"}
"""


def read(*strategies: str, **given: Any) -> list[tuple[str, contract.Settings]]:
    return replaying.Ways(strategies=strategies, **given).settings()


def test_every_setting_of_the_controller_can_be_set() -> None:
    values = {
        "max-scale-up-rate": "3",
        "scale-up-cooldown-window": "7s",
        "scale-down-cooldown-window": "2m",
        "activation-scale": "2",
    }
    values |= {"observe-window": "2m", "panic-window": "30", "min-replicas": "2", "max-replicas": "9"}
    assert set(settings.ANNOTATIONS) <= set(replaying.KEYS)
    ((label, found),) = read("kpa", shared=[f"{key}={value}" for key, value in values.items()])
    assert label == "kpa"
    assert found.strategy is contract.Strategy.KPA
    assert (found.up_rate, found.up_window, found.down_window, found.activation_scale) == (3.0, 7.0, 120.0, 2)
    assert (found.stable_window, found.panic_window) == (120.0, 30.0)
    assert (found.bounds.minimum, found.bounds.maximum) == (2, 9)


def test_a_strategy_s_own_settings_go_before_those_of_all() -> None:
    (_, kpa), (_, apa) = read("KPA, panic-threshold=3", "APA", shared=["panic-threshold=4"])
    assert (kpa.panic_threshold, apa.panic_threshold) == (3.0, 4.0)


def test_without_strategies_there_are_all_three_or_the_manifest_s(tmp_path: pathlib.Path) -> None:
    assert [found.strategy.value for _, found in read()] == ["HPA", "KPA", "APA"]
    path = tmp_path / "some.yaml"
    path.write_text(MANIFEST)
    ((label, found),) = read(manifest=path)
    assert (label, found.strategy, found.down_window) == ("mine", contract.Strategy.APA, 90.0)
    assert [(each.name, each.target) for each in found.metrics] == [("num_requests_waiting", 4.0)]
    assert [found.strategy.value for _, found in read("HPA", "KPA", manifest=path)] == ["HPA", "KPA"]


def test_metrics_of_pods_and_of_the_gateway() -> None:
    ((_, found),) = read("KPA", metrics=["num_requests_running=8", "gateway_request_total=1.5"])
    forms = [(each.name, each.target, each.form) for each in found.metrics]
    assert forms == [
        ("num_requests_running", 8.0, contract.Form.PODS),
        ("gateway_request_total", 1.5, contract.Form.WHOLE),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategies": ["XPA"]}, "no strategy 'XPA'"),
        ({"strategies": ["KPA,panic"]}, "'panic' is no setting"),
        ({"shared": ["panic-treshold=2"]}, "no setting 'panic-treshold'"),
        ({"shared": ["panic-threshold=much"]}, "much is not a number"),
        ({"shared": ["panic-threshold=0.5"]}, "0.5 is not a number"),
        ({"shared": ["min-replicas=two"]}, "min-replicas=two"),
        ({"shared": ["min-replicas=1.5"]}, "no whole number"),
        ({"shared": ["observe-window=30"]}, "panicWindowSeconds"),
        ({"metrics": ["num_requests_running"]}, "is no metric"),
        ({"metrics": ["num_requests_running=-1"]}, "above 0"),
        ({"metrics": ["num_requests_runing=1"]}, "no metric 'num_requests_runing'"),
    ],
)
def test_what_cannot_be_asked_for(given: dict[str, Any], said: str) -> None:
    with pytest.raises((errors.UsageError, sim_errors.ReplayError), match=said):
        replaying.Ways(**given).settings()


def test_manifests_that_cannot_be_replayed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_text(MANIFEST)
    with pytest.raises(errors.UsageError, match="names its metrics"):
        read(manifest=path, metrics=["num_requests_running=1"])
    path.write_text(MANIFEST.replace("num_requests_waiting", "time_to_first_token"))
    with pytest.raises(sim_errors.ReplayError, match="time_to_first_token"):
        read(manifest=path)
    path.write_text(MANIFEST.partition("---")[0])
    with pytest.raises(errors.UsageError, match="has 0 PodAutoscalers"):
        read(manifest=path)


@pytest.mark.parametrize(
    ("text", "value"), [("120", 120.0), ("2m", 120.0), ("1h30m", 5400.0), ("0.5", 0.5), ("250ms", 0.25)]
)
def test_seconds(text: str, value: float) -> None:
    assert replaying.seconds(text) == value


def test_seconds_that_are_none() -> None:
    with pytest.raises(errors.UsageError, match="no duration"):
        replaying.seconds("soon")


def test_a_replay_as_table_chart_and_document() -> None:
    title, found = replaying.run(FEW, LIKE, replaying.Ways(strategies=["KPA"]))
    assert "constant:2" in title
    assert "a10/llama-3.1-8b" in title
    (row,) = replaying.rows(found)
    assert len(row) == len(replaying.HEADS)
    assert row[:2] == ("KPA", "0.00%")
    narrow = Console(file=io.StringIO(), width=80)
    narrow.print(replaying.table(found))
    assert isinstance(narrow.file, io.StringIO)
    *_, heads, numbers = narrow.file.getvalue().splitlines()
    assert len(numbers.split()) == len(row)
    assert "waiting" in heads
    drawn = replaying.chart(title, found)
    assert [panel.unit for panel in drawn.panels] == ["replicas", "requests"]
    assert [line.kind for line in drawn.panels[0].lines][:3] == [
        curves.Kind.DEMAND,
        curves.Kind.ACTUAL,
        curves.Kind.DESIRED,
    ]
    assert "maximum" not in [line.name for line in drawn.panels[0].lines]  # a hundred, far above all else
    told = json.loads(json.dumps(replaying.document(found), allow_nan=False))
    assert told["replays"][0]["figures"]["requests"] == found[0].figures.requests
    assert len(told["replays"][0]["samples"]) == 30


def test_bounds_are_drawn_where_something_comes_near() -> None:
    beside = [curves.Line("a", curves.Kind.ACTUAL, [4.0, 5.0])]
    near = replaying.bounds([1, 1], [6, 90], beside)
    assert [(each.name, next(iter(each.values))) for each in near] == [("maximum", 6), ("minimum", 1)]
    assert [each.name for each in replaying.bounds([0, 0], [90, 90], beside)] == []


def page() -> dict[str, Any]:
    fields = ["at", "demand", "high", "target", "asked", "desired", "actual", "minimum", "maximum", "panic"]
    points = [[1e9 + 10 * place, 20.0, 20.0, 10.0, 2, 2, 2, 1, 9, 0] for place in range(40)]
    return {"history": {"fields": fields, "points": points}}


def test_a_saved_history_is_a_trace_too(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(page(), indent=1))
    title, found = replaying.run(replaying.Source(path), LIKE, replaying.Ways())
    assert "recorded demand" in title
    assert [row[1] for row in replaying.rows(found)] == ["-", "-", "-"]
    assert all(each.figures.events == 0 for each in found)


@pytest.mark.parametrize("strategy", ["KPA", "APA"])
def test_a_history_of_the_controllers_repeats_itself(tmp_path: pathlib.Path, strategy: str) -> None:
    """What they keep of an hour, saved and decided again with the settings that held, is that hour."""
    ways = replaying.Ways(strategies=(strategy,))
    ((_, own),) = ways.settings()
    load = testing.Workload(own, 2)
    kept = history.History()
    for look in range(360):
        demand = 20.0 if look < 60 else 95.0 if look < 150 else 31.0
        made = load.step(testing.shared(demand, load.replicas, own.metrics[0].key))
        kept.add(history.point(made))
    points = [[None if math.isnan(value) else value for value in each] for each in kept.points()]
    path = tmp_path / "chat.json"
    path.write_text(json.dumps({"name": "chat", "history": {"fields": history.Point._fields, "points": points}}))
    _, (found,) = replaying.run(replaying.Source(path), dataclasses.replace(LIKE, cold_start=0.0), ways)
    assert [each.wanted for each in found.samples] == [each.desired for each in load.made]
    assert found.figures.events == len(load.changes) > 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "what is to be replayed?"),
        (["--trace", "x.csv", "--load", "constant:1"], "what is to be replayed?"),
        (["--trace", "nowhere.csv"], "cannot be read"),
        (["--load", "constant:1", "-o", "picture"], "unknown output"),
        (["--load", "constant:1", "--engine", "abacus"], "no preset"),
        (["--load", "constant:1", "--out", "picture.gif"], "no kind of picture"),
    ],
)
def test_what_the_command_refuses(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(main.app, ["autoscaler", "replay", *arguments])
    assert result.exception is not None
    assert said in str(result.exception)


def test_the_command_s_outputs(tmp_path: pathlib.Path) -> None:
    trace = tmp_path / "trace.jsonl"
    lines = [json.dumps({"timestamp": 500 * place, "input_length": 100, "output_length": 20}) for place in range(200)]
    trace.write_text("\n".join(lines))
    start = ["autoscaler", "replay", "--trace", str(trace), "--strategy", "KPA"]
    table = CliRunner().invoke(main.app, [*start, "-o", "table"])
    assert "trace.jsonl, 200 requests" in table.output
    assert "oscillations" in table.output
    assert "└" not in table.output
    plot = CliRunner().invoke(main.app, start)
    assert "└" in plot.output
    assert "━━ ready" in plot.output
    told = json.loads(CliRunner().invoke(main.app, [*start, "-o", "json"]).output)
    assert told["replays"][0]["label"] == "KPA"
