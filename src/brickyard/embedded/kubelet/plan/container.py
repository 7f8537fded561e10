"""The life of one container: which phase it is in, what each event does to it, when it may run again.

    phase     event                            next phase   what happens
    IDLE      its turn, retry_at has come      STARTING     StartContainer
    STARTING  Started                          RUNNING      probes begin, or the postStart hook first
    STARTING  StartFailed                      IDLE         waiting reason; again after 5, 10, 20, 40, 60, 60 … s
    STARTING  StartCancelled                   IDLE
    STARTING  Exited (StartError)              IDLE         counts as a run that failed
    STARTING  to be stopped                    STARTING     CancelStart; whatever answer comes decides
    RUNNING   Exited                           IDLE         again at once, then after 10, 20, 40 … 300 s
    RUNNING   liveness or startup exhausted    STOPPING     and is restarted, unless the policy is Never
    RUNNING   postStart hook failed            STOPPING     the same
    RUNNING   image changed                    STOPPING     and is restarted
    RUNNING   OutOfMemory                      RUNNING      SIGKILL; however it ends, the reason is OOMKilled. While STOPPING likewise
    RUNNING   to be stopped                    STOPPING     preStop hook, then SIGTERM, then SIGKILL at the deadline
    STOPPING  Exited                           IDLE

A run of more than ten minutes forgets the crashes before it. The machine above decides whose turn it is; here nobody knows of
other containers.
"""

from __future__ import annotations

import dataclasses
import enum

from brickyard.embedded.kubelet.plan import messages, probing, spec, times
from brickyard.lib import backoff

CRASH_BACKOFF = backoff.Backoff(10.0, 2.0, 300.0)
START_BACKOFF = backoff.Backoff(5.0, 2.0, 60.0)
CALM_AFTER = 600.0
"""A run this long forgets the crashes before it."""
SHUTDOWN_WINDOW = 2.0
"""Seconds that SIGTERM always gets before SIGKILL."""
KILL_AGAIN = 10.0
OOM_KILLED = "OOMKilled"
POST_START_LIMIT = 600.0
"""A postStart hook that never ends would keep its container out of service for ever."""


