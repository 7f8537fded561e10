"""A Redis of one's own, for tests and benches: a real server on a socket in a folder, started, stopped and started again as one wants."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

DEADLINE = 10.0
"""Seconds that a server may take to answer."""


def installed() -> str | None:
    """The program, where there is one."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@contextlib.contextmanager
def running(folder: pathlib.Path) -> Iterator[str]:
    """The address of a server; "" where none is installed."""
    if installed() is None:
        yield ""
        return
    server = Redis(folder)
    server.start()
    try:
        yield server.url
    finally:
        server.kill()


class Redis:
    """``start`` returns once it answers; ``stop`` asks it to end, ``kill`` does not ask. It keeps nothing on disk.

    Skips the test where no server is installed.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        program = installed()
        if program is None:
            pytest.skip("neither redis-server nor valkey-server is installed: apt-get install redis-server")
        self._socket = folder / "socket"
        place = ("--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder))
        self._command = [program, *place, "--save", "", "--appendonly", "no"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address, whether it runs or not."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """
        Raises:
            TimeoutError: it does not answer.
        """
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self._socket)) == 0:
                    return
            time.sleep(0.01)
        self.kill()
        raise TimeoutError("redis-server did not start")

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(DEADLINE)

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
