"""From a container in a manifest to a running process: everything between the decision to start and the process.

    objects it refers to ─► volumes ─► environment ─► words, paths replaced ─► image's command ─► models fetched ─► process

Every step can refuse with ``NotStarted``, whose reason and message the pod's status then shows.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import (
    contract,
    devices,
    errors,
    follower,
    images,
    probes,
    processes,
    shims,
    surroundings,
    views,
)
from brickyard.engines import contract as engines
from brickyard.kube.client import contract as kube
from brickyard.lib import clock
from brickyard.lib import errors as lib_errors

PROGRESS_STEP = 2.0
"""Seconds between two words about a fetch: each becomes a write of the pod's status."""


Place = surroundings.Place
termination_log = surroundings.termination_log


@dataclasses.dataclass(frozen=True, slots=True)
class Telling:
    """How a start speaks of itself: ``progress`` (a line for the status) and ``event`` (type, reason, message)."""

    progress: Callable[[str], None]
    event: Callable[[str, str, str], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """What all pods share here."""

    node: str
    host_address: str
    capacity: Mapping[str, str]
    devices: devices.Devices
    images: images.Images
    models: contract.Models
    clock: clock.Clock
    rotation: shims.Rotation = shims.ROTATION
    ground: views.Ground = views.UNMOUNTED
    names: follower.Names | None = None


class Starter:
    """Starts containers."""

    def __init__(self, client: kube.Client, machine: Machine) -> None:
        self._client = client
        self._machine = machine
        site = surroundings.Site(machine.node, machine.host_address, machine.capacity)
        self.objects = surroundings.Objects(client, site)

    async def start(self, place: Place, name: str, attempt: int, telling: Telling) -> processes.Process:
        """Start one run of a container.

        Raises:
            NotStarted: it cannot be started as things are. NoProgram: not even that, its program is missing.
        """
        container = find(place.pod, name)
        prepared = await self.prepare(place, container)
        launch = await asyncio.to_thread(self._machine.images.launch, _spec(place, container, prepared))
        local = {each: await self._model(each, prepared, telling) for each in launch.models}
        held = self._machine.devices.claim(
            place.folder.uid, name, devices.requested(container), init=is_init(place.pod, name)
        )
        env = {**processes.inherited(os.environ), **prepared.env, **self._machine.devices.variables(held), **launch.env}
        await asyncio.to_thread(place.folder.prune_runs, name, attempt)
        argv = [local.get(word, word) for word in launch.argv]
        return await processes.start(
            shims.Command(
                argv=await asyncio.to_thread(prepared.paths.program, argv, env, prepared.cwd),
                env=env,
                cwd=prepared.cwd,
                log=place.folder.log(name, attempt),
                mark=mark(place, name, attempt),
                end=place.folder.end(name, attempt),
                rotation=self._machine.rotation,
            )
        )

    async def prepare(self, place: Place, container: Mapping[str, Any]) -> surroundings.Prepared:
        """Everything but the image and the process.

        Raises:
            NotStarted: something the container is made of cannot be had.
        """
        facts = await self.objects.facts(place)
        if self._machine.names is not None:
            await self._machine.names.write(place)
        return await asyncio.to_thread(surroundings.prepare, place, container, facts, self._machine.ground)

    async def target(self, place: Place, name: str, attempt: int) -> probes.Target:
        """A running container as probes and hooks see it. Raises as ``prepare``."""
        container = find(place.pod, name)
        prepared = await self.prepare(place, container)
        held = self._machine.devices.held(place.folder.uid, name)
        env = {**processes.inherited(os.environ), **prepared.env, **self._machine.devices.variables(held)}
        return probes.Target(
            place.address, ports(container), env, prepared.cwd, mark(place, name, attempt), prepared.paths.command
        )

    async def _model(self, reference: str, prepared: surroundings.Prepared, telling: Telling) -> str:
        """What stands for a model in the command: its path, and for a file of a volume the path that the container knows."""
        here = prepared.paths.local(reference)
        found = await self._fetch(here, prepared.env, telling)
        return reference if found == here else found

    async def _fetch(self, reference: str, environ: Mapping[str, str], telling: Telling) -> str:
        watch = _Fetch(reference, telling, self._machine.clock)
        try:
            path = await self._machine.models.fetch(reference, progress=watch.progress, environ=environ)
        except lib_errors.BrickyardError as error:
            text = f"{error} {error.hint}".strip()
            raise errors.NotStarted("ErrModelPull", text) from error
        watch.done()
        return str(path)


class _Fetch:
    """Tells of one fetch, not too often."""

    def __init__(self, reference: str, telling: Telling, clock: clock.Clock) -> None:
        self._reference = reference.partition("?")[0]  # an address may be signed, and events are for everybody
        self._telling = telling
        self._clock = clock
        self._began = clock.monotonic()
        self._told: float | None = None

    def progress(self, done: int, total: int | None) -> None:
        now = self._clock.monotonic()
        if self._told is None:
            self._telling.event("Normal", "Pulling", f"Pulling model {self._reference}")
        if self._told is None or now - self._told >= PROGRESS_STEP:
            self._told = now
            share = f"{100 * done // total}% of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            self._telling.progress(f"pulling model {self._reference}: {share}")

    def done(self) -> None:
        took = self._clock.monotonic() - self._began
        if self._told is None:
            self._telling.event("Normal", "Pulled", f"Model {self._reference} already present on machine")
        else:
            self._telling.event("Normal", "Pulled", f"Successfully pulled model {self._reference} in {took:.1f}s")


def find(pod: resources.Object, name: str) -> Mapping[str, Any]:
    """A container of the manifest, by name."""
    everyone = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    return next(each for each in everyone if each["name"] == name)


def is_init(pod: resources.Object, name: str) -> bool:
    """Whether a container runs and ends before the main ones start."""
    first = pod["spec"].get("initContainers") or ()
    return any(each["name"] == name and each.get("restartPolicy") != "Always" for each in first)


def mark(place: Place, name: str, attempt: int) -> str:
    """The cookie that everything of a run carries in its environment."""
    return f"{place.folder.uid}/{name}/{attempt}"


def ports(container: Mapping[str, Any]) -> dict[str, int]:
    """The container's named ports."""
    return {each["name"]: int(each["containerPort"]) for each in container.get("ports") or () if each.get("name")}


def _spec(place: Place, container: Mapping[str, Any], prepared: surroundings.Prepared) -> engines.ContainerSpec:
    return engines.ContainerSpec(
        image=container.get("image", ""),
        command=prepared.command,
        args=prepared.args,
        env=prepared.env,
        address=place.address,
        port=model_port(place.pod, container),
        working_dir=str(prepared.cwd) if container.get("workingDir") else "",
    )


def model_port(pod: resources.Object, container: Mapping[str, Any]) -> int:
    """The port to serve on: the container's first, else the pod's model port label, else 8000."""
    for each in container.get("ports") or ():
        return int(each["containerPort"])
    label = (pod["metadata"].get("labels") or {}).get(names.MODEL_PORT, "")
    return int(label) if label.isdecimal() and 0 < int(label) < 65536 else names.DEFAULT_MODEL_PORT
