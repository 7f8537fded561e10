"""Who runs where: what is measured has a core to itself, all that drives or answers it has the others.

A load generator on the core of what it loads makes waits of its own and counts them as the other's. So does whatever else the machine does:
where we may, everything of the benchmark goes before it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import psutil

ALL: frozenset[int] = frozenset(os.sched_getaffinity(0))
"""Cores that may be used at all."""


def measured(cores: frozenset[int] = ALL) -> frozenset[int]:
    """Where proxies run, one after the other; on a machine of one core there is nothing to set apart."""
    return frozenset({min(cores)})


def others(cores: frozenset[int] = ALL) -> frozenset[int]:
    """Where engines and loads run."""
    return cores - measured(cores) or cores


NICE = -20
"""Of what is measured and of what it is measured with, where the system lets us."""


@contextlib.contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started within the block stays on ``cores`` and goes before others there, with all that it starts itself."""
    before, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, cores)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def first() -> Iterator[None]:
    """Within the block this process and all that it has started go before everybody else, where the system lets us.

    For waits at a rate that leaves the cores idle for the most part: with other processes about, a 99th percentile is the scheduler's tick
    otherwise. A load that takes all it can get would leave nothing to anybody.
    """
    ours = psutil.Process()
    threads = [thread for each in (ours, *ours.children(recursive=True)) for thread in _threads(each)]
    changed = [thread for thread in threads if _scheduled(thread, os.SCHED_RR, 1)]
    try:
        yield
    finally:
        for thread in changed:
            _scheduled(thread, os.SCHED_OTHER, 0)


def _threads(process: psutil.Process) -> list[int]:
    try:
        return [thread.id for thread in process.threads()]
    except psutil.NoSuchProcess:
        return []


def _scheduled(thread: int, policy: int, priority: int) -> bool:
    try:
        os.sched_setscheduler(thread, policy, os.sched_param(priority))
    except (PermissionError, ProcessLookupError):
        return False
    return True
