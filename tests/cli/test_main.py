"""The command line as a process: what it prints, where, and with which exit code."""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import yaml
from typer import testing

import brickyard
from brickyard.cli import main

COMMANDS = (
    "up", "down", "status", "apply", "get", "delete", "events", "logs", "why", "env", "fetch", "gateway", "apiserver", "version",
    "serve",
    "services",
    "user",
    "doctor",
    "chat",
)  # fmt: skip


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


def test_the_version_as_an_option() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"brickyard {brickyard.__version__}\n")


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


def screen(*words: str) -> str:
    """A command's help on a terminal of 80 columns."""
    done = testing.CliRunner().invoke(main.app, [*words, "--help"], prog_name="brickyard", env={"COLUMNS": "80"})
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("words", [(), ("user",), ("user", "keys"), ("autoscaler",)])
def test_help_says_each_command_whole(words: tuple[str, ...]) -> None:
    listed = screen(*words).partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


def test_help_names_what_is_to_be_written() -> None:
    text = screen("serve")
    assert "brickyard serve [OPTIONS] MODEL [-- ENGINE-ARGUMENTS]" in text
    assert "--replicas N " in text
    assert "--env NAME=VALUE" in text


@pytest.mark.parametrize("words", [*((each,) for each in COMMANDS), ("autoscaler", "replay"), ("user", "create")])
def test_help_speaks_of_no_types(words: tuple[str, ...]) -> None:
    text = screen(*words)
    assert not re.search(r"<[a-z]", text.replace("<=x", "")), text
    assert "{" not in text


def test_a_gateway_without_a_cluster_hears_of_the_other_way(tmp_path: pathlib.Path) -> None:
    done = run("gateway", "--port", "0", HOME=str(tmp_path), KUBECONFIG="")
    assert done.returncode == 2
    assert "--endpoints-config FILE" in done.stderr.splitlines()[-1]


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
        (["env", "--shell", "cmd"], "'cmd' is no shell that is known here"),
        (["serve", "Qwen/Qwen3-0.6B"], "Brickyard does not run in"),
        (["serve", "nowhere.gguf"], "there is no model at"),
        (["serve", "a", "b"], "'b' is one word too many"),
        (["chat", "brick"], "Brickyard does not run in"),
        (["chat", "brick", "--gateway", "http://127.0.0.1:1"], "there is no question"),
        (["why"], "which decision?"),
        (["why", "x", "--last"], "which decision?"),
        (["why", "--last"], "Brickyard does not run in"),
        (["why", "--last", "--gateway", "ftp://x"], "is no URL of a gateway"),
        (["get", "pods", "-o", "xml"], "unknown output"),
        (["apply", "-f", "/nowhere.yaml"], "cannot read /nowhere.yaml: No such file or directory"),
        (["apply", "-f", "-"], "holds no object"),
        (["logs", "machine"], "no log at"),
        (["logs", "machine", "--previous"], "are of pods"),
        (["logs", "gateway", "--since", "5m"], "are of pods"),
        (["logs", "pod", "--since", "soon"], "'soon' is no span of time"),
        (["get", "pods", "one", "-A"], "one object cannot be in all namespaces"),
        (["get", "pods/one", "-A"], "one object cannot be in all namespaces"),
        (["gateway", "--port", "65536"], "Invalid value"),
        (["gateway", "--endpoints-config", "/nowhere.yaml"], "/nowhere.yaml cannot be read: No such file or directory"),
        (["services", "--port", "-1"], "Invalid value"),
        (["user", "update", "ada"], "nothing to change"),
        (["up", "--api-port", "many"], "Invalid value"),
        (["up", "--gateway-port", "65536"], "Invalid value"),
        (["up", "--api-port", "9999", "--gateway-port", "9999"], "cannot both listen on port 9999"),
    ],
)
def test_a_usage_error_is_one_clear_message(tmp_path: pathlib.Path, words: list[str], said: str) -> None:
    done = run(*words, BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_rehearsal_prints_the_manifest_and_needs_nothing(tmp_path: pathlib.Path) -> None:
    words = ("serve", "org/Brick-1B", "--dry-run", "-n", "there", "--replicas", "2", "--", "--max-model-len", "4096")
    deployment, service = yaml.safe_load_all(run(*words, BRICKYARD_DATA_DIR=str(tmp_path)).stdout)
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "brick-1b"
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == [
        "--model",
        "org/Brick-1B",
        "--served-model-name",
        "brick-1b",
        "--host",
        "0.0.0.0",
        "--port",
        "8000",
        "--max-model-len",
        "4096",
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_error_brings_its_next_step(tmp_path: pathlib.Path) -> None:
    done = run("status", BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.stderr.splitlines()[-1] == "  → start it with `brickyard up --detach`"


@pytest.mark.parametrize("words", [["get", "pods"], ["events"], ["logs", "a-pod"], ["delete", "pod", "a"]])
def test_without_any_cluster_the_way_to_one_is_told(tmp_path: pathlib.Path, words: list[str]) -> None:
    done = run(*words, BRICKYARD_DATA_DIR=str(tmp_path / "data"), HOME=str(tmp_path), KUBECONFIG="")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"error: Brickyard does not run in {tmp_path / 'data'}",
        "  → start it with `brickyard up --detach`, or set KUBECONFIG to a cluster's",
    ]


def test_a_setting_that_does_not_parse_is_named(tmp_path: pathlib.Path) -> None:
    done = run("up", BRICKYARD_DATA_DIR=str(tmp_path), BRICKYARD_API_PORT="often")
    assert done.returncode == 2
    assert "BRICKYARD_API_PORT='often' is not valid" in done.stderr


def test_a_port_that_is_none_is_no_crash(tmp_path: pathlib.Path) -> None:
    done = run("up", BRICKYARD_DATA_DIR=str(tmp_path), BRICKYARD_API_PORT="70000")
    assert done.returncode == 2
    assert "70000 is no TCP port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("tail", "lines"), [("0", ""), ("2", "b\nc\n"), ("3", "a\nb\nc\n"), ("4", "a\nb\nc\n"), ("9", "a\nb\nc\n")]
)
def test_the_tail_of_a_parts_log(tmp_path: pathlib.Path, tail: str, lines: str) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "machine.log").write_text("a\nb\nc\n")
    assert run("logs", "machine", "--tail", tail, BRICKYARD_DATA_DIR=str(tmp_path)).stdout == lines


