"""``metrics.k8s.io``: what is measured, dressed as objects, selected, tabled and refused."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from brickyard.api.kinds import usage
from brickyard.embedded.apiserver import measures, testing

METRICS = "/apis/metrics.k8s.io/v1beta1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AT = 1_700_000_000.0


class Usages:
    """Fills ``usage.Usages``: plain fields."""

    def __init__(self) -> None:
        self.of_pods: list[usage.PodUsage] = []
        self.of_nodes: list[usage.NodeUsage] = []

    async def pods(self) -> Sequence[usage.PodUsage]:
        return self.of_pods

    async def nodes(self) -> Sequence[usage.NodeUsage]:
        return self.of_nodes

    def saw(self, pod: dict[str, Any], **containers: usage.Amount) -> None:
        meta = pod["metadata"]
        self.of_pods.append(usage.PodUsage(meta["namespace"], meta["name"], meta["uid"], AT, 15.25, containers))


@pytest.fixture
def usages() -> Usages:
    return Usages()


@pytest.fixture
async def server(tmp_path: pathlib.Path, usages: Usages) -> AsyncIterator[testing.RunningServer]:
    async with testing.running(tmp_path / "data", usages=usages) as running:
        yield running


@pytest.fixture
async def api(server: testing.RunningServer) -> AsyncIterator[testing.Api]:
    async with testing.connect(server) as connected:
        yield connected


async def made(api: testing.Api, name: str, **labels: str) -> dict[str, Any]:
    containers = [{"name": "web", "image": "x"}]
    body = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": containers}}
    pod: dict[str, Any] = await api.created("/api/v1/namespaces/default/pods", body)
    return pod


async def node(api: testing.Api, usages: Usages, name: str = "here") -> None:
    await api.created("/api/v1/nodes", {"metadata": {"name": name, "labels": {"zone": "a"}}})
    usages.of_nodes.append(usage.NodeUsage(name, AT, 15.0, usage.Amount(1.5, 3 * 1024**3)))


async def test_a_pod_is_told_by_container_with_its_labels(api: testing.Api, usages: Usages) -> None:
    usages.saw(await made(api, "a", app="x"), web=usage.Amount(0.25, 20 * 1024**2), side=usage.Amount(0.0, 4096))
    found = (await api.get(f"{METRICS}/namespaces/default/pods/a")).body
    assert found == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "a",
            "namespace": "default",
            "creationTimestamp": "2023-11-14T22:13:20Z",
            "labels": {"app": "x"},
        },
        "timestamp": "2023-11-14T22:13:20Z",
        "window": "15.250s",
        "containers": [
            {"name": "web", "usage": {"cpu": "250m", "memory": "20480Ki"}},
            {"name": "side", "usage": {"cpu": "0", "memory": "4Ki"}},
        ],
    }


async def test_lists_are_sorted_and_selected(api: testing.Api, usages: Usages) -> None:
    for name, app in (("b", "x"), ("a", "x"), ("c", "y")):
        usages.saw(await made(api, name, app=app), web=usage.Amount(0.1, 4096))

    async def names(query: str = "", scope: str = "/namespaces/default") -> list[str]:
        found = (await api.get(f"{METRICS}{scope}/pods{query}")).body
        assert (found["kind"], found["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
        return [each["metadata"]["name"] for each in found["items"]]

    assert await names() == ["a", "b", "c"]
    assert await names(scope="") == ["a", "b", "c"]
    assert await names("?labelSelector=app%3Dx") == ["a", "b"]
    assert await names("?fieldSelector=metadata.name%3Dc") == ["c"]
    assert await names(scope="/namespaces/other") == []


async def test_what_the_store_does_not_know_is_not_told(api: testing.Api, usages: Usages) -> None:
    """A pod that was deleted, or whose name another pod has now, may still be measured for a moment."""
    pod = await made(api, "a")
    pod["metadata"]["uid"] = "an-older-one"
    usages.saw(pod, web=usage.Amount(1.0, 4096))
    usages.of_nodes.append(usage.NodeUsage("nobody", AT, 15.0, usage.Amount(1.0, 1)))
    assert (await api.get(f"{METRICS}/pods")).body["items"] == []
    assert (await api.get(f"{METRICS}/nodes")).body["items"] == []
    missing = await api.get(f"{METRICS}/namespaces/default/pods/a")
    assert (missing.code, missing.body["message"]) == (404, 'pods.metrics.k8s.io "a" not found')


async def test_nodes(api: testing.Api, usages: Usages) -> None:
    await node(api, usages)
    one = (await api.get(f"{METRICS}/nodes/here")).body
    assert (one["kind"], one["usage"]) == ("NodeMetrics", {"cpu": "1500m", "memory": "3145728Ki"})
    assert "namespace" not in one["metadata"]
    assert (await api.get(f"{METRICS}/nodes?labelSelector=zone%3Db")).body["items"] == []


async def test_as_a_table(api: testing.Api, usages: Usages) -> None:
    usages.saw(await made(api, "a"), web=usage.Amount(0.25, 1024**2), side=usage.Amount(0.001, 1024))
    await node(api, usages)
    table = (await api.get(f"{METRICS}/pods", accept=TABLE)).body
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "CPU", "Memory", "Window"]
    assert [row["cells"] for row in table["rows"]] == [["a", "251m", "1025Ki", "15.250s"]]
    table = (await api.get(f"{METRICS}/nodes/here", accept=TABLE)).body
    assert [row["cells"] for row in table["rows"]] == [["here", "1500m", "3145728Ki", "15.000s"]]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/namespaces/default/pods", 405),
        ("DELETE", "/namespaces/default/pods/a", 405),
        ("PATCH", "/nodes/here", 405),
        ("GET", "/pods?watch=true", 405),
        ("GET", "/namespaces/default/pods/a/log", 404),
        ("GET", "/namespaces/default/nodes", 404),
        ("GET", "/pods/a", 404),
        ("GET", "/pods?labelSelector=a%20in", 400),
        ("GET", "/pods?fieldSelector=spec.nodeName%3Dx", 400),
    ],
)
async def test_what_is_refused(api: testing.Api, method: str, path: str, code: int) -> None:
    assert (await api.call(method, f"{METRICS}{path}", {} if method != "GET" else None)).code == code


async def test_without_a_node_agent(tmp_path: pathlib.Path) -> None:
    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        found = await api.get(f"{METRICS}/pods")
    assert (found.code, found.body["reason"]) == (503, "ServiceUnavailable")
    assert "no node agent" in found.body["message"]


async def test_discovery_and_openapi(api: testing.Api) -> None:
    served = (await api.get(METRICS)).body["resources"]
    assert [(each["name"], each["kind"], each["verbs"]) for each in served] == [
        ("nodes", "NodeMetrics", ["get", "list"]),
        ("pods", "PodMetrics", ["get", "list"]),
    ]
    paths = (await api.get(f"/openapi/v3{METRICS}")).body["paths"]
    assert {path: sorted(set(each) - {"parameters"}) for path, each in paths.items()} == {
        f"{METRICS}/nodes": ["get"],
        f"{METRICS}/nodes/{{name}}": ["get"],
        f"{METRICS}/pods": ["get"],
        f"{METRICS}/namespaces/{{namespace}}/pods": ["get"],
        f"{METRICS}/namespaces/{{namespace}}/pods/{{name}}": ["get"],
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0"), ("0.000000001", "1n"), ("0.0000004", "400n"), ("0.12345", "123450u"), ("0.5", "500m"), ("12", "12")],
)
def test_cores(value: str, text: str) -> None:
    assert measures.cores(Decimal(value)) == text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on this machine")
async def test_kubectl_top(server: testing.RunningServer, api: testing.Api, usages: Usages) -> None:
    usages.saw(await made(api, "a", app="x"), web=usage.Amount(0.25, 20 * 1024**2), side=usage.Amount(0.01, 2**20))
    usages.saw(await made(api, "b", app="y"), web=usage.Amount(1.0, 2**20))
    await node(api, usages)
    sizes = {"cpu": "2", "memory": "4Gi"}
    await api.patch("/api/v1/nodes/here/status", {"status": {"capacity": sizes, "allocatable": sizes}})

    async def top(*words: str) -> list[list[str]]:
        process = await asyncio.create_subprocess_exec(
            "kubectl",
            "top",
            *words,
            env={**os.environ, "KUBECONFIG": str(server.kubeconfig), "HOME": str(server.kubeconfig.parent)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        return [line.split() for line in output.decode().splitlines()]

    assert await top("pod") == [["NAME", "CPU(cores)", "MEMORY(bytes)"], ["a", "260m", "21Mi"], ["b", "1000m", "1Mi"]]
    assert await top("pod", "--sort-by=cpu", "--no-headers") == [["b", "1000m", "1Mi"], ["a", "260m", "21Mi"]]
    assert await top("pod", "--containers", "-l", "app=x", "--no-headers") == [
        ["a", "side", "10m", "1Mi"],
        ["a", "web", "250m", "20Mi"],
    ]
    assert await top("node", "--no-headers") == [["here", "1500m", "75%", "3072Mi", "75%"]]
