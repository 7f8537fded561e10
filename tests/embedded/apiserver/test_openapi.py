"""OpenAPI documents: what kubectl looks for is there, and every reference leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import crds
from brickyard.embedded.apiserver import catalog, openapi
from brickyard.embedded.apiserver.admission import testing

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
DEPLOYMENT = {"group": "apps", "version": "v1", "kind": "Deployment"}


@pytest.fixture(scope="module")
def served() -> catalog.BuiltinCatalog:
    made = catalog.BuiltinCatalog()
    for definition in crds.definitions():
        made.install(definition)
    return made


def document(served: catalog.BuiltinCatalog, path: str) -> Any:
    found = openapi.respond(path, "application/json", served)
    assert found is not None
    assert (found.status, found.content_type) == (200, "application/json")
    return orjson.loads(found.body)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def groups(served: catalog.BuiltinCatalog) -> list[str]:
    return list(document(served, "/openapi/v3")["paths"])


def test_the_index_names_every_group_with_its_hash(served: catalog.BuiltinCatalog) -> None:
    index = document(served, "/openapi/v3")["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/model.aibrix.ai/v1alpha1"} <= index.keys()
    for path, entry in index.items():
        found = openapi.respond(f"/openapi/v3/{path}", "", served)
        assert found is not None
        digest = found.etag.strip('"')
        assert entry == {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}


def test_every_reference_of_version_3_leads_somewhere(served: catalog.BuiltinCatalog) -> None:
    for path in groups(served):
        found = document(served, f"/openapi/v3/{path}")
        known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
        assert set(references(found)) <= known


def test_every_reference_of_version_2_leads_somewhere(served: catalog.BuiltinCatalog) -> None:
    found = document(served, "/openapi/v2")
    assert found["swagger"] == "2.0"
    assert set(references(found)) <= {f"#/definitions/{name}" for name in found["definitions"]}


def test_a_patch_says_its_kind_and_what_it_takes(served: catalog.BuiltinCatalog) -> None:
    paths = document(served, "/openapi/v3/apis/apps/v1")["paths"]
    item = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert item["patch"]["x-kubernetes-group-version-kind"] == DEPLOYMENT
    assert item["patch"]["x-kubernetes-action"] == "patch"
    query = {each["name"] for each in item["patch"]["parameters"] if each["in"] == "query"}
    assert {"fieldValidation", "dryRun", "fieldManager", "force"} <= query
    assert [each["name"] for each in item["parameters"]] == ["namespace", "name"]
    assert "application/strategic-merge-patch+json" in item["patch"]["requestBody"]["content"]
    assert "application/apply-patch+yaml" in item["patch"]["requestBody"]["content"]


def test_custom_kinds_take_no_strategic_merge(served: catalog.BuiltinCatalog) -> None:
    paths = document(served, "/openapi/v3/apis/model.aibrix.ai/v1alpha1")["paths"]
    patch = paths["/apis/model.aibrix.ai/v1alpha1/namespaces/{namespace}/modeladapters/{name}"]["patch"]
    content = patch["requestBody"]["content"]
    assert set(content) == {
        f"application/{each}" for each in ("json-patch+json", "merge-patch+json", "apply-patch+yaml")
    }


def test_the_paths_are_those_that_are_served(served: catalog.BuiltinCatalog) -> None:
    core = document(served, "/openapi/v3/api/v1")["paths"]
    assert set(core["/api/v1/namespaces/{name}"]) == {"get", "put", "patch", "delete", "parameters"}
    assert set(core["/api/v1/pods"]) == {"get", "parameters"}
    assert set(core["/api/v1/namespaces/{namespace}/pods"]) == {"get", "post", "delete", "parameters"}
    assert "/api/v1/namespaces/{namespace}/pods/{name}/log" in core
    apps = document(served, "/openapi/v3/apis/apps/v1")["paths"]
    scale = apps["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]
    assert scale["get"]["x-kubernetes-group-version-kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def test_every_operation_has_a_name_of_its_own(served: catalog.BuiltinCatalog) -> None:
    found = document(served, "/openapi/v2")["paths"]
    names = [each["operationId"] for item in found.values() for key, each in item.items() if key != "parameters"]
    assert len(names) == len(set(names)) > 150
    assert {"listCoreV1PodForAllNamespaces", "patchAppsV1NamespacedDeploymentStatus"} <= set(names)


def test_a_reference_of_version_3_has_no_siblings(served: catalog.BuiltinCatalog) -> None:
    schemas = document(served, "/openapi/v3/apis/apps/v1")["components"]["schemas"]
    spec = schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"]
    assert spec["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]
    assert "$ref" not in spec
    assert spec["description"]


def test_what_is_a_number_or_text_says_so_in_both_versions(served: catalog.BuiltinCatalog) -> None:
    name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    new = document(served, "/openapi/v3/apis/apps/v1")["components"]["schemas"][name]
    assert new["oneOf"] == [{"type": "integer"}, {"type": "string"}]
    old = document(served, "/openapi/v2")["definitions"][name]
    assert (old["type"], old["format"]) == ("string", "int-or-string")


def test_merge_keys_are_told(served: catalog.BuiltinCatalog) -> None:
    schemas = document(served, "/openapi/v3/api/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"


def test_custom_kinds_are_taught_like_built_in_ones(served: catalog.BuiltinCatalog) -> None:
    schemas = document(served, "/openapi/v3/apis/orchestration.aibrix.ai/v1alpha1")["components"]["schemas"]
    storm = schemas["ai.aibrix.orchestration.v1alpha1.StormService"]
    assert storm["x-kubernetes-group-version-kind"][0]["kind"] == "StormService"
    assert storm["description"]
    assert storm["properties"]["metadata"]["allOf"][0]["$ref"].endswith("ObjectMeta")
    listed = schemas["ai.aibrix.orchestration.v1alpha1.StormServiceList"]
    assert listed["properties"]["items"]["items"]["$ref"].endswith(".StormService")


def test_version_2_leaves_out_what_it_has_no_word_for() -> None:
    kinds = catalog.BuiltinCatalog()
    size = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}], "nullable": True}
    kinds.install(testing.definition({"type": "object", "properties": {"size": size}}))
    old = document(kinds, "/openapi/v2")["definitions"]["com.example.v1.Widget"]["properties"]["size"]
    assert old == {"x-kubernetes-int-or-string": True}
    new = document(kinds, "/openapi/v3/apis/example.com/v1")["components"]["schemas"]["com.example.v1.Widget"]
    assert new["properties"]["size"] == size


def test_version_2_does_not_name_some_fields_where_others_may_be() -> None:
    kinds = catalog.BuiltinCatalog()
    keep, text = {"x-kubernetes-preserve-unknown-fields": True}, {"type": "string"}
    properties = {
        "open": {"type": "object", **keep, "description": "Anything.", "properties": {"a": text}, "required": ["a"]},
        "list": {"type": "array", **keep, "items": text},
        "none": {"type": "object", "nullable": True, "properties": {"a": text}},
        "both": {"type": "object", "required": ["a", "b"], "properties": {"a": {**text, "nullable": True}, "b": text}},
        "word": {**text, **keep},
    }
    kinds.install(testing.definition({"type": "object", **keep, "properties": properties}))
    old = document(kinds, "/openapi/v2")["definitions"]["com.example.v1.Widget"]
    assert {"apiVersion", "kind", "metadata"} < old["properties"].keys()
    assert {name: old["properties"][name] for name in properties} == {
        "open": {**keep, "description": "Anything.", "required": ["a"]},
        "list": keep,
        "none": {},
        "both": {"type": "object", "required": ["b"], "properties": {"a": {}, "b": text}},
        "word": {**text, **keep},
    }
    new = document(kinds, "/openapi/v3/apis/example.com/v1")["components"]["schemas"]["com.example.v1.Widget"]
    assert {name: new["properties"][name] for name in properties} == properties


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", f"{PROTOBUF},application/json;q=0.5", "text/html, */*"]
)
def test_json_is_served_to_whoever_takes_it(served: catalog.BuiltinCatalog, accept: str) -> None:
    found = openapi.respond("/openapi/v2", accept, served)
    assert found is not None
    assert found.status == 200


@pytest.mark.parametrize(("path", "accept"), [("/openapi/v2", "text/html"), ("/openapi/v3", PROTOBUF)])
def test_whoever_takes_no_form_we_have_is_told(served: catalog.BuiltinCatalog, path: str, accept: str) -> None:
    found = openapi.respond(path, accept, served)
    assert found is not None
    assert found.status == 406
    assert orjson.loads(found.body)["reason"] == "NotAcceptable"


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def wire(data: bytes) -> dict[int, list[Any]]:
    """Fields of a binary message by number."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            found.setdefault(key >> 3, []).append(data[at : at + value])
            at += value
        else:
            found.setdefault(key >> 3, []).append(value)
    return found


