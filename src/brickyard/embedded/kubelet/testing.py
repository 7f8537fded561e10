"""Pods to test with, and a stand-in for everything around the state machine.

``World`` is the shell of a ``PodMachine`` in virtual time: it keeps the clock, remembers instructions and lets a test play the
processes' part (``started``, ``exited``, ``probed`` …), checking the machine's invariants after every step.
"""

from __future__ import annotations

import asyncio
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet.plan import machine, messages, spec, status
from brickyard.lib import errors

T = TypeVar("T")

EPOCH = 1_700_000_000.0
_numbers = itertools.count(1)


def container(name: str = "web", **fields: Any) -> dict[str, Any]:
    """A container of a manifest; ``fields`` in Kubernetes' spelling."""
    return {"name": name, "image": "brickyard/host", **fields}


def pod(
    *containers: Mapping[str, Any],
    name: str = "a",
    init: Sequence[Mapping[str, Any]] = (),
    meta: Mapping[str, Any] | None = None,
    **spec_fields: Any,
) -> resources.Object:
    """A pod object as the API server would keep it, with a uid of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{next(_numbers):04d}", **(meta or {})},
        "spec": {
            "containers": [dict(each) for each in containers or [container()]],
            **({"initContainers": [dict(each) for each in init]} if init else {}),
            **spec_fields,
        },
    }


def deleted(obj: resources.Object, grace: float) -> resources.Object:
    """A copy that somebody asked to delete."""
    gone = {"deletionTimestamp": "2023-11-14T22:13:20Z", "deletionGracePeriodSeconds": grace}
    return {**obj, "metadata": {**obj["metadata"], **gone}}


class World:
    """Everything around one machine. ``log`` holds every instruction so far, ``new`` those of the last step."""

    def __init__(self, obj: resources.Object, memories: Mapping[str, messages.Memory] | None = None) -> None:
        self.now = EPOCH
        self.pod = obj
        self.machine = machine.PodMachine(obj, self.now, memories)
        self.log: list[messages.Instruction] = []
        self.new: list[messages.Instruction] = []
        self.old_status: dict[str, Any] = {}
        self.see(obj)

    def give(self, event: messages.Event) -> list[messages.Instruction]:
        """Hand the machine an event and check it."""
        self.new = self.machine.handle(event, self.now)
        self.log += self.new
        self.machine.validate()
        due = self.machine.due
        if due is not None and due <= self.now:
            raise AssertionError(f"due {due} is not after {self.now}: the shell would spin")
        return self.new

    def see(self, obj: resources.Object) -> None:
        self.pod = obj
        self.give(messages.PodSeen(obj))

    def wait(self, seconds: float) -> list[messages.Instruction]:
        """Let time pass, waking the machine whenever it asked to; return all that it said meanwhile."""
        until, said = self.now + seconds, list[messages.Instruction]()
        while self.machine.due is not None and self.machine.due <= until:
            self.now = self.machine.due
            said += self.give(messages.Tick())
        self.now = until
        self.new = said
        return said

    def attempt(self, name: str) -> int:
        return self.machine.containers[name].attempt

    def started(self, name: str = "web") -> None:
        attempt = self.attempt(name)
        self.give(messages.Started(name, attempt, f"process://{1000 + attempt}-{name}"))

    def start_failed(self, reason: str, message: str = "", name: str = "web") -> None:
        self.give(messages.StartFailed(name, self.attempt(name), reason, message))

    def exited(self, code: int = 1, name: str = "web", message: str = "", finished_at: float | None = None) -> None:
        self.give(messages.Exited(name, self.attempt(name), code, message, finished_at=finished_at))

    def probed(self, kind: spec.ProbeKind, success: bool, name: str = "web", message: str = "no answer") -> None:
        self.give(messages.ProbeDone(name, self.attempt(name), kind, success, message))

    def hooked(self, hook: messages.Hook, success: bool = True, name: str = "web", message: str = "") -> None:
        self.give(messages.HookDone(name, self.attempt(name), hook, success, message))

    def exceeded(self, name: str = "web", message: str = "it used 2 MiB of memory, its limit is 1 MiB") -> None:
        self.give(messages.OutOfMemory(name, self.attempt(name), message))

    def said(self, kind: type[T]) -> list[T]:
        """Instructions of one kind in the last step."""
        return [each for each in self.new if isinstance(each, kind)]

    def reasons(self) -> list[str]:
        """Reasons of the events recorded in the last step."""
        return [each.reason for each in self.said(messages.RecordEvent)]

    def signals(self) -> list[tuple[str, str]]:
        """(container, signal) of the last step."""
        return [(each.container, each.signal.value) for each in self.said(messages.SendSignal)]

    def starts(self) -> list[str]:
        """Containers to be started in the last step."""
        return [each.container for each in self.said(messages.StartContainer)]

    def status(self) -> dict[str, Any]:
        """The status as it would be written now."""
        place = status.Place("127.0.0.1", "127.64.0.1")
        self.old_status = status.render(self.machine, place, self.now, self.old_status)
        return self.old_status

    def phase(self) -> str:
        return str(self.status()["phase"])

    def state(self, name: str = "web") -> dict[str, Any]:
        """The container's entry in the status."""
        now = self.status()
        entries = [*now.get("initContainerStatuses", ()), *now["containerStatuses"]]
        return next(each for each in entries if each["name"] == name)

    def condition(self, kind: str) -> dict[str, Any]:
        return next(each for each in self.status()["conditions"] if each["type"] == kind)


def running(**fields: Any) -> World:
    """A pod of one container that has just been started."""
    world = World(pod(container(**fields)))
    world.started()
    return world


class FakeModels:
    """Fills ``contract.Models``: ``m://x`` is ``/models/x``.

    ``steps`` are told as progress; ``failures`` are messages of coming fetches that fail; with ``hang`` a fetch never ends.
    ``asked``, ``environs`` and ``cancelled`` tell what happened.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[int, int | None]] = []
        self.failures: list[str] = []
        self.hang = False
        self.asked: list[str] = []
        self.environs: list[dict[str, str]] = []
        self.cancelled = 0

    async def fetch(
        self,
        reference: str,
        *,
        progress: Callable[[int, int | None], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> pathlib.Path:
        self.asked.append(reference)
        self.environs.append(dict(environ or {}))
        if self.hang:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.failures:
            raise errors.BrickyardError(self.failures.pop(0))
        for done, total in self.steps:
            if progress is not None:
                progress(done, total)
        return pathlib.Path("/models") / reference.removeprefix("m://")
