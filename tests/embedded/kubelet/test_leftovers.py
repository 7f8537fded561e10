from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from brickyard.embedded.kubelet import errors, leftovers, processes, procfs, shims

UID = "5a3f0c1e-0000-4000-8000-000000000001"
FOREVER = "import time; print('up', flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@contextlib.contextmanager
def container(code: str, uid: str = UID) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, procfs.COOKIE: f"{uid}/main/0"}
    with subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        try:
            yield child
        finally:
            child.kill()


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "pods" / UID).mkdir(parents=True)
    return tmp_path


def test_what_is_left_of_pods_ends(folder: pathlib.Path) -> None:
    with container(FOREVER) as child:
        assert leftovers.end(folder) == 1
        assert child.wait(5) == -signal.SIGTERM


def test_what_does_not_listen_is_killed(folder: pathlib.Path) -> None:
    with container(DEAF) as child:
        assert leftovers.end(folder, patience=0.2) == 1
        assert child.wait(5) == -signal.SIGKILL


async def test_shims_are_waited_for(folder: pathlib.Path) -> None:
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(4)); print('up', flush=True); time.sleep(60)"
    command = shims.Command(
        [sys.executable, "-c", code], {}, folder, folder / "log", f"{UID}/main/0", folder / "end.json"
    )
    started = await processes.start(command)
    while b"up" not in (folder / "log").read_bytes():
        await asyncio.sleep(0.005)
    assert await asyncio.to_thread(leftovers.end, folder) == 1
    assert procfs.shims({UID}) == []
    assert (await started.wait()).exit_code == 4


def test_containers_of_another_folder_live_on(folder: pathlib.Path) -> None:
    with container(FOREVER, uid="5a3f0c1e-0000-4000-8000-00000000000f") as child:
        assert leftovers.end(folder) == 0
        assert child.poll() is None


def test_where_no_pod_ever_was_there_is_nothing_to_do(tmp_path: pathlib.Path) -> None:
    assert leftovers.end(tmp_path / "nowhere") == 0


def test_a_living_agent_is_left_alone(folder: pathlib.Path) -> None:
    with (folder / leftovers.LOCK).open("a") as lock, container(FOREVER) as child:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(errors.AlreadyRunning, match="still works on"):
            leftovers.end(folder, patience=0.2)
        assert child.poll() is None
