"""The whole floor against the embedded API server: kubeconfig, client, informers, controller, status, events, finalizers."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import testing as apiservers
from brickyard.kube.client import contract, errors, rest
from brickyard.kube.informers import informer
from brickyard.kube.objects import meta, owners
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller, finalizers, leader, recorder, status
from brickyard.lib import clock

MARK = "brickyard.test/pods"


class PodPerMap:
    """For each ReplicaSet keeps one pod, with a finalizer until that pod is gone; tells and writes status."""

    def __init__(self, client: contract.Client, events: recorder.EventRecorder) -> None:
        self.client = client
        self.events = events
        self.sets = informer.Informer(client, resources.REPLICA_SET)
        self.pods = informer.Informer(client, resources.POD)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        owner = self.sets.get(*request)
        if owner is None:
            return reconcile.Result()
        child = self.pods.get(request.namespace, request.name)
        if meta.is_deleting(owner):
            if child is not None:
                await self.client.delete(resources.POD, request)
            else:
                await finalizers.remove(self.client, resources.REPLICA_SET, owner, MARK)
            return reconcile.Result()
        owner = await finalizers.ensure(self.client, resources.REPLICA_SET, owner, MARK)
        if child is None:
            with contextlib.suppress(errors.AlreadyExists):
                await self.client.create(resources.POD, self.child(owner))
            self.events.record(owner, recorder.NORMAL, "Created", f"created pod {request.name}")
        await status.write(self.client, resources.REPLICA_SET, owner, {"replicas": int(child is not None)})
        return reconcile.Result()

    @staticmethod
    def child(owner: resources.Object) -> resources.Object:
        key = meta.key(owner)
        template = owner["spec"]["template"]
        metadata = {
            **template["metadata"],
            "name": key.name,
            "namespace": key.namespace,
            "ownerReferences": [owners.owner_reference(owner)],
        }
        return {"metadata": metadata, "spec": template["spec"]}


def replica_set(name: str) -> resources.Object:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def until(client: contract.Client, name: str, replicas: int) -> resources.Object:
    async with asyncio.timeout(10):
        while True:
            found = await client.get(resources.REPLICA_SET, name, "default")
            if (found.get("status") or {}).get("replicas") == replicas:
                return found
            await asyncio.sleep(0.01)


async def until_empty(client: contract.Client, kind: resources.ResourceType) -> None:
    async with asyncio.timeout(10):
        while (await client.list(kind, contract.Query(namespace="default"))).items:
            await asyncio.sleep(0.01)


async def test_a_controller_on_a_real_api(tmp_path: pathlib.Path) -> None:
    async with (
        apiservers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        events = recorder.EventRecorder(client, "tester", clock.SystemClock())
        reconciler = PodPerMap(client, events)
        found = controller.Controller("pod-per-map", reconciler)
        found.watch(reconciler.sets)
        found.watch(reconciler.pods, controller.owned_by(resources.REPLICA_SET))
        elected = leader.Leader(client, meta.Key("kube-system", "tester"), "me", clock.SystemClock())

        async def work() -> None:
            await asyncio.gather(*(each.run() for each in (reconciler.sets, reconciler.pods, events, found)))

        task = asyncio.create_task(elected.run(work))
        for name in ("a", "b", "c"):
            await client.create(resources.REPLICA_SET, replica_set(name))
        for name in ("a", "b", "c"):
            owner = await until(client, name, 1)
            assert finalizers.has(owner, MARK)
        await events.flush(5)
        told = await client.list(resources.EVENT, contract.Query(field_selector="reason=Created"))
        assert {each["involvedObject"]["name"] for each in told.items} == {"a", "b", "c"}

        # A pod that goes away is replaced, and an owner that goes away takes its pod along.
        before = await client.get(resources.POD, "a", "default")
        await client.delete(resources.POD, ("default", "a"))
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(errors.NotFound):
                    if meta.uid(await client.get(resources.POD, "a", "default")) != meta.uid(before):
                        break
                await asyncio.sleep(0.01)
        for name in ("a", "b", "c"):
            await client.delete(resources.REPLICA_SET, ("default", name))
        await until_empty(client, resources.REPLICA_SET)
        await until_empty(client, resources.POD)

        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        lease = await client.get(resources.LEASE, "tester", "kube-system")
        assert lease["spec"]["holderIdentity"] == ""
        assert found.counters.timeouts == 0
