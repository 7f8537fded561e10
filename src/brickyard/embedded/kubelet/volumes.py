"""A pod's volumes as folders of this machine.

| volume                     | folder                                                                                                 |
|----------------------------|--------------------------------------------------------------------------------------------------------|
| hostPath                   | itself, made where its type says so                                                                    |
| emptyDir                   | below the pod's folder; with ``medium: Memory`` below ``/dev/shm``, where that is memory               |
| persistentVolumeClaim      | the hostPath or local path of the volume that the claim is bound to                                    |
| ephemeral                  | the same, of the claim that was made for the pod                                                       |
| configMap, secret,         | below the pod's folder, as ``projections`` says; they follow the API while the pod runs                |
| downwardAPI, projected     |                                                                                                        |
| csi, nfs and other remotes | refused                                                                                                |

How a container comes to see them at its ``mountPath`` is ``views``' matter. Sizes are not enforced: neither ``sizeLimit`` nor a claim's
request bounds what is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import atomicfiles, environment, projections

MEMORY = pathlib.Path("/dev/shm")  # noqa: S108 - the machine's own place for files in memory
_PREFIX = "brickyard-"


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """``target``, a file or folder of this machine, is to be seen at ``path`` in the container."""

    path: str
    target: pathlib.Path
    read_only: bool = False


def prepare(pod: resources.Object, folder: pathlib.Path, facts: environment.Facts) -> dict[str, pathlib.Path]:
    """Make the pod's volumes below ``folder`` where they need making; name → where it is. Blocks: call it from a thread.

    Raises:
        NotStarted: a volume cannot be had; the message says which and what would help.
    """
    return {each["name"]: _volume(each, folder / each["name"], facts) for each in pod["spec"].get("volumes") or ()}


def follows(pod: resources.Object) -> bool:
    """Whether the pod has volumes whose content the API can change."""
    return any(kind in each for each in pod["spec"].get("volumes") or () for kind in projections.KINDS)


def refresh(pod: resources.Object, folder: pathlib.Path, facts: environment.Facts) -> list[str]:
    """Bring the volumes that are made of the API's objects up to date; the names of those that changed. Blocks.

    Only those that were made already. Raises as ``prepare``.
    """
    changed = []
    for each in pod["spec"].get("volumes") or ():
        place = folder / each["name"]
        if any(kind in each for kind in projections.KINDS) and place.is_dir() and _files(place, each, facts):
            changed.append(each["name"])
    return changed


def discard(folder: pathlib.Path) -> None:
    """Forget what the volumes below ``folder`` keep elsewhere: memory."""
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.is_symlink() and _is_memory(target := each.readlink()):
            shutil.rmtree(target, ignore_errors=True)


def mounts(container: Mapping[str, Any], volumes: Mapping[str, pathlib.Path], env: Mapping[str, str]) -> list[Mount]:
    """The container's ``volumeMounts``.

    Raises:
        NotStarted: a mount names no volume, or a sub-path leaves it.
    """
    return [_mount(each, volumes, env) for each in container.get("volumeMounts") or ()]


def _mount(mount: Mapping[str, Any], volumes: Mapping[str, pathlib.Path], env: Mapping[str, str]) -> Mount:
    name, where = mount["name"], mount["mountPath"]
    if name not in volumes:
        raise projections.refused(f"volumeMount {where}: there is no volume {name!r}; known are {_list(volumes)}")
    inner = mount.get("subPath") or environment.expand(mount.get("subPathExpr") or "", env)
    if inner.startswith("/") or ".." in pathlib.PurePosixPath(inner).parts:
        raise projections.refused(f"volumeMount {where}: sub-path {inner!r} leaves the volume")
    target = volumes[name] / inner if inner else volumes[name]
    if inner:
        _make_sub_path(where, volumes[name], target)
    return Mount(where, target, bool(mount.get("readOnly")))


def _make_sub_path(where: str, volume: pathlib.Path, target: pathlib.Path) -> None:
    # A link inside the volume may point anywhere; what it points to must be inside, too.
    if not target.resolve().is_relative_to(volume.resolve()):
        raise projections.refused(f"volumeMount {where}: sub-path {target.name!r} leaves the volume by a link")
    if target.exists():
        return
    if (volume / atomicfiles.DATA).is_symlink():
        raise projections.refused(f"volumeMount {where}: the volume has no file {str(target.relative_to(volume))!r}")
    target.mkdir(parents=True, exist_ok=True)


def _volume(volume: Mapping[str, Any], place: pathlib.Path, facts: environment.Facts) -> pathlib.Path:
    if "hostPath" in volume:
        return _host_path(volume["name"], volume["hostPath"])
    if any(kind in volume for kind in projections.KINDS):
        _files(place, volume, facts)
        return place
    if name := environment.claim_name(facts.pod, volume):
        return _claimed(volume["name"], name, facts)
    kinds = [key for key in volume if key != "name"]
    if kinds in ([], ["emptyDir"]):
        return _empty(place, volume.get("emptyDir") or {}, facts)
    text = f"volume {volume['name']}: {_list(kinds)} is not supported on one machine"
    raise projections.refused(f"{text}; use hostPath, emptyDir or a claim of the default StorageClass")


def _files(place: pathlib.Path, volume: Mapping[str, Any], facts: environment.Facts) -> bool:
    try:
        return atomicfiles.write(place, projections.content(volume, facts))
    except ValueError as error:
        raise projections.refused(f"volume {volume['name']}: {error}") from error


# Empty directories.


def _empty(place: pathlib.Path, source: Mapping[str, Any], facts: environment.Facts) -> pathlib.Path:
    if source.get("medium") != "Memory" or place.is_dir() or not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place.resolve()
    memory = MEMORY / f"{_PREFIX}{facts.pod['metadata'].get('uid', '')}-{place.name}"
    memory.mkdir(mode=0o700, exist_ok=True)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # After a boot the link is there already, and so it may be when containers start together.
    with contextlib.suppress(FileExistsError):
        place.symlink_to(memory)
    return memory


def _is_memory(path: pathlib.Path) -> bool:
    return path.parent == MEMORY and path.name.startswith(_PREFIX)


# Claims.


def _claimed(name: str, claim: str, facts: environment.Facts) -> pathlib.Path:
    held = facts.claims.get(claim)
    if held is None:
        raise projections.refused(f'persistentvolumeclaim "{claim}" not found')
    if held.volume is None:
        hint = f"see `kubectl describe pvc {claim}`"
        raise projections.refused(f'persistentvolumeclaim "{claim}" is not bound to a volume: {hint}')
    spec = held.volume["spec"]
    if "local" in spec:
        return _host_path(name, {**spec["local"], "type": "Directory"})
    if "hostPath" in spec:
        return _host_path(name, spec["hostPath"])
    kind = next((key for key in spec if isinstance(spec[key], Mapping) and key not in ("capacity", "claimRef")), "")
    text = f"volume {held.volume['metadata']['name']} is of kind {kind or 'none'}"
    raise projections.refused(f"volume {name}: {text}: on one machine volumes are of kind hostPath or local")


# Type of a hostPath → what must be there, and whether it is made.
_HOST_KINDS = {
    "Directory": (pathlib.Path.is_dir, "directory"),
    "File": (pathlib.Path.is_file, "file"),
    "Socket": (pathlib.Path.is_socket, "socket"),
    "CharDevice": (pathlib.Path.is_char_device, "character device"),
    "BlockDevice": (pathlib.Path.is_block_device, "block device"),
}


def _host_path(name: str, source: Mapping[str, Any]) -> pathlib.Path:
    path, kind = pathlib.Path(source["path"]), source.get("type") or ""
    try:
        if kind == "DirectoryOrCreate":
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.touch(mode=0o644, exist_ok=True)
    except OSError as error:
        raise projections.refused(f"volume {name}: hostPath {path} cannot be made: {error.strerror}") from error
    check, noun = _HOST_KINDS.get(kind.removesuffix("OrCreate"), (None, ""))
    if check is not None and not check(path):
        hint = "create it, or correct the path"
        raise projections.refused(f"volume {name}: hostPath {path} is no {noun} on this machine: {hint}")
    return path


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
