"""Kinds of other projects: which there are, what they fill in and refuse, and that nobody takes them for installed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brickyard.api import names
from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver import builtin_kinds, catalog, companions, contract, tables
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

GATEWAY = "gateway.networking.k8s.io"
SERVED = [
    # kind, api versions (the stored one first), namespaced, short names, subresources
    ("GatewayClass", f"{GATEWAY}/v1 {GATEWAY}/v1beta1", False, ("gc",), {"status"}),
    ("Gateway", f"{GATEWAY}/v1 {GATEWAY}/v1beta1", True, ("gtw",), {"status"}),
    ("HTTPRoute", f"{GATEWAY}/v1 {GATEWAY}/v1beta1", True, (), {"status"}),
    ("GRPCRoute", f"{GATEWAY}/v1", True, (), {"status"}),
    ("ReferenceGrant", f"{GATEWAY}/v1beta1 {GATEWAY}/v1", True, ("refgrant",), set()),
    ("EnvoyProxy", "gateway.envoyproxy.io/v1alpha1", True, ("eproxy",), {"status"}),
    ("EnvoyPatchPolicy", "gateway.envoyproxy.io/v1alpha1", True, ("epp",), {"status"}),
    ("EnvoyExtensionPolicy", "gateway.envoyproxy.io/v1alpha1", True, ("eep",), {"status"}),
    ("ClientTrafficPolicy", "gateway.envoyproxy.io/v1alpha1", True, ("ctp",), {"status"}),
    ("BackendTrafficPolicy", "gateway.envoyproxy.io/v1alpha1", True, ("btp",), {"status"}),
    (
        "AIGatewayRoute",
        "aigateway.envoyproxy.io/v1beta1 aigateway.envoyproxy.io/v1alpha1",
        True,
        (),
        {"status"},
    ),
    ("InferencePool", "inference.networking.k8s.io/v1", True, ("infpool",), {"status"}),
    ("InferenceObjective", "inference.networking.x-k8s.io/v1alpha2", True, (), {"status"}),
    ("RayCluster", "ray.io/v1", True, (), {"status"}),
    ("RayJob", "ray.io/v1", True, (), {"status"}),
    ("RayService", "ray.io/v1", True, (), {"status"}),
    ("PodGroup", "scheduling.godel.kubewharf.io/v1alpha1", True, ("pg",), {"status"}),
    ("PodGroup", "scheduling.x-k8s.io/v1alpha1", True, ("pg", "pgs"), {"status"}),
    ("PodGroup", "scheduling.volcano.sh/v1beta1", True, ("pg", "podgroup-v1beta1"), {"status"}),
    ("LeaderWorkerSet", "leaderworkerset.x-k8s.io/v1", True, ("lws",), {"status", "scale"}),
    ("ServiceMonitor", "monitoring.coreos.com/v1", True, ("smon",), {"status"}),
    ("PodMonitor", "monitoring.coreos.com/v1", True, ("pmon",), {"status"}),
]


@pytest.fixture(scope="module")
def kinds() -> catalog.BuiltinCatalog:
    made = catalog.BuiltinCatalog()
    for definition in [*crds.definitions(), *companions.definitions()]:
        made.install(definition)
    return made


def of(kinds: catalog.BuiltinCatalog, api_version: str, kind: str) -> contract.Resource:
    found = kinds.of_kind(api_version, kind)
    assert found is not None
    return found


def test_every_row_is_declared_and_nothing_else() -> None:
    declared = [(each.type.kind, each.type.api_version) for each in companions.ALL]
    assert declared == [(kind, versions.split()[0]) for kind, versions, *_ in SERVED]


@pytest.mark.parametrize(("kind", "versions", "namespaced", "short", "parts"), SERVED)
def test_a_companion(
    kinds: catalog.BuiltinCatalog, kind: str, versions: str, namespaced: bool, short: tuple[str, ...], parts: set[str]
) -> None:
    for version in versions.split():
        found = of(kinds, version, kind)
        assert (found.type.namespaced, found.short_names, set(found.subresources)) == (namespaced, short, parts)
        assert found.unattended.startswith(f"nothing on this machine acts on {kind} of ")
        table = tables.render(found, [{}, {"metadata": {"name": "a"}}], 0.0)
        assert {len(each["cells"]) for each in table["rows"]} == {len(found.columns)}


@pytest.mark.parametrize("definition", companions.definitions(), ids=lambda each: each["metadata"]["name"])
def test_a_definition_is_one_that_kubernetes_takes(definition: resources.Object) -> None:
    resource = builtin_kinds.CUSTOM_RESOURCE_DEFINITION
    assert resource.admission.unknown_fields(definition) == []
    assert testing.complaints(resource, definition) == []
    assert definition["metadata"]["labels"] == {names.STORED_ONLY: "true"}
    assert len(json.dumps(definition)) <= 64 * 1024


def test_our_own_kinds_are_not_called_stored_only_but_say_when_nobody_acts_on_them(
    kinds: catalog.BuiltinCatalog,
) -> None:
    for definition in crds.definitions():
        assert names.STORED_ONLY not in (definition["metadata"].get("labels") or {})
        version = definition["spec"]["versions"][0]["name"]
        found = of(kinds, f"{definition['spec']['group']}/{version}", definition["spec"]["names"]["kind"])
        assert found.unattended.startswith("nothing on this machine acts on ")


def test_each_call_gives_fresh_definitions() -> None:
    companions.definitions()[0]["metadata"]["name"] = "changed"
    assert companions.definitions()[0]["metadata"]["name"] == "gatewayclasses.gateway.networking.k8s.io"


def made(api_version: str, kind: str, spec: Any) -> resources.Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "a", "namespace": "default"},
        **({} if spec is None else {"spec": spec}),
    }


ROUTE = made(f"{GATEWAY}/v1", "HTTPRoute", {"parentRefs": [{"name": "g"}], "rules": [{"backendRefs": [{"name": "s"}]}]})
EVERY = {"type": "PathPrefix", "value": "/"}


def test_a_route_is_filled_in(kinds: catalog.BuiltinCatalog) -> None:
    resource = of(kinds, f"{GATEWAY}/v1", "HTTPRoute")
    assert testing.admitted(resource, ROUTE)["spec"] == {
        "parentRefs": [{"name": "g", "group": GATEWAY, "kind": "Gateway"}],
        "rules": [
            {
                "matches": [{"path": EVERY}],
                "backendRefs": [{"name": "s", "group": "", "kind": "Service", "weight": 1}],
            }
        ],
    }
    assert testing.admitted(resource, bent(ROUTE, "spec", {}))["spec"] == {"rules": [{"matches": [{"path": EVERY}]}]}
    headers = bent(ROUTE, "spec.rules[0].matches", [{"headers": [{"name": "model", "value": "m"}]}])
    (match,) = testing.admitted(resource, headers)["spec"]["rules"][0]["matches"]
    assert match == {"path": EVERY, "headers": [{"name": "model", "value": "m", "type": "Exact"}]}


def test_a_gateway_waits_for_a_controller(kinds: catalog.BuiltinCatalog) -> None:
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    obj = made(f"{GATEWAY}/v1", "Gateway", {"gatewayClassName": "c", "listeners": [listener]})
    kept = testing.admitted(of(kinds, f"{GATEWAY}/v1", "Gateway"), obj)
    assert kept["spec"]["listeners"] == [{**listener, "allowedRoutes": {"namespaces": {"from": "Same"}}}]
    assert [(each["type"], each["status"], each["reason"]) for each in kept["status"]["conditions"]] == [
        ("Accepted", "Unknown", "Pending"),
        ("Programmed", "Unknown", "Pending"),
    ]


def test_a_pool_and_a_group_of_leaders_are_filled_in(kinds: catalog.BuiltinCatalog) -> None:
    spec = {
        "selector": {"matchLabels": {"app": "a"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "p"},
    }
    pool = made("inference.networking.k8s.io/v1", "InferencePool", spec)
    picker = testing.admitted(of(kinds, pool["apiVersion"], "InferencePool"), pool)["spec"]["endpointPickerRef"]
    assert picker == {"name": "p", "group": "", "kind": "Service", "failureMode": "FailClose"}
    leaders = made("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", {"leaderWorkerTemplate": {"workerTemplate": {}}})
    kept = testing.admitted(of(kinds, leaders["apiVersion"], "LeaderWorkerSet"), leaders)["spec"]
    assert (kept["replicas"], kept["leaderWorkerTemplate"]["size"]) == (1, 1)


REFUSED = [
    (ROUTE, "spec.parentRefs[0].name", ABSENT, "spec.parentRefs[0].name: Required value"),
    (ROUTE, "spec.rules[0].backendRefs[0].port", 0, "spec.rules[0].backendRefs[0].port: Invalid value: 0: "),
    (
        ROUTE,
        "spec.rules[0].matches",
        [{"path": {"type": "Like"}}],
        "spec.rules[0].matches[0].path.type: Unsupported value",
    ),
    (ROUTE, "spec.rules[0].timeouts", {"request": "soon"}, "spec.rules[0].timeouts.request: Invalid value"),
    (ROUTE, "spec.hostnames", "a", "spec.hostnames: Invalid value: "),
    (
        made(f"{GATEWAY}/v1", "Gateway", {"listeners": []}),
        "metadata.name",
        "a",
        "spec.gatewayClassName: Required value",
    ),
    (
        made(f"{GATEWAY}/v1beta1", "ReferenceGrant", {"from": [{"group": "", "kind": "X", "namespace": "n"}]}),
        "metadata.name",
        "a",
        "spec.to: Required value",
    ),
    (made("ray.io/v1", "RayCluster", {}), "metadata.name", "a", "spec.headGroupSpec: Required value"),
    (
        made("scheduling.x-k8s.io/v1alpha1", "PodGroup", {"minMember": 0}),
        "metadata.name",
        "a",
        "spec.minMember: Invalid value: 0",
    ),
    (made("monitoring.coreos.com/v1", "ServiceMonitor", {}), "metadata.name", "a", "spec.selector: Required value"),
]


@pytest.mark.parametrize(("obj", "path", "value", "complaint"), REFUSED)
def test_what_our_controllers_rely_on_is_checked(
    kinds: catalog.BuiltinCatalog, obj: resources.Object, path: str, value: Any, complaint: str
) -> None:
    found = testing.complaints(of(kinds, obj["apiVersion"], obj["kind"]), bent(obj, path, value))
    assert any(each.startswith(complaint) for each in found), found


def test_what_only_the_project_reads_is_kept_as_it_is(kinds: catalog.BuiltinCatalog) -> None:
    spec = {"provider": {"type": "Kubernetes", "anything": [{"deep": {"snake_case": 1}}]}}
    obj = made("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", spec)
    resource = of(kinds, obj["apiVersion"], "EnvoyProxy")
    assert resource.admission.unknown_fields(obj) == []
    assert testing.admitted(resource, obj)["spec"] == spec
    future = bent(ROUTE, "spec.rules[0].newerField", {"a": 1})
    kept = testing.admitted(of(kinds, f"{GATEWAY}/v1", "HTTPRoute"), future)
    assert kept["spec"]["rules"][0]["newerField"] == {"a": 1}


def test_a_ray_cluster_shows_its_state(kinds: catalog.BuiltinCatalog) -> None:
    obj = made("ray.io/v1", "RayCluster", {"headGroupSpec": {"rayStartParams": {}, "template": {}}})
    obj["status"] = {"state": "ready", "desiredWorkerReplicas": 2, "availableWorkerReplicas": 1}
    table = tables.render(of(kinds, "ray.io/v1", "RayCluster"), [obj], 0.0)
    cells = dict(zip([each["name"] for each in table["columnDefinitions"]], table["rows"][0]["cells"], strict=True))
    assert (cells["desired workers"], cells["available workers"], cells["status"]) == (2, 1, "ready")
