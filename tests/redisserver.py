"""A Redis of a test's own: a real server on a socket in its folder, started, stopped and started again as the test wants."""

from __future__ import annotations

import pathlib
import shutil
import socket
import subprocess
import time

import pytest

DEADLINE = 10.0
"""Seconds that a server may take to answer."""


class Redis:
    """``start`` returns once it answers; ``stop`` asks it to end, ``kill`` does not ask. It keeps nothing on disk.

    Skips the test where no server is installed.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            pytest.skip("neither redis-server nor valkey-server is installed: apt-get install redis-server")
        self._socket = folder / "socket"
        given = (
            "--port",
            "0",
            "--unixsocket",
            str(self._socket),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        )
        self._command = [program, *given]
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
