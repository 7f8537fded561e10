"""The official Python client: typed and dynamic, patches of each kind, watches that resume, a kind of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

# The client's own annotations make every field optional; what is witnessed here is what comes back.
Client: Any = client
Watch: Any = watch.Watch
DynamicClient: Any = dynamic.DynamicClient
new_client: Any = config.new_client_from_config
create_from_dict: Any = utils.create_from_dict


@pytest.fixture
def connection(cluster: clusters.Cluster) -> Iterator[Any]:
    with new_client(str(cluster.kubeconfig)) as made:
        yield made


def test_typed_objects(connection: Any, space: str) -> None:
    core = Client.CoreV1Api(connection)
    container = Client.V1Container(name="c", image="i", resources=Client.V1ResourceRequirements(limits={"cpu": "1"}))
    body = Client.V1Pod(metadata=Client.V1ObjectMeta(generate_name="a-"), spec=Client.V1PodSpec(containers=[container]))
    made = core.create_namespaced_pod(space, body)
    assert made.metadata.name.startswith("a-")
    assert (made.status.phase, made.spec.restart_policy) == ("Pending", "Always")
    made.metadata.labels = {"x": "y"}
    replaced = core.replace_namespaced_pod(made.metadata.name, space, made)
    assert replaced.metadata.labels == {"x": "y"}
    made.metadata.labels = {"x": "z"}
    with pytest.raises(client.ApiException) as caught:
        core.replace_namespaced_pod(made.metadata.name, space, made)
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert [each.metadata.name for each in core.list_namespaced_pod(space, label_selector="x=y").items] == [
        made.metadata.name
    ]
    core.delete_collection_namespaced_pod(space)
    assert core.list_namespaced_pod(space).items == []


@pytest.mark.parametrize(
    ("patch", "images"),
    [
        ({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "new"}]}}}}, ["new"]),
        ([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "newer"}], ["newer"]),
    ],
    ids=["strategic", "json"],
)
def test_patches(connection: Any, space: str, patch: Any, images: list[str]) -> None:
    apps = Client.AppsV1Api(connection)
    apps.create_namespaced_deployment(space, yaml.safe_load(manifests.WEB))
    patched = apps.patch_namespaced_deployment("web", space, patch)
    assert [each.image for each in patched.spec.template.spec.containers] == images
    assert patched.spec.template.spec.containers[0].ports[0].container_port == 80
    assert patched.metadata.generation == 2
    scale = apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 3}})
    assert (scale.spec.replicas, scale.status.selector) == (3, "app=web")
    status = apps.patch_namespaced_deployment_status("web", space, {"status": {"replicas": 2}})
    assert (status.status.replicas, status.metadata.generation) == (2, 3)


def test_deletion_options(connection: Any, space: str) -> None:
    core = Client.CoreV1Api(connection)
    made = core.create_namespaced_config_map(space, {"metadata": {"name": "a"}})
    with pytest.raises(client.ApiException) as caught:
        core.delete_namespaced_config_map("a", space, body=Client.V1DeleteOptions(preconditions={"uid": "other"}))
    assert caught.value.status == 409
    options = Client.V1DeleteOptions(preconditions={"uid": made.metadata.uid}, propagation_policy="Background")
    assert core.delete_namespaced_config_map("a", space, body=options)["status"] == "Success"


def test_paging(connection: Any, space: str) -> None:
    core = Client.CoreV1Api(connection)
    for number in range(5):
        core.create_namespaced_secret(space, {"metadata": {"name": f"s{number}"}, "stringData": {"k": "v"}})
    first = core.list_namespaced_secret(space, limit=2)
    core.delete_namespaced_secret("s3", space)
    second = core.list_namespaced_secret(space, limit=2, _continue=first.metadata._continue)
    # A page shows the moment of the first.
    assert [each.metadata.name for each in second.items] == ["s2", "s3"]
    assert second.metadata.remaining_item_count == 1
    assert second.metadata.resource_version == first.metadata.resource_version


def test_a_watch_resumes(connection: Any, space: str) -> None:
    core = Client.CoreV1Api(connection)
    since = core.list_namespaced_config_map(space).metadata.resource_version

    def told(count: int, since: str) -> list[tuple[str, str, str]]:
        found = []
        for event in Watch().stream(core.list_namespaced_config_map, space, resource_version=since, timeout_seconds=10):
            at = event["object"].metadata
            found.append((event["type"], at.name, at.resource_version))
            if len(found) == count:
                break
        return found

    for name in ("a", "b"):
        core.create_namespaced_config_map(space, {"metadata": {"name": name}})
    core.patch_namespaced_config_map("a", space, {"data": {"k": "v"}})
    first = told(2, since)
    core.delete_namespaced_config_map("a", space)
    rest = told(2, first[-1][2])
    assert [each[:2] for each in [*first, *rest]] == [
        ("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a"),
    ]  # fmt: skip


def test_the_dynamic_client(connection: Any, space: str) -> None:
    found = DynamicClient(connection)
    definition = yaml.safe_load(manifests.gadgets(f"{space}.example.com"))
    found.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition").create(definition)
    Client.ApiextensionsV1Api(connection).read_custom_resource_definition(definition["metadata"]["name"])
    found.resources.invalidate_cache()
    gadgets = clusters.until(lambda: _resource(found, f"{space}.example.com/v1", "Gadget"), "the kind is found")
    body = yaml.safe_load(manifests.gadget(f"{space}.example.com", "g"))
    made = gadgets.create(body, namespace=space)
    assert (made.spec.colour, made.metadata.generation) == ("red", 1)
    merged = gadgets.patch(
        {"spec": {"size": 5}}, name="g", namespace=space, content_type="application/merge-patch+json"
    )
    assert merged.spec.size == 5
    applied = gadgets.server_side_apply(
        {**body, "spec": {"size": 7}}, namespace=space, field_manager="dynamic", force_conflicts=True
    )
    assert applied.spec.size == 7
    assert gadgets.scale.patch({"spec": {"replicas": 3}}, name="g", namespace=space,
                               content_type="application/merge-patch+json").spec.replicas == 3  # fmt: skip
    assert gadgets.status.patch({"status": {"replicas": 3}}, name="g", namespace=space,
                                content_type="application/merge-patch+json").status.replicas == 3  # fmt: skip
    for event in gadgets.watch(namespace=space, timeout=5):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "g")
        break
    gadgets.delete(name="g", namespace=space)
    assert gadgets.get(namespace=space).items == []


def _resource(found: Any, version: str, kind: str) -> Any:
    try:
        return found.resources.get(api_version=version, kind=kind)
    except dynamic.exceptions.ResourceNotFoundError:
        found.resources.invalidate_cache()
        return None


def test_custom_objects(connection: Any, space: str) -> None:
    custom = Client.CustomObjectsApi(connection)
    storms = ("orchestration.aibrix.ai", "v1alpha1", space, "podsets")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body = {
        "apiVersion": "orchestration.aibrix.ai/v1alpha1",
        "kind": "PodSet",
        "metadata": {"name": "s"},
        "spec": {"podGroupSize": 2, "template": template},
    }
    assert custom.create_namespaced_custom_object(*storms, body)["metadata"]["generation"] == 1
    patched = custom.patch_namespaced_custom_object(*storms, "s", {"spec": {"podGroupSize": 3}})
    assert (patched["spec"]["podGroupSize"], patched["metadata"]["generation"]) == (3, 2)
    status = custom.patch_namespaced_custom_object_status(*storms, "s", {"status": {"totalPods": 2, "readyPods": 1}})
    assert (status["status"]["totalPods"], status["metadata"]["generation"]) == (2, 2)
    everywhere = custom.list_cluster_custom_object(*storms[:2], storms[3], label_selector="!nothing")["items"]
    assert [each["metadata"]["name"] for each in everywhere if each["metadata"]["namespace"] == space] == ["s"]


def test_manifests_from_a_file(connection: Any, space: str) -> None:
    for document in yaml.safe_load_all(manifests.ALL):
        create_from_dict(connection, document, namespace=space)
    assert Client.AppsV1Api(connection).read_namespaced_deployment("web", space).spec.replicas == 2


def test_every_group_answers(connection: Any) -> None:
    groups = Client.ApisApi(connection).get_api_versions().groups
    assert {"apps", "apiextensions.k8s.io", "batch"} <= {group.name for group in groups}
    assert Client.VersionApi(connection).get_code().major == "1"
    review = Client.V1SelfSubjectAccessReview(
        spec=Client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=Client.V1ResourceAttributes(verb="create", resource="pods")
        )
    )
    assert Client.AuthorizationV1Api(connection).create_self_subject_access_review(review).status.allowed is True
