"""The kinds of AIBrix as people meet them through kubectl: explained, filled in, refused, scaled, listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.witness import cluster as clusters

from brickyard.api.kinds import crds
from brickyard.api.kinds import kind as kinds

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not clusters.KUBECTL.exists(), reason="kubectl is not installed")]

POD = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "engine", "kept": 1}]}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"}
SOURCE = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
SELECTOR = {"matchLabels": {"a": "b"}}
MINIMAL: dict[str, dict[str, Any]] = {
    "PodAutoscaler": {"scaleTargetRef": TARGET, "maxReplicas": 4, "scalingStrategy": "KPA", "metricsSources": [SOURCE]},
    "ModelAdapter": {"podSelector": SELECTOR, "artifactURL": "hf://org/lora"},
    "ModelClaim": {"podSelector": SELECTOR, "artifactURL": "hf://org/model"},
    "StormService": {"selector": SELECTOR, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"roles": []}}},
    "RoleSet": {"roles": [{"name": "prefill", "template": POD}]},
    "PodSet": {"podGroupSize": 2, "template": POD},
    "KVCache": {"mode": "distributed"},
    "RayClusterFleet": {
        "selector": SELECTOR,
        "template": {"spec": {"headGroupSpec": {"rayStartParams": {}, "template": POD}}},
    },
    "RayClusterReplicaSet": {"selector": SELECTOR},
}


def of_kind(name: str) -> type[kinds.Kind]:
    return next(each for each in crds.KINDS if each.type.kind == name)


def manifest(kind: str, spec: Any, name: str = "x") -> str:
    found = of_kind(kind).type
    return json.dumps({"apiVersion": found.api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})


def with_spec(kind: str, **more: Any) -> dict[str, Any]:
    return {**MINIMAL[kind], **more}


def worker(**more: Any) -> dict[str, Any]:
    group = {"groupName": "g", "rayStartParams": {}, "template": POD, **more}
    head = {"rayStartParams": {}, "template": POD}
    template = {"spec": {"headGroupSpec": head, "workerGroupSpecs": [group]}}
    return with_spec("RayClusterFleet", template=template)


SERVICE = {"ports": [{"port": 9600}]}
TEMPLATED = {"metadata": {"labels": {"a": "b"}}}

# Given this spec, the field at the path is stored as what stands in the last column; None is absent.
DEFAULTS: list[tuple[str, Any, str, Any]] = [
    ("PodSet", MINIMAL["PodSet"], ".recoveryPolicy", "ReplaceUnhealthy"),
    ("PodSet", with_spec("PodSet", recoveryPolicy="Recreate"), ".recoveryPolicy", "Recreate"),
    ("RoleSet", {"roles": []}, ".updateStrategy", "Sequential"),
    ("RoleSet", MINIMAL["RoleSet"], ".roles[0].updateStrategy", None),
    ("RoleSet", {"roles": [{"updateStrategy": {}}]}, ".roles[0].updateStrategy.type", "Recreate"),
    ("RoleSet", {"topologyPolicy": {"scope": "Role", "key": "zone"}}, ".topologyPolicy.mode", "Preferred"),
    ("StormService", MINIMAL["StormService"], ".updateStrategy", None),
    ("StormService", with_spec("StormService", updateStrategy={}), ".updateStrategy.type", "RollingUpdate"),
    ("StormService", MINIMAL["StormService"], ".template.spec.updateStrategy", "Sequential"),
    ("StormService", with_spec("StormService", template=TEMPLATED), ".template.spec", None),
    ("StormService", MINIMAL["StormService"], ".replicas", None),
    ("ModelAdapter", MINIMAL["ModelAdapter"], ".schedulerName", "default"),
    ("ModelAdapter", MINIMAL["ModelAdapter"], ".replicas", None),
    ("ModelAdapter", with_spec("ModelAdapter", credentialsSecretRef={}), ".credentialsSecretRef.name", ""),
    ("ModelClaim", MINIMAL["ModelClaim"], ".engine", "vllm"),
    ("ModelClaim", MINIMAL["ModelClaim"], ".replicas", 1),
    ("KVCache", {}, ".mode", "distributed"),
    ("KVCache", MINIMAL["KVCache"], ".cache.image", "aibrix/kvcache:20241120"),
    ("KVCache", MINIMAL["KVCache"], ".cache.imagePullPolicy", "IfNotPresent"),
    ("KVCache", MINIMAL["KVCache"], ".cache.replicas", 1),
    ("KVCache", MINIMAL["KVCache"], ".cache.env", []),
    ("KVCache", with_spec("KVCache", cache={"image": "own"}), ".cache.imagePullPolicy", "IfNotPresent"),
    ("KVCache", with_spec("KVCache", watcher={}), ".watcher.replicas", 1),
    ("KVCache", with_spec("KVCache", metadata={"redis": {"runtime": {}}}), ".metadata.redis.runtime.replicas", 1),
    ("KVCache", with_spec("KVCache", service=SERVICE), ".service.type", "ClusterIP"),
    ("KVCache", with_spec("KVCache", service=SERVICE), ".service.ports[0].protocol", "TCP"),
    ("RayClusterFleet", MINIMAL["RayClusterFleet"], ".replicas", 1),
    ("RayClusterFleet", MINIMAL["RayClusterFleet"], ".revisionHistoryLimit", 10),
    ("RayClusterFleet", MINIMAL["RayClusterFleet"], ".progressDeadlineSeconds", 600),
    ("RayClusterReplicaSet", MINIMAL["RayClusterReplicaSet"], ".replicas", 1),
    ("RayClusterFleet", worker(), ".template.spec.workerGroupSpecs[0].minReplicas", 0),
    ("RayClusterFleet", worker(), ".template.spec.workerGroupSpecs[0].maxReplicas", 2147483647),
    ("RayClusterFleet", worker(), ".template.spec.workerGroupSpecs[0].replicas", 0),
    ("RayClusterFleet", worker(), ".template.spec.workerGroupSpecs[0].numOfHosts", 1),
    ("RayClusterFleet", worker(replicas=3), ".template.spec.workerGroupSpecs[0].replicas", 3),
    ("RoleSet", MINIMAL["RoleSet"], ".roles[0].template.spec.containers[0].kept", 1),
]


def test_what_is_left_out_is_filled_in(kubectl: clusters.Kubectl) -> None:
    """All rows in one go: a list of manifests is one command."""
    body = "\n---\n".join(manifest(kind, spec, f"row-{row}") for row, (kind, spec, _, _) in enumerate(DEFAULTS))
    kubectl.apply(body)
    for row, (kind, _, path, wanted) in enumerate(DEFAULTS):
        found = kubectl.path(f"{of_kind(kind).type.plural}/row-{row}", f".spec{path}")
        shown = "" if wanted is None else wanted if isinstance(wanted, str) else json.dumps(wanted)
        assert found == shown, (kind, path)


def test_a_manifest_without_a_spec_is_stored(kubectl: clusters.Kubectl) -> None:
    """But for a PodAutoscaler, whose rules go beyond its schema."""
    stored = [each for each in crds.KINDS if each.type.kind != "PodAutoscaler"]
    kubectl.apply("\n---\n".join(manifest(each.type.kind, None) for each in stored))
    for each in stored:
        assert not kubectl.object(each.type.plural, "x").get("spec"), each


# Given this spec, kubectl tells these words.
REFUSED: list[tuple[str, Any, str]] = [
    ("PodAutoscaler", with_spec("PodAutoscaler", scalingStrategy="KEDA"), 'supported values: "HPA", "KPA", "APA"'),
    ("PodAutoscaler", with_spec("PodAutoscaler", observeWindowSeconds=0), "spec.observeWindowSeconds"),
    ("PodAutoscaler", with_spec("PodAutoscaler", schedules=[]), "spec.schedules"),
    ("PodAutoscaler", {**MINIMAL["PodAutoscaler"], "maxReplicas": None}, "spec.maxReplicas: Required value"),
    ("PodAutoscaler", with_spec("PodAutoscaler", maxReplicas="4"), "spec.maxReplicas"),
    ("ModelAdapter", {"podSelector": SELECTOR}, "spec.artifactURL: Required value"),
    ("ModelClaim", with_spec("ModelClaim", engine="tgi"), 'supported values: "vllm", "sglang"'),
    ("ModelClaim", with_spec("ModelClaim", replicas=2), "spec.replicas"),
    ("StormService", {"template": {}}, "spec.selector: Required value"),
    ("RoleSet", {"roles": [{"podGroupSize": 101}]}, "spec.roles[0].podGroupSize"),
    ("RoleSet", {"roles": [{"upgradeOrder": 0}]}, "spec.roles[0].upgradeOrder"),
    ("RoleSet", {"topologyPolicy": {"scope": "Role"}}, "spec.topologyPolicy.key: Required value"),
    ("RoleSet", {"topologyPolicy": {"scope": "Role", "key": "-"}}, "spec.topologyPolicy.key"),
    (
        "RoleSet",
        {"schedulingStrategy": {"godelSchedulingStrategy": {}, "volcanoSchedulingStrategy": {}}},
        "spec.schedulingStrategy: Too many: 2: must have at most 1 item",
    ),
    ("PodSet", {"podGroupSize": 1, "template": POD}, "spec.podGroupSize"),
    ("PodSet", {"podGroupSize": 2, "template": {"spec": {}}}, "spec.template.spec.containers: Required value"),
    ("RayClusterFleet", {"template": {}}, "spec.selector: Required value"),
    (
        "RayClusterFleet",
        with_spec("RayClusterFleet", template={"spec": {}}),
        "spec.template.spec.headGroupSpec: Required",
    ),
    ("RayClusterFleet", with_spec("RayClusterFleet", replcas=1), 'unknown field "spec.replcas"'),
    ("KVCache", {"cache": {"resources": {"limits": {"memory": "much"}}}}, "spec.cache.resources.limits"),
]


@pytest.mark.parametrize(("kind", "spec", "words"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_wrong_is_refused_with_its_field(kubectl: clusters.Kubectl, kind: str, spec: Any, words: str) -> None:
    assert words in kubectl.refused("create", "-f", "-", stdin=manifest(kind, spec))


def test_explain_teaches(kubectl: clusters.Kubectl) -> None:
    text = kubectl.says("explain", "podautoscaler.spec.metricsSources")
    assert "FIELD: metricsSources <[]Object>" in text
    assert "Each asks for a number of replicas; the largest counts" in " ".join(text.split())
    assert "targetValue\t<string> -required-" in text
    assert "enum: pod, resource, custom, external, ...." in text
    assert "Deprecated: Name of the metric in the first form of the API" in " ".join(text.split())
    assert "stands for another variable" in kubectl.says("explain", "kvcache.spec.cache.env.value")
    assert "RollingUpdate replaces RoleSets" in kubectl.says("explain", "stormservice.spec.updateStrategy.type")


@pytest.mark.parametrize("kind", [each.type.kind for each in crds.KINDS])
def test_explain_shows_every_field(kubectl: clusters.Kubectl, kind: str) -> None:
    found = of_kind(kind).type
    text = kubectl.says("explain", f"{found.plural}.{found.group}.spec", "--recursive")
    shown = {line.split("\t")[0].strip() for line in text.splitlines() if "<" in line}
    assert set(of_kind(kind).schema()["properties"]["spec"]["properties"]) <= shown


def test_columns_and_short_names(kubectl: clusters.Kubectl) -> None:
    kubectl.apply("\n---\n".join(manifest(kind, spec) for kind, spec in MINIMAL.items()))
    heads = {kind: kubectl.says("get", of_kind(kind).type.plural).splitlines()[0].split() for kind in MINIMAL}
    assert heads == {
        "PodAutoscaler": ["NAME", "MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "AGE"],
        "ModelAdapter": ["NAME", "PHASE", "DESIRED", "READY", "CANDIDATES", "MODEL", "PATH", "AGE"],
        "ModelClaim": ["NAME", "PHASE", "DESIRED", "READY", "ENGINE", "ARTIFACT", "AGE"],
        "StormService": ["NAME", "REPLICAS", "READY", "PAUSED", "AGE"],
        "RoleSet": ["NAME", "READY", "AGE"],
        "PodSet": ["NAME", "READYPODS", "TOTALPODS", "PHASE", "AGE"],
        "KVCache": ["NAME", "AGE"],
        "RayClusterFleet": ["NAME", "AGE"],
        "RayClusterReplicaSet": ["NAME", "AGE"],
    }
    status = {"readyPods": 1, "totalPods": 2, "phase": "Running"}
    kubectl.says("patch", "podset", "x", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    assert kubectl("get", "podset", "x", "--no-headers").rows[0][:4] == ["x", "1", "2", "Running"]
    condition = {"type": "Ready", "status": "True", "reason": "roleset is ready"}
    body = json.dumps({"status": {"conditions": [condition]}})
    kubectl.says("patch", "roleset", "x", "--subresource=status", "--type=merge", "-p", body)
    assert kubectl("get", "roleset", "x", "--no-headers").rows[0][:2] == ["x", "True"]
    assert kubectl("get", "mc", "x", "--no-headers").rows[0][:3] == ["x", "vllm", "hf://org/model"]
    assert kubectl.says("get", "pa").splitlines()[0].split() == heads["PodAutoscaler"]


@pytest.mark.parametrize("kind", ["StormService", "RayClusterFleet"])
def test_scale(kubectl: clusters.Kubectl, kind: str) -> None:
    plural = of_kind(kind).type.plural
    kubectl.apply(manifest(kind, with_spec(kind, replicas=1)))
    status = json.dumps({"status": {"replicas": 1, "scalingTargetSelector": "a=b"}})
    kubectl.says("patch", plural, "x", "--subresource=status", "--type=merge", "-p", status)
    kubectl.says("scale", f"{plural}/x", "--replicas=5", "--current-replicas=1")
    assert kubectl.path(f"{plural}/x", ".spec.replicas") == "5"
    found = kubectl.object(plural, "x", "--subresource=scale")
    assert (found["kind"], found["spec"], found["status"]) == (
        "Scale",
        {"replicas": 5},
        {"replicas": 1, "selector": "a=b"},
    )


def test_kinds_without_scale_are_not_scaled(kubectl: clusters.Kubectl) -> None:
    kubectl.apply(manifest("RoleSet", MINIMAL["RoleSet"]))
    assert "not find the requested resource" in kubectl.refused("scale", "roleset/x", "--replicas=2")


def test_what_the_schema_does_not_know_is_dropped_when_the_client_lets_it(kubectl: clusters.Kubectl) -> None:
    spec = with_spec("PodAutoscaler", behavior={"scaleUp": {}})
    kubectl.apply(manifest("PodAutoscaler", spec), "--validate=false")
    stored = kubectl.object("podautoscaler", "x")["spec"]
    assert "behavior" not in stored
    assert stored["metricsSources"] == [SOURCE]
