"""StatefulSets, DaemonSets and ControllerRevisions."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}


def stateful(**spec: Any) -> resources.Object:
    return {**testing.deployment(**spec), "kind": "StatefulSet"}


def daemon(**spec: Any) -> resources.Object:
    return {**testing.deployment(**spec), "kind": "DaemonSet"}


def test_a_small_stateful_set_is_filled_in() -> None:
    kept = testing.admitted(builtin_kinds.STATEFUL_SET, stateful(volumeClaimTemplates=[CLAIM]))
    spec = kept["spec"]
    assert {key: spec[key] for key in spec.keys() - {"template", "selector", "volumeClaimTemplates"}} == {
        "replicas": 1,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "revisionHistoryLimit": 10,
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert spec["volumeClaimTemplates"] == [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        }
    ]
    assert kept["status"] == {"replicas": 0, "availableReplicas": 0}


def test_containers_may_mount_what_the_pods_will_claim() -> None:
    made = stateful(volumeClaimTemplates=[CLAIM])
    made["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    assert testing.complaints(builtin_kinds.STATEFUL_SET, made) == []
    without = stateful()
    without["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    assert any("Not found" in each for each in testing.complaints(builtin_kinds.STATEFUL_SET, without))
    kept = testing.admitted(builtin_kinds.STATEFUL_SET, made)
    assert "volumes" not in kept["spec"]["template"]["spec"]


def test_what_is_given_stays() -> None:
    given = {
        "replicas": 0,
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "OnDelete"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
    }
    spec = testing.admitted(builtin_kinds.STATEFUL_SET, stateful(**given))["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"], spec["updateStrategy"]) == (
        0,
        "Parallel",
        {"type": "OnDelete"},
    )
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Delete", "whenScaled": "Retain"}


STATEFUL_REFUSED = [
    ("spec.replicas", -1, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ("spec.ordinals.start", -1, "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"),
    (
        "spec.podManagementPolicy",
        "All",
        "spec.podManagementPolicy: Invalid value: \"All\": must be 'OrderedReady' or 'Parallel'",
    ),
    (
        "spec.updateStrategy",
        {"type": "Recreate"},
        "spec.updateStrategy: Invalid value: {\"type\":\"Recreate\"}: must be 'RollingUpdate' or 'OnDelete'",
    ),
    (
        "spec.updateStrategy",
        {"type": "OnDelete", "rollingUpdate": {"partition": 1}},
        "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'",
    ),
    (
        "spec.updateStrategy.rollingUpdate.partition",
        -1,
        "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        "spec.updateStrategy.rollingUpdate.maxUnavailable",
        0,
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
    ),
    (
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        "Keep",
        'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: "Delete", "Retain"',
    ),
    ("spec.selector", ABSENT, "spec.selector: Required value"),
    ("spec.selector", {}, "spec.selector: Invalid value: {}: empty selector is invalid for statefulset"),
    ("spec.template", ABSENT, "spec.template: Required value"),
    (
        "spec.template.metadata.labels.app",
        "b",
        'spec.template.metadata.labels: Invalid value: {"app":"b"}: `selector` does not match template `labels`',
    ),
    (
        "spec.template.spec.restartPolicy",
        "Never",
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ),
    (
        "spec.template.spec.activeDeadlineSeconds",
        5,
        "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported",
    ),
]


@pytest.mark.parametrize(("path", "value", "complaint"), STATEFUL_REFUSED, ids=[row[0] for row in STATEFUL_REFUSED])
def test_what_is_wrong_with_a_stateful_set_is_named(path: str, value: Any, complaint: str) -> None:
    obj = testing.admitted(builtin_kinds.STATEFUL_SET, stateful())
    assert testing.complaints(builtin_kinds.STATEFUL_SET, bent(obj, path, value)) == [complaint]


CHANGES = [
    ("spec.replicas", 3, True),
    ("spec.minReadySeconds", 3, True),
    ("spec.template.spec.containers[0].image", "engine:2", True),
    ("spec.updateStrategy", {"type": "OnDelete"}, True),
    ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", "Delete", True),
    ("spec.serviceName", "other", False),
    ("spec.podManagementPolicy", "Parallel", False),
    ("spec.volumeClaimTemplates", [CLAIM], False),
]


@pytest.mark.parametrize(("path", "value", "allowed"), CHANGES, ids=[row[0] for row in CHANGES])
def test_what_may_change(path: str, value: Any, allowed: bool) -> None:
    found = testing.complaints(builtin_kinds.STATEFUL_SET, bent(stateful(), path, value), stateful())
    assert (found == []) is allowed
    assert all(each.startswith("spec: Forbidden: updates to statefulset spec for fields other than") for each in found)


def test_a_small_daemon_set_is_filled_in() -> None:
    kept = testing.admitted(builtin_kinds.DAEMON_SET, daemon())
    assert kept["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
    assert kept["spec"]["revisionHistoryLimit"] == 10
    assert set(kept["status"].values()) == {0}


ROLLING = "spec.updateStrategy.rollingUpdate"
DAEMON_REFUSED = [
    (
        "spec.updateStrategy.type",
        "Never",
        'spec.updateStrategy.type: Unsupported value: "Never": supported values: "OnDelete", "RollingUpdate"',
    ),
    (ROLLING, {"maxUnavailable": 0}, f"{ROLLING}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"),
    (
        ROLLING,
        {"maxUnavailable": 1, "maxSurge": 1},
        f"{ROLLING}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
    ),
    (
        ROLLING,
        {"maxUnavailable": "101%"},
        f'{ROLLING}.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ),
    ("spec.selector", {}, "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"),
]


@pytest.mark.parametrize(("path", "value", "complaint"), DAEMON_REFUSED)
def test_what_is_wrong_with_a_daemon_set_is_named(path: str, value: Any, complaint: str) -> None:
    assert testing.complaints(builtin_kinds.DAEMON_SET, bent(daemon(), path, value)) == [complaint]


def test_the_selector_of_a_daemon_set_stays() -> None:
    other = bent(bent(daemon(), "spec.selector.matchLabels.b", "c"), "spec.template.metadata.labels.b", "c")
    (found,) = testing.complaints(builtin_kinds.DAEMON_SET, other, daemon())
    assert found.startswith("spec.selector: ")
    assert found.endswith("field is immutable")


REVISION: resources.Object = {
    "apiVersion": "apps/v1",
    "kind": "ControllerRevision",
    "metadata": {"name": "a-1", "namespace": "default"},
    "data": {"spec": {"anything": [1]}},
    "revision": 1,
}


def test_a_revision_holds_any_data_for_ever() -> None:
    kind = builtin_kinds.CONTROLLER_REVISION
    assert testing.admitted(kind, REVISION)["data"] == REVISION["data"]
    assert testing.complaints(kind, bent(REVISION, "revision", 2), REVISION) == []
    assert testing.complaints(kind, bent(REVISION, "data", ABSENT)) == ["data: Required value: data is mandatory"]
    (found,) = testing.complaints(kind, bent(REVISION, "data.spec", {}), REVISION)
    assert found.endswith("field is immutable")
    assert testing.complaints(kind, bent(REVISION, "revision", -1)) == [
        "revision: Invalid value: -1: must be greater than or equal to 0"
    ]
