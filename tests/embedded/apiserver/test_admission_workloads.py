"""Deployments and ReplicaSets."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

DEPLOYMENT = testing.deployment()
REPLICA_SET = {**testing.deployment(), "kind": "ReplicaSet"}
KINDS = pytest.mark.parametrize(
    ("resource", "obj"),
    [(builtin_kinds.DEPLOYMENT, DEPLOYMENT), (builtin_kinds.REPLICA_SET, REPLICA_SET)],
    ids=["Deployment", "ReplicaSet"],
)


def complaints(obj: resources.Object, old: resources.Object | None = None) -> list[str]:
    return testing.complaints(builtin_kinds.DEPLOYMENT, obj, old)


def test_a_bare_deployment_is_filled_in_as_kubernetes_fills_it() -> None:
    spec = testing.admitted(builtin_kinds.DEPLOYMENT, DEPLOYMENT)["spec"]
    template = spec.pop("template")
    assert spec == {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "a"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert template["spec"]["restartPolicy"] == "Always"
    assert template["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert "enableServiceLinks" not in template["spec"]


@pytest.mark.parametrize(
    ("resource", "written", "status"),
    [
        (builtin_kinds.DEPLOYMENT, ABSENT, {}),
        (builtin_kinds.DEPLOYMENT, {"replicas": 2}, {"replicas": 2}),
        (builtin_kinds.REPLICA_SET, ABSENT, {"replicas": 0}),
        (builtin_kinds.REPLICA_SET, {"replicas": 2}, {"replicas": 2}),
    ],
)
def test_there_is_always_a_status(resource: contract.Resource, written: Any, status: Any) -> None:
    obj = {**DEPLOYMENT, "kind": resource.type.kind, **({} if written is ABSENT else {"status": written})}
    assert testing.admitted(resource, obj)["status"] == status


def test_what_was_written_stays() -> None:
    obj = testing.deployment(replicas=0, strategy={"type": "Recreate"}, revisionHistoryLimit=0)
    spec = testing.admitted(builtin_kinds.DEPLOYMENT, obj)["spec"]
    assert (spec["replicas"], spec["strategy"], spec["revisionHistoryLimit"]) == (0, {"type": "Recreate"}, 0)


def test_half_a_rolling_update_is_completed() -> None:
    obj = testing.deployment(strategy={"rollingUpdate": {"maxSurge": 1}})
    assert testing.admitted(builtin_kinds.DEPLOYMENT, obj)["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"},
    }


def test_limits_of_a_template_stay_limits() -> None:
    obj = bent(DEPLOYMENT, "spec.template.spec.containers[0].resources", {"limits": {"cpu": 1}})
    template = testing.admitted(builtin_kinds.DEPLOYMENT, obj)["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "1"}}


@KINDS
def test_a_small_one_is_valid_and_filling_in_is_stable(resource: contract.Resource, obj: resources.Object) -> None:
    once = testing.admitted(resource, obj)
    assert testing.complaints(resource, obj) == []
    assert testing.admitted(resource, once) == once


@KINDS
def test_the_selector_never_changes(resource: contract.Resource, obj: resources.Object) -> None:
    other = bent(bent(obj, "spec.selector.matchLabels.app", "b"), "spec.template.metadata.labels.app", "b")
    assert testing.complaints(resource, other, obj) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable'
    ]


@KINDS
def test_nothing_at_all_is_refused_in_all_its_parts(resource: contract.Resource, obj: resources.Object) -> None:
    assert testing.complaints(resource, {**obj, "spec": {}}) == [
        "spec.selector: Required value",
        "spec.template: Required value",
    ]


def strategy(**rolling: Any) -> dict[str, Any]:
    return {"rollingUpdate": rolling}


TEMPLATE = "spec.template"
ROWS: list[tuple[str, Any, list[str]]] = [
    ("spec.replicas", -1, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
    ("spec.minReadySeconds", -1, ["spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"]),
    (
        "spec.revisionHistoryLimit",
        -1,
        ["spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        "spec.progressDeadlineSeconds",
        0,
        ["spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds"],
    ),
    (
        "spec.selector.matchLabels.app",
        "b",
        ['spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`'],
    ),
    (
        "spec.template.metadata",
        ABSENT,
        ["spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`"],
    ),
    ("spec.selector", {}, ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"]),
    (
        "spec.selector.matchExpressions",
        [{"key": "app", "operator": "In"}],
        [
            "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"
        ],
    ),
    (
        "spec.selector.matchExpressions",
        [{"key": "app", "operator": "Exists", "values": ["x"]}],
        [
            (
                "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or "
                "'DoesNotExist'"
            ),
        ],
    ),
    (
        "spec.selector.matchExpressions",
        [{"key": "app", "operator": "Like"}],
        ['spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator'],
    ),
    (f"{TEMPLATE}.spec.containers[0].image", ABSENT, ["spec.template.spec.containers[0].image: Required value"]),
    (f"{TEMPLATE}.spec", ABSENT, ["spec.template.spec.containers: Required value"]),
    (
        f"{TEMPLATE}.spec.restartPolicy",
        "Never",
        ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    (
        f"{TEMPLATE}.spec.activeDeadlineSeconds",
        5,
        ["spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported"],
    ),
    (
        "spec.strategy",
        {"type": "BlueGreen"},
        ['spec.strategy.type: Unsupported value: "BlueGreen": supported values: "Recreate", "RollingUpdate"'],
    ),
    (
        "spec.strategy",
        {"type": "Recreate", "rollingUpdate": {}},
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ),
    ("spec.strategy", strategy(maxSurge=1, maxUnavailable=0), []),
    (
        "spec.strategy",
        strategy(maxSurge="0%", maxUnavailable=0),
        ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
    ),
    (
        "spec.strategy",
        strategy(maxUnavailable="101%"),
        ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ),
    (
        "spec.strategy",
        strategy(maxSurge=-1),
        ["spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0"],
    ),
]


@pytest.mark.parametrize(("path", "value", "expected"), ROWS)
def test_one_thing_wrong(path: str, value: Any, expected: list[str]) -> None:
    assert complaints(bent(DEPLOYMENT, path, value)) == expected


def test_a_percentage_is_written_as_one() -> None:
    (found,) = complaints(testing.deployment(strategy=strategy(maxSurge="half")))
    assert found.startswith(
        'spec.strategy.rollingUpdate.maxSurge: Invalid value: "half": a valid percent string must be'
    )


def test_bad_labels_in_selector_and_template_are_all_named() -> None:
    obj = bent(DEPLOYMENT, "spec.selector.matchLabels.app", "not ok")
    obj = bent(obj, "spec.template.metadata.labels.app", "not ok")
    obj = bent(obj, "spec.selector.matchExpressions", [{"key": "-", "operator": "In", "values": ["~"]}])
    paths = [each.split(": ")[0] for each in complaints(obj)]
    assert paths == [
        "spec.selector.matchLabels",
        "spec.selector.matchExpressions[0].key",
        "spec.selector.matchExpressions[0].values[0]",
        "spec.template.metadata.labels",
    ]