def test_a_parts_log_goes_on_from_what_was_rotated(tmp_path: pathlib.Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "gateway.log.1").write_bytes(b"one\ntwo\n")
    (tmp_path / "logs" / "gateway.log").write_text("three\n")
    assert run("logs", "gateway", BRICKYARD_DATA_DIR=str(tmp_path)).stdout == "one\ntwo\nthree\n"
    assert run("logs", "gateway", "--tail", "2", BRICKYARD_DATA_DIR=str(tmp_path)).stdout == "two\nthree\n"


def test_a_start_in_the_background_that_fails_says_why(tmp_path: pathlib.Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("up", "--detach", "--api-port", port, BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}")


def test_a_gateway_that_is_not_there_is_said_so() -> None:
    done = run("why", "--last", "--gateway", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "nobody answers at http://127.0.0.1:1" in done.stderr


def test_a_chat_with_nobody_is_said_so() -> None:
    done = run("chat", "brick", "-m", "hi", "--gateway", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no answer from http://127.0.0.1:1/v1/chat/completions: ")
    assert done.stdout == ""


def test_down_where_nothing_runs_is_no_error(tmp_path: pathlib.Path) -> None:
    done = run("down", BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.returncode == 0
    assert "does not run" in done.stdout


def test_the_doctor_finds_a_taken_port(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(
            "doctor", BRICKYARD_DATA_DIR=str(tmp_path / "new"), BRICKYARD_API_PORT=port, BRICKYARD_GATEWAY_PORT="1"
        )
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fault    Kubernetes API"))
    assert f"cannot listen on 127.0.0.1:{port}" in lines[at]
    assert "--api-port PORT" in lines[at + 1]
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert not (tmp_path / "new").exists()


def test_completion_is_offered() -> None:
    done = run(_BRICKYARD_COMPLETE="source_bash")
    assert "complete" in done.stdout + run("--show-completion", SHELL="/bin/bash").stdout


def test_a_next_step_finds_the_same_place(tmp_path: pathlib.Path) -> None:
    elsewhere = tmp_path / "a b"
    done = run("status", "--data-dir", str(elsewhere), BRICKYARD_DATA_DIR=str(tmp_path))
    assert done.stderr.splitlines()[-1] == f"  → start it with `brickyard up --detach --data-dir '{elsewhere}'`"
