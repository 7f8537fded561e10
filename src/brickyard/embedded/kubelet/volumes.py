"""A pod's volumes as folders, and the paths of its containers as paths of this machine.

There are no mount namespaces: a volume is a folder here, and where a ``mountPath`` is spoken of — in the command, the arguments, the
values of the environment, the working directory, the commands of probes — it is replaced by that folder. The longest mount path
wins, and only whole path components count: ``/models`` is found in ``--model=/models/x`` and in ``/a:/models``, not in ``/models2`` or
``/srv/models``.

Limits: a path that a program has compiled in, or reads out of a file, is not replaced; ``readOnly`` is not enforced; ``emptyDir`` is on
disk whatever its medium and has no size limit; ConfigMaps and Secrets are written when a container starts and not after; kinds of
volumes other than emptyDir, hostPath, configMap and secret are refused.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import environment, errors

_PATH_CHARACTER = r"[A-Za-z0-9_.\-]"


class PathMap:
    """Replaces mount paths by local ones."""

    def __init__(self, mounts: Mapping[str, pathlib.Path]) -> None:
        self._targets = {path.rstrip("/") or "/": str(target) for path, target in mounts.items()}
        moved = [path for path, target in self._targets.items() if path not in ("/", target)]
        longest_first = "|".join(re.escape(path) for path in sorted(moved, key=len, reverse=True))
        pattern = rf"(?<![A-Za-z0-9_.\-/])(?:{longest_first})(?!{_PATH_CHARACTER})"
        self._pattern = re.compile(pattern) if moved else None

    def apply(self, text: str) -> str:
        """``text`` with every mount path in it replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self._targets[match[0]], text)

    def apply_all(self, words: Iterable[str]) -> tuple[str, ...]:
        """Each word with its mount paths replaced."""
        return tuple(self.apply(word) for word in words)


def prepare(pod: resources.Object, folder: pathlib.Path, facts: environment.Facts) -> dict[str, pathlib.Path]:
    """Make the pod's volumes below ``folder`` where they need making; name → where it is. Blocks: call it from a thread.

    Raises:
        NotStarted: a volume cannot be had; the message says which and what would help.
    """
    return {each["name"]: _volume(each, folder / each["name"], facts) for each in pod["spec"].get("volumes") or ()}


def mounts(
    container: Mapping[str, Any], volumes: Mapping[str, pathlib.Path], env: Mapping[str, str]
) -> dict[str, pathlib.Path]:
    """Mount path → local path, for the container's ``volumeMounts``.

    Raises:
        NotStarted: a mount names no volume, or a sub-path leaves it.
    """
    found: dict[str, pathlib.Path] = {}
    for mount in container.get("volumeMounts") or ():
        name, where = mount["name"], mount["mountPath"]
        if name not in volumes:
            raise _refused(f"volumeMount {where}: there is no volume {name!r}; known are {_list(volumes)}")
        inner = mount.get("subPath") or environment.expand(mount.get("subPathExpr") or "", env)
        if inner.startswith("/") or ".." in pathlib.PurePosixPath(inner).parts:
            raise _refused(f"volumeMount {where}: sub-path {inner!r} leaves the volume")
        target = volumes[name] / inner
        if inner and not target.exists():
            target.mkdir(parents=True, exist_ok=True)
        found[where] = target
    return found


def _volume(volume: Mapping[str, Any], place: pathlib.Path, facts: environment.Facts) -> pathlib.Path:
    if "hostPath" in volume:
        return _host_path(volume["name"], volume["hostPath"])
    if "configMap" in volume:
        source = volume["configMap"]
        return _files(place, _content(source, source.get("name", ""), facts.config_maps, "configmap"), source)
    if "secret" in volume:
        source = volume["secret"]
        return _files(place, _content(source, source.get("secretName", ""), facts.secrets, "secret"), source)
    kinds = [key for key in volume if key != "name"]
    if kinds in ([], ["emptyDir"]):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place
    text = f"volume {volume['name']}: {_list(kinds)} is not supported on one machine"
    raise _refused(f"{text}; use hostPath, emptyDir, configMap or secret")


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
        raise _refused(f"volume {name}: hostPath {path} cannot be made: {error.strerror}") from error
    check, noun = _HOST_KINDS.get(kind.removesuffix("OrCreate"), (None, ""))
    if check is not None and not check(path):
        raise _refused(f"volume {name}: hostPath {path} is no {noun} on this machine: create it, or correct the path")
    return path


def _content(
    source: Mapping[str, Any], name: str, held: Mapping[str, resources.Object | None], kind: str
) -> dict[str, bytes]:
    """Relative path → bytes, of the whole object or of its chosen items."""
    obj = held.get(name)
    if obj is None:
        if source.get("optional"):
            return {}
        raise _refused(f'{kind} "{name}" not found')
    everything = environment.data(obj)
    items: Sequence[Mapping[str, Any]] = source.get("items") or [{"key": key, "path": key} for key in everything]
    missing = [each["key"] for each in items if each["key"] not in everything]
    if missing and not source.get("optional"):
        raise _refused(f"couldn't find key {missing[0]} in {kind} {name}")
    return {each["path"]: everything[each["key"]] for each in items if each["key"] in everything}


def _files(place: pathlib.Path, content: Mapping[str, bytes], source: Mapping[str, Any]) -> pathlib.Path:
    """Make ``place`` hold exactly ``content``, each file whole at any moment, for nobody but this user."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    modes = {each["path"]: each.get("mode") for each in source.get("items") or ()}
    for relative, payload in content.items():
        target = place / relative
        if ".." in target.relative_to(place).parts:
            raise _refused(f"path {relative!r} leaves the volume")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != payload:
            _replace(target, payload, place.parent)
        mode = modes.get(relative)
        target.chmod(_mode(source.get("defaultMode") if mode is None else mode))
    for old in [each for each in place.rglob("*") if each.is_file() and str(each.relative_to(place)) not in content]:
        old.unlink(missing_ok=True)
    return place


def _mode(wanted: int | None) -> int:
    """Never writable for others, whatever the manifest says."""
    return (0o644 if wanted is None else int(wanted)) & 0o755


def _replace(target: pathlib.Path, payload: bytes, drafts: pathlib.Path) -> None:
    """Drafts lie outside the volume: containers of a pod start together, and each clears it of what does not belong there."""
    descriptor, temporary = tempfile.mkstemp(dir=drafts, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)
        pathlib.Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            pathlib.Path(temporary).unlink()
        raise


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _refused(message: str) -> errors.NotStarted:
    return errors.NotStarted(environment.CONFIG_ERROR, message)
