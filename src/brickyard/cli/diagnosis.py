"""What a machine lacks to run Brickyard well: from facts to findings, each with its remedy. Pure.

| level | means | exit code of `brickyard doctor` |
|---|---|---|
| ok | nothing to do | 0 |
| note | works, and could do more | 0 |
| warning | works, and may break under load or with large models | 0 |
| fault | something will not work | 1 |
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Iterator, Mapping, Sequence

GIB = 1024**3
DISK_FAULT = 256 * 1024**2
DISK_WARNING = 5 * GIB
MEMORY_WARNING = 1 * GIB
FILES_WARNING = 8192
"""Descriptors below which a busy gateway, or an API server with many watches, turns clients away."""
PROCESSES_WARNING = 4096
"""Processes and threads below which a few engines, each with a thread per core and more, cannot start."""
_USER_NAMESPACES = (
    "allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns), or run as root"
)
PYTHON_LEAST = (3, 11)


class Level(enum.Enum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``remedy`` is empty only where there is nothing to do."""

    level: Level
    about: str
    text: str
    remedy: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A port that Brickyard needs, or has. ``trouble`` says why it cannot be listened on or does not answer, "" when all is well."""

    url: str
    trouble: str = ""
    remedy: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Engine:
    """An engine: why it cannot run here ("" when it can), and its version ("" when that is not told)."""

    missing: str = ""
    version: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What was found.

    Attributes:
        versions: Brickyard's and Python's.
        system: the operating system as ``uname -s`` has it.
        pod_addresses: why pods cannot have addresses of their own; "" when they can.
        mounts: whether containers can have mounts of their own.
        folder: the data directory; ``folder_trouble`` says why it cannot be used, "" when it can.
        disk_free, memory_free: bytes.
        memory_limit: of the control group, in bytes, where that is what leaves so little; else 0.
        open_files, processes: soft limit and hard one.
        running: whether Brickyard runs in ``folder``.
        parts: its ports by name.
        engines: by name.
        gpus: what each of those found is called.
        programs: program that people use beside us → its version, None when it is not there.
        unread: what is to be told of variables that look like Brickyard's and that nobody reads.
    """

    versions: tuple[str, tuple[int, int, int]]
    system: str
    pod_addresses: str
    mounts: bool
    folder: str
    folder_trouble: str
    disk_free: int
    memory_free: int
    memory_limit: int
    open_files: tuple[int, int]
    processes: tuple[int, int]
    running: bool
    parts: Mapping[str, Part]
    engines: Mapping[str, Engine]
    gpus: Sequence[str]
    programs: Mapping[str, str | None]
    unread: Sequence[str] = ()


def findings(facts: Facts) -> list[Finding]:
    """Everything that was looked at, in the order in which a person would mend it."""
    return [
        *_machine(facts),
        *_folder(facts),
        *_memory(facts),
        *_limits(facts),
        *_parts(facts),
        *_engines(facts),
        *_programs(facts),
        *(Finding(Level.WARNING, "variables", each, "correct it or take it away") for each in facts.unread),
    ]


def worst(found: list[Finding]) -> Level:
    """The highest level among ``found``."""
    order = list(Level)
    return max((each.level for each in found), key=order.index, default=Level.OK)


def _machine(facts: Facts) -> Iterator[Finding]:
    ours, python = facts.versions
    text = f"Brickyard {ours} on Python {'.'.join(map(str, python))}"
    if python[:2] < PYTHON_LEAST:
        yield Finding(Level.FAULT, "version", text, "install Python 3.11 or newer and Brickyard into it")
    else:
        yield Finding(Level.OK, "version", text)
    if facts.system != "Linux":
        yield Finding(
            Level.FAULT,
            "system",
            f"{facts.system}: pods are processes of Linux",
            "run it on Linux, such as in a virtual machine",
        )
    elif facts.pod_addresses:
        text = f"pods cannot have loopback addresses of their own: {facts.pod_addresses}"
        yield Finding(Level.FAULT, "system", text, "give lo the whole of 127.0.0.0/8: `ip addr add 127.0.0.1/8 dev lo`")
    else:
        yield Finding(Level.OK, "system", "Linux, with a loopback address for each pod")
    if facts.mounts:
        yield Finding(Level.OK, "mounts", "containers see volumes at their paths and Services by name")
    else:
        text = "containers cannot have mounts: paths of volumes are replaced in their words, Services are found by variables"
        yield Finding(Level.NOTE, "mounts", text, _USER_NAMESPACES)