class Phase(enum.Enum):
    """Where a container is. Only IDLE has no process and no start under way."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Stage(enum.Enum):
    """How far a stop has come."""

    HOOK = "hook"
    TERM = "term"
    KILL = "kill"


@dataclasses.dataclass(slots=True)
class Stop:
    """A stop under way: the next stage begins at ``act_at``; ``deadline`` is when the grace ends."""

    stage: Stage
    deadline: float
    act_at: float
    term_at: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """Why there is no process."""

    reason: str
    message: str = ""


class Container:
    """One container; ``out`` collects the instructions of the event that is being handled."""

    def __init__(self, plan: spec.ContainerPlan, owner: str, out: list[messages.Instruction]) -> None:
        self.plan = plan
        self.phase = Phase.IDLE
        self.runs = 0
        self.image = plan.image
        self.container_id = ""
        self.started_at = 0.0
        self.started = False
        self.last: messages.Terminated | None = None
        self.before: messages.Terminated | None = None
        self.waiting: Waiting | None = None
        self.crashes = 0
        self.retry_at = 0.0
        self.restart = False
        self.ending = False
        self.stopping: Stop | None = None
        self.probers: dict[spec.ProbeKind, probing.Prober] = {}
        self.cancelling = False
        self.excess = ""
        self._hooking = False
        self._failures = 0
        self._owner = owner
        self._out = out

    # What others ask.

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def alive(self) -> bool:
        """A process is there or a start is under way."""
        return self.phase is not Phase.IDLE

    @property
    def running(self) -> bool:
        """A process is there."""
        return self.phase in (Phase.RUNNING, Phase.STOPPING)

    @property
    def attempt(self) -> int:
        """Restart count of the current run, of the one being started, or of the last."""
        return self.runs if self.phase is Phase.STARTING else max(0, self.runs - 1)

    @property
    def wants_run(self) -> bool:
        """The policy lets it run (again)."""
        if self.last is None or self.restart or self.plan.restart is spec.RestartPolicy.ALWAYS:
            return True
        return self.plan.restart is spec.RestartPolicy.ON_FAILURE and self.last.exit_code != 0

    @property
    def done(self) -> bool:
        """It has run and will not run again."""
        return self.phase is Phase.IDLE and not self.wants_run

    @property
    def succeeded(self) -> bool:
        return self.done and self.last is not None and self.last.exit_code == 0

    @property
    def ready(self) -> bool:
        if self.plan.role is spec.Role.INIT:
            return self.succeeded
        prober = self.probers.get(spec.ProbeKind.READINESS)
        return self.running and self.started and (prober is None or prober.passed)

    # Starting.

    def start(self) -> None:
        """Ask for a run. Only when IDLE."""
        self.phase = Phase.STARTING
        self.image = self.plan.image
        if self.waiting is None or self.waiting.reason == "CrashLoopBackOff":
            self.waiting = Waiting("ContainerCreating")
        self._out.append(messages.StartContainer(self.name, self.attempt))

    def cancel(self) -> None:
        """Give up a start under way; asked once."""
        if self.phase is Phase.STARTING and not self.cancelling:
            self.cancelling = True
            self._out.append(messages.CancelStart(self.name, self.attempt))

    def replan(self, plan: spec.ContainerPlan, now: float) -> None:
        """The manifest changed: another image means another run, at once and without memory of failures."""
        changed, self.plan = plan.image != self.plan.image, plan
        if not changed:
            return
        self.crashes = self._failures = 0
        if self.phase is Phase.IDLE:
            self.retry_at = min(self.retry_at, now)
        self.cancel()

    def on_progress(self, event: messages.StartProgress) -> None:
        if self.phase is Phase.STARTING:
            self.waiting = Waiting("ContainerCreating", event.message)

    def on_started(self, event: messages.Started, now: float) -> None:
        if self.phase is not Phase.STARTING:
            return
        self._begin(event.container_id, now)
        self._hooking = self.plan.post_start is not None
        self.started = not self._hooking and spec.ProbeKind.STARTUP not in self.probers
        self._record("Normal", "Created", f"Created container: {self.name}")
        self._record("Normal", "Started", f"Started container {self.name}")
        if self.plan.post_start is not None:
            hook = messages.Hook.POST_START
            self._out.append(messages.RunHook(self.name, self.attempt, hook, self.plan.post_start, POST_START_LIMIT))

    def _begin(self, container_id: str, now: float) -> None:
        self.runs += 1
        self.phase = Phase.RUNNING
        self.cancelling, self.restart, self.waiting = False, False, None
        self._failures = 0
        self.container_id, self.started_at = container_id, now
        self.probers = {kind: probing.first(probe, now) for kind, probe in self.plan.probes.items()}

    def on_start_failed(self, event: messages.StartFailed, now: float) -> None:
        if self.phase is not Phase.STARTING:
            return
        self._rest()
        self._failures += 1
        self.waiting = Waiting(event.reason, event.message)
        self.retry_at = now + START_BACKOFF.delay(self._failures)
        self._record("Warning", "Failed", f"Error: {event.reason}: {event.message}")

    def on_start_cancelled(self) -> None:
        if self.phase is Phase.STARTING:
            self._rest()

    # Ending.

    def on_exited(self, event: messages.Exited, now: float) -> None:
        if self.phase is Phase.IDLE:
            return
        if self.phase is Phase.STARTING:
            self._begin("", now)
            self._record("Warning", "Failed", f"Error: {event.message}")
        at = now if event.finished_at is None else min(now, max(event.finished_at, self.started_at))
        ran = at - self.started_at
        reason = event.reason or ("Completed" if event.exit_code == 0 else "Error")
        said = event.message
        if self.excess and event.exit_code != 0:
            reason, said = OOM_KILLED, f"{self.excess}\n{said}".rstrip()
        end = messages.Terminated(event.exit_code, reason, said, self.started_at, at, self.container_id)
        self.before, self.last = self.last, end
        self._rest()
        if self.ending or not self.wants_run:
            return
        if ran > CALM_AFTER:
            self.crashes = 0
        delay = CRASH_BACKOFF.delay(self.crashes)
        self.crashes += 1
        self.retry_at = at + delay
        if self.retry_at > now:
            self.waiting = self._crash_loop(delay)
            self._record("Warning", "BackOff", f"Back-off restarting failed container {self.name} in pod {self._owner}")

    def _crash_loop(self, delay: float) -> Waiting:
        text = f"back-off {times.go_duration(delay)} restarting failed container={self.name} pod={self._owner}"
        return Waiting("CrashLoopBackOff", text)

    def _rest(self) -> None:
        self.phase = Phase.IDLE
        self.container_id = self.excess = ""
        self.started = self.cancelling = self._hooking = False
        self.stopping, self.waiting = None, None
        self.probers = {}

    def on_out_of_memory(self, event: messages.OutOfMemory) -> None:
        """Over its limit: no grace, as the kernel gives none, or it would take the machine's memory meanwhile."""
        if not self.running or self.excess:
            return
        self.excess = event.message
        self._record("Warning", OOM_KILLED, f"Container {self.name} was killed: {event.message}")
        self._out.append(messages.SendSignal(self.name, self.attempt, messages.Signal.KILL))

    def stop(self, now: float, grace: float, message: str) -> None:
        """End the run within ``grace`` seconds. Only a RUNNING container needs telling."""
        if self.phase is not Phase.RUNNING:
            return
        self.phase = Phase.STOPPING
        self._record("Normal", "Killing", message)
        self.stopping = Stop(Stage.HOOK, now + grace, now + grace)
        if self.plan.pre_stop is None or grace <= 0:
            self._terminate(self.stopping, now)
            return
        hook = messages.Hook.PRE_STOP
        self._out.append(messages.RunHook(self.name, self.attempt, hook, self.plan.pre_stop, grace))

    def hasten(self, deadline: float) -> None:
        """A stop under way must be over by ``deadline`` if that is sooner."""
        stop = self.stopping
        if stop is None or deadline >= stop.deadline:
            return
        stop.deadline = deadline
        if stop.stage is Stage.HOOK:
            stop.act_at = deadline
        elif stop.stage is Stage.TERM:
            stop.act_at = max(deadline, stop.term_at + SHUTDOWN_WINDOW)

    def _terminate(self, stop: Stop, now: float) -> None:
        stop.stage, stop.term_at = Stage.TERM, now
        stop.act_at = max(stop.deadline, now + SHUTDOWN_WINDOW)
        self._out.append(messages.SendSignal(self.name, self.attempt, messages.Signal.TERM))

    def _advance_stop(self, stop: Stop, now: float) -> None:
        if now < stop.act_at:
            return
        if stop.stage is Stage.HOOK:
            self._terminate(stop, now)
            return
        # A process in uninterruptible sleep outlives SIGKILL for a while; what it forks meanwhile needs another one.
        stop.stage, stop.act_at = Stage.KILL, now + KILL_AGAIN
        self._out.append(messages.SendSignal(self.name, self.attempt, messages.Signal.KILL))

    def on_hook(self, event: messages.HookDone, now: float, grace: float) -> None:
        if not event.success:
            self._record("Warning", f"Failed{event.hook.value}Hook", f"{event.hook.value}Hook failed: {event.message}")
        if event.hook is messages.Hook.PRE_STOP:
            if self.stopping is not None and self.stopping.stage is Stage.HOOK:
                self._terminate(self.stopping, now)
        elif self._hooking and self.phase is Phase.RUNNING:
            self._hooking = False
            if event.success:
                self.started = spec.ProbeKind.STARTUP not in self.probers
            else:
                self._fail(now, grace, "FailedPostStartHook")

    # Probing.

    def advance(self, now: float) -> float | None:
        """Do what is due by ``now``; return when the next thing will be."""
        if self.stopping is not None:
            self._advance_stop(self.stopping, now)
        waiting = [prober for prober in self._asking() if prober.waiting]
        for prober in waiting:
            if prober.next_at <= now:
                prober.ask(now)
                self._out.append(messages.RunProbe(self.name, self.attempt, prober.spec))
        times = [prober.next_at for prober in waiting if prober.waiting]
        if self.stopping is not None:
            times.append(self.stopping.act_at)
        return min(times, default=None)

    def _asking(self) -> list[probing.Prober]:
        """The probers whose time it is: startup first, then the others; while it stops, readiness alone."""
        if not self.running or self._hooking:
            return []
        if self.phase is Phase.STOPPING or self.ending:
            kinds = [spec.ProbeKind.READINESS] if self.started else []
        elif self.started:
            kinds = [spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS]
        else:
            kinds = [spec.ProbeKind.STARTUP]
        return [self.probers[kind] for kind in kinds if kind in self.probers]

    def on_probe(self, event: messages.ProbeDone, now: float, grace: float) -> None:
        prober = self.probers.get(event.kind)
        if prober is None or prober.waiting:
            return
        prober.answered(event.success, now)
        if event.success:
            if event.kind is spec.ProbeKind.STARTUP and prober.passed:
                self.started = True
            return
        if self.phase is not Phase.RUNNING or self.ending:
            return
        self._record("Warning", "Unhealthy", f"{event.kind.value} probe failed: {event.message}")
        if prober.exhausted and event.kind is not spec.ProbeKind.READINESS:
            own = prober.spec.grace
            self._fail(now, grace if own is None else own, f"failed {event.kind.value.lower()} probe")

    def _fail(self, now: float, grace: float, what: str) -> None:
        self.restart = self.plan.restart is not spec.RestartPolicy.NEVER
        self.stop(now, grace, f"Container {self.name} {what}" + (", will be restarted" if self.restart else ""))

    # Memory.

    def memory(self) -> messages.Memory:
        """What an agent that comes after must know."""
        return messages.Memory(
            runs=self.runs,
            image=self.image,
            container_id=self.container_id,
            started_at=self.started_at,
            started=self.started,
            ready=self.running and self.ready,
            last=self.last,
            before=self.before,
            crashes=self.crashes,
            retry_at=self.retry_at,
            restart=self.restart,
        )

    def recall(self, memory: messages.Memory) -> None:
        """Take up where the last agent left off; a ``container_id`` means that its process still runs."""
        self.runs, self.last, self.before = memory.runs, memory.last, memory.before
        self.crashes, self.retry_at, self.restart = memory.crashes, memory.retry_at, memory.restart
        self.image, self.started_at = memory.image or self.plan.image, memory.started_at
        if not memory.container_id:
            if self.last is not None and self.wants_run and self.crashes > 1:
                self.waiting = self._crash_loop(CRASH_BACKOFF.delay(self.crashes - 1))
            return
        self.phase = Phase.RUNNING
        self.container_id = memory.container_id
        self.probers = {kind: probing.first(probe, memory.started_at) for kind, probe in self.plan.probes.items()}
        self.started = memory.started or spec.ProbeKind.STARTUP not in self.probers
        if spec.ProbeKind.READINESS in self.probers:
            self.probers[spec.ProbeKind.READINESS].passed = memory.ready

    def _record(self, kind: str, reason: str, message: str) -> None:
        self._out.append(messages.RecordEvent(kind, reason, message, self.name))

    def faults(self) -> list[str]:
        """What contradicts itself here; empty when all is well."""
        rules = {
            "stops without being STOPPING, or the other way round": (self.phase is Phase.STOPPING)
            != (self.stopping is not None),
            "has parts of a run without running": not self.running
            and bool(self.probers or self.started or self._hooking or self.excess or self.container_id),
            "cancels a start that is not under way": self.cancelling and self.phase is not Phase.STARTING,
            "runs without having been started": self.running and not self.runs,
            "remembers the end before the last but not the last": self.before is not None and self.last is None,
            "waits while it runs": self.running and self.waiting is not None,
        }
        return [f"{self.name} {fault}" for fault, broken in rules.items() if broken]
