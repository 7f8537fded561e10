"""An API server as its users run it, ``brickyard apiserver``, and the real kubectl to speak to it.

A cluster keeps its port and its directory over restarts, so that clients outlive them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

BIN = pathlib.Path(sys.executable).parent
KUBECTL = BIN / "kubectl"
_START = 30.0
_STOP = 15.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What a command left behind. Under a pseudo-terminal nothing differs: kubectl prints the same."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line of output."""
        return [line.split() for line in self.out.splitlines()]


@dataclasses.dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig and a namespace of its own."""

    kubeconfig: pathlib.Path
    cache: pathlib.Path
    namespace: str = "default"

    def command(self, *words: str) -> list[str]:
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.cache), "--namespace", self.namespace)
        return [str(KUBECTL), *flags, *words]

    def __call__(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def says(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """Output of a command that must succeed."""
        result = self(*words, stdin=stdin, env=env)
        assert result.code == 0, (words, result.out, result.err)
        return result.out

    def refused(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """What a command that must fail complains of."""
        result = self(*words, stdin=stdin, env=env)
        assert result.code != 0, (words, result.out, result.err)
        return result.err

    def apply(self, text: str, *flags: str) -> str:
        return self.says("apply", *flags, "-f", "-", stdin=text)

    def object(self, *words: str) -> dict[str, Any]:
        """``get`` as decoded JSON."""
        found: dict[str, Any] = json.loads(self.says("get", *words, "-o", "json"))
        return found

    def path(self, target: str, path: str) -> str:
        """``get`` of one value: ``path`` is a JSON path without braces."""
        return self.says("get", target, "-o", f"jsonpath={{{path}}}")

    @contextlib.contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; it is gone when the block ends."""
        process = subprocess.Popen(
            self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next ``count`` lines of a command that goes on. The test's own deadline is the deadline."""
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def has_said(process: subprocess.Popen[str]) -> bool:
    """Whether a command that goes on has written something that was not read yet."""
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])


def until(condition: Callable[[], Any], what: str, within: float = 20.0) -> Any:
    """The first true answer of ``condition``, which asks another process; fails with ``what`` when there is none in time."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclasses.dataclass
class Cluster:
    """One data directory and one port; ``start``, ``stop`` and ``kill`` as often as wanted."""

    path: pathlib.Path
    port: int = dataclasses.field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def data(self) -> pathlib.Path:
        return self.path / "data"

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.data / "kubeconfig"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def kubectl(self, namespace: str = "default") -> Kubectl:
        return Kubectl(self.kubeconfig, self.path / "cache", namespace)

    def start(self) -> None:
        """Returns when requests are answered."""
        words = ["apiserver", "--data-dir", str(self.data), "--port", str(self.port)]
        with (self.path / "log").open("a") as log:
            self.process = subprocess.Popen(
                [str(BIN / "brickyard"), *words], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout is not None
        began = time.monotonic()
        told = self.process.stdout.readline()
        assert "is up" in told, (self.path / "log").read_text()
        assert time.monotonic() - began < _START

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        assert self.process is not None
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """The exit code after a polite request."""
        if self.process is None:
            return 0
        self.process.terminate()
        return self._ended()

    def _ended(self) -> int:
        assert self.process is not None
        try:
            self.process.communicate(timeout=_STOP)
        finally:
            self.process.kill()
            code, self.process = self.process.wait(), None
        return code


@contextlib.contextmanager
def running(path: pathlib.Path) -> Iterator[Cluster]:
    """A cluster that answers; afterwards its process is gone, and it went politely."""
    cluster = Cluster(path)
    try:
        cluster.start()
        yield cluster
    finally:
        code = cluster.stop()
    assert code == 0, (path / "log").read_text()