def _folder(facts: Facts) -> Iterator[Finding]:
    if facts.folder_trouble:
        remedy = "choose another one with --data-dir or BRICKYARD_DATA_DIR, or mend its owner and mode"
        yield Finding(Level.FAULT, "data", f"{facts.folder} cannot be used: {facts.folder_trouble}", remedy)
        return
    text = f"{facts.folder}, {size(facts.disk_free)} free"
    level = (
        Level.FAULT if facts.disk_free < DISK_FAULT else Level.WARNING if facts.disk_free < DISK_WARNING else Level.OK
    )
    remedy = (
        "" if level is Level.OK else "make room: models and the logs of containers are kept here or in the model cache"
    )
    yield Finding(level, "data", text, remedy)


def _memory(facts: Facts) -> Iterator[Finding]:
    held = f" of the {size(facts.memory_limit)} that our control group may use" if facts.memory_limit else ""
    text = f"{size(facts.memory_free)} available{held}"
    if facts.memory_free >= MEMORY_WARNING:
        yield Finding(Level.OK, "memory", text)
        return
    more = ", or raise the limit (memory.max, MemoryMax=, --memory of a container)" if held else ""
    yield Finding(Level.WARNING, "memory", text, f"end what is not needed, or serve smaller models{more}")


def _limits(facts: Facts) -> Iterator[Finding]:
    yield _ulimit(
        facts.open_files,
        FILES_WARNING,
        "open files",
        ("-n", "LimitNOFILE="),
        "at once for each process",
        "a busy gateway",
    )
    yield _ulimit(
        facts.processes, PROCESSES_WARNING, "processes", ("-u", "LimitNPROC="), "and threads at once", "several engines"
    )


def _ulimit(
    limits: tuple[int, int], least: int, about: str, words: tuple[str, str], text: str, few_for: str
) -> Finding:
    """What a limit of ``ulimit`` means; ``words`` are its flag there and its name in a unit of systemd."""
    soft, hard = limits
    shown = "any number" if soft == sys.maxsize else str(soft)
    if soft >= least:
        return Finding(Level.OK, about, f"{shown} {text}")
    enough = min(hard, 8 * least)
    remedy = (
        f"`ulimit {words[0]} {enough}` before `brickyard up`"
        if enough > soft
        else f"raise the hard limit, in limits.conf or as {words[1]}"
    )
    return Finding(Level.WARNING, about, f"{shown} {text}: few for {few_for}", remedy)


def _parts(facts: Facts) -> Iterator[Finding]:
    for name, part in facts.parts.items():
        if part.trouble:
            yield Finding(Level.FAULT, name, part.trouble, part.remedy)
        else:
            yield Finding(Level.OK, name, f"{part.url} {'answers' if facts.running else 'is free'}")


def _engines(facts: Facts) -> Iterator[Finding]:
    for name, engine in facts.engines.items():
        if engine.missing:
            text, _, remedy = engine.missing.partition(": ")
            yield Finding(Level.NOTE, name, text, remedy or "install it to serve models with it")
        else:
            yield Finding(Level.OK, name, f"{engine.version} can run here".lstrip())
    if facts.gpus:
        kinds = {kind: facts.gpus.count(kind) for kind in dict.fromkeys(facts.gpus)}
        yield Finding(Level.OK, "GPUs", ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    else:
        yield Finding(
            Level.NOTE, "GPUs", "none found", "large models want one; with its driver loaded it is found by itself"
        )


def _programs(facts: Facts) -> Iterator[Finding]:
    for name, version in facts.programs.items():
        if version is not None:
            yield Finding(Level.OK, name, f"{version} is on PATH".lstrip())
        else:
            yield Finding(Level.NOTE, name, "is not on PATH", "install it, or use `brickyard get`, `apply` and `logs`")


def size(count: int) -> str:
    """``count`` bytes for people: ``512 MiB``, ``1.5 GiB``, ``40 GiB``."""
    if count < GIB:
        return f"{count // 1024**2} MiB"
    return f"{count / GIB:.1f} GiB" if count < 10 * GIB else f"{count // GIB} GiB"
