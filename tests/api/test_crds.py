from __future__ import annotations

import pytest

from brickyard.api.kinds import crds, resources

# kind, plural, short names, scale, printer columns: the rows of the API surface.
ROWS = [
    ("PodAutoscaler", "podautoscalers", [], False, ["MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "AGE"]),
    ("ModelAdapter", "modeladapters", [], False, ["Phase", "Desired", "Ready", "Candidates", "Model Path", "Age"]),
    ("ModelClaim", "modelclaims", ["mc"], False, ["Phase", "Desired", "Ready", "Engine", "Artifact", "Age"]),
    ("StormService", "stormservices", [], True, ["Replicas", "Ready", "Paused", "Age"]),
    ("RoleSet", "rolesets", [], False, ["Ready", "Age"]),
    ("PodSet", "podsets", [], False, ["ReadyPods", "TotalPods", "Phase", "Age"]),
    ("KVCache", "kvcaches", [], False, []),
    ("RayClusterFleet", "rayclusterfleets", [], True, []),
    ("RayClusterReplicaSet", "rayclusterreplicasets", [], False, []),
]


def by_kind() -> dict[str, resources.Object]:
    return {each["spec"]["names"]["kind"]: each for each in crds.cluster_definitions()}


def test_nine_kinds_are_defined() -> None:
    assert sorted(by_kind()) == sorted(row[0] for row in ROWS)


@pytest.mark.parametrize(("kind", "plural", "short", "scale", "columns"), ROWS, ids=[row[0] for row in ROWS])
def test_names_subresources_and_columns(
    kind: str, plural: str, short: list[str], scale: bool, columns: list[str]
) -> None:
    definition = by_kind()[kind]
    spec = definition["spec"]
    (version,) = spec["versions"]
    assert definition["metadata"]["name"] == f"{plural}.{spec['group']}"
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["plural"] == plural
    assert spec["names"]["singular"] == kind.lower()
    assert spec["names"]["listKind"] == f"{kind}List"
    assert spec["names"].get("shortNames", []) == short
    assert "status" in version["subresources"]
    assert ("scale" in version["subresources"]) is scale
    assert [each["name"] for each in version.get("additionalPrinterColumns", [])] == columns


def test_groups_and_version() -> None:
    groups = {kind: each["spec"]["group"] for kind, each in by_kind().items()}
    assert groups.pop("PodAutoscaler") == "autoscaling.aibrix.ai"
    assert groups.pop("ModelAdapter") == groups.pop("ModelClaim") == "model.aibrix.ai"
    assert set(groups.values()) == {"orchestration.aibrix.ai"}
    assert {each["spec"]["versions"][0]["name"] for each in crds.cluster_definitions()} == {"v1alpha1"}


def test_each_call_gives_fresh_objects() -> None:
    crds.cluster_definitions()[0]["metadata"]["name"] = "changed"
    assert crds.cluster_definitions()[0]["metadata"]["name"] == "podautoscalers.autoscaling.aibrix.ai"


def test_every_schema_says_what_spec_and_status_are() -> None:
    for definition in crds.definitions():
        properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for part in ("spec", "status"):
            assert properties[part]["description"]
            assert properties[part]["x-kubernetes-preserve-unknown-fields"] is True


def test_a_machine_registers_companions_too() -> None:
    machine = [each["metadata"]["name"] for each in crds.definitions()]
    cluster = [each["metadata"]["name"] for each in crds.cluster_definitions()]
    assert machine == [*cluster, "httproutes.gateway.networking.k8s.io"]