def pairs(data: bytes) -> dict[str, bytes]:
    """A map: its entries are messages of name and value."""
    entries = [wire(each) for each in wire(data).get(1, []) + wire(data).get(2, [])]
    return {each[1][0].decode(): each[2][0] for each in entries}


def test_kubectls_binary_form_says_what_json_says(served: catalog.BuiltinCatalog) -> None:
    found = openapi.respond("/openapi/v2", PROTOBUF, served)
    assert found is not None
    assert (found.status, found.content_type) == (200, PROTOBUF.replace("@", "."))
    plain, binary = document(served, "/openapi/v2"), wire(found.body)
    assert binary[1] == [b"2.0"]
    paths, definitions = pairs(binary[8][0]), pairs(binary[9][0])
    assert (list(paths), list(definitions)) == (list(plain["paths"]), list(plain["definitions"]))
    spec = wire(definitions["io.k8s.api.apps.v1.DeploymentSpec"])
    assert [each.decode() for each in spec[19]] == ["selector", "template"]
    assert wire(spec[22][0])[1] == [b"object"]
    properties = pairs(spec[25][0])
    assert wire(properties["template"])[1] == [b"#/definitions/io.k8s.api.core.v1.PodTemplateSpec"]


def test_a_patch_in_the_binary_form_says_its_kind_and_what_it_takes(served: catalog.BuiltinCatalog) -> None:
    found = openapi.respond("/openapi/v2", PROTOBUF, served)
    assert found is not None
    item = wire(pairs(wire(found.body)[8][0])["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"])
    patch = wire(item[8][0])
    extensions = {each[1][0].decode(): wire(each[2][0])[2][0] for each in map(wire, patch[13])}
    assert orjson.loads(extensions["x-kubernetes-group-version-kind"]) == DEPLOYMENT
    parameters = [wire(wire(each)[1][0]) for each in patch[8]]
    query = [wire(wire(each[2][0])[3][0]) for each in parameters if 2 in each]
    assert b"fieldValidation" in [each[4][0] for each in query]
    (body,) = [wire(each[1][0]) for each in parameters if 1 in each]
    assert (body[3], body[4]) == ([b"body"], [1])
    (path,) = {wire(wire(wire(wire(each)[1][0])[2][0])[4][0])[4][0] for each in item[9]} - {b"namespace"}
    assert path == b"name"


