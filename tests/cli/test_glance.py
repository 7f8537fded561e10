"""The screen of `status`, and the JSON behind it."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import orjson
import pytest
from rich import console

from brickyard.cli import glance
from brickyard.embedded import overview
from brickyard.lib import timestamps

NOW = timestamps.parse_rfc3339("2026-01-01T00:00:10Z")
BUSY = overview.Traffic(12.34, 3, 2.0, 0.4567, "a chosen by random: by chance", "2026-01-01T00:00:05Z", "r1")
MODEL = overview.Model("default", "brick", "llamacpp", 2, 2, 0, (), BUSY)
SICK = overview.Model(
    "default", "wall", "vllm", 2, 0, 0, (overview.Trouble("CrashLoopBackOff: exit code 3: no room", ("w-1", "w-2")),)
)


def seen(*models: overview.Model, **fields: Any) -> glance.Glance:
    made = glance.Glance(
        gateway=glance.Part("http://127.0.0.1:8888/v1"),
        api=glance.Part("https://127.0.0.1:6443"),
        services=None,
        kubeconfig="/data/kubeconfig",
        models=models,
        serve="brickyard serve",
        why="brickyard why",
        now=NOW,
    )
    return dataclasses.replace(made, **fields)


def shown(look: glance.Glance, *, width: int = 120, terminal: bool = True) -> list[str]:
    """The lines of the screen, without colour."""
    paper = console.Console(file=io.StringIO(), width=width, highlight=False, color_system=None)
    paper.print(glance.screen(look, terminal=terminal))
    written = paper.file
    assert isinstance(written, io.StringIO)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_busy_model_and_a_sick_one() -> None:
    assert shown(seen(MODEL, SICK)) == [
        "gateway     http://127.0.0.1:8888/v1",
        "kubernetes  https://127.0.0.1:6443  (KUBECONFIG=/data/kubeconfig)",
        "",
        "MODEL  READY  ENGINE    REQ/S  OPEN  WAITING   KV",
        "brick  2/2    llamacpp   12.3     3        2  46%",
        "wall   0/2    vllm          -     -        -    -",
        "",
        "Not ready",
        "  wall  2 pods, such as w-1: CrashLoopBackOff: exit code 3: no room",
        "",
        "Latest decisions (brickyard why ID)",
        "  brick  5s ago, r1: a chosen by random: by chance",
    ]


def test_columns_that_say_nothing_are_left_out_on_a_terminal_only() -> None:
    plain = dataclasses.replace(MODEL, traffic=overview.Traffic())
    assert shown(seen(plain))[3].split() == ["MODEL", "READY", "ENGINE", "REQ/S", "OPEN", "WAITING", "KV"]
    everything = ["MODEL", "READY", "ENGINE", "REQ/S", "OPEN", "WAITING", "KV", "RESTARTS", "NAMESPACE"]
    assert shown(seen(plain), terminal=False)[3].split() == everything
    elsewhere = dataclasses.replace(plain, namespace="there", restarts=4)
    assert shown(seen(plain, elsewhere))[3].split() == everything


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_longer_than_the_screen_and_no_word_is_lost(width: int) -> None:
    long = dataclasses.replace(
        SICK, name="deepseek-r1-distill-llama-8b", namespace="models", restarts=12,
        trouble=(overview.Trouble("EngineNotInstalled: " + "word " * 40 + "end", ("deepseek-r1-distill-llama-8b-x-y",)),),
    )  # fmt: skip
    lines = shown(seen(MODEL, long), width=width)
    assert max(map(len, lines)) <= width
    assert "".join("".join(lines).split()).count("word") == 40


def test_a_gateway_that_is_down_is_shown_so() -> None:
    down = glance.Part("http://127.0.0.1:8888/v1", "no gateway answers: Connection refused", "brickyard logs gateway")
    lines = shown(seen(dataclasses.replace(MODEL, traffic=overview.Traffic()), gateway=down))
    assert lines[1].strip() == "no gateway answers: Connection refused; see `brickyard logs gateway`"
    assert lines[-1] == "brick  2/2    llamacpp      -     -        -   -"


def test_services_have_a_door_where_there_are_some() -> None:
    lines = shown(
        seen(MODEL, services=glance.Part("http://127.0.0.1:8090", "Connection refused", "brickyard logs services"))
    )
    assert lines[2:4] == [
        "services    http://127.0.0.1:8090",
        "            Connection refused; see `brickyard logs services`",
    ]


def test_without_models_the_next_step_is_named_but_not_where_nobody_knows() -> None:
    assert shown(seen())[-1] == "No model is served yet: brickyard serve MODEL"
    down = glance.Part("https://127.0.0.1:6443", "Connection refused", "brickyard logs machine")
    assert "No model" not in "".join(shown(seen(api=down)))


def test_the_json_says_all_that_the_screen_says() -> None:
    told = orjson.loads(orjson.dumps(glance.document(seen(MODEL, SICK))))
    assert told["gateway"] == {"url": "http://127.0.0.1:8888/v1", "answers": True, "trouble": ""}
    assert told["api"]["kubeconfig"] == "/data/kubeconfig"
    brick, wall = told["models"]
    assert brick["traffic"]["kv_cache_usage"] == 0.4567
    assert wall["trouble"] == [
        {"text": "CrashLoopBackOff: exit code 3: no room", "pods": ["w-1", "w-2"], "permanent": False}
    ]


def test_models_that_sleep() -> None:
    napping = overview.Model("default", "nap", "", 0, 0, 0, (), held=0)
    waking = dataclasses.replace(napping, name="rise", held=3)
    lines = shown(seen(napping, waking))
    nap, rise = (line for line in lines if line.startswith(("nap", "rise")))
    assert "asleep" in nap
    assert "waking (3 wait)" in rise
    assert not any("Not ready" in line for line in lines)
