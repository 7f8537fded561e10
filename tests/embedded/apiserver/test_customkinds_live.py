"""Definitions of custom kinds over HTTP: names that are taken, versions, and how their objects are updated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from brickyard.embedded.apiserver import testing

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": ANY}} | more


def definition(plural: str, kind: str, versions: list[dict[str, Any]] | None = None, **names: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": versions or [version()],
        },
    }


def objects(plural: str, served: str = "v1") -> str:
    return f"/apis/example.com/{served}/namespaces/default/{plural}"


def thing(kind: str, served: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"example.com/{served}", "kind": kind, "metadata": {"name": "x"}, **fields}


def condition(found: dict[str, Any] | None, kind: str) -> tuple[str, str, str]:
    listed = (found or {}).get("status", {}).get("conditions", [])
    each = next(each for each in listed if each["type"] == kind)
    return each["status"], each["reason"], each["message"]


async def test_a_taken_name_keeps_a_kind_from_being_served_until_it_is_free(api: testing.Api) -> None:
    await api.created(CRDS, definition("mills", "Mill", shortNames=["m"]))
    await api.created(CRDS, definition("moles", "Mole", shortNames=["m"]))
    name = "moles.example.com"
    refused = await api.until(CRDS, name, lambda found: condition(found, "Established")[0] == "False")
    assert condition(refused, "NamesAccepted") == ("False", "ShortNamesConflict", '"m" is already in use')
    assert condition(refused, "Established") == ("False", "NotAccepted", "not all names are accepted")
    assert (await api.get(objects("moles"))).code == 404
    await api.patch(f"{CRDS}/{name}", {"metadata": {"labels": {"a": "b"}}})
    assert condition((await api.get(f"{CRDS}/{name}")).body, "NamesAccepted")[0] == "False"
    await api.delete(f"{CRDS}/mills.example.com")
    await api.until(CRDS, name, lambda found: condition(found, "Established")[0] == "True")
    assert (await api.get(objects("moles"))).code == 200


async def test_a_deprecated_version_warns(api: testing.Api) -> None:
    versions = [
        version("v1"),
        version("v1beta1", storage=False, deprecated=True),
        version("v1beta2", storage=False, deprecated=True, deprecationWarning="use v1"),
    ]
    await api.created(CRDS, definition("mills", "Mill", versions))
    assert "warning" not in (await api.get(objects("mills"))).headers
    old = await api.get(objects("mills", "v1beta1"))
    assert old.headers["warning"] == '299 - "example.com/v1beta1 Mill is deprecated"'
    made = await api.post(objects("mills", "v1beta2"), thing("Mill", "v1beta2"))
    assert (made.code, made.headers["warning"]) == (201, '299 - "use v1"')


async def test_versions_show_one_object_and_storage_may_move(api: testing.Api) -> None:
    versions = [version("v1"), version("v2", storage=False)]
    created = await api.created(CRDS, definition("mills", "Mill", versions))
    await api.created(objects("mills"), thing("Mill", spec={"a": 1}))
    assert (await api.get(f"{objects('mills', 'v2')}/x")).body["apiVersion"] == "example.com/v2"
    for each, stored in zip(created["spec"]["versions"], (False, True), strict=True):
        each["storage"] = stored
    moved = await api.put(f"{CRDS}/mills.example.com", created)
    assert moved.body["status"]["storedVersions"] == ["v1", "v2"]
    moved.body["spec"]["versions"] = [each for each in moved.body["spec"]["versions"] if each["name"] == "v2"]
    refused = await api.put(f"{CRDS}/mills.example.com", moved.body)
    assert refused.code == 422
    assert refused.body["details"]["causes"][0]["field"] == "status.storedVersions[0]"
    assert (await api.get(f"{objects('mills', 'v2')}/x")).body["spec"] == {"a": 1}


def sized(**properties: Any) -> dict[str, Any]:
    return {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}}


WHOLE = {"type": "integer"}


async def test_old_objects_are_read_through_the_schema_of_today(api: testing.Api) -> None:
    before = version(schema=sized(a=WHOLE, b=WHOLE))
    created = await api.created(CRDS, definition("mills", "Mill", [before]))
    made = await api.created(objects("mills"), thing("Mill", spec={"a": 1, "b": 2}))
    created["spec"]["versions"] = [version(schema=sized(a=WHOLE, c={**WHOLE, "default": 3}))]
    assert (await api.put(f"{CRDS}/mills.example.com", created)).code == 200

    async with asyncio.timeout(5):
        while (found := await api.get(f"{objects('mills')}/x")).body["spec"] != {"a": 1, "c": 3}:
            await asyncio.sleep(0)
    assert found.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    listed = await api.get(objects("mills"))
    assert [each["spec"] for each in listed.body["items"]] == [{"a": 1, "c": 3}]
    tested = await api.patch(f"{objects('mills')}/x", [{"op": "test", "path": "/spec/c", "value": 3}], "json-patch")
    assert tested.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], "nothing was changed"
    written = await api.patch(f"{objects('mills')}/x", {"spec": {"a": 5}})
    assert (written.code, written.body["spec"]) == (200, {"a": 5, "c": 3})


async def test_each_version_shows_its_own_fields(api: testing.Api) -> None:
    versions = [
        version("v2", schema=sized(a=WHOLE, n={**WHOLE, "default": 7})),
        version("v1", storage=False, schema=sized(a=WHOLE, old=WHOLE)),
    ]
    await api.created(CRDS, definition("mills", "Mill", versions))
    await api.created(objects("mills"), thing("Mill", spec={"a": 1, "old": 2}))
    assert (await api.get(f"{objects('mills')}/x")).body["spec"] == {"a": 1, "old": 2}
    newer = (await api.get(f"{objects('mills', 'v2')}/x")).body
    assert (newer["apiVersion"], newer["spec"]) == ("example.com/v2", {"a": 1, "n": 7})
    newer["spec"]["n"] = 8
    assert (await api.put(f"{objects('mills', 'v2')}/x", newer)).body["spec"] == {"a": 1, "n": 8}
    assert (await api.get(f"{objects('mills')}/x")).body["spec"] == {"a": 1}


async def test_an_object_that_wants_no_number_has_no_scale_until_it_is_scaled(api: testing.Api) -> None:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    mill = version(schema=sized(replicas=WHOLE), subresources={"status": {}, "scale": scale})
    await api.created(CRDS, definition("mills", "Mill", [mill]))
    await api.created(objects("mills"), thing("Mill", spec={}))
    refused = await api.get(f"{objects('mills')}/x/scale")
    assert refused.code == 500
    assert refused.body["message"] == 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist'
    scaled = await api.patch(f"{objects('mills')}/x/scale", {"spec": {"replicas": 2}})
    assert (scaled.code, scaled.body["spec"], scaled.body["status"]) == (200, {"replicas": 2}, {"replicas": 0})
    assert (await api.get(f"{objects('mills')}/x/scale")).body["spec"] == {"replicas": 2}


async def test_an_update_says_which_revision_it_is_of(api: testing.Api) -> None:
    await api.created(CRDS, definition("mills", "Mill"))
    made = await api.created(objects("mills"), thing("Mill"))
    refused = await api.put(f"{objects('mills')}/x", thing("Mill"))
    assert refused.code == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.body["message"]
    assert (await api.put(f"{objects('mills')}/x", {**made, "spec": {"a": 1}})).code == 200


async def test_status_counts_as_wanted_unless_it_is_a_subresource(api: testing.Api) -> None:
    await api.created(CRDS, definition("mills", "Mill"))
    await api.created(CRDS, definition("mines", "Mine", [version(subresources={"status": {}})]))
    for plural, kind, generation in (("mills", "Mill", 2), ("mines", "Mine", 1)):
        await api.created(objects(plural), thing(kind))
        await api.patch(f"{objects(plural)}/x", {"status": {"a": 1}})
        changed = await api.patch(f"{objects(plural)}/x", {"metadata": {"labels": {"a": "b"}}})
        assert changed.body["metadata"]["generation"] == generation, kind


async def test_a_status_update_leaves_metadata_and_spec_alone(api: testing.Api) -> None:
    await api.created(CRDS, definition("mines", "Mine", [version(subresources={"status": {}})]))
    made = await api.created(objects("mines"), thing("Mine", spec={"a": 1}))
    made["metadata"]["labels"] = {"a": "b"}
    changed = await api.put(f"{objects('mines')}/x/status", {**made, "spec": {"a": 2}, "status": {"ready": True}})
    assert (changed.body["spec"], changed.body["status"]) == ({"a": 1}, {"ready": True})
    assert "labels" not in changed.body["metadata"]


async def test_objects_are_selected_by_declared_fields(api: testing.Api) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    chosen = version(schema={"openAPIV3Schema": schema}, selectableFields=[{"jsonPath": ".spec.size"}])
    await api.created(CRDS, definition("mills", "Mill", [chosen]))
    for name, size in (("a", 1), ("b", 2)):
        await api.created(objects("mills"), {**thing("Mill", spec={"size": size}), "metadata": {"name": name}})
    found = await api.get(f"{objects('mills')}?fieldSelector=spec.size%3D2")
    assert [each["metadata"]["name"] for each in found.body["items"]] == ["b"]
    assert (await api.get(f"{objects('mills')}?fieldSelector=spec.colour%3D2")).code == 400


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([".spec.none"], "must be a valid path: does not refer to a valid field"),
        ([".metadata.labels"], "must not point to fields in metadata"),
        ([".spec"], "must be a field of type boolean, integer, string"),
        ([".spec.a", ".spec.a"], "Duplicate value"),
        ([f".spec.a{each}" for each in range(9)], "Too many: 9: must have at most 8 items"),
        ([""], "Required value"),
    ],
)
async def test_fields_that_cannot_be_selected_by(api: testing.Api, paths: list[str], why: str) -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": inner}}}
    chosen = version(schema=schema, selectableFields=[{"jsonPath": each} for each in paths])
    refused = await api.post(CRDS, definition("mills", "Mill", [chosen]))
    assert refused.code == 422
    assert why in refused.body["message"]
