"""The log subresource's side of the node agent: which run's log is meant, and its text, as it is and as it grows.

How a log is written says ``shim.framing``, how it is rotated ``shim.files``; ``logfiles`` and ``logtext`` read it back.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable

from brickyard.api.kinds import podlogs
from brickyard.embedded.kubelet import logfiles, logtext
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import machine, spec

FOLLOW_PAUSE = 0.1
"""Seconds between looks at a log that does not grow."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run whose log is asked for. ``ended`` says whether the process is gone by now."""

    path: pathlib.Path
    ended: Callable[[], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod as far as its logs go. ``log`` gives the path of a run's log."""

    name: str
    machine: machine.PodMachine
    log: Callable[[str, int], pathlib.Path]


class KubeletLogs:
    """Fills ``api.kinds.podlogs.PodLogs``. ``find`` gives the pod of a namespace and name, None when it is not here."""

    def __init__(self, find: Callable[[str, str], Pod | None]) -> None:
        self._find = find

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        pod = self._find(query.namespace, query.pod)
        if pod is None:
            raise podlogs.LogsUnavailable(f'pod "{query.pod}" has not been started on this node (yet)')
        run = choose_run(pod, choose_container(pod, query.container), query.previous)
        choice = logtext.Choice(query.timestamps, query.since, query.stream.lower().encode())
        return read(run, Wanted(query.follow, query.tail_lines, query.limit_bytes, choice))


def choose_container(pod: Pod, wanted: str) -> containers.Container:
    """The container named, or the only one.

    Raises:
        LogsUnavailable: there is no such container, or none is named and there are several.
    """
    everyone = list(pod.machine.containers.values())
    main = [each for each in everyone if each.plan.role is spec.Role.MAIN]
    if wanted:
        found = next((each for each in everyone if each.name == wanted), None)
        if found is None:
            raise podlogs.LogsUnavailable(f"container {wanted} is not valid for pod {pod.name}")
        return found
    if len(main) == 1:
        return main[0]
    names = " ".join(each.name for each in main)
    first = [each.name for each in everyone if each.plan.role is not spec.Role.MAIN]
    text = f"a container name must be specified for pod {pod.name}, choose one of: [{names}]"
    raise podlogs.LogsUnavailable(text + (f" or one of the init containers: [{' '.join(first)}]" if first else ""))


def choose_run(pod: Pod, container: containers.Container, previous: bool) -> Run:
    """The current run, or the last one when none runs; with ``previous`` the one before it.

    Raises:
        LogsUnavailable: there was no such run, or its log is not kept any more.
    """
    current = container.runs - 1
    attempt = current - 1 if previous else current
    if previous and attempt < 0:
        text = f'previous terminated container "{container.name}" in pod "{pod.name}" not found'
        raise podlogs.LogsUnavailable(text)
    if attempt < 0:
        waiting = container.waiting or containers.Waiting("PodInitializing")
        text = f'container "{container.name}" in pod "{pod.name}" is waiting to start: {waiting.reason}'
        raise podlogs.LogsUnavailable(f"{text}: {waiting.message}" if waiting.message else text)
    path = pod.log(container.name, attempt)
    if not logfiles.exists(path):
        text = f'the log of container "{container.name}" in pod "{pod.name}" is not kept any more'
        end = container.before if previous and not container.running else container.last
        if end is not None and not end.container_id:
            text = f'container "{container.name}" in pod "{pod.name}" never ran: {end.message}'
        raise podlogs.LogsUnavailable(text)
    return Run(path, lambda: not (container.running and container.runs - 1 == attempt))


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a run's log: the last ``tail`` lines of all there is (None: everything), what ``choice`` leaves of them, and, with
    ``follow``, what is yet to come; ``limit`` bytes at most."""

    follow: bool = False
    tail: int | None = None
    limit: int | None = None
    choice: logtext.Choice = logtext.ALL


async def read(run: Run, wanted: Wanted) -> AsyncIterator[bytes]:
    """The text of a run's log."""
    left = wanted.limit
    async for chunk in _text(run, wanted):
        if left is None:
            yield chunk
            continue
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


async def _text(run: Run, wanted: Wanted) -> AsyncIterator[bytes]:
    text = logtext.Text(wanted.choice)
    reader = await asyncio.to_thread(logfiles.Reader, run.path, wanted.tail, logtext.ends_line)
    try:
        while True:
            # Asked before the last read: what the process wrote before its end is not missed.
            over = not wanted.follow or run.ended()
            while chunk := await asyncio.to_thread(reader.next):
                if said := text.feed(chunk):
                    yield said
            if over:
                break
            await asyncio.sleep(FOLLOW_PAUSE)
        if said := text.end():
            yield said
    finally:
        reader.close()
