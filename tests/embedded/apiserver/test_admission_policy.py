"""Autoscalers, budgets, priorities, quotas, limits: what steers other objects."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def made(resource: contract.Resource, **content: Any) -> resources.Object:
    metadata = {"name": "a", **({"namespace": "default"} if resource.type.namespaced else {})}
    return {"apiVersion": resource.type.api_version, "kind": resource.type.kind, "metadata": metadata, **content}


def scaler(**spec: Any) -> resources.Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"scaleTargetRef": target, "maxReplicas": 5, **spec}
    return made(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, spec=body)


def test_a_small_autoscaler_is_filled_in() -> None:
    kept = testing.admitted(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, scaler())
    assert (kept["spec"]["minReplicas"], kept["spec"]["metrics"]) == (1, [CPU])
    assert "behavior" not in kept["spec"]
    assert kept["status"] == {"desiredReplicas": 0}


def test_a_behavior_is_completed() -> None:
    given = {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    kept = testing.admitted(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, scaler(behavior=given))
    assert kept["spec"]["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {"selectPolicy": "Max", "policies": given["scaleDown"]["policies"]},
    }


METRIC = "spec.metrics[0]"
EXTERNAL = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}}
PODS = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1k"}}}
OBJECT = {
    "type": "Object",
    "object": {
        "describedObject": {"kind": "Service", "name": "s"},
        "metric": {"name": "m"},
        "target": {"type": "Value", "value": 3},
    },
}
CONTAINER = {
    "type": "ContainerResource",
    "containerResource": {"name": "cpu", "container": "c", "target": {"type": "AverageValue", "averageValue": "1"}},
}


@pytest.mark.parametrize("metric", [CPU, EXTERNAL, PODS, OBJECT, CONTAINER], ids=lambda each: each["type"])
def test_each_source_of_metrics(metric: dict[str, Any]) -> None:
    assert testing.complaints(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, scaler(metrics=[metric])) == []


SCALER_REFUSED = [
    ({"minReplicas": 0}, "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
    ({"maxReplicas": 0, "minReplicas": None}, "spec.maxReplicas: Invalid value: 0: must be greater than 0"),
    (
        {"minReplicas": 6},
        "spec.maxReplicas: Invalid value: 5: must be greater than or equal to `minReplicas`",
    ),
    ({"scaleTargetRef": {"name": "web"}}, "spec.scaleTargetRef.kind: Required value"),
    (
        {"scaleTargetRef": {"kind": "X", "name": "a/b"}},
        "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'",
    ),
    ({"metrics": [{}]}, f"{METRIC}.type: Required value: must specify a metric source type"),
    (
        {"metrics": [{"type": "Moon"}]},
        (
            f'{METRIC}.type: Unsupported value: "Moon": supported values: '
            '"ContainerResource", "External", "Object", "Pods", "Resource"'
        ),
    ),
    (
        {"metrics": [{"type": "Pods"}]},
        f"{METRIC}.pods: Required value: must populate information for the given metric source",
    ),
    (
        {"metrics": [{**CPU, "pods": PODS["pods"]}]},
        f"{METRIC}.pods: Forbidden: must populate the given metric source only",
    ),
    (
        {"metrics": [bent(CPU, "resource.name", "")]},
        f"{METRIC}.resource.name: Required value: must specify a resource name",
    ),
    (
        {"metrics": [bent(CPU, "resource.target.averageUtilization", 0)]},
        f"{METRIC}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
    ),
    (
        {"metrics": [bent(CPU, "resource.target.averageUtilization", ABSENT)]},
        (
            f"{METRIC}.resource.target.averageUtilization: Required value: "
            "must set either a target raw value or a target utilization"
        ),
    ),
    (
        {"metrics": [bent(CPU, "resource.target.averageValue", "1")]},
        f"{METRIC}.resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization",
    ),
    (
        {"metrics": [bent(CONTAINER, "containerResource.container", "")]},
        f"{METRIC}.containerResource.container: Required value: must specify a container",
    ),
    (
        {"metrics": [bent(PODS, "pods.target", {"type": "Value"})]},
        f"{METRIC}.pods.target.averageValue: Required value: must specify a positive target averageValue",
    ),
    (
        {"metrics": [bent(PODS, "pods.target.averageValue", "-1")]},
        f'{METRIC}.pods.target.averageValue: Invalid value: "-1": must be positive',
    ),
    (
        {"metrics": [bent(EXTERNAL, "external.metric.name", "")]},
        f"{METRIC}.external.metric.name: Required value: must specify a metric name",
    ),
    (
        {"metrics": [bent(EXTERNAL, "external.target.averageValue", "3")]},
        f"{METRIC}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target",
    ),
    (
        {"metrics": [bent(EXTERNAL, "external.target", {"type": "Half", "value": "1"})]},
        f'{METRIC}.external.target.type: Invalid value: "Half": must be either Utilization, Value, or AverageValue',
    ),
    (
        {"metrics": [bent(OBJECT, "object.describedObject.name", "")]},
        f"{METRIC}.object.describedObject.name: Required value",
    ),
    (
        {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}},
        "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
    ),
    (
        {"behavior": {"scaleUp": {"selectPolicy": "Mean"}}},
        'spec.behavior.scaleUp.selectPolicy: Unsupported value: "Mean": supported values: "Disabled", "Max", "Min"',
    ),
    (
        {"behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 0}]}}},
        "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 0: must be greater than zero",
    ),
    (
        {"behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1}]}}},
        "spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero",
    ),
]


@pytest.mark.parametrize(("spec", "complaint"), SCALER_REFUSED)
def test_what_is_wrong_with_an_autoscaler_is_named(spec: dict[str, Any], complaint: str) -> None:
    given = {key: value for key, value in spec.items() if value is not None}
    found = testing.complaints(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, scaler(**given))
    assert complaint in found


BUDGET = made(builtin_kinds.POD_DISRUPTION_BUDGET, spec={"selector": {"matchLabels": {"app": "a"}}, "minAvailable": 1})
PRIORITY = made(builtin_kinds.PRIORITY_CLASS, value=1000)
QUOTA = made(builtin_kinds.RESOURCE_QUOTA, spec={"hard": {"pods": "2", "limits.cpu": "1"}})
LIMITS = made(
    builtin_kinds.LIMIT_RANGE, spec={"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Gi"}}]}
)


def test_what_is_filled_in() -> None:
    budget = testing.admitted(builtin_kinds.POD_DISRUPTION_BUDGET, BUDGET)
    assert budget["status"] == {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    }
    assert testing.admitted(builtin_kinds.PRIORITY_CLASS, PRIORITY)["preemptionPolicy"] == "PreemptLowerPriority"
    (limit,) = testing.admitted(builtin_kinds.LIMIT_RANGE, LIMITS)["spec"]["limits"]
    assert limit["default"] == {"cpu": "2"}
    assert limit["defaultRequest"] == {"cpu": "2", "memory": "1Gi"}


REFUSED = [
    (builtin_kinds.POD_DISRUPTION_BUDGET, BUDGET, "spec.minAvailable", "x%", "must be a numeric string followed by"),
    (builtin_kinds.POD_DISRUPTION_BUDGET, BUDGET, "spec.minAvailable", "101%", "must not be greater than 100%"),
    (builtin_kinds.POD_DISRUPTION_BUDGET, BUDGET, "spec.minAvailable", -1, "must be greater than or equal to 0"),
    (
        builtin_kinds.POD_DISRUPTION_BUDGET,
        BUDGET,
        "spec.maxUnavailable",
        1,
        "minAvailable and maxUnavailable cannot be both set",
    ),
    (
        builtin_kinds.POD_DISRUPTION_BUDGET,
        BUDGET,
        "spec.unhealthyPodEvictionPolicy",
        "Never",
        'supported values: "AlwaysAllow", "IfHealthyBudget"',
    ),
    (
        builtin_kinds.PRIORITY_CLASS,
        PRIORITY,
        "metadata.name",
        "system-mine",
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only",
    ),
    (
        builtin_kinds.PRIORITY_CLASS,
        PRIORITY,
        "value",
        1_000_000_001,
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
    ),
    (
        builtin_kinds.PRIORITY_CLASS,
        PRIORITY,
        "preemptionPolicy",
        "Always",
        'preemptionPolicy: Unsupported value: "Always": supported values: "Never", "PreemptLowerPriority"',
    ),
    (builtin_kinds.RESOURCE_QUOTA, QUOTA, "spec.hard.pods", "-1", "must be greater than or equal to 0"),
    (builtin_kinds.RESOURCE_QUOTA, QUOTA, "spec.hard.Bad!", "1", "name part must consist of alphanumeric"),
    (builtin_kinds.LIMIT_RANGE, LIMITS, "spec.limits[0].type", "Planet", "must be one of Container, "),
    (
        builtin_kinds.LIMIT_RANGE,
        LIMITS,
        "spec.limits[0].min.cpu",
        "3",
        "min value 3 is greater than max value 2",
    ),
]


@pytest.mark.parametrize(("kind", "obj", "path", "value", "text"), REFUSED)
def test_what_is_wrong_is_named(
    kind: contract.Resource, obj: resources.Object, path: str, value: Any, text: str
) -> None:
    assert testing.complaints(kind, obj) == []
    found = testing.complaints(kind, bent(obj, path, value))
    assert any(text in each for each in found), found


def test_a_priority_does_not_change() -> None:
    kind = builtin_kinds.PRIORITY_CLASS
    assert testing.complaints(kind, bent(PRIORITY, "description", "x"), PRIORITY) == []
    assert testing.complaints(kind, bent(PRIORITY, "value", 2), PRIORITY) == [
        "value: Forbidden: may not be changed in an update."
    ]
    (found,) = testing.complaints(kind, bent(PRIORITY, "preemptionPolicy", "Never"), PRIORITY)
    assert found.endswith("field is immutable")


def test_scopes_of_a_quota_do_not_change() -> None:
    (found,) = testing.complaints(builtin_kinds.RESOURCE_QUOTA, bent(QUOTA, "spec.scopes", ["BestEffort"]), QUOTA)
    assert found.endswith("field is immutable")


def test_limits_of_one_type_are_given_once() -> None:
    twice = bent(LIMITS, "spec.limits", [{"type": "Pod"}, {"type": "Pod"}])
    (found,) = testing.complaints(builtin_kinds.LIMIT_RANGE, twice)
    assert found == 'spec.limits[1].type: Duplicate value: "Pod"'
