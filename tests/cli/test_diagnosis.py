"""From facts to findings."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import pytest

from brickyard.cli import diagnosis
from brickyard.cli.diagnosis import GIB, Level

WELL = diagnosis.Facts(
    versions=("1.0", (3, 12, 1)),
    system="Linux",
    pod_addresses="",
    mounts=True,
    folder="/data",
    folder_trouble="",
    disk_free=50 * GIB,
    memory_free=8 * GIB,
    memory_limit=0,
    open_files=(65536, 65536),
    processes=(sys.maxsize, sys.maxsize),
    running=False,
    parts={"OpenAI API": diagnosis.Part("http://127.0.0.1:8888")},
    engines={"llamacpp": diagnosis.Engine(version="1.2")},
    gpus=("NVIDIA H200",),
    programs={"kubectl": "v1.34.0"},
)


def findings(**facts: Any) -> dict[str, diagnosis.Finding]:
    return {each.about: each for each in diagnosis.findings(dataclasses.replace(WELL, **facts))}


def test_a_variable_that_nobody_reads() -> None:
    found = findings(unread=["BRICKYARD_SPEED is not read: no setting has this name"])["variables"]
    assert (found.level, found.text) == (
        diagnosis.Level.WARNING,
        "BRICKYARD_SPEED is not read: no setting has this name",
    )


def test_a_machine_that_lacks_nothing() -> None:
    found = diagnosis.findings(WELL)
    assert {each.level for each in found} == {Level.OK}
    assert {each.remedy for each in found} == {""}
    assert diagnosis.worst(found) is Level.OK


#   facts                                              about         level          says
ROWS: list[tuple[dict[str, Any], str, Level, str]] = [
    ({"versions": ("1.0", (3, 10, 9))},                "version",    Level.FAULT,   "Python 3.10.9"),
    ({"versions": ("1.0", (3, 11, 0))},                "version",    Level.OK,      "Brickyard 1.0"),
    ({"system": "Darwin"},                             "system",     Level.FAULT,   "Darwin"),
    ({"pod_addresses": "Cannot assign"},               "system",     Level.FAULT,   "Cannot assign"),
    ({"mounts": False},                                "mounts",     Level.NOTE,    "cannot have mounts"),
    ({"folder_trouble": "/data is no folder"},         "data",       Level.FAULT,   "no folder"),
    ({"disk_free": 256 * 1024**2 - 1},                 "data",       Level.FAULT,   "255 MiB free"),
    ({"disk_free": 256 * 1024**2},                     "data",       Level.WARNING, "256 MiB free"),
    ({"disk_free": 5 * GIB - 1},                       "data",       Level.WARNING, "5.0 GiB free"),
    ({"disk_free": 5 * GIB},                           "data",       Level.OK,      "5.0 GiB free"),
    ({"memory_free": GIB - 1},                         "memory",     Level.WARNING, "1023 MiB"),
    ({"memory_free": GIB},                             "memory",     Level.OK,      "1.0 GiB"),
    ({"open_files": (8191, 65536)},                    "open files", Level.WARNING, "8191"),
    ({"open_files": (8192, 8192)},                     "open files", Level.OK,      "8192"),
    ({"memory_free": 1, "memory_limit": 2 * GIB},      "memory",     Level.WARNING, "0 MiB available of the 2.0 GiB"),
    ({"memory_free": GIB, "memory_limit": 2 * GIB},    "memory",     Level.OK,      "of the 2.0 GiB that our control group"),
    ({"processes": (4095, 65536)},                     "processes",  Level.WARNING, "few for several engines"),
    ({"processes": (4096, 4096)},                      "processes",  Level.OK,      "4096 and threads"),
    ({"parts": {"API": diagnosis.Part("u", "taken", "move")}}, "API", Level.FAULT,  "taken"),
    ({"parts": {"API": diagnosis.Part("u")}},          "API",        Level.OK,      "u is free"),
    ({"parts": {"API": diagnosis.Part("u")}, "running": True}, "API", Level.OK,     "u answers"),
    ({"engines": {"vllm": diagnosis.Engine("vLLM is not there: get it")}}, "vllm", Level.NOTE, "vLLM is not there"),
    ({"engines": {"sim": diagnosis.Engine()}},         "sim",        Level.OK,      "can run here"),
    ({},                                               "llamacpp",   Level.OK,      "1.2 can run here"),
    ({"gpus": ("A", "B", "A")},                        "GPUs",       Level.OK,      "2 A, 1 B"),
    ({"gpus": ()},                                     "GPUs",       Level.NOTE,    "none found"),
    ({"programs": {"kubectl": None}},                  "kubectl",    Level.NOTE,    "not on PATH"),
    ({"programs": {"kubectl": ""}},                    "kubectl",    Level.OK,      "is on PATH"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "about", "level", "says"), ROWS)
def test_what_is_found(facts: dict[str, Any], about: str, level: Level, says: str) -> None:
    found = findings(**facts)[about]
    assert found.level is level
    assert says in found.text
    assert bool(found.remedy) == (level is not Level.OK), "whatever is not well has a remedy"


@pytest.mark.parametrize(
    ("limits", "remedy"),
    [
        ((1024, 1_048_576), "`ulimit -n 65536` before `brickyard up`"),
        ((1024, 4096), "`ulimit -n 4096` before `brickyard up`"),
        ((1024, 1024), "raise the hard limit, in limits.conf or as LimitNOFILE="),
    ],
)
def test_the_remedy_for_few_descriptors_is_one_that_works(limits: tuple[int, int], remedy: str) -> None:
    assert findings(open_files=limits)["open files"].remedy == remedy


def test_an_engines_remedy_is_its_own() -> None:
    engines = {"a": "A is not installed here: run pip install a", "b": "B is missing"}
    found = findings(engines={name: diagnosis.Engine(missing) for name, missing in engines.items()})
    assert (found["a"].text, found["a"].remedy) == ("A is not installed here", "run pip install a")
    assert (found["b"].text, found["b"].remedy) == ("B is missing", "install it to serve models with it")


def test_the_worst_decides() -> None:
    assert diagnosis.worst(list(findings(gpus=()).values())) is Level.NOTE
    assert diagnosis.worst(list(findings(gpus=(), memory_free=1).values())) is Level.WARNING
    assert diagnosis.worst(list(findings(system="Plan 9", memory_free=1).values())) is Level.FAULT
    assert diagnosis.worst([]) is Level.OK


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 MiB"), (GIB - 1, "1023 MiB"), (GIB * 3 // 2, "1.5 GiB"), (10 * GIB, "10 GiB")]
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert diagnosis.size(count) == text
