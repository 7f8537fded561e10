from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver.structural import definition as structural

# kind, plural, short names, scale, printer columns: the rows of the API surface.
ROWS = [
    ("PodAutoscaler", "podautoscalers", ["pa"], False, ["MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "AGE"]),
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
    return {each["spec"]["names"]["kind"]: each for each in crds.definitions()}


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
    assert {each["spec"]["versions"][0]["name"] for each in crds.definitions()} == {"v1alpha1"}


def test_each_call_gives_fresh_objects() -> None:
    crds.definitions()[0]["metadata"]["name"] = "changed"
    assert crds.definitions()[0]["metadata"]["name"] == "podautoscalers.autoscaling.aibrix.ai"


def schemas(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below a schema, with its path."""
    for name, each in schema.get("properties", {}).items():
        yield f"{path}.{name}", each
        yield from schemas(each, f"{path}.{name}")
    for below in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(below, dict):
            yield from schemas(below, f"{path}[]")


def schema_of(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = by_kind()[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.parametrize("kind", [row[0] for row in ROWS])
def test_every_field_is_described_and_the_schema_is_structural(kind: str) -> None:
    schema = schema_of(kind)
    fields = dict(schemas(schema))
    assert [path for path, each in fields.items() if not each.get("description") and path != ".metadata"] == []
    assert list(structural.violations(schema, "schema", root=True)) == []
    assert schema["description"].startswith(kind)


# Of Kubernetes itself: a reference without a name refers to nothing.
TOLD_NOWHERE = {".spec.credentialsSecretRef.name"}


@pytest.mark.parametrize("kind", [row[0] for row in ROWS])
def test_descriptions_tell_defaults_and_bounds(kind: str) -> None:
    """``kubectl explain`` prints neither."""
    fields = {path: each for path, each in schemas(schema_of(kind)) if path.startswith(".spec.")}
    defaults = {path for path, each in fields.items() if "default" in each and "bsent means" not in each["description"]}
    assert defaults - TOLD_NOWHERE == set()
    bounds = [
        path
        for path, each in fields.items()
        for limit in ("minimum", "maximum")
        if limit in each and str(each[limit]) not in re.findall(r"\d+", each["description"])
    ]
    assert bounds == []


@pytest.mark.parametrize("kind", [row[0] for row in ROWS])
def test_spec_and_status_may_be_missing_and_spec_may_be_null(kind: str) -> None:
    schema = schema_of(kind)
    assert "required" not in schema
    assert schema["properties"]["spec"]["nullable"] is True
