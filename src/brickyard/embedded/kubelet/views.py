"""How a container comes to see its volumes at their mount paths, and names in its ``/etc/hosts``.

Two ways, for each mount by itself:

* **mounted**: the process runs in a mount namespace of its own (``enter``) and finds the volume where the manifest says. The kernel has to
  allow it: root may, and so may an ordinary user where user namespaces are on.
* **mapped**: in the words of the container its mount path is replaced by the volume's folder (``pathmap``). That is the way where
  there are no mount namespaces, and for a mount that would hide what this machine's programs need: the machine stands for the
  image, and a volume at ``/usr`` or over our own folder would take it away.

With neither namespace nor mapping a program still finds Services by its environment (``WEB_SERVICE_HOST``), but not by name.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import orjson

from brickyard.embedded.kubelet import errors, pathmap, processes, volumes

HOSTS = "/etc/hosts"
_PROGRAM = pathlib.Path(__file__).with_name("enter.py")
_SYSTEM = frozenset(
    ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/nix", "/proc", "/run", "/sbin", "/sys", "/usr", "/var")
)
_TRIAL = 10.0
_COVERABLE = 2048
"""Entries of a folder that is covered, at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ground:
    """What views stand on: whether this machine lets us mount, and which paths no mount may hide."""

    mounts: bool
    needed: tuple[str, ...] = ()

    def can_mount(self, path: str) -> bool:
        """Whether a volume can be mounted at ``path`` with nothing missing afterwards."""
        real = os.path.realpath(path)
        hides = any(each == real or each.startswith(f"{real}/") for each in self.needed)
        forbidden = real in _SYSTEM or real.startswith(("/proc/", "/sys/"))
        return self.mounts and not forbidden and not hides and _is_coverable(real)


def _is_coverable(path: str) -> bool:
    """Whether a place to mount on is there, or can be made: covering a folder costs a mount for each of its entries."""
    place = pathlib.Path(path)
    there = next(each for each in (place, *place.parents) if os.path.lexists(each))
    if there == place:
        return True
    if not os.access(there, os.R_OK | os.X_OK) or not there.is_dir():
        return False
    with os.scandir(there) as entries:
        return next(itertools.islice(entries, _COVERABLE, None), None) is None


UNMOUNTED = Ground(mounts=False)
"""Everything is mapped."""


def survey(needed: Iterable[pathlib.Path]) -> Ground:
    """Find out what this machine allows. ``needed`` are folders that must stay visible. Blocks: starts a process."""
    ours = [*map(pathlib.Path, (sys.prefix, sys.base_prefix, sys.executable)), _PROGRAM]
    held = {os.path.realpath(each) for each in (*ours, *needed)} | {str(each) for each in ours}
    return Ground(_may_mount(), tuple(sorted(held)))


def _may_mount() -> bool:
    with tempfile.TemporaryDirectory(prefix="brickyard-") as folder:
        place = pathlib.Path(folder)
        (place / "staging").mkdir()
        (place / "file").touch()
        inner = {"path": f"{folder}/file", "target": f"{folder}/file", "read_only": True}
        missing = {"path": f"{folder}/a/b", "target": f"{folder}/staging", "read_only": False}
        view = {"staging": f"{folder}/staging", "cwd": "", "binds": [inner, missing]}
        (place / "view").write_bytes(orjson.dumps(view))
        words = [*_entrance(place / "view"), "true"]
        try:
            tried = subprocess.run(words, capture_output=True, timeout=_TRIAL, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return tried.returncode == 0


def _entrance(file: pathlib.Path) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", str(_PROGRAM), str(file), "--")


@dataclasses.dataclass(frozen=True)
class View:
    """What one container sees. ``entrance`` are the words before its program; none where nothing is mounted."""

    mapped: pathmap.PathMap
    mounted: Mapping[str, pathlib.Path]
    entrance: tuple[str, ...] = ()

    def text(self, text: str) -> str:
        """``text`` as the container's program is to read it."""
        return self.mapped.apply(text)

    def texts(self, words: Iterable[str]) -> tuple[str, ...]:
        """Each of ``words``."""
        return self.mapped.apply_all(words)

    def local(self, path: str) -> str:
        """Where on this machine the file is that the container knows as ``path``."""
        return self._shown.apply(path) if path.startswith("/") else path

    @functools.cached_property
    def _shown(self) -> pathmap.PathMap:
        return pathmap.PathMap(self.mounted, exists=lambda _: False)

    def command(self, words: Iterable[str]) -> tuple[str, ...]:
        """The words that run ``words`` in this view: of commands beside the container, whose paths are still those of the manifest."""
        return (*self.entrance, *self.texts(words))

    def program(self, argv: Sequence[str], env: Mapping[str, str], cwd: pathlib.Path) -> list[str]:
        """The words that run the container's own program.

        Raises:
            NoProgram: it is not there, or not executable.
        """
        found = processes.resolve([self.local(argv[0])], env, cwd)[0]
        if not self.entrance:
            return [found, *argv[1:]]
        own = argv[0] if self.local(argv[0]) != argv[0] else found
        return [*self.entrance, own, *argv[1:]]


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What a container is to see.

    Attributes:
        mounts: its volumes.
        mapped: what is only ever mapped.
        hosts: the file that is its ``/etc/hosts``; None where it has the machine's.
        cwd: its working directory as the manifest names it; "" where that is a folder of this machine.
        file: where the view is written down for ``enter``.
    """

    mounts: Sequence[volumes.Mount]
    mapped: Mapping[str, pathlib.Path]
    hosts: pathlib.Path | None
    cwd: str
    file: pathlib.Path


def make(wanted: Wanted, ground: Ground) -> View:
    """The view of a container; what it needs on disk is written. Blocks.

    Raises:
        NotStarted: a volume that is to be mounted is not there.
    """
    real = [each for each in wanted.mounts if ground.can_mount(each.path)]
    mapped = {each.path: each.target for each in wanted.mounts if each not in real} | dict(wanted.mapped)
    for each in real:
        if not each.target.exists():
            text = f"volumeMount {each.path}: there is no {each.target} on this machine: create it, or correct the path"
            raise errors.NotStarted("CreateContainerConfigError", text)
    binds = [each for each in real if each.read_only or os.path.realpath(each.path) != os.path.realpath(each.target)]
    if wanted.hosts is not None and ground.mounts and not any(each.path == HOSTS for each in wanted.mounts):
        binds.append(volumes.Mount(HOSTS, wanted.hosts))
    if not binds:
        return View(pathmap.PathMap(mapped), {})
    mounted = {each.path: each.target for each in real}
    _write(wanted, binds)
    return View(pathmap.PathMap(mapped), mounted, _entrance(wanted.file))


def _write(wanted: Wanted, binds: Sequence[volumes.Mount]) -> None:
    staging = wanted.file.parent / "staging"
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    fields = [{"path": each.path, "target": str(each.target), "read_only": each.read_only} for each in binds]
    # A draft of its own: probes, hooks and exec make the view of one container at the same time.
    with tempfile.NamedTemporaryFile(dir=wanted.file.parent, prefix=".new-", delete=False) as draft:
        draft.write(orjson.dumps({"staging": str(staging), "cwd": wanted.cwd, "binds": fields}))
    pathlib.Path(draft.name).replace(wanted.file)
