"""Discovery in both shapes, and the version page."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from brickyard.api.kinds import crds
from brickyard.embedded.apiserver import catalog, discovery, documents
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import bent

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@pytest.fixture(scope="module")
def served() -> catalog.BuiltinCatalog:
    made = catalog.BuiltinCatalog()
    for definition in crds.definitions():
        made.install(definition)
    return made


def document(served: catalog.BuiltinCatalog, path: str, accept: str = "application/json") -> Any:
    found = discovery.respond(path, accept, served)
    assert found is not None
    return orjson.loads(found.body)


def test_the_two_roots(served: catalog.BuiltinCatalog) -> None:
    assert document(served, "/api")["versions"] == ["v1"]
    groups = document(served, "/apis")
    assert groups["kind"] == "APIGroupList"
    names = [each["name"] for each in groups["groups"]]
    assert names[0] == "apps"
    assert {"model.aibrix.ai", "orchestration.aibrix.ai", "autoscaling.aibrix.ai"} <= set(names)


def test_a_group_and_its_versions(served: catalog.BuiltinCatalog) -> None:
    assert document(served, "/apis/apps") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }


def test_the_kinds_of_a_version(served: catalog.BuiltinCatalog) -> None:
    listed = document(served, "/apis/apps/v1")
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "apps/v1")
    by_name = {each["name"]: each for each in listed["resources"]}
    assert list(by_name) == [
        "controllerrevisions",
        "daemonsets",
        "daemonsets/status",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
    ]
    assert by_name["deployments"] == {
        "name": "deployments",
        "singularName": "deployment",
        "namespaced": True,
        "kind": "Deployment",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["deploy"],
        "categories": ["all"],
    }
    assert by_name["deployments/scale"] == {
        "name": "deployments/scale",
        "singularName": "",
        "namespaced": True,
        "group": "autoscaling",
        "version": "v1",
        "kind": "Scale",
        "verbs": ["get", "patch", "update"],
    }
    assert by_name["deployments/status"]["kind"] == "Deployment"


def test_the_core_kinds_and_their_logs(served: catalog.BuiltinCatalog) -> None:
    names = {each["name"]: each for each in document(served, "/api/v1")["resources"]}
    assert names["pods/log"]["verbs"] == ["get"]
    assert names["namespaces"]["namespaced"] is False


@pytest.mark.parametrize("accept", [AGGREGATED, AGGREGATED.replace(";", "; ")])
def test_the_aggregated_shape(served: catalog.BuiltinCatalog, accept: str) -> None:
    found = discovery.respond("/apis", accept, served)
    assert found is not None
    assert found.content_type == "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    body = orjson.loads(found.body)
    assert (body["kind"], body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    storms = next(each for each in body["items"] if each["metadata"]["name"] == "orchestration.aibrix.ai")
    (version,) = storms["versions"]
    assert version["freshness"] == "Current"
    storm = next(each for each in version["resources"] if each["resource"] == "stormservices")
    assert storm["responseKind"] == {"group": "orchestration.aibrix.ai", "version": "v1alpha1", "kind": "StormService"}
    assert storm["scope"] == "Namespaced"
    assert [each["subresource"] for each in storm["subresources"]] == ["scale", "status"]
    assert storm["subresources"][0]["responseKind"]["kind"] == "Scale"


def test_the_aggregated_shape_in_its_older_version_and_of_the_core(served: catalog.BuiltinCatalog) -> None:
    older = AGGREGATED.partition(",")[2]
    body = document(served, "/api", older)
    assert body["apiVersion"] == "apidiscovery.k8s.io/v2beta1"
    (core,) = body["items"]
    assert "name" not in core["metadata"]
    assert core["versions"][0]["version"] == "v1"


def test_both_shapes_say_the_same(served: catalog.BuiltinCatalog) -> None:
    for item in document(served, "/apis", AGGREGATED)["items"]:
        group = item["metadata"]["name"]
        for version in item["versions"]:
            plain = document(served, f"/apis/{group}/{version['version']}")["resources"]
            flat = [
                name
                for each in version["resources"]
                for name in [
                    each["resource"],
                    *(f"{each['resource']}/{s['subresource']}" for s in each.get("subresources", [])),
                ]
            ]
            assert flat == [each["name"] for each in plain]


@pytest.mark.parametrize(
    "path",
    ["/apis/none", "/apis/apps/v2", "/api/v2", "/apis/", "/apis/apps/v1/deployments", "/healthz", "/", "/version/x"],
)
def test_elsewhere_discovery_has_nothing_to_say(served: catalog.BuiltinCatalog, path: str) -> None:
    found = discovery.respond(path, "", served)
    assert (found is not None) is (path == "/apis/")


def test_versions_are_in_kubernetes_order() -> None:
    versions = ["foo", "v1alpha1", "v1beta1", "v10", "v2", "v1beta2", "v1", "v11alpha2", "bar"]
    assert sorted(versions, key=discovery.priority) == [
        "v10",
        "v2",
        "v1",
        "v1beta2",
        "v1beta1",
        "v11alpha2",
        "v1alpha1",
        "bar",
        "foo",
    ]


def test_the_preferred_version_comes_first() -> None:
    kinds = catalog.BuiltinCatalog()
    old = {**testing.definition()["spec"]["versions"][0], "name": "v1beta1", "storage": False}
    definition = testing.definition()
    definition["spec"]["versions"].insert(0, old)
    kinds.install(definition)
    group = document(kinds, "/apis/example.com")
    assert group["preferredVersion"]["version"] == "v1"
    assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1"]


def test_the_version_page_names_kubernetes_and_us() -> None:
    page = discovery.version()
    assert page["gitVersion"] == f"v{page['major']}.{page['minor']}.0+brickyard"


def test_a_client_that_has_the_document_is_told_so(served: catalog.BuiltinCatalog) -> None:
    found = discovery.respond("/apis", AGGREGATED, served)
    assert found is not None
    assert found.fresh_for(found.etag)
    assert found.fresh_for(f'"other", W/{found.etag}')
    assert not found.fresh_for("")
    assert not found.fresh_for('"other"')


def test_a_new_kind_is_a_new_document(served: catalog.BuiltinCatalog) -> None:
    kinds = catalog.BuiltinCatalog()
    before = discovery.respond("/apis", AGGREGATED, kinds)
    kinds.install(bent(testing.definition(), "spec.scope", "Cluster"))
    after = discovery.respond("/apis", AGGREGATED, kinds)
    assert before is not None
    assert after is not None
    assert not after.fresh_for(before.etag)


def test_a_shelf_renders_once_for_each_basis() -> None:
    shelf, made = documents.Shelf(limit=2), []

    def render() -> documents.Response:
        made.append(1)
        return documents.of_json(len(made))

    first = shelf.get("a", 1, render)
    assert shelf.get("a", 1, render) is first
    assert shelf.get("a", 2, render).body == b"2"
    for key in "bcd":
        shelf.get(key, 1, render)
    assert shelf.get("d", 1, render).body == b"5"
