"""The state machine of one pod: events in, instructions out, time as an argument.

    machine = PodMachine(pod, now, memories)
    for event in …:
        for instruction in machine.handle(event, now): do it
    wait for the next event, or until machine.due

A pod is in one of three modes; within a mode each container lives by the table in ``container``.

    mode      entered by                                    what happens
    run       first sight                                   init containers one after another (a sidecar: until it has started),
                                                            then all main containers; each restarted by its policy
    outcome   every main container is done, an init         what still runs (sidecars) is stopped; the phase becomes Succeeded or
              container failed for good, the active         Failed when nothing runs and never changes again
              deadline passed
    ending    deletion, disappearance, shut-down            main containers are stopped together, then sidecars one by one in
                                                            reverse order, all within one grace; then Remove (not on shut-down)

Ending wins over outcome, outcome over run; none is ever left for an earlier one. ``handle`` is level-based: whatever the event, it
ends by bringing the whole pod as far as it can go at ``now``, so that nothing hangs on the order of events.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Mapping

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import errors
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import messages, spec, times

STORY_LENGTH = 200


class Cause(enum.Enum):
    """Why a pod ends."""

    DELETED = "deleted"
    VANISHED = "vanished"
    SHUTDOWN = "shut down"


@dataclasses.dataclass(slots=True)
class Ending:
    """A pod that ends: everything must be over by ``deadline``."""

    cause: Cause
    deadline: float


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """The phase that the pod gets when nothing runs any more. ``reason`` and ``message`` are the status' own, often empty."""

    phase: str
    reason: str = ""
    message: str = ""


