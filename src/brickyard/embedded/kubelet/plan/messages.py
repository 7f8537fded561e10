"""What goes into the state machine (events) and what comes out (instructions). Frozen values, no behaviour.

Every event about a run of a container names its ``attempt`` (the restart count of that run): what belongs to an earlier run is
ignored. Each ``StartContainer`` is answered by exactly one of ``Started``, ``StartFailed``, ``StartCancelled``; each ``RunProbe`` and
``RunHook`` by one ``ProbeDone`` or ``HookDone``; each ``Started`` is followed by one ``Exited``.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeAlias

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet.plan import spec


class Signal(enum.Enum):
    """How hard the process group is asked to end."""

    TERM = "TERM"
    KILL = "KILL"


class Hook(enum.Enum):
    """Handlers of a container's life cycle; the value opens their failure event: ``FailedPostStartHook``."""

    POST_START = "PostStart"
    PRE_STOP = "PreStop"


@dataclasses.dataclass(frozen=True, slots=True)
class Terminated:
    """How a run ended. Times in Unix seconds; ``message`` holds the last words of its log when it failed."""

    exit_code: int
    reason: str
    message: str
    started_at: float
    finished_at: float
    container_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What must outlive the agent's process, per container.

    Attributes:
        runs: runs begun so far; the restart count is one less.
        image: what the current or last run was started from.
        container_id: of the running process, "" when none runs.
        started_at: when it was started.
        started: startup probe passed.
        ready: readiness probe passed.
        last: most recent end. ``before``: the end before that one.
        crashes: ends in a row that count for the restart delay.
        retry_at: not to be started before (Unix seconds).
        restart: it is to run again whatever its policy says (its image changed, its liveness probe failed).
    """

    runs: int = 0
    image: str = ""
    container_id: str = ""
    started_at: float = 0.0
    started: bool = False
    ready: bool = False
    last: Terminated | None = None
    before: Terminated | None = None
    crashes: int = 0
    retry_at: float = 0.0
    restart: bool = False


# Events.


@dataclasses.dataclass(frozen=True, slots=True)
class PodSeen:
    """The object as the API has it now: first seen, changed, or asked to go (deletionTimestamp)."""

    pod: resources.Object


@dataclasses.dataclass(frozen=True, slots=True)
class Vanished:
    """The object is gone from the API: whatever runs must end and nothing is left to report to."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShutDown:
    """The agent ends and takes the containers with it, each within its grace but at most ``limit`` seconds. The object stays."""

    limit: float


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: ``PodMachine.due`` has come."""


@dataclasses.dataclass(frozen=True, slots=True)
class StartProgress:
    """A start takes its time (a model is fetched); ``message`` says how far it is."""

    container: str
    attempt: int
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Started:
    """The container's process runs; ``container_id`` is ``process://<pid>-<start time>``."""

    container: str
    attempt: int
    container_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class StartFailed:
    """Nothing was started. ``reason`` is the waiting reason, ``message`` says what to do."""

    container: str
    attempt: int
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class StartCancelled:
    """The answer to ``CancelStart``: nothing was started."""

    container: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class Exited:
    """The process and all it left behind are gone. ``exit_code`` is 128 + n after signal n; ``reason`` "" lets the code decide.

    Also the answer to ``StartContainer`` when the program could not be run at all (reason ``StartError``). ``finished_at`` is when it
    ended (Unix seconds), None when that is now: a container may end while no agent is there to see it.
    """

    container: str
    attempt: int
    exit_code: int
    message: str = ""
    reason: str = ""
    finished_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeDone:
    """A probe's answer; ``message`` says what was seen."""

    container: str
    attempt: int
    kind: spec.ProbeKind
    success: bool
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class HookDone:
    """A life-cycle handler ended."""

    container: str
    attempt: int
    hook: Hook
    success: bool
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class OutOfMemory:
    """The container uses more memory than its limit. ``message`` says how much and how much it may."""

    container: str
    attempt: int
    message: str


ContainerEvent: TypeAlias = (
    StartProgress | Started | StartFailed | StartCancelled | Exited | ProbeDone | HookDone | OutOfMemory
)
Event: TypeAlias = PodSeen | Vanished | ShutDown | Tick | ContainerEvent

# Instructions.


@dataclasses.dataclass(frozen=True, slots=True)
class StartContainer:
    """Prepare and start a run of the container."""

    container: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class CancelStart:
    """Give up the start that is under way."""

    container: str
    attempt: int


@dataclasses.dataclass(frozen=True, slots=True)
class SendSignal:
    """Signal every process of the run."""

    container: str
    attempt: int
    signal: Signal


@dataclasses.dataclass(frozen=True, slots=True)
class RunProbe:
    """Make one probe, now."""

    container: str
    attempt: int
    probe: spec.ProbeSpec


@dataclasses.dataclass(frozen=True, slots=True)
class RunHook:
    """Run a life-cycle handler, for at most ``timeout`` seconds."""

    container: str
    attempt: int
    hook: Hook
    action: Mapping[str, Any]
    timeout: float


@dataclasses.dataclass(frozen=True, slots=True)
class RecordEvent:
    """Tell people: an event on the pod. ``type`` is Normal or Warning; ``container`` "" means the pod as a whole."""

    type: str
    reason: str
    message: str
    container: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Remove:
    """Nothing runs and nothing will: forget the pod. ``delete_object``: also end its object in the API, with grace 0."""

    delete_object: bool


Instruction: TypeAlias = StartContainer | CancelStart | SendSignal | RunProbe | RunHook | RecordEvent | Remove
