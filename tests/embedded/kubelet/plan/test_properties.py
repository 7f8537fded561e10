"""What holds for every pod, whatever happens to it and in whatever order."""

from __future__ import annotations

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import messages, spec, status

PROBE = {"httpGet": {"port": 1}, "periodSeconds": 2, "failureThreshold": 2}
HOOK = {"exec": {"command": ["true"]}}
NAMES = ("i1", "s1", "i2", "web", "log")


@st.composite
def pods(draw: st.DrawFn) -> resources.Object:
    def container(name: str, **fields: object) -> dict[str, object]:
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if draw(st.booleans()):
                fields[kind] = PROBE
        hooks = {name: HOOK for name in ("postStart", "preStop") if draw(st.integers(0, 3)) == 0}
        return testing.container(name, lifecycle=hooks, **fields)

    init = [container(name, **({"restartPolicy": "Always"} if name == "s1" else {})) for name in NAMES[:3]]
    return testing.pod(
        *[container(name) for name in NAMES[3 : draw(st.integers(4, 5))]],
        init=[each for each in init if draw(st.booleans())],
        restartPolicy=draw(st.sampled_from(["Always", "OnFailure", "Never"])),
        terminationGracePeriodSeconds=draw(st.sampled_from([0, 1, 30])),
    )


class PodLife(RuleBasedStateMachine):
    """A shell that answers in any order, late or not at all, and an API that deletes, changes and forgets."""

    world: testing.World

    @initialize(obj=pods())
    def begin(self, obj: resources.Object) -> None:
        self.world = testing.World(obj)
        self.phases = [self.world.phase()]

    def _some(self, data: st.DataObject, *phases: containers.Phase) -> str:
        found = [each.name for each in self.world.machine.containers.values() if each.phase in phases]
        return data.draw(st.sampled_from(found or ["nobody"]))

    @rule(data=st.data())
    def process_started(self, data: st.DataObject) -> None:
        name = self._some(data, containers.Phase.STARTING)
        if name != "nobody":
            self.world.started(name)

    @rule(data=st.data())
    def start_failed(self, data: st.DataObject) -> None:
        name = self._some(data, containers.Phase.STARTING)
        if name != "nobody":
            self.world.start_failed("ErrImageNeverPull", "x", name)

    @rule(data=st.data(), code=st.sampled_from([0, 1, 137]))
    def process_exited(self, data: st.DataObject, code: int) -> None:
        name = self._some(data, containers.Phase.RUNNING, containers.Phase.STOPPING)
        if name != "nobody":
            self.world.exited(code, name)

    @rule(name=st.sampled_from(NAMES), kind=st.sampled_from(spec.ProbeKind), success=st.booleans())
    def probe_answered(self, name: str, kind: spec.ProbeKind, success: bool) -> None:
        if name in self.world.machine.containers:
            self.world.probed(kind, success, name)

    @rule(name=st.sampled_from(NAMES), hook=st.sampled_from(messages.Hook), success=st.booleans())
    def hook_ended(self, name: str, hook: messages.Hook, success: bool) -> None:
        if name in self.world.machine.containers:
            self.world.hooked(hook, success, name)

    @rule(name=st.sampled_from(NAMES))
    def limit_exceeded(self, name: str) -> None:
        """Killed at once if it runs, and otherwise nothing: a look that comes too late concerns nobody."""
        each = self.world.machine.containers.get(name)
        if each is not None:
            runs, told = each.running, each.excess
            self.world.exceeded(name)
            assert self.world.signals().count((name, "KILL")) == (runs and not told)

    @rule(name=st.sampled_from(NAMES), attempt=st.integers(0, 3), code=st.integers(0, 1))
    def stray_exit_of_another_run(self, name: str, attempt: int, code: int) -> None:
        if name in self.world.machine.containers and attempt != self.world.attempt(name):
            before = self.world.machine.memories()[name]
            self.world.give(messages.Exited(name, attempt, code))
            assert self.world.machine.memories()[name].runs == before.runs

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0, 70.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(grace=st.sampled_from([0, 1, 30, 300]))
    @precondition(lambda self: hypothesis.currently_in_test_context() and len(self.phases) > 6)
    def deleted(self, grace: int) -> None:
        self.world.see(testing.deleted(self.world.pod, grace))

    @rule()
    @precondition(lambda self: len(self.phases) > 12)
    def vanished(self) -> None:
        self.world.give(messages.Vanished())

    @rule()
    @precondition(lambda self: len(self.phases) > 12)
    def shut_down(self) -> None:
        self.world.give(messages.ShutDown(limit=20))

    @rule(image=st.sampled_from(["one", "two"]))
    def image_changed(self, image: str) -> None:
        obj = self.world.pod
        changed = [{**each, "image": image} for each in obj["spec"]["containers"]]
        self.world.see({**obj, "spec": {**obj["spec"], "containers": changed}})

    @rule()
    def agent_is_replaced(self) -> None:
        machine = self.world.machine
        if machine.removed or any(each.phase is containers.Phase.STARTING for each in machine.containers.values()):
            return
        before = self.world.status()
        again = testing.World({**self.world.pod, "status": before}, machine.memories())
        again.now, again.old_status = self.world.now, before
        for name, each in machine.containers.items():
            assert again.machine.containers[name].running == each.running
        self.world = again

    @invariant()
    def phases_never_go_back(self) -> None:
        if not hasattr(self, "phases"):
            return
        self.phases.append(self.world.phase())
        for final in ("Succeeded", "Failed"):
            if final in self.phases:
                assert set(self.phases[self.phases.index(final) :]) == {final}

    @invariant()
    def ready_means_running(self) -> None:
        if not hasattr(self, "phases"):
            return
        shown = self.world.status()
        ready = next(each for each in shown["conditions"] if each["type"] == "Ready")
        if ready["status"] == "True":
            assert shown["phase"] == "Running"
            assert all(each["ready"] for each in shown["containerStatuses"])
        for each in shown["containerStatuses"]:
            assert not each["ready"] or "running" in each["state"]
            assert len(each["state"]) == 1

    @invariant()
    def what_the_status_shows_can_be_recollected(self) -> None:
        if not hasattr(self, "phases"):
            return
        memories = status.recollect({**self.world.pod, "status": self.world.status()})
        for name, memory in memories.items():
            each = self.world.machine.containers[name]
            assert max(0, memory.runs - (not each.running)) <= each.runs

    def teardown(self) -> None:
        """However it stands: delete it, let processes answer to signals, and it is gone within the grace."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.see(testing.deleted(world.pod, 5))
        for _ in range(40):
            if world.machine.removed:
                break
            for name, each in world.machine.containers.items():
                if each.phase is containers.Phase.STARTING:
                    world.give(messages.StartCancelled(name, each.attempt))
                elif each.stopping is not None and each.stopping.stage is containers.Stage.KILL:
                    world.exited(137, name)
            world.wait(2)
        assert world.machine.removed
        assert world.machine.idle
        assert world.machine.due is None


PodLife.TestCase.settings = hypothesis.settings(max_examples=100, stateful_step_count=40, deadline=None)
TestPodLife = PodLife.TestCase
