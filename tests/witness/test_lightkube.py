"""lightkube, sync and async: create, apply, list, watch, wait, scale, delete."""

from __future__ import annotations

from collections.abc import Iterator

import lightkube
import pytest
from lightkube.core import exceptions
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models import apps_v1, autoscaling_v1, core_v1, meta_v1
from lightkube.resources import apps_v1 as apps
from lightkube.resources import core_v1 as core
from lightkube.types import CascadeType, PatchType
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow


@pytest.fixture
def client(cluster: clusters.Cluster, space: str) -> Iterator[lightkube.Client]:
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig))
    with lightkube.Client(config=config, namespace=space, field_manager="witness") as made:
        yield made


def config_map(name: str, **data: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, labels={"app": "x"}), data=data)


def deployment(image: str = "i") -> apps.Deployment:
    labels = {"app": "web"}
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image=image)])
    template = core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=labels), spec=spec)
    selector = meta_v1.LabelSelector(matchLabels=labels)
    return apps.Deployment(
        metadata=meta_v1.ObjectMeta(name="web"), spec=apps_v1.DeploymentSpec(selector=selector, template=template)
    )


def test_a_life(client: lightkube.Client) -> None:
    made = client.create(config_map("a", k="v"))
    assert made.metadata is not None
    made.data = {"k": "w"}
    replaced = client.replace(made)
    assert replaced.data == {"k": "w"}
    with pytest.raises(exceptions.ApiError) as caught:
        client.replace(made)
    assert caught.value.status.code == 409
    assert client.patch(core.ConfigMap, "a", {"data": {"more": "1"}}).data == {"k": "w", "more": "1"}
    assert client.patch(core.ConfigMap, "a", {"data": {"k": None}}, patch_type=PatchType.MERGE).data == {"more": "1"}
    client.create(config_map("b"))
    assert [
        each.metadata.name for each in client.list(core.ConfigMap, labels={"app": "x"}, chunk_size=1) if each.metadata
    ] == ["a", "b"]
    client.delete(core.ConfigMap, "a", cascade=CascadeType.FOREGROUND)
    client.deletecollection(core.ConfigMap)
    assert list(client.list(core.ConfigMap, labels={"app": "x"})) == []
    with pytest.raises(exceptions.ApiError) as gone:
        client.get(core.ConfigMap, "b")
    assert gone.value.status.reason == "NotFound"


def test_server_side_apply(client: lightkube.Client) -> None:
    applied = client.apply(deployment())
    assert applied.spec is not None
    assert applied.spec.replicas == 1
    with pytest.raises(exceptions.ApiError) as caught:
        client.apply(deployment("other"), field_manager="stranger")
    assert caught.value.status.code == 409
    assert "spec.template.spec.containers" in (caught.value.status.message or "")
    forced = client.apply(deployment("other"), field_manager="stranger", force=True)
    assert forced.spec is not None
    assert forced.spec.template.spec is not None
    assert forced.spec.template.spec.containers[0].image == "other"
    scaled = client.replace(
        apps.DeploymentScale(metadata=meta_v1.ObjectMeta(name="web"), spec=autoscaling_v1.ScaleSpec(replicas=4)), "web"
    )
    assert scaled.spec is not None
    assert scaled.spec.replicas == 4


def test_waits_and_watches(client: lightkube.Client) -> None:
    client.create(deployment())
    status = {"status": {"conditions": [{"type": "Available", "status": "True"}]}}
    client.patch(apps.DeploymentStatus, "web", status)
    client.wait(apps.Deployment, "web", for_conditions=["Available"])
    events = client.watch(core.ConfigMap, fields={"metadata.name": "a"}, server_timeout=10)
    client.create(config_map("a"))
    assert next(iter(events))[0] == "ADDED"


def test_generic_resources(client: lightkube.Client, cluster: clusters.Cluster, space: str) -> None:
    group = f"{space}.example.com"
    cluster.kubectl(space).apply(manifests.gadgets(group))
    gadget = create_namespaced_resource(group, "v1", "Gadget", "gadgets")
    body = gadget(apiVersion=f"{group}/v1", kind="Gadget", metadata=meta_v1.ObjectMeta(name="g"), spec={"size": 3})
    made = clusters.until(lambda: created(client, body), "the kind is served")
    assert made.spec == {"size": 3, "colour": "red", "replicas": 1}
    assert client.patch(gadget, "g", {"spec": {"size": 4}}, patch_type=PatchType.MERGE).spec["size"] == 4
    client.delete(gadget, "g")


def created(client: lightkube.Client, body: object) -> object:
    try:
        return client.create(body)  # type: ignore[call-overload]
    except exceptions.ApiError as error:
        if error.status.code == 404:
            return None
        raise


async def test_async_client(cluster: clusters.Cluster, space: str) -> None:
    config = lightkube.KubeConfig.from_file(str(cluster.kubeconfig))
    async with lightkube.AsyncClient(config=config, namespace=space) as client:
        await client.create(config_map("a"))
        async for kind, found in client.watch(core.ConfigMap, fields={"metadata.name": "a"}):
            assert (kind, found.metadata and found.metadata.name) == ("ADDED", "a")
            break
        await client.delete(core.ConfigMap, "a")
        names = [each.metadata.name async for each in client.list(core.ConfigMap) if each.metadata]
        assert names == ["kube-root-ca.crt"]
