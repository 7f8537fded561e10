"""The command line as a process: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import brickyard

COMMANDS = ("up", "down", "status", "apply", "get", "logs", "why", "env", "fetch", "gateway", "version")


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "brickyard.cli.main", *words]
    return subprocess.run(
        command,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_version() -> None:
    assert run("version").stdout == f"brickyard {brickyard.__version__}\n"


def test_help_names_every_command_and_hides_the_inner_one() -> None:
    done = run("--help")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()]
    assert set(COMMANDS) <= set(listed)
    assert "machine" not in listed


@pytest.mark.parametrize("command", [*COMMANDS, "machine"])
def test_every_command_explains_itself(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from brickyard.cli import main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(done.stdout.split())
    heavy = {"asyncio", "httpx2", "rich.console", "uvloop", "yaml", "starlette", "lightkube", "cryptography", "orjson"}
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["status"], "Brickyard does not run in"),
        (["env"], "Brickyard does not run in"),
        (["why"], "which decision?"),
        (["why", "x", "--last"], "which decision?"),
        (["why", "--last"], "Brickyard does not run in"),
        (["why", "--last", "--gateway", "ftp://x"], "is no URL of a gateway"),
        (["get", "pods", "-o", "xml"], "unknown output"),
        (["apply", "-f", "/nowhere.yaml"], "cannot read /nowhere.yaml: No such file or directory"),
        (["apply", "-f", "-"], "holds no object"),
        (["logs", "machine"], "no log at"),
        (["up", "--api-port", "many"], "Invalid value"),
    ],
)
def test_a_usage_error_is_one_clear_message(tmp_path: pathlib.Path, words: list[str], said: str) -> None:
    done = run(*words, BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_brings_its_next_step(tmp_path: pathlib.Path) -> None:
    done = run("status", BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.stderr.splitlines()[-1] == "  → start it with `brickyard up --detach`"


def test_a_setting_that_does_not_parse_is_named(tmp_path: pathlib.Path) -> None:
    done = run("up", BRICKYARD_DATA_DIR=str(tmp_path), BRICKYARD_API_PORT="often")
    assert done.returncode == 2
    assert "BRICKYARD_API_PORT='often' is not valid" in done.stderr


def test_a_gateway_that_is_not_there_is_said_so() -> None:
    done = run("why", "--last", "--gateway", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "no gateway answers at http://127.0.0.1:1" in done.stderr


def test_down_where_nothing_runs_is_no_error(tmp_path: pathlib.Path) -> None:
    done = run("down", BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.returncode == 0
    assert "does not run" in done.stdout


def test_completion_is_offered() -> None:
    done = run(_BRICKYARD_COMPLETE="source_bash")
    assert "complete" in done.stdout + run("--show-completion", SHELL="/bin/bash").stdout
