"""kr8s: the objects of a client that finds kinds by discovery alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import kr8s.asyncio
import kr8s.asyncio.objects
import pytest
import pytest_asyncio
import yaml
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = [
    pytest.mark.slow,
    # kr8s remembers connections by the identity of their loop, which a later loop may share.
    pytest.mark.asyncio(loop_scope="module"),
    # kr8s lists the versions it was tested with; ours is newer.
    pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning"),
]

objects: Any = kr8s.asyncio.objects


@pytest_asyncio.fixture(loop_scope="module")
async def api(cluster: clusters.Cluster, space: str) -> AsyncIterator[Any]:
    made: Any = await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig), namespace=space)
    yield made
    # It has no way to close its connections but this one.
    await made._session.aclose()


async def test_a_life(api: Any, space: str) -> None:
    pod = await objects.Pod(yaml.safe_load(manifests.pod("a")), namespace=space, api=api)
    await pod.create()
    assert await pod.exists()
    await pod.label({"tier": "front"})
    assert [each.name async for each in api.get("pods", namespace=space, label_selector={"tier": "front"})] == ["a"]
    conditions = [{"type": each, "status": "True"} for each in ("Ready", "ContainersReady")]
    await pod.patch({"status": {"conditions": conditions}}, subresource="status")
    await pod.wait("condition=Ready", timeout=10)
    assert await pod.ready()
    await pod.delete()
    await pod.wait("delete", timeout=10)
    assert not await pod.exists()


async def test_scaling_and_watching(api: Any, space: str) -> None:
    web = await objects.Deployment(yaml.safe_load(manifests.WEB), namespace=space, api=api)
    await web.create()
    await web.patch({"metadata": {"annotations": {"k": "v"}}})
    async with contextlib.aclosing(api.watch("deployments", namespace=space)) as events:
        event, found = await anext(events)
    assert (event, found.name, found.annotations["k"]) == ("ADDED", "web", "v")
    await web.patch({"spec": {"replicas": 5}}, subresource="scale")
    await web.refresh()
    assert web.replicas == 5


async def test_discovery_and_custom_kinds(api: Any, cluster: clusters.Cluster, space: str) -> None:
    group = f"{space}.example.com"
    kubectl = cluster.kubectl(space)
    kubectl.apply(manifests.gadgets(group))
    kubectl.says("wait", "--for=condition=Established", f"crd/gadgets.{group}", "--timeout=10s")
    kubectl.apply(manifests.gadget(group, "g"))
    gadget = objects.new_class(kind="Gadget", version=f"{group}/v1", namespaced=True, plural="gadgets", scalable=True)
    found = await gadget.get("g", namespace=space, api=api)
    assert found.spec.size == 3
    await found.patch({"spec": {"size": 4}})
    assert found.spec.size == 4
    kinds = {each["name"] for each in await api.api_resources()}
    assert {"pods", "deployments", "gadgets"} <= kinds
    assert (await api.version())["gitVersion"].startswith("v1.")
