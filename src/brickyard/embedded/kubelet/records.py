"""A pod's folder: what is kept of it on disk, so that an agent that comes after knows its containers.

    <data-dir>/pods/<uid>/record.json                   manifest, address, and of each container its process and its past
                          volumes/<volume>/             emptyDir, configMap, secret
                          containers/<name>/            working directory, unless the manifest names one
                          logs/<name>/<attempt>.log     output of a run; ``.log.1``, ``.log.2`` … what was rotated away of it
                          ends/<name>/<attempt>.json    how a run ended, written by its shim

The record is replaced as a whole, so that it is never half a record. A process is only believed to be the container's when boot,
pid and start time all fit.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import volumes
from brickyard.embedded.kubelet.plan import messages
from brickyard.lib import logs
from brickyard.lib import process as lib_process

VERSION = 3
KEPT_RUNS = 2
"""Runs whose logs and ends are kept: the current one and the one before."""

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container's past, its process and the shim of that (None when none runs), and the devices it holds: resource → ids."""

    memory: messages.Memory
    process: lib_process.Identity | None = None
    devices: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    shim: lib_process.Identity | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What is known of a pod. ``boot`` is the boot in which its processes were started."""

    pod: resources.Object
    address: str
    boot: str
    containers: Mapping[str, ContainerRecord]


class PodFolder:
    """One pod's folder. Everything here blocks, briefly."""

    def __init__(self, root: pathlib.Path, uid: str) -> None:
        self.uid = uid
        self.path = root / uid
        self._saved = b""

    @property
    def volumes(self) -> pathlib.Path:
        return self.path / "volumes"

    def work(self, container: str) -> pathlib.Path:
        """The container's own folder, made if need be."""
        folder = self.path / "containers" / container
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def log(self, container: str, attempt: int) -> pathlib.Path:
        """Where the output of a run goes."""
        return self.path / "logs" / container / f"{attempt}.log"

    def end(self, container: str, attempt: int) -> pathlib.Path:
        """Where a run's shim writes down how it ended."""
        return self.path / "ends" / container / f"{attempt}.json"

    def prune_runs(self, container: str, attempt: int) -> None:
        """Forget output and ends of all but the last runs; ``attempt`` is about to begin and has none of either yet."""
        for kind in ("logs", "ends"):
            for file in (self.path / kind / container).glob("*.*"):
                number = file.name.partition(".")[0]
                if number.isdecimal() and not attempt - KEPT_RUNS < int(number) < attempt:
                    file.unlink(missing_ok=True)

    def load(self) -> Record | None:
        """The record, or None when there is none that can be read."""
        try:
            fields = orjson.loads((self.path / "record.json").read_bytes())
            return _record(fields)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("pod record cannot be read", path=self.path, error=error)
            return None

    def news(self, record: Record) -> bytes | None:
        """The record as text for ``save``; None when it says nothing new. Does not block."""
        text = orjson.dumps({"version": VERSION, **_fields(record)})
        return None if text == self._saved else text

    def save(self, text: bytes) -> None:
        """Replace the record."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self.path / "record.json.new"
        fresh.write_bytes(text)
        fresh.chmod(0o600)
        fresh.replace(self.path / "record.json")
        self._saved = text

    def remove(self) -> None:
        """Forget the pod with everything in its folder. What a hostPath volume points to is not in it."""
        volumes.discard(self.volumes)
        shutil.rmtree(self.path, ignore_errors=True)


def folders(root: pathlib.Path) -> Iterator[PodFolder]:
    """Every pod's folder below ``root``."""
    if root.is_dir():
        yield from (PodFolder(root, each.name) for each in sorted(root.iterdir()) if each.is_dir())


def _fields(record: Record) -> dict[str, Any]:
    """One level only: orjson knows dataclasses, and a copy of the whole manifest is not needed."""
    return {each.name: getattr(record, each.name) for each in dataclasses.fields(record)}


def _record(fields: Mapping[str, Any]) -> Record:
    if fields["version"] != VERSION:
        raise ValueError(f"version {fields['version']} is not {VERSION}")
    containers = {name: _container(each) for name, each in fields["containers"].items()}
    return Record(fields["pod"], fields["address"], fields["boot"], containers)


def _container(fields: Mapping[str, Any]) -> ContainerRecord:
    memory = dict(fields["memory"])
    for end in ("last", "before"):
        memory[end] = messages.Terminated(**memory[end]) if memory[end] else None
    running, shim = (lib_process.Identity(**fields[key]) if fields[key] else None for key in ("process", "shim"))
    devices = {name: tuple(ids) for name, ids in fields["devices"].items()}
    return ContainerRecord(messages.Memory(**memory), running, devices, shim)
