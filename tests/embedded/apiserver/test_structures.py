from __future__ import annotations

import itertools
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract, definitions, structures
from brickyard.kube.objects import fieldsets, structure


def node(kind: resources.ResourceType, path: str) -> structure.Node:
    """The node at a path of fields and ``*`` (elements)."""
    resource = next(each for each in builtin_kinds.ALL if each.type == kind)
    found = structures.of(resource)
    for step in path.split("."):
        found = found.inner() if step == "*" else found.child(step)
    return found


@pytest.mark.parametrize(
    ("kind", "path", "form", "keys"),
    [
        (resources.POD, "metadata", "object", []),
        (resources.POD, "metadata.labels", "object", []),
        (resources.POD, "metadata.finalizers", "set", []),
        (resources.POD, "metadata.ownerReferences", "keyed", ["uid"]),
        (resources.POD, "metadata.ownerReferences.*", "leaf", []),
        (resources.POD, "spec.containers", "keyed", ["name"]),
        (resources.POD, "spec.containers.*.ports", "keyed", ["containerPort", "protocol"]),
        (resources.POD, "spec.containers.*.env", "keyed", ["name"]),
        (resources.POD, "spec.containers.*.env.*.valueFrom.secretKeyRef", "leaf", []),
        (resources.POD, "spec.containers.*.args", "leaf", []),
        (resources.POD, "spec.containers.*.volumeMounts", "keyed", ["mountPath"]),
        (resources.POD, "spec.containers.*.resources.limits", "object", []),
        (resources.POD, "spec.containers.*.livenessProbe.httpGet.port", "leaf", []),
        (resources.POD, "spec.tolerations", "leaf", []),
        (resources.POD, "spec.nodeSelector", "leaf", []),
        (resources.POD, "spec.volumes", "keyed", ["name"]),
        (resources.POD, "spec.topologySpreadConstraints", "keyed", ["topologyKey", "whenUnsatisfiable"]),
        (resources.POD, "status.conditions", "keyed", ["type"]),
        (resources.POD, "status.containerStatuses", "leaf", []),
        (resources.DEPLOYMENT, "spec.selector", "leaf", []),
        (resources.DEPLOYMENT, "spec.template.spec.containers", "keyed", ["name"]),
        (resources.SERVICE, "spec.ports", "keyed", ["port", "protocol"]),
        (resources.SERVICE, "spec.selector", "leaf", []),
        (resources.CONFIG_MAP, "data", "object", []),
        (resources.SECRET, "stringData", "object", []),
        (resources.CUSTOM_RESOURCE_DEFINITION, "spec.versions", "leaf", []),
    ],
)
def test_built_in_kinds_are_taken_apart_as_in_kubernetes(
    kind: resources.ResourceType, path: str, form: str, keys: list[str]
) -> None:
    found = node(kind, path)
    assert (found.form, list(found.keys)) == (form, keys)


def test_keys_that_an_element_leaves_out_have_their_defaults() -> None:
    ports = node(resources.POD, "spec.containers.*.ports")
    assert structure.element_of(ports, {"containerPort": 80}) == 'k:{"containerPort":80,"protocol":"TCP"}'
    ports = node(resources.SERVICE, "spec.ports")
    assert structure.element_of(ports, {"port": 80}) == 'k:{"port":80,"protocol":"TCP"}'
    secrets = node(resources.POD, "spec.imagePullSecrets")
    assert structure.element_of(secrets, {}) == 'k:{"name":""}'


def test_every_key_of_a_merged_list_is_a_field_of_its_elements() -> None:
    loaded = definitions.load()
    for name, schema in loaded.items():
        for field, each in (schema.get("properties") or {}).items():
            if each.get("x-kubernetes-list-type") != "map" or "$ref" not in each["items"]:
                continue
            element = definitions.referred(each["items"]) or ""
            assert set(each["x-kubernetes-list-map-keys"]) <= loaded[element]["properties"].keys(), f"{name}.{field}"
    for name, defaults in structures.KEY_DEFAULTS.items():
        assert defaults.keys() <= loaded[name]["properties"].keys()


def test_every_built_in_kind_has_a_structure() -> None:
    for resource in builtin_kinds.ALL:
        assert structures.of(resource).form == "object", resource.type
        assert structures.of(resource) is structures.of(resource)


def custom(**schema: Any) -> structure.Node:
    return structures.of_schema({"type": "object", "properties": {"spec": schema}})


def owned(found: structure.Node, spec: Any) -> list[str]:
    fields = structure.mentioned(found, {"spec": spec})
    return [fieldsets.text(each).removeprefix(".spec") for each in fieldsets.paths(fields)]


ITEMS = {"type": "object", "properties": {"name": {"type": "string"}, "zone": {"type": "string", "default": "z"}}}


@pytest.mark.parametrize(
    ("schema", "value", "fields"),
    [
        ({"type": "integer"}, 1, [""]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x"}, [".a"]),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"a": "x"}, [".a"]),
        ({"type": "object", "x-kubernetes-map-type": "atomic"}, {"a": "x"}, [""]),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": {"b": [1]}}, [".a", ".a.b"]),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"a": 1}, [".a"]),
        ({"type": "object", "additionalProperties": True}, {"a": 1}, [".a"]),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "x-kubernetes-preserve-unknown-fields": True},
            {"a": "x", "b": {"c": 1}},
            [".a", ".b", ".b.c"],
        ),
        ({"x-kubernetes-int-or-string": True}, "50%", [""]),
        ({"type": "array", "items": {"type": "string"}}, ["a"], [""]),
        ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}, ["a"], ['[="a"]']),
        (
            {
                "type": "array",
                "items": ITEMS,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name", "zone"],
            },
            [{"name": "n"}],
            ['[name="n",zone="z"]', '[name="n",zone="z"].name'],
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"kind": "Pod", "metadata": {"finalizers": ["f"]}, "spec": {"a": 1}},
            [".kind", '.metadata.finalizers[="f"]', ".spec", ".spec.a"],
        ),
    ],
)
def test_custom_kinds_are_taken_apart_as_their_schema_says(
    schema: dict[str, Any], value: Any, fields: list[str]
) -> None:
    assert sorted(owned(custom(**schema), value)) == sorted(fields)


def test_metadata_of_a_custom_kind_is_known() -> None:
    found = structures.of_schema({"type": "object", "properties": {"metadata": {"type": "object"}}})
    assert found.child("metadata").child("finalizers").form == "set"
    assert (
        structures.of_schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}).child("spec").form
        == "deduced"
    )


def test_a_kind_without_definition_is_deduced() -> None:
    unknown = resources.ResourceType("x.y", "v1", "things", "Thing", namespaced=True)
    resource = contract.Resource(unknown, "thing", builtin_kinds.ALL[0].admission)
    assert structures.of(resource).child("spec") is structure.DEDUCED
    assert structures.of(resource).child("metadata").child("finalizers").form == "set"


def test_recursive_definitions_end() -> None:
    found: structure.Node | None = structures.of(
        next(each for each in builtin_kinds.ALL if each.type == resources.CUSTOM_RESOURCE_DEFINITION)
    )
    assert found is not None
    for name in itertools.islice(("spec", "names", "shortNames"), 3):
        found = found.child(name)
    assert found.form == "leaf"