class PodMachine:
    """One pod. Not thread-safe; knows nothing of other pods.

    Attributes:
        plan: the manifest as last seen.
        containers: by name, in the order init containers, main containers.
        initialized: every init container has done its part.
        started_at: when the node agent first saw the pod.
        due: when ``Tick`` should come (Unix seconds); None when nothing is waited for but events. Always later than the ``now``
            of the last ``handle``.
        removed: ``Remove`` was given; events change nothing any more.
    """

    def __init__(
        self, pod: resources.Object, now: float, memories: Mapping[str, messages.Memory] | None = None
    ) -> None:
        self._out: list[messages.Instruction] = []
        self.plan = spec.read(pod)
        owner = f"{self.plan.name}_{self.plan.namespace}({self.plan.uid})"
        self.containers = {each.name: containers.Container(each, owner, self._out) for each in self.plan.containers}
        self.initialized = False
        self.started_at = times.seconds((pod.get("status") or {}).get("startTime"), now)
        self.ending: Ending | None = None
        self.outcome = _known_outcome(pod)
        self.due: float | None = None
        self.removed = False
        self._story: collections.deque[tuple[float, object]] = collections.deque(maxlen=STORY_LENGTH)
        for name, memory in (memories or {}).items():
            if name in self.containers:
                self.containers[name].recall(memory)
        # Main containers that ran prove that initialization was complete, whatever became of the init containers' memory.
        self.initialized = any(each.runs for each in self._of(spec.Role.MAIN))

    # What others ask.

    @property
    def idle(self) -> bool:
        """No process and no start under way."""
        return not any(each.alive for each in self.containers.values())

    @property
    def finished(self) -> bool:
        """The phase is Succeeded or Failed, for ever."""
        return self.outcome is not None and self.idle

    def memories(self) -> dict[str, messages.Memory]:
        """What an agent that comes after must know, by container."""
        return {name: each.memory() for name, each in self.containers.items()}

    def story(self) -> list[tuple[float, object]]:
        """The last events and instructions with their times, oldest first."""
        return list(self._story)

    # Handling.

    def handle(self, event: messages.Event, now: float) -> list[messages.Instruction]:
        """Take in ``event`` and return what is to be done, in order. ``now`` is Unix seconds and never goes back."""
        if self.removed:
            return []
        self._out.clear()
        if not isinstance(event, messages.Tick):
            self._story.append((now, event))
        self._dispatch(event, now)
        self._advance(now)
        self._story.extend((now, each) for each in self._out)
        return list(self._out)

    def _dispatch(self, event: messages.Event, now: float) -> None:
        match event:
            case messages.PodSeen(pod):
                self._on_seen(spec.read(pod), now)
            case messages.Vanished():
                grace = 0.0 if self.ending else self.plan.grace
                self._end(Cause.VANISHED, now + grace)
            case messages.ShutDown(limit):
                self._end(Cause.SHUTDOWN, now + min(limit, self.plan.grace))
            case messages.Tick():
                pass
            case _:
                self._on_container(event, now)

    def _on_container(self, event: messages.ContainerEvent, now: float) -> None:
        container = self.containers.get(event.container)
        if container is None or event.attempt != container.attempt:
            return
        match event:
            case messages.StartProgress():
                container.on_progress(event)
            case messages.Started():
                container.on_started(event, now)
            case messages.StartFailed():
                container.on_start_failed(event, now)
            case messages.StartCancelled():
                container.on_start_cancelled()
            case messages.Exited():
                container.on_exited(event, now)
            case messages.ProbeDone():
                container.on_probe(event, now, self.plan.grace)
            case messages.HookDone():
                container.on_hook(event, now, self.plan.grace)
            case messages.OutOfMemory():
                container.on_out_of_memory(event)

    def _on_seen(self, plan: spec.PodPlan, now: float) -> None:
        if plan.uid != self.plan.uid:
            return
        self.plan = plan
        for each in plan.containers:
            if each.name in self.containers:
                self.containers[each.name].replan(each, now)
        if plan.deletion_grace is not None:
            self._end(Cause.DELETED, now + plan.deletion_grace)

    def _end(self, cause: Cause, deadline: float) -> None:
        """The first cause sets the pace; a later one may only hurry it. Gone from the API outweighs being asked to go."""
        if self.ending is None:
            self.ending = Ending(cause, deadline)
        elif cause is Cause.VANISHED or self.ending.cause is Cause.SHUTDOWN:
            self.ending.cause = cause
        self.ending.deadline = min(self.ending.deadline, deadline)
        for each in self.containers.values():
            each.hasten(self.ending.deadline)

    def _advance(self, now: float) -> None:
        due = [self._check_deadline(now)]
        if self.ending is None and self.outcome is None:
            due += self._run(now)
        if self.ending is not None or self.outcome is not None:
            self._wind_down(now)
        due += [each.advance(now) for each in self.containers.values()]
        self._remove()
        self.due = None if self.removed else min((at for at in due if at is not None), default=None)

    def _check_deadline(self, now: float) -> float | None:
        if self.plan.active_deadline is None or self.outcome is not None or self.ending is not None:
            return None
        deadline = self.started_at + self.plan.active_deadline
        if now < deadline:
            return deadline
        text = "Pod was active on the node longer than the specified deadline"
        self.outcome = Outcome("Failed", "DeadlineExceeded", text)
        self._out.append(messages.RecordEvent("Normal", "DeadlineExceeded", text))
        return None

    # Running.

    def _of(self, *roles: spec.Role) -> list[containers.Container]:
        return [each for each in self.containers.values() if each.plan.role in roles]

    def _run(self, now: float) -> list[float | None]:
        turn = self._turn()
        self.initialized = self.initialized or any(each.plan.role is spec.Role.MAIN for each in turn)
        due = [self._ensure(each, now) for each in turn]
        main = self._of(spec.Role.MAIN)
        if any(each.done and not each.succeeded for each in self._of(spec.Role.INIT)):
            self.outcome = Outcome("Failed")
        elif main and all(each.done for each in main):
            self.outcome = Outcome("Succeeded" if all(each.succeeded for each in main) else "Failed")
        return due

    def _turn(self) -> list[containers.Container]:
        """The containers that may run now: sidecars up to and including the first that is not done with its part, or all."""
        sidecars: list[containers.Container] = []
        for each in self._of(spec.Role.INIT, spec.Role.SIDECAR):
            if each.plan.role is spec.Role.SIDECAR:
                sidecars.append(each)
                if not each.started and not self.initialized:
                    return sidecars
            elif not each.succeeded and not self.initialized:
                return [*sidecars, each]
        return [*sidecars, *self._of(spec.Role.MAIN)]

    def _ensure(self, each: containers.Container, now: float) -> float | None:
        """Start what should run, restart what runs from another image; return when to look again."""
        if each.phase is containers.Phase.RUNNING and each.image != each.plan.image:
            each.restart = True
            each.stop(now, self.plan.grace, f"Container {each.name} definition changed, will be restarted")
        if each.alive or not each.wants_run:
            return None
        if now < each.retry_at:
            return each.retry_at
        each.start()
        return None

    # Ending.

    def _wind_down(self, now: float) -> None:
        left = max(0.0, self.ending.deadline - now) if self.ending else self.plan.grace
        for each in self.containers.values():
            each.ending = True
            each.cancel()
        for each in self._of(spec.Role.INIT, spec.Role.MAIN):
            each.stop(now, left, f"Stopping container {each.name}")
        if any(each.alive for each in self._of(spec.Role.INIT, spec.Role.MAIN)):
            return
        last = next((each for each in reversed(self._of(spec.Role.SIDECAR)) if each.alive), None)
        if last is not None:
            last.stop(now, left, f"Stopping container {last.name}")

    def _remove(self) -> None:
        if self.ending is None or self.ending.cause is Cause.SHUTDOWN or not self.idle:
            return
        if self.outcome is None:
            main = self._of(spec.Role.MAIN)
            good = bool(main) and all(each.last is not None and each.last.exit_code == 0 for each in main)
            self.outcome = Outcome("Succeeded" if good else "Failed")
        self.removed = True
        self._out.append(messages.Remove(delete_object=self.ending.cause is Cause.DELETED))

    # Invariants.

    def validate(self) -> None:
        """Check the state against itself.

        Raises:
            ImpossibleState: it contradicts itself; the message says where.
        """
        faults = [fault for each in self.containers.values() for fault in each.faults()]
        starting = [each for each in self.containers.values() if each.phase is containers.Phase.STARTING]
        over = self.ending is not None or self.outcome is not None
        rules = {
            "two init containers at a time": sum(each.alive for each in self._of(spec.Role.INIT)) > 1,
            "a main container before initialization": not self.initialized
            and any(each.alive for each in self._of(spec.Role.MAIN)),
            "a start in a pod that ends": over and not all(each.cancelling for each in starting),
            "removed while something runs": self.removed and not self.idle,
        }
        faults += [fault for fault, broken in rules.items() if broken]
        if faults:
            raise errors.ImpossibleState(f"{self.plan.namespace}/{self.plan.name}: {'; '.join(faults)}")


def _known_outcome(pod: resources.Object) -> Outcome | None:
    status = pod.get("status") or {}
    phase = status.get("phase")
    if phase not in ("Succeeded", "Failed"):
        return None
    return Outcome(phase, status.get("reason", ""), status.get("message", ""))
