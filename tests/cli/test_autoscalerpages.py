"""What the controllers know of an autoscaler, asked for and told."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import math
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from brickyard.cli import autoscaler, autoscalerpages, curves, main
from brickyard.embedded import home
from brickyard.lib import errors

FIELDS = ["at", "demand", "high", "target", "asked", "desired", "actual", "minimum", "maximum", "panic"]


def page(**given: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "namespace": "default",
        "name": "chat",
        "strategy": "KPA",
        "target": "Deployment default/chat",
        "period": 10.0,
        "settings": {},
        "fault": None,
        "problems": [],
        "recommendation": {},
        "explanation": {"short": "from 1 to 2: because", "long": ["At noon there was 1 replica.", "  now  12 in all"]},
        "status": {},
        "history": {
            "fields": FIELDS,
            "points": [
                [1000.0, 10.0, 10.0, 10.0, 1, 1, 1, 1, 4, 0],
                [1010.0, 25.0, 35.0, 10.0, 3, 2, 1, 1, 4, 1],
                [1020.0, None, None, None, None, None, 2, 1, 4, 0],
            ],
        },
    }
    return told | given


@contextlib.contextmanager
def controllers(shown: Mapping[str, Any]) -> Iterator[str]:
    """Something that shows ``shown`` by path; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = shown.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(found or {"error": "none"}).encode())

        def log_message(self, *args: Any) -> None:
            del args

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


LIST = {"autoscalers": [{"namespace": "default", "name": "chat"}, {"namespace": "other", "name": "embed"}]}
SHOWN = {"/debug/autoscalers": LIST, "/debug/autoscalers/default/chat": page()}


CONFLICT = {
    "type": "AbleToScale",
    "status": "False",
    "reason": "MultiPodAutoscalerConflict",
    "message": "PodAutoscaler default/first scales Deployment default/chat already",
}


def test_what_keeps_it_from_scaling_is_told() -> None:
    told = list(autoscalerpages.words(page(status={"conditions": [CONFLICT]}, waits=1017.0)))
    assert "Not yet: a step was taken a moment ago, the next one waits until 1970-01-01T00:16:57Z." in told
    assert f"Since then it cannot scale: {CONFLICT['message']} (MultiPodAutoscalerConflict)." in told
    with pytest.raises(
        autoscalerpages.NothingDecided, match="chat decides nothing: PodAutoscaler default/first scales"
    ):
        list(autoscalerpages.words(page(explanation=None, status={"conditions": [CONFLICT]})))


def test_one_is_fetched() -> None:
    with controllers(SHOWN) as url:
        assert autoscalerpages.fetch(url, "default", "chat")["target"] == "Deployment default/chat"


@pytest.mark.parametrize(
    ("namespace", "name", "hint"),
    [
        ("default", "chatt", "there are chat"),
        ("default", "embed", "add -n other"),
        ("nowhere", "a/b", "brickyard get podautoscalers -A"),
    ],
)
def test_one_that_is_not_there(namespace: str, name: str, hint: str) -> None:
    with controllers(SHOWN) as url, pytest.raises(autoscalerpages.NoSuchAutoscaler, match=name) as refused:
        autoscalerpages.fetch(url, namespace, name)
    assert hint in refused.value.hint
    assert refused.value.exit_code == 2


def test_somebody_else_at_that_address() -> None:
    with controllers({}) as url, pytest.raises(autoscalerpages.NoControllers, match="shows no autoscalers"):
        autoscalerpages.fetch(url, "default", "chat")


def test_nobody_at_that_address() -> None:
    with controllers({}) as url:
        pass
    with pytest.raises(autoscalerpages.NoControllers, match="do not answer") as refused:
        autoscalerpages.fetch(url, "default", "chat")
    assert "--controllers" in refused.value.hint


def test_addresses(tmp_path: pathlib.Path) -> None:
    here = home.Home(tmp_path)
    assert autoscalerpages.address("http://there/", here) == "http://there"
    with pytest.raises(autoscalerpages.NoControllers, match="no controllers have run") as refused:
        autoscalerpages.address("", here)
    assert "brickyard up" in refused.value.hint
    here.write_controllers("http://127.0.0.1:1")
    assert autoscalerpages.address("", here) == "http://127.0.0.1:1"


