"""Reading manifests."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import spec


def test_defaults_are_those_of_kubernetes() -> None:
    plan = spec.read(testing.pod(testing.container(readinessProbe={"tcpSocket": {"port": 1}})))
    assert plan.restart is spec.RestartPolicy.ALWAYS
    assert plan.grace == 30
    assert plan.deletion_grace is None
    probe = plan.containers[0].probes[spec.ProbeKind.READINESS]
    numbers = (probe.initial_delay, probe.period, probe.timeout, probe.success_threshold, probe.failure_threshold)
    assert list(numbers) == [0, 10, 1, 1, 3]
    assert probe.grace is None


def test_everything_that_is_said_is_read() -> None:
    probe = {
        "httpGet": {"port": 8000},
        "initialDelaySeconds": 5,
        "periodSeconds": 7,
        "timeoutSeconds": 3,
        "failureThreshold": 9,
        "terminationGracePeriodSeconds": 4,
    }
    hook = {"exec": {"command": ["true"]}}
    obj = testing.pod(
        testing.container(startupProbe=probe, livenessProbe=probe, lifecycle={"preStop": hook, "postStart": hook}),
        restartPolicy="OnFailure",
        terminationGracePeriodSeconds=11,
        activeDeadlineSeconds=60,
        readinessGates=[{"conditionType": "x/y"}],
    )
    plan = spec.read({**obj, "status": {"conditions": [{"type": "x/y", "status": "True"}]}})
    assert plan.grace == 11
    assert plan.active_deadline == 60
    assert plan.readiness_gates == ("x/y",)
    assert plan.conditions == {"x/y": "True"}
    only = plan.containers[0]
    assert set(only.probes) == {spec.ProbeKind.STARTUP, spec.ProbeKind.LIVENESS}
    assert only.probes[spec.ProbeKind.LIVENESS] == spec.ProbeSpec(spec.ProbeKind.LIVENESS, probe, 5, 7, 3, 1, 9, 4)
    assert only.pre_stop == hook
    assert only.post_start == hook


# pod's policy   init container   sidecar   main container
RESTARTS = [
    ("Always", "OnFailure", "Always", "Always"),
    ("OnFailure", "OnFailure", "Always", "OnFailure"),
    ("Never", "Never", "Always", "Never"),
]


@pytest.mark.parametrize(("policy", "init", "sidecar", "main"), RESTARTS)
def test_restart_policy_by_role(policy: str, init: str, sidecar: str, main: str) -> None:
    obj = testing.pod(
        init=[testing.container("i"), testing.container("s", restartPolicy="Always")], restartPolicy=policy
    )
    plan = spec.read(obj)
    assert [each.restart.value for each in plan.containers] == [init, sidecar, main]
    assert [each.role for each in plan.containers] == [spec.Role.INIT, spec.Role.SIDECAR, spec.Role.MAIN]


def test_init_containers_have_no_probes() -> None:
    plan = spec.read(testing.pod(init=[testing.container("i", readinessProbe={"tcpSocket": {"port": 1}})]))
    assert plan.containers[0].probes == {}


def test_deletion_grace_prefers_what_the_delete_said() -> None:
    obj = testing.pod(terminationGracePeriodSeconds=20)
    assert spec.read(testing.deleted(obj, 3)).deletion_grace == 3
    assert spec.read(testing.deleted(obj, 0)).deletion_grace == 0
    without = testing.deleted(obj, 0)
    del without["metadata"]["deletionGracePeriodSeconds"]
    assert spec.read(without).deletion_grace == 20


SIZE = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"limits": {"nvidia.com/gpu": 1}}], "BestEffort"),
        ([{"limits": SIZE}], "Guaranteed"),
        ([{"limits": SIZE, "requests": SIZE}], "Guaranteed"),
        ([{"limits": SIZE, "requests": {"cpu": "1"}}], "Guaranteed"),
        ([{"limits": SIZE, "requests": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed"),
        ([{"limits": SIZE, "requests": {"cpu": "500m"}}], "Burstable"),
        ([{"requests": SIZE}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
        ([{"limits": SIZE}, {}], "Burstable"),
    ],
)
def test_quality_of_service(resources: list[dict[str, Any]], expected: str) -> None:
    obj = testing.pod(*(testing.container(f"c{i}", resources=each) for i, each in enumerate(resources)))
    assert spec.read(obj).qos == expected
