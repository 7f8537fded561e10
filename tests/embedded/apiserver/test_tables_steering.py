"""Cells of Jobs, autoscalers, storage, bindings and the like: what they show in each state."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract, tables
from brickyard.lib import timestamps

NOW = 1_800_000_000.0


def ago(seconds: float) -> str:
    return timestamps.rfc3339(NOW - seconds)


def row(resource: contract.Resource, **content: Any) -> dict[str, Any]:
    """Column name to cell."""
    obj: resources.Object = {"metadata": {"name": "a", **content.pop("metadata", {})}, **content}
    table = tables.render(resource, [obj], NOW)
    columns = [each["name"] for each in table["columnDefinitions"]]
    return dict(zip(columns, table["rows"][0]["cells"], strict=True))


def condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status}]}


JOB_STATES = [
    # status, metadata, word
    ({}, {}, "Running"),
    (condition("Complete"), {}, "Complete"),
    (condition("Failed"), {}, "Failed"),
    (condition("Failed", "False"), {}, "Running"),
    (condition("Suspended"), {}, "Suspended"),
    (condition("FailureTarget"), {}, "FailureTarget"),
    (condition("SuccessCriteriaMet"), {}, "SuccessCriteriaMet"),
    ({}, {"deletionTimestamp": ago(1)}, "Terminating"),
    (condition("Suspended"), {"deletionTimestamp": ago(1)}, "Terminating"),
    (condition("Complete"), {"deletionTimestamp": ago(1)}, "Complete"),
]


@pytest.mark.parametrize(("status", "metadata", "word"), JOB_STATES)
def test_the_state_of_a_job(status: dict[str, Any], metadata: dict[str, Any], word: str) -> None:
    assert row(builtin_kinds.JOB, status=status, metadata=metadata)["Status"] == word


COMPLETIONS = [
    ({"completions": 3, "parallelism": 1}, {"succeeded": 2}, "2/3"),
    ({"completions": 1}, {}, "0/1"),
    ({"parallelism": 4}, {"succeeded": 1}, "1/1 of 4"),
    ({"parallelism": 1}, {}, "0/1"),
]


@pytest.mark.parametrize(("spec", "status", "text"), COMPLETIONS)
def test_completions(spec: dict[str, Any], status: dict[str, Any], text: str) -> None:
    assert row(builtin_kinds.JOB, spec=spec, status=status)["Completions"] == text


def test_how_long_a_job_ran() -> None:
    assert row(builtin_kinds.JOB)["Duration"] == ""
    assert row(builtin_kinds.JOB, status={"startTime": ago(90)})["Duration"] == "90s"
    assert row(builtin_kinds.JOB, status={"startTime": ago(90), "completionTime": ago(30)})["Duration"] == "60s"
    assert row(builtin_kinds.JOB, status={"startTime": "soon"})["Duration"] == "<invalid>"


def test_a_cron_job() -> None:
    spec = {
        "schedule": "@daily",
        "suspend": True,
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}},
    }
    found = row(builtin_kinds.CRON_JOB, spec=spec, status={"active": [{}], "lastScheduleTime": ago(120)})
    assert (found["Schedule"], found["Timezone"], found["Suspend"], found["Active"], found["Last Schedule"]) == (
        "@daily",
        "<none>",
        "True",
        1,
        "2m",
    )
    assert (found["Containers"], found["Images"], found["Selector"]) == ("c", "i", "<none>")
    assert row(builtin_kinds.CRON_JOB)["Last Schedule"] == "<none>"


def resource_metric(**target: Any) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def other_metric(kind: str, **target: Any) -> dict[str, Any]:
    return {"type": kind, kind.lower(): {"target": target}}


TARGETS = [
    # metrics, current metrics, text
    ([], [], "<none>"),
    ([resource_metric(averageUtilization=80)], [], "cpu: <unknown>/80%"),
    (
        [resource_metric(averageUtilization=80)],
        [{"type": "Resource", "resource": {"current": {"averageUtilization": 12}}}],
        "cpu: 12%/80%",
    ),
    (
        [resource_metric(averageValue="100m")],
        [{"type": "Resource", "resource": {"current": {"averageValue": "50m"}}}],
        "cpu: 50m/100m",
    ),
    ([resource_metric()], [], "cpu: <unknown>/<auto>"),
    ([other_metric("Pods", averageValue="1k")], [], "<unknown>/1k"),
    (
        [other_metric("External", value="30")],
        [{"type": "External", "external": {"current": {"value": "7"}}}],
        "7/30",
    ),
    ([other_metric("External", averageValue="30")], [], "<unknown>/30 (avg)"),
    ([other_metric("Object", averageValue="30")], [], "<unknown>/30 (avg)"),
    ([{"type": "Moon"}], [], "<unknown type>"),
    (
        [resource_metric(averageUtilization=1)] * 4,
        [],
        "cpu: <unknown>/1%, cpu: <unknown>/1% + 2 more...",
    ),
]


@pytest.mark.parametrize(("metrics", "current", "text"), TARGETS)
def test_targets_of_an_autoscaler(metrics: list[Any], current: list[Any], text: str) -> None:
    found = row(builtin_kinds.HORIZONTAL_POD_AUTOSCALER, spec={"metrics": metrics}, status={"currentMetrics": current})
    assert found["Targets"] == text


def test_who_is_bound_to_what() -> None:
    subjects = [
        {"kind": "User", "name": "u"},
        {"kind": "User", "name": "v"},
        {"kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]
    found = row(builtin_kinds.ROLE_BINDING, roleRef={"kind": "ClusterRole", "name": "edit"}, subjects=subjects)
    assert (found["Role"], found["Users"], found["Groups"], found["ServiceAccounts"]) == (
        "ClusterRole/edit",
        "u, v",
        "g",
        "n/s",
    )


def test_storage() -> None:
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    assert row(builtin_kinds.STORAGE_CLASS, metadata=default)["Name"] == "a (default)"
    assert row(builtin_kinds.STORAGE_CLASS)["Name"] == "a"
    assert row(builtin_kinds.STORAGE_CLASS, allowVolumeExpansion=True)["AllowVolumeExpansion"] == "true"
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteOnce"],
        "claimRef": {"namespace": "n", "name": "c"},
    }
    volume = row(builtin_kinds.PERSISTENT_VOLUME, spec=spec, status={"phase": "Bound"})
    assert (volume["Capacity"], volume["Access Modes"], volume["Claim"], volume["Status"]) == (
        "1Gi",
        "RWO,ROX",
        "n/c",
        "Bound",
    )
    going = row(builtin_kinds.PERSISTENT_VOLUME, metadata={"deletionTimestamp": ago(1)}, status={"phase": "Bound"})
    assert going["Status"] == "Terminating"


def test_quotas_in_two_columns() -> None:
    status = {"hard": {"pods": "2", "limits.cpu": "4", "requests.cpu": "1"}, "used": {"pods": "1"}}
    found = row(builtin_kinds.RESOURCE_QUOTA, status=status)
    assert (found["Request"], found["Limit"]) == ("pods: 1/2, requests.cpu: 0/1", "limits.cpu: 0/4")


def test_a_revision_and_its_owner() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
    found = row(builtin_kinds.CONTROLLER_REVISION, metadata={"ownerReferences": [owner]}, revision=3)
    assert (found["Controller"], found["Revision"]) == ("statefulset.apps/db", 3)
    core = {"apiVersion": "v1", "kind": "Pod", "name": "p", "controller": True}
    assert row(builtin_kinds.CONTROLLER_REVISION, metadata={"ownerReferences": [core]})["Controller"] == "pod/p"
    assert row(builtin_kinds.CONTROLLER_REVISION)["Controller"] == "<none>"


def test_networks() -> None:
    rules = [{"host": f"{letter}.example.com"} for letter in "abcd"]
    found = row(builtin_kinds.INGRESS, spec={"rules": rules, "tls": [{}], "ingressClassName": "nginx"})
    assert found["Hosts"] == "a.example.com,b.example.com,c.example.com + 1 more..."
    assert (found["Ports"], found["Class"]) == ("80, 443", "nginx")
    bare = row(builtin_kinds.INGRESS, status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "h"}]}})
    assert (bare["Hosts"], bare["Address"], bare["Ports"], bare["Class"]) == ("*", "1.2.3.4,h", "80", "<none>")
    assert row(builtin_kinds.NETWORK_POLICY, spec={"podSelector": {"matchLabels": {"a": "b"}}})["Pod-Selector"] == "a=b"


def test_budgets_priorities_and_webhooks() -> None:
    budget = row(builtin_kinds.POD_DISRUPTION_BUDGET, spec={"minAvailable": "50%"}, status={"disruptionsAllowed": 2})
    assert (budget["Min Available"], budget["Max Unavailable"], budget["Allowed Disruptions"]) == ("50%", "N/A", 2)
    priority = row(builtin_kinds.PRIORITY_CLASS, value=5, globalDefault=True, preemptionPolicy="Never")
    assert (priority["Value"], priority["Global-Default"], priority["PreemptionPolicy"]) == (5, "true", "Never")
    assert row(builtin_kinds.MUTATING_WEBHOOK_CONFIGURATION, webhooks=[{}, {}])["Webhooks"] == 2


def test_a_daemon_set() -> None:
    spec = {"template": {"spec": {"nodeSelector": {"zone": "a"}}}}
    found = row(builtin_kinds.DAEMON_SET, spec=spec, status={"desiredNumberScheduled": 3, "numberReady": 1})
    assert (found["Desired"], found["Ready"], found["Up-to-date"], found["Node Selector"]) == (3, 1, 0, "zone=a")