def test_words() -> None:
    history = [
        {"timestamp": "t1", "previousScale": 1, "newScale": 2, "reason": "kpa above target", "success": True},
        {"timestamp": "t2", "previousScale": 2, "newScale": 3, "reason": "x", "success": False, "error": "refused"},
    ]
    problems = [{"where": "annotation panic-threshold", "text": "much is not a number"}]
    assert list(autoscalerpages.words(page(status={"scalingHistory": history}, problems=problems))) == [
        "from 1 to 2: because",
        "At noon there was 1 replica.",
        "  now  12 in all",
        "It is looked at every 10 s, and at once when its spec or its target's size changes.",
        "Not used: annotation panic-threshold: much is not a number.",
        "Latest changes:",
        "  t1  1 to 2  kpa above target",
        "  t2  2 to 3  x, failed: refused",
    ]


def test_words_of_a_horizontalpodautoscaler() -> None:
    able = {
        "type": "AbleToScale",
        "status": "True",
        "reason": "ReadyForNewScale",
        "message": "recommended size matches",
    }
    limited = {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange"}
    status = {"actualScale": 2, "desiredScale": 3, "conditions": [able, limited]}
    told = list(autoscalerpages.words(page(strategy="HPA", explanation=None, status=status)))
    assert told == [
        "from 2 to 3: the HorizontalPodAutoscaler chat-hpa decides, of Deployment default/chat",
        "  AbleToScale      True   recommended size matches",
        "  ScalingLimited   False  DesiredWithinRange",
        "What it measures: `brickyard get hpa chat-hpa -n default -o yaml`.",
        "It is looked at every 10 s, and at once when its spec or its target's size changes.",
    ]
    status["desiredScale"] = 2
    assert next(iter(autoscalerpages.words(page(strategy="HPA", explanation=None, status=status)))).startswith(
        "stays at 2"
    )


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"strategy": "HPA"}, "HorizontalPodAutoscaler chat-hpa", "brickyard get hpa chat-hpa"),
        ({"fault": {"reason": "InvalidBounds", "text": "maxReplicas is 0"}}, "maxReplicas is 0", "spec"),
        ({}, "looked at every 10 s", "ask again"),
    ],
)
def test_nothing_decided(given: dict[str, Any], said: str, hint: str) -> None:
    blank = page(explanation=None, history={"fields": FIELDS, "points": []}, **given)
    for told in (lambda: list(autoscalerpages.words(blank)), lambda: autoscalerpages.chart(blank)):
        with pytest.raises(autoscalerpages.NothingDecided, match=said) as refused:
            told()
        assert hint in refused.value.hint


def test_a_history_as_curves() -> None:
    drawn = autoscalerpages.chart(page())
    (panel,) = drawn.panels
    lines = {line.name: list(line.values) for line in panel.lines}
    assert drawn.start == 1000.0
    assert list(panel.times) == [0.0, 10.0, 20.0]
    assert lines["demand"][:2] == [1.0, 2.5]
    assert math.isnan(lines["demand"][2])
    assert lines["at most"][1] == 3.5
    assert math.isnan(lines["at most"][0])
    assert lines["actual"] == [1.0, 1.0, 2.0]
    assert lines["maximum"] == [4.0, 4.0, 4.0]
    assert list(panel.shaded) == [(10.0, 20.0)]
    assert next(line.kind for line in panel.lines if line.name == "maximum") is curves.Kind.BOUND


def test_the_commands(tmp_path: pathlib.Path) -> None:
    with controllers(SHOWN) as url:
        runner = CliRunner()
        explained = runner.invoke(main.app, ["autoscaler", "explain", "chat", "--controllers", url])
        told = runner.invoke(main.app, ["autoscaler", "explain", "chat", "--controllers", url, "-o", "json"])
        out = tmp_path / "chat.svg"
        plotted = runner.invoke(main.app, ["autoscaler", "plot", "chat", "--controllers", url, "--out", str(out)])
        wrong = runner.invoke(main.app, ["autoscaler", "explain", "chat", "--controllers", url, "-o", "xml"])
    assert explained.output.startswith("default/chat  from 1 to 2: because\n")
    assert json.loads(told.output)["name"] == "chat"
    assert "default/chat: KPA of Deployment default/chat" in plotted.output
    assert "desired" in out.read_text()
    assert isinstance(wrong.exception, errors.UsageError)


@pytest.mark.parametrize(
    ("terminal", "lines"),
    [
        (True, ["  now        0 in all: 1 pod", "      measured of two that are", "      there"]),
        (False, ["  now        0 in all: 1 pod measured of two that are there"]),
    ],
)
def test_a_long_line_goes_on_further_in_on_a_terminal_and_is_whole_elsewhere(terminal: bool, lines: list[str]) -> None:
    file = io.StringIO()
    shown = Console(file=file, force_terminal=terminal, width=30, highlight=False, color_system=None)
    autoscaler.say(shown, "  now        0 in all: 1 pod measured of two that are there")
    assert file.getvalue().splitlines() == lines