@pytest.mark.parametrize("path", ["/openapi", "/openapi/v4", "/openapi/v3/apis/none/v1", "/openapi/v2/x", "/api/v1"])
def test_elsewhere_there_is_nothing(served: catalog.BuiltinCatalog, path: str) -> None:
    assert openapi.respond(path, "", served) is None


def test_a_kind_that_comes_and_goes_changes_its_own_group_alone() -> None:
    kinds = catalog.BuiltinCatalog()
    before = openapi.respond("/openapi/v3/api/v1", "", kinds)
    kinds.install(testing.definition())
    assert "apis/example.com/v1" in groups(kinds)
    assert openapi.respond("/openapi/v3/api/v1", "", kinds) is before
    first = openapi.respond("/openapi/v3/apis/example.com/v1", "", kinds)
    described = {"type": "object", "description": "A thing.", "x-kubernetes-preserve-unknown-fields": True}
    kinds.install(testing.definition(described))
    second = openapi.respond("/openapi/v3/apis/example.com/v1", "", kinds)
    assert first is not None
    assert second is not None
    assert first.etag != second.etag
    kinds.uninstall("widgets.example.com")
    assert openapi.respond("/openapi/v3/apis/example.com/v1", "", kinds) is None
    assert "apis/example.com/v1" not in groups(kinds)
