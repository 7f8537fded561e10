"""Tables: their envelope, and the columns of each built-in kind."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract, tables
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import bent
from brickyard.embedded.apiserver.columns import cells, workloads
from brickyard.lib import timestamps

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


def ago(seconds: float) -> str:
    return timestamps.rfc3339(NOW - seconds)


def row(resource: contract.Resource, obj: resources.Object) -> dict[str, Any]:
    """Column name to cell; every object is born 5 minutes ago."""
    aged = bent(obj, "metadata.creationTimestamp", ago(5 * MINUTE))
    table = tables.render(resource, [aged], NOW)
    names = [each["name"] for each in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


SPANS = [
    # seconds, text: each boundary and its neighbours
    (-5, "<invalid>"),
    (-1, "0s"),
    (0, "0s"),
    (119, "119s"),
    (120, "2m"),
    (121, "2m1s"),
    (599, "9m59s"),
    (600, "10m"),
    (659, "10m"),
    (3 * HOUR - 1, "179m"),
    (3 * HOUR, "3h"),
    (3 * HOUR + 59, "3h"),
    (3 * HOUR + 60, "3h1m"),
    (8 * HOUR - 1, "7h59m"),
    (8 * HOUR, "8h"),
    (2 * DAY - 1, "47h"),
    (2 * DAY, "2d"),
    (2 * DAY + HOUR, "2d1h"),
    (8 * DAY - 1, "7d23h"),
    (8 * DAY, "8d"),
    (2 * YEAR - 1, "729d"),
    (2 * YEAR, "2y"),
    (2 * YEAR + DAY, "2y1d"),
    (8 * YEAR - 1, "7y364d"),
    (8 * YEAR, "8y"),
    (100 * YEAR, "100y"),
]


@pytest.mark.parametrize(("seconds", "text"), SPANS)
def test_ages_are_written_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert cells.duration(seconds) == text


@given(st.floats(-10, 1e10))
def test_any_span_has_a_short_text(seconds: float) -> None:
    assert 0 < len(cells.duration(seconds)) <= 9


def test_ages_of_no_time_and_of_nonsense() -> None:
    assert cells.age_of(None, NOW) == "<unknown>"
    assert cells.age_of("yesterday", NOW) == "<invalid>"
    assert cells.age_of(ago(90), NOW) == "90s"


def test_the_envelope_is_a_table() -> None:
    pod = testing.pod()
    table = tables.render(builtin_kinds.POD, [pod], NOW, metadata={"resourceVersion": "7"})
    assert (table["kind"], table["apiVersion"], table["metadata"]) == (
        "Table",
        "meta.k8s.io/v1",
        {"resourceVersion": "7"},
    )
    assert table["columnDefinitions"][0] == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "Name must be unique within a namespace.",
        "priority": 0,
    }
    assert table["rows"][0]["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": pod["metadata"],
    }


def test_rows_carry_as_much_of_the_object_as_was_asked_for() -> None:
    pod = testing.pod()
    whole = tables.render(builtin_kinds.POD, [pod], NOW, include_object="Object")
    nothing = tables.render(builtin_kinds.POD, [pod], NOW, include_object="None", header=False)
    assert whole["rows"][0]["object"] == pod
    assert "object" not in nothing["rows"][0]
    assert nothing["columnDefinitions"] is None


STORED = [each for each in builtin_kinds.ALL if each.review is None]


@pytest.mark.parametrize("resource", STORED, ids=[each.type.kind for each in STORED])
def test_an_object_with_nothing_in_it_has_a_row(resource: contract.Resource) -> None:
    table = tables.render(resource, [{}, {"metadata": {"name": "a"}}], NOW)
    assert {len(each["cells"]) for each in table["rows"]} == {len(resource.columns)}


COLUMNS = [
    # what Kubernetes shows; after the bar only with -o wide
    (builtin_kinds.POD, "Name Ready Status Restarts Age | IP Node Nominated-Node Readiness-Gates"),
    (builtin_kinds.DEPLOYMENT, "Name Ready Up-to-date Available Age | Containers Images Selector"),
    (builtin_kinds.REPLICA_SET, "Name Desired Current Ready Age | Containers Images Selector"),
    (builtin_kinds.STATEFUL_SET, "Name Ready Age | Containers Images"),
    (
        builtin_kinds.DAEMON_SET,
        "Name Desired Current Ready Up-to-date Available Node-Selector Age | Containers Images Selector",
    ),
    (builtin_kinds.CONTROLLER_REVISION, "Name Controller Revision Age |"),
    (builtin_kinds.JOB, "Name Status Completions Duration Age | Containers Images Selector"),
    (
        builtin_kinds.CRON_JOB,
        "Name Schedule Timezone Suspend Active Last-Schedule Age | Containers Images Selector",
    ),
    (builtin_kinds.HORIZONTAL_POD_AUTOSCALER, "Name Reference Targets MinPods MaxPods Replicas Age |"),
    (builtin_kinds.POD_DISRUPTION_BUDGET, "Name Min-Available Max-Unavailable Allowed-Disruptions Age |"),
    (builtin_kinds.PRIORITY_CLASS, "Name Value Global-Default Age PreemptionPolicy |"),
    (builtin_kinds.RESOURCE_QUOTA, "Name Request Limit Age |"),
    (builtin_kinds.LIMIT_RANGE, "Name Created-At |"),
    (builtin_kinds.INGRESS, "Name Class Hosts Address Ports Age |"),
    (builtin_kinds.NETWORK_POLICY, "Name Pod-Selector Age |"),
    (builtin_kinds.ROLE, "Name Created-At |"),
    (builtin_kinds.CLUSTER_ROLE, "Name Created-At |"),
    (builtin_kinds.ROLE_BINDING, "Name Role Age | Users Groups ServiceAccounts"),
    (builtin_kinds.CLUSTER_ROLE_BINDING, "Name Role Age | Users Groups ServiceAccounts"),
    (builtin_kinds.RESOURCE_CLAIM_TEMPLATE, "Name Age |"),
    (builtin_kinds.MUTATING_WEBHOOK_CONFIGURATION, "Name Webhooks Age |"),
    (builtin_kinds.VALIDATING_WEBHOOK_CONFIGURATION, "Name Webhooks Age |"),
    (
        builtin_kinds.STORAGE_CLASS,
        "Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age |",
    ),
    (
        builtin_kinds.PERSISTENT_VOLUME,
        "Name Capacity Access-Modes Reclaim-Policy Status Claim StorageClass VolumeAttributesClass Reason Age | VolumeMode",
    ),
    (builtin_kinds.SERVICE, "Name Type Cluster-IP External-IP Port(s) Age | Selector"),
    (builtin_kinds.ENDPOINTS, "Name Endpoints Age |"),
    (builtin_kinds.ENDPOINT_SLICE, "Name AddressType Ports Endpoints Age |"),
    (
        builtin_kinds.NODE,
        "Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
    ),
    (builtin_kinds.EVENT, "Last-Seen Type Reason Object Message | Subobject Source First-Seen Count Name"),
    (builtin_kinds.NAMESPACE, "Name Status Age |"),
    (builtin_kinds.SECRET, "Name Type Data Age |"),
    (builtin_kinds.CONFIG_MAP, "Name Data Age |"),
    (builtin_kinds.SERVICE_ACCOUNT, "Name Age |"),
    (builtin_kinds.LEASE, "Name Holder Age |"),
    (
        builtin_kinds.PERSISTENT_VOLUME_CLAIM,
        "Name Status Volume Capacity Access-Modes StorageClass VolumeAttributesClass Age | VolumeMode",
    ),
    (builtin_kinds.CUSTOM_RESOURCE_DEFINITION, "Name Created-At |"),
]


@pytest.mark.parametrize(("resource", "expected"), COLUMNS, ids=[each.type.kind for each, _ in COLUMNS])
def test_columns_are_kubernetes_own(resource: contract.Resource, expected: str) -> None:
    shown = [each.name.replace(" ", "-") for each in resource.columns if each.priority == 0]
    wide = [each.name.replace(" ", "-") for each in resource.columns if each.priority]
    assert " ".join([*shown, "|", *wide]) == expected


def test_a_deployment() -> None:
    obj = {
        **testing.deployment(replicas=3),
        "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
    }
    assert row(builtin_kinds.DEPLOYMENT, obj) == {
        "Name": "a",
        "Ready": "2/3",
        "Up-to-date": 3,
        "Available": 1,
        "Age": "5m",
        "Containers": "main",
        "Images": "engine:1",
        "Selector": "app=a",
    }


def test_a_replica_set_without_status() -> None:
    found = row(builtin_kinds.REPLICA_SET, testing.deployment(replicas=3))
    assert (found["Desired"], found["Current"], found["Ready"]) == (3, 0, 0)


def test_selectors_in_one_line() -> None:
    assert workloads.selector_text(None) == "<none>"
    assert workloads.selector_text({"matchLabels": {"b": "2", "a": "1"}}) == "a=1,b=2"
    expressions = [{"key": "k", "operator": "In", "values": ["x", "y"]}, {"key": "l", "operator": "DoesNotExist"}]
    assert workloads.selector_text({"matchExpressions": expressions}) == "k in (x,y),!l"
    assert workloads.selector_text({"matchExpressions": [{"key": "k", "operator": "?"}]}) == "<error>"


SERVICES: list[tuple[dict[str, Any], tuple[str, str, str, str]]] = [
    # the spec, then what TYPE, CLUSTER-IP, EXTERNAL-IP and PORT(S) show
    ({}, ("ClusterIP", "<none>", "<none>", "80/TCP")),
    ({"clusterIP": "None"}, ("ClusterIP", "None", "<none>", "80/TCP")),
    ({"clusterIPs": ["10.0.0.1"], "externalIPs": ["1.2.3.4"]}, ("ClusterIP", "10.0.0.1", "1.2.3.4", "80/TCP")),
    ({"type": "ExternalName", "externalName": "x.y", "ports": []}, ("ExternalName", "<none>", "x.y", "<none>")),
    ({"type": "LoadBalancer"}, ("LoadBalancer", "<none>", "<pending>", "80/TCP")),
    (
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]},
        ("NodePort", "<none>", "<none>", "80:30080/TCP,53/UDP"),
    ),
]


@pytest.mark.parametrize(("spec", "expected"), SERVICES)
def test_services(spec: dict[str, Any], expected: tuple[str, str, str, str]) -> None:
    found = row(builtin_kinds.SERVICE, testing.service(**spec))
    assert (found["Type"], found["Cluster-IP"], found["External-IP"], found["Port(s)"]) == expected
    assert found["Selector"] == "app=a"


def test_a_balanced_service_shows_where_it_is_reached() -> None:
    obj = bent(
        testing.service(type="LoadBalancer"), "status.loadBalancer.ingress", [{"ip": "9.9.9.9"}, {"hostname": "h"}]
    )
    assert row(builtin_kinds.SERVICE, obj)["External-IP"] == "9.9.9.9,h"


def test_endpoints_show_three_and_count_the_rest() -> None:
    subset = {"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 80}]}
    obj = {"metadata": {"name": "a"}, "subsets": [subset]}
    assert row(builtin_kinds.ENDPOINTS, obj)["Endpoints"] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."
    assert row(builtin_kinds.ENDPOINTS, {"metadata": {}})["Endpoints"] == "<none>"
    slice_ = {
        "metadata": {"name": "a"},
        "addressType": "IPv4",
        "ports": [{"port": 80}, {"name": "named"}, {}],
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}],
    }
    found = row(builtin_kinds.ENDPOINT_SLICE, slice_)
    assert (found["Ports"], found["Endpoints"]) == ("80,named,*", "10.0.0.1,10.0.0.2")
    assert row(builtin_kinds.ENDPOINT_SLICE, {"metadata": {}})["Endpoints"] == "<unset>"


def test_a_node() -> None:
    obj = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "gpu"}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1", "osImage": "Linux"},
        },
    }
    found = row(builtin_kinds.NODE, obj)
    assert (found["Status"], found["Roles"], found["Version"]) == ("Ready,SchedulingDisabled", "gpu,worker", "v1")
    assert (found["Internal-IP"], found["External-IP"]) == ("127.0.0.1", "<none>")
    assert (found["OS-Image"], found["Kernel-Version"]) == ("Linux", "<unknown>")
    assert row(builtin_kinds.NODE, {"metadata": {}})["Status"] == "Unknown"
    assert row(builtin_kinds.NODE, bent(obj, "status.conditions[0].status", "False"))["Status"].startswith("NotReady")


EVENT = {
    "metadata": {"name": "e"},
    "type": "Warning",
    "reason": "BackOff",
    "message": " back-off \n",
    "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{main}"},
    "source": {"component": "kubelet", "host": "n"},
    "firstTimestamp": ago(3 * HOUR),
    "lastTimestamp": ago(30),
    "count": 4,
}


def test_an_event() -> None:
    assert row(builtin_kinds.EVENT, EVENT) == {
        "Last Seen": "30s",
        "Type": "Warning",
        "Reason": "BackOff",
        "Object": "pod/p",
        "Subobject": "spec.containers{main}",
        "Source": "kubelet, n",
        "Message": "back-off",
        "First Seen": "3h",
        "Count": 4,
        "Name": "e",
    }


def test_an_event_in_a_series_and_one_with_its_time_alone() -> None:
    series = {**EVENT, "series": {"count": 9, "lastObservedTime": ago(5)}}
    assert (row(builtin_kinds.EVENT, series)["Last Seen"], row(builtin_kinds.EVENT, series)["Count"]) == ("5s", 9)
    lone = {"metadata": {}, "eventTime": ago(7), "reportingComponent": "c", "involvedObject": {"kind": "Node"}}
    found = row(builtin_kinds.EVENT, lone)
    assert (found["Last Seen"], found["First Seen"], found["Count"]) == ("7s", "7s", 1)
    assert (found["Object"], found["Source"]) == ("node", "c")


def test_data_is_counted_and_not_shown() -> None:
    obj = {"metadata": {"name": "a"}, "type": "Opaque", "data": {"a": "eA==", "b": ""}, "binaryData": {"c": ""}}
    assert row(builtin_kinds.CONFIG_MAP, obj)["Data"] == 3
    assert row(builtin_kinds.SECRET, bent(obj, "binaryData", {})) == {
        "Name": "a",
        "Type": "Opaque",
        "Data": 2,
        "Age": "5m",
    }


def test_a_claim() -> None:
    obj = {
        "metadata": {"name": "c"},
        "spec": {"volumeName": "v", "storageClassName": "fast", "volumeMode": "Filesystem"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce", "ReadOnlyMany"]},
    }
    found = row(builtin_kinds.PERSISTENT_VOLUME_CLAIM, obj)
    assert (found["Status"], found["Capacity"], found["Access Modes"]) == ("Bound", "1Gi", "RWO,ROX")
    going = bent(obj, "metadata.deletionTimestamp", ago(1))
    assert row(builtin_kinds.PERSISTENT_VOLUME_CLAIM, going)["Status"] == "Terminating"


def test_rows_carry_metadata_without_owners() -> None:
    owned = {"metadata": {"name": "a", "labels": {"x": "1"}, "managedFields": [{"manager": "m"}]}}
    short, whole = (
        tables.render(builtin_kinds.CONFIG_MAP, [owned], 0.0, include_object=include)["rows"][0]["object"]
        for include in ("Metadata", "Object")
    )
    assert short["metadata"] == {"name": "a", "labels": {"x": "1"}}
    assert whole == owned
