"""What a container finds around it: its variables, its volumes, its words, and how it sees the machine's files.

objects the pod refers to ─► volumes ─► environment ─► view ─► words, in the paths that the view has
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import environment, errors, records, views, volumes
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors

HOSTS = "hosts"
"""In a pod's folder, its ``/etc/hosts``."""
TERMINATION_LOG = "/dev/termination-log"
BINDING = 5.0
"""Seconds that a claim gets to be bound before its pod's start is given up for now: it was often made together with the pod."""
_LOOK = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a pod runs and who it is here."""

    pod: resources.Object
    folder: records.PodFolder
    address: str


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A container with everything resolved but its image. ``cwd`` is a folder of this machine; ``paths`` is how the container sees it."""

    command: tuple[str, ...]
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: pathlib.Path
    paths: views.View


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """What all pods share here: the node's name, its address, its sizes."""

    node: str
    host_address: str
    capacity: Mapping[str, str]


class Objects:
    """Reads the objects that pods refer to."""

    def __init__(self, client: kube.Client, site: Site) -> None:
        self._client = client
        self._site = site

    async def facts(self, place: Place, wait: float = BINDING) -> environment.Facts:
        """Everything that the pod's surroundings are made of; claims are waited for, for ``wait`` seconds.

        Raises:
            NotStarted: the API does not answer.
        """
        wanted = environment.references(place.pod)
        namespace = place.pod["metadata"]["namespace"]
        try:
            config_maps = {name: await self._get(resources.CONFIG_MAP, namespace, name) for name in wanted.config_maps}
            secrets = {name: await self._get(resources.SECRET, namespace, name) for name in wanted.secrets}
            claims = {name: await self._claimed(namespace, name, wait) for name in wanted.claims}
            links = place.pod["spec"].get("enableServiceLinks", True)
            services = (await self._client.list(resources.SERVICE, kube.Query(namespace))).items if links else ()
        except kube_errors.KubeError as error:
            raise errors.NotStarted(environment.CONFIG_ERROR, f"the API does not answer: {error}") from error
        return environment.Facts(
            pod=place.pod,
            node=self._site.node,
            host_address=self._site.host_address,
            address=place.address,
            config_maps=config_maps,
            secrets=secrets,
            claims=claims,
            services=services,
            capacity=self._site.capacity,
        )

    async def _get(self, kind: resources.ResourceType, namespace: str, name: str) -> resources.Object | None:
        try:
            return await self._client.get(kind, name, namespace)
        except kube_errors.NotFound:
            return None

    async def _claimed(self, namespace: str, name: str, wait: float) -> environment.Claimed | None:
        found = await self._look(namespace, name)
        try:
            async with asyncio.timeout(wait):
                while found is None or found.volume is None:
                    await asyncio.sleep(_LOOK)
                    found = await self._look(namespace, name)
        except TimeoutError:
            return found
        return found

    async def _look(self, namespace: str, name: str) -> environment.Claimed | None:
        claim = await self._get(resources.PERSISTENT_VOLUME_CLAIM, namespace, name)
        if claim is None:
            return None
        bound = (claim.get("status") or {}).get("phase") == "Bound"
        volume = await self._get(resources.PERSISTENT_VOLUME, "", claim["spec"]["volumeName"]) if bound else None
        return environment.Claimed(claim, volume)


def prepare(place: Place, container: Mapping[str, Any], facts: environment.Facts, ground: views.Ground) -> Prepared:
    """Make and resolve everything but the image. Blocks: call it from a thread.

    Raises:
        NotStarted: something the container is made of cannot be had.
    """
    name, work = container["name"], container.get("workingDir")
    found = volumes.prepare(place.pod, place.folder.volumes, facts)
    env = environment.build(container, facts)
    said = termination_log(place, name)
    said.touch(mode=0o600)
    wanted = views.Wanted(
        mounts=volumes.mounts(container, found, env),
        mapped={container.get("terminationMessagePath") or TERMINATION_LOG: said},
        hosts=hosts_file(place),
        cwd=work or "",
        file=place.folder.path / "views" / f"{name}.json",
    )
    view = views.make(wanted, ground)
    local = {key: view.text(value) for key, value in env.items()}
    words = {part: environment.expand_all(container.get(part) or (), env) for part in ("command", "args")}
    cwd = _working_dir(place, name, work, view)
    return Prepared(view.texts(words["command"]), view.texts(words["args"]), local, cwd, view)


def _working_dir(place: Place, name: str, work: str | None, view: views.View) -> pathlib.Path:
    if not work:
        return place.folder.work(name)
    cwd = pathlib.Path(view.local(view.text(work)))
    if not cwd.is_dir():
        text = f"workingDir {work} is no folder on this machine: create it, mount a volume there, or leave it out"
        raise errors.NotStarted("CreateContainerError", text)
    return cwd


def hosts_file(place: Place) -> pathlib.Path | None:
    """The pod's own ``/etc/hosts``, where one has been written."""
    file = place.folder.path / HOSTS
    return file if file.is_file() else None


def termination_log(place: Place, name: str) -> pathlib.Path:
    """The file that stands for the container's ``terminationMessagePath``."""
    return place.folder.work(name) / ".termination-log"
