"""Ends containers when there is no node agent: after a `kill -9` of everything, `down` must still leave nothing behind.

Blocking, for a command line. What the pods' records say stays as it is: the next agent finds their processes gone and goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import signal
import time
from collections.abc import Iterable, Iterator

from brickyard.embedded.kubelet import errors, procfs, records
from brickyard.lib import process

LOCK = "lock"
PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL, and at most as long for an agent that is just dying."""


def end(folder: pathlib.Path, patience: float = PATIENCE) -> int:
    """End every process of the pods in ``folder``, the agent's data directory; how many there were.

    Raises:
        AlreadyRunning: an agent works there and does not go away.
    """
    if not (folder / "pods").is_dir():
        return 0
    with _locked(folder / LOCK, patience):
        uids = {each.uid for each in records.folders(folder / "pods")}
        found = [each.identity for each in procfs.strays(uids, ())]
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = [each for each in found if procfs.send(each, number)]
            _wait(left, patience)
        # What unmarked processes there are goes with the leader, by its shim; then that goes too.
        shims = [each.identity for each in procfs.shims(uids)]
        _wait(shims, patience)
        for each in shims:
            procfs.send(each, signal.SIGKILL)
        return len(found)


def _wait(processes: Iterable[process.Identity], patience: float) -> None:
    """Until all have ended, at most ``patience`` seconds."""
    deadline = time.monotonic() + patience
    for each in processes:
        each.wait(deadline - time.monotonic())


@contextlib.contextmanager
def _locked(path: pathlib.Path, patience: float) -> Iterator[None]:
    deadline = time.monotonic() + patience
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    text = f"a node agent still works on {path.parent}: see its log, or end it with kill"
                    raise errors.AlreadyRunning(text) from None
                time.sleep(0.05)
        yield
