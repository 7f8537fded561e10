"""Keeps what pods were given up to date while they run: their names of Services, and the files made of ConfigMaps and Secrets.

Names follow the API's own news, within moments. Files are compared with the API every ``PERIOD`` seconds, as a cluster's node agent does
about every minute; a source that is gone or cannot be read leaves what there is.
"""

from __future__ import annotations

import asyncio
import os
import pathlib
from collections.abc import Awaitable, Callable, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import errors, hosts, surroundings, volumes
from brickyard.kube.client import contract as kube
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.lib import logs, tasks

PERIOD = 20.0
SETTLE = 0.1
"""Seconds to gather news of Services in, before every pod's file is written."""
_MACHINE = pathlib.Path("/etc/hosts")

log = logs.get(__name__)

Places = Callable[[], Sequence[surroundings.Place]]


class Names:
    """The names that pods know. ``machine`` is the machine's own file of names."""

    def __init__(self, client: kube.Client, machine: pathlib.Path = _MACHINE) -> None:
        self._services = informers.Informer(client, resources.SERVICE)
        self._slices = informers.Informer(client, resources.ENDPOINT_SLICE)
        self._machine = machine
        self._common: dict[str, str] = {}
        self._entries: tuple[hosts.Entry, ...] | None = None
        self.changed = asyncio.Event()
        self._services.subscribe(self._news)
        self._slices.subscribe(self._news)

    async def run(self) -> None:
        """Follow the API until cancelled."""
        async with tasks.Scope("names") as scope:
            running = [scope.start(each.run(), name=each.kind.plural) for each in (self._services, self._slices)]
            await asyncio.gather(*running)

    def common(self, namespace: str) -> str:
        """The lines that every pod of ``namespace`` has."""
        if self._entries is None:
            self._entries = hosts.entries(self._services.list(), self._slices.list())
            self._common.clear()
        if namespace not in self._common:
            self._common[namespace] = hosts.lines(self._entries, namespace)
        return self._common[namespace]

    async def write(self, place: surroundings.Place, *, make: bool = True) -> None:
        """Write the pod's file of names, if it says something new. Without ``make`` only where there is one already."""
        common = self.common(meta.namespace(place.pod))
        await asyncio.to_thread(self._write, place, common, make)

    def _write(self, place: surroundings.Place, common: str, make: bool) -> None:
        try:
            machine = self._machine.read_text(errors="replace")
        except OSError:
            machine = ""
        file = place.folder.path / surroundings.HOSTS
        text = hosts.render(place.pod, place.address, common, machine).encode()
        if file.is_file() and file.read_bytes() == text:
            return
        if make:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Written over, not replaced: containers have this very file mounted.
            descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if make else 0), 0o644)
        except FileNotFoundError:
            return  # the pod is being removed, or has not come so far
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)

    def _news(self, old: resources.Object | None, new: resources.Object | None) -> None:
        del old, new
        self._entries = None
        self.changed.set()


class Follower:
    """Keeps pods' names and files current. ``places`` are those of the pods that are looked after."""

    def __init__(self, names: Names | None, objects: surroundings.Objects, places: Places) -> None:
        self._names = names
        self._objects = objects
        self._places = places

    async def run(self) -> None:
        """Work until cancelled."""
        async with tasks.Scope("follower") as scope:
            if self._names is not None:
                scope.start(self._names.run(), name="names")
                scope.start(self._follow_names(self._names), name="hosts")
            await scope.start(self._follow_files(), name="files")

    async def _follow_names(self, names: Names) -> None:
        while True:
            await names.changed.wait()
            await asyncio.sleep(SETTLE)
            names.changed.clear()
            for place in self._places():
                await _tolerant(names.write(place, make=False), place)

    async def _follow_files(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            for place in self._places():
                if volumes.follows(place.pod):
                    await _tolerant(self.refresh(place), place)

    async def refresh(self, place: surroundings.Place) -> list[str]:
        """Bring one pod's files up to date; the volumes that changed.

        Raises:
            NotStarted: a source cannot be had.
        """
        facts = await self._objects.facts(place, wait=0.0)
        changed = await asyncio.to_thread(volumes.refresh, place.pod, place.folder.volumes, facts)
        if changed:
            log.info("volumes follow the API", pod=str(meta.key(place.pod)), volumes=", ".join(changed))
        return changed


async def _tolerant(work: Awaitable[object], place: surroundings.Place) -> None:
    """One pod's trouble is not the others'."""
    try:
        await work
    except (OSError, errors.KubeletError) as error:
        log.warning("pod does not follow the API", pod=str(meta.key(place.pod)), error=error)
