"""The Deployment reconciler on an API in memory, with caches that stand still when a test wants them to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership, testing
from brickyard.embedded.builtin.deployment import reconciler, revisions, unseen
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import conditions, meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

REQUEST = reconcile.Request("default", "web")


@dataclasses.dataclass
class Room:
    """A reconciler and what it stands on. Its caches show what was there when ``catch_up`` last ran."""

    client: clients.MemoryClient
    caches: reconciler.Caches
    events: recorder.EventRecorder
    subject: reconciler.Reconciler

    async def catch_up(self, *caches: informers.Informer) -> None:
        """Let ``caches``, or all of them, follow until they show what is there."""
        async with tasks.Scope("caches") as scope:
            for cache in caches or (self.caches.deployments, self.caches.replica_sets, self.caches.pods):
                scope.start(cache.run(), name=cache.kind.plural)
            scope.start(self.events.run(), name="events")
            await testing.quiet(self.client)

    async def run(self) -> reconcile.Result:
        return await self.subject.reconcile(REQUEST)

    async def settle(self) -> None:
        for _ in range(4):
            await self.catch_up()
            await self.run()
        await self.catch_up()

    def replica_sets(self) -> list[dict[str, Any]]:
        return self.client.all(resources.REPLICA_SET)

    def progressing(self) -> str:
        found = self.client.all(resources.DEPLOYMENT)[0].get("status", {})
        return str((conditions.find(found.get("conditions"), "Progressing") or {}).get("reason"))


async def room(**spec: Any) -> Room:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment(**spec))
    caches = reconciler.Caches(
        informers.Informer(client, resources.DEPLOYMENT),
        informers.Informer(client, resources.REPLICA_SET, indexers=ownership.INDEXERS),
        informers.Informer(client, resources.POD, indexers=ownership.INDEXERS),
    )
    events = recorder.EventRecorder(client, "deployment-controller", testing.LoopClock())
    made = Room(client, caches, events, reconciler.Reconciler(client, caches, events, testing.LoopClock()))
    await made.catch_up()
    return made


async def test_a_replica_set_is_made_and_the_revision_told() -> None:
    it = await room()
    await it.run()
    (made,) = it.replica_sets()
    assert made["spec"]["replicas"] == 3
    (deployment,) = it.client.all(resources.DEPLOYMENT)
    assert revisions.annotation(deployment, revisions.REVISION) == "1"
    assert it.progressing() == "NewReplicaSetCreated"


async def test_an_object_that_is_gone_is_nothing() -> None:
    it = await room()
    assert await it.subject.reconcile(reconcile.Request("default", "other")) == reconcile.Result()
    assert it.client.wrote() == []


async def test_with_a_stale_cache_it_waits() -> None:
    it = await room()
    await it.run()
    it.client.calls.clear()
    result = await it.run()
    assert it.client.calls == []
    assert result.requeue_after is not None
    assert 0 < result.requeue_after <= unseen.TTL
    await it.catch_up()
    assert (await it.run()).requeue_after != result.requeue_after


async def test_a_stale_cache_never_makes_a_second_one_for_another_template() -> None:
    it = await room()
    await it.settle()
    for image in ("web:2", "web:3"):
        template = {"spec": {"template": testing.template(image)}}
        await it.client.patch(resources.DEPLOYMENT, REQUEST, template)
        await it.catch_up(it.caches.deployments)
        await it.run()
    assert len(it.replica_sets()) == 2
    assert sum(each["spec"]["replicas"] for each in it.replica_sets()) <= 4


async def test_a_forgetful_controller_is_refused_and_learns() -> None:
    it = await room()
    await it.run()
    forgetful = reconciler.Reconciler(it.client, it.caches, it.events, testing.LoopClock())
    with pytest.raises(errors.AlreadyExists):
        await forgetful.reconcile(REQUEST)
    (deployment,) = it.client.all(resources.DEPLOYMENT)
    assert "collisionCount" not in deployment["status"]
    await it.settle()
    assert len(it.replica_sets()) == 1


async def test_a_replica_set_that_changed_meanwhile_is_not_written_over() -> None:
    it = await room()
    await it.settle()
    (made,) = it.replica_sets()
    await it.client.patch(resources.DEPLOYMENT, REQUEST, {"spec": {"replicas": 5}})
    await it.catch_up()
    await it.client.patch(resources.REPLICA_SET, meta.key(made), {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(errors.Conflict):
        await it.run()
    await it.settle()
    (made,) = it.replica_sets()
    assert made["spec"]["replicas"] == 5
    assert meta.labels(made)["x"] == "y"


async def test_a_refused_replica_set_is_told_and_healed() -> None:
    it = await room()
    refusal = errors.Forbidden("exceeded quota", reason="Forbidden")
    it.client.fail_next(refusal, verb="create", kind=resources.REPLICA_SET, times=2)
    with pytest.raises(errors.Forbidden):
        await it.run()
    assert it.progressing() == "ReplicaSetCreateError"
    await it.catch_up()
    it.client.calls.clear()
    with pytest.raises(errors.Forbidden):
        await it.run()
    assert it.client.wrote(kind=resources.DEPLOYMENT) == []
    await it.settle()
    assert it.progressing() != "ReplicaSetCreateError"


async def test_a_status_computed_from_an_old_version_is_refused() -> None:
    it = await room()
    await it.settle()
    (made,) = it.replica_sets()
    await it.client.patch(resources.REPLICA_SET, meta.key(made), {"status": {"replicas": 3}}, subresource="status")
    await it.catch_up()
    await it.client.patch(resources.DEPLOYMENT, REQUEST, {"metadata": {"labels": {"x": "y"}}})
    with pytest.raises(errors.Conflict):
        await it.run()
    await it.settle()
    assert it.client.all(resources.DEPLOYMENT)[0]["status"]["replicas"] == 3


async def test_an_old_revision_that_is_gone_already_is_fine() -> None:
    it = await room(revisionHistoryLimit=0, replicas=0)
    await it.settle()
    await it.client.patch(resources.DEPLOYMENT, REQUEST, {"spec": {"template": testing.template("web:2")}})
    await it.catch_up()
    await it.run()
    old = next(each for each in it.replica_sets() if revisions.number(each) == 1)
    quiet = {"status": {"observedGeneration": meta.generation(old)}}
    await it.client.patch(resources.REPLICA_SET, meta.key(old), quiet, subresource="status")
    await it.catch_up()
    await it.client.delete(resources.REPLICA_SET, meta.key(old))
    await it.run()
    assert [revisions.number(each) for each in it.replica_sets()] == [2]
