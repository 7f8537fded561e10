"""Init containers and sidecars."""

from __future__ import annotations

from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, pod

STARTUP = spec.ProbeKind.STARTUP
HTTP = {"httpGet": {"port": 8000}}


def test_init_containers_run_one_after_another_before_the_main_ones() -> None:
    world = World(pod(init=[container("one"), container("two")]))
    assert world.starts() == ["one"]
    assert world.condition("Initialized")["message"] == "containers with incomplete status: [one two]"
    assert world.state()["state"] == {"waiting": {"reason": "PodInitializing"}}
    world.started("one")
    assert world.starts() == []
    world.exited(0, "one")
    assert world.starts() == ["two"]
    assert world.condition("Initialized")["message"] == "containers with incomplete status: [two]"
    world.started("two")
    world.exited(0, "two")
    assert world.starts() == ["web"]
    assert world.condition("Initialized")["status"] == "True"
    assert world.phase() == "Pending"
    world.started()
    assert world.phase() == "Running"
    assert world.state("one")["ready"]
    assert world.state("one")["state"]["terminated"]["reason"] == "Completed"


def test_a_failing_init_container_is_tried_again_with_back_off() -> None:
    world = World(pod(init=[container("one")]))
    for _ in range(2):
        world.started("one")
        world.exited(1, "one")
    assert world.state("one")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert world.phase() == "Pending"
    world.wait(10)
    assert world.starts() == ["one"]


def test_a_failing_init_container_fails_a_pod_that_never_restarts() -> None:
    world = World(pod(init=[container("one"), container("two")], restartPolicy="Never"))
    world.started("one")
    world.exited(3, "one")
    assert world.starts() == []
    assert world.phase() == "Failed"
    assert world.condition("Ready")["reason"] == "PodFailed"


def test_a_sidecar_lets_the_next_start_once_it_has_started() -> None:
    sidecar = container("proxy", restartPolicy="Always", startupProbe=HTTP)
    world = World(pod(init=[sidecar, container("one")]))
    assert world.starts() == ["proxy"]
    world.started("proxy")
    assert [each.probe.kind for each in world.said(messages.RunProbe)] == [STARTUP]
    assert world.starts() == []
    world.probed(STARTUP, success=True, name="proxy")
    assert world.starts() == ["one"]
    world.started("one")
    world.exited(0, "one")
    assert world.starts() == ["web"]


def test_a_sidecar_that_dies_is_restarted_beside_the_main_containers() -> None:
    world = World(pod(init=[container("proxy", restartPolicy="Always")], restartPolicy="Never"))
    world.started("proxy")
    world.started()
    world.exited(0, "proxy")
    assert world.starts() == ["proxy"]
    assert world.condition("Ready")["status"] == "False"
    world.started("proxy")
    assert world.condition("Ready")["status"] == "True"
    assert world.phase() == "Running"


def test_sidecars_end_in_reverse_order_when_the_work_is_done() -> None:
    sidecars = [container(name, restartPolicy="Always") for name in ("s1", "s2")]
    world = World(pod(init=sidecars, restartPolicy="Never"))
    world.started("s1")
    world.started("s2")
    world.started()
    world.exited(0)
    assert world.signals() == [("s2", "TERM")]
    assert world.phase() == "Running"
    world.exited(0, "s2")
    assert world.signals() == [("s1", "TERM")]
    world.exited(143, "s1")
    assert world.starts() == []
    assert world.phase() == "Succeeded"
    assert world.condition("Ready")["reason"] == "PodCompleted"


def test_succeeded_wants_every_main_container_to_succeed() -> None:
    world = World(pod(container(), container("log"), restartPolicy="Never"))
    world.started()
    world.started("log")
    world.exited(0)
    assert world.phase() == "Running"
    world.exited(2, "log")
    assert world.phase() == "Failed"


def test_a_finished_pod_stays_finished() -> None:
    world = World(pod(restartPolicy="Never"))
    world.started()
    world.exited(0)
    world.wait(10_000)
    world.see(world.pod)
    assert world.new == []
    assert world.phase() == "Succeeded"
    assert world.machine.due is None
