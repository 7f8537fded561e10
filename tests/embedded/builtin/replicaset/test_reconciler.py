"""The ReplicaSet reconciler on an API in memory, with caches that stand still when a test wants them to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership, testing
from brickyard.embedded.builtin.replicaset import reconciler
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import expectations, recorder
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

REQUEST = reconcile.Request("default", "web")


@dataclasses.dataclass
class Room:
    """A reconciler and what it stands on. Its caches show what was there when ``follow`` last ran."""

    client: clients.MemoryClient
    caches: reconciler.Caches
    events: recorder.EventRecorder
    subject: reconciler.Reconciler

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        async with tasks.Scope("caches") as scope:
            for cache in (self.caches.replica_sets, self.caches.pods):
                scope.start(cache.run(), name=cache.kind.plural)
            scope.start(self.events.run(), name="events")
            await testing.quiet(self.client)
            yield
            await testing.quiet(self.client)

    async def catch_up(self) -> None:
        """Let the caches follow until they show what is there."""
        async with self.following():
            pass

    async def run(self) -> reconcile.Result:
        return await self.subject.reconcile(REQUEST)

    def pods(self) -> list[dict[str, Any]]:
        return self.client.all(resources.POD)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.all(resources.REPLICA_SET)[0]["status"]
        return found


async def room(replicas: int = 3, *pods: dict[str, Any], client: clients.MemoryClient | None = None) -> Room:
    client = client or clients.MemoryClient(testing.LoopClock())
    if not client.all(resources.REPLICA_SET):
        client.seed(resources.REPLICA_SET, testing.replica_set(replicas=replicas))
    client.seed(resources.POD, *pods)
    caches = reconciler.Caches(
        informers.Informer(client, resources.REPLICA_SET),
        informers.Informer(client, resources.POD, indexers=ownership.INDEXERS),
    )
    events = recorder.EventRecorder(client, "replicaset-controller", testing.LoopClock())
    made = Room(client, caches, events, reconciler.Reconciler(client, caches, events, testing.LoopClock()))
    await made.catch_up()
    return made


async def test_pods_are_made_and_told_of() -> None:
    it = await room(3)
    await it.run()
    await it.catch_up()
    assert len(it.pods()) == 3
    assert {each["reason"] for each in it.client.all(resources.EVENT)} == {"SuccessfulCreate"}
    await it.run()
    assert it.status() == {"observedGeneration": 1, "replicas": 3, "fullyLabeledReplicas": 3}


async def test_an_object_that_is_gone_is_nothing() -> None:
    it = await room()
    assert await it.subject.reconcile(reconcile.Request("default", "other")) == reconcile.Result()
    assert it.client.wrote() == []


async def test_a_stale_cache_never_makes_pods_twice() -> None:
    it = await room(3)
    for _ in range(3):
        await it.run()
    assert len(it.pods()) == 3
    await it.catch_up()
    await it.run()
    assert len(it.pods()) == 3


async def test_not_even_when_the_controller_starts_anew() -> None:
    it = await room(3)
    await it.run()
    forgetful = reconciler.Reconciler(it.client, it.caches, it.events, testing.LoopClock())
    with pytest.raises(errors.AlreadyExists):
        await forgetful.reconcile(REQUEST)
    assert len(it.pods()) == 3
    assert "conditions" not in it.status()


async def test_what_is_never_seen_is_given_up_without_a_nudge_from_outside() -> None:
    it = await room(1)
    made = await it.run()
    (pod,) = it.pods()
    await it.client.delete(resources.POD, meta.key(pod))
    it.client.expire()
    await it.catch_up()  # by a list that shows nothing: the pod came and went unseen
    waiting = await it.run()
    assert it.pods() == []
    assert made.requeue_after == pytest.approx(expectations.TTL)
    assert waiting.requeue_after == pytest.approx(expectations.TTL, abs=10.0)
    await asyncio.sleep(waiting.requeue_after or 0.0)
    await it.run()
    assert len(it.pods()) == 1


async def test_a_stale_cache_never_deletes_twice() -> None:
    it = await room(5)
    await it.run()
    await it.catch_up()
    await it.client.patch(resources.REPLICA_SET, REQUEST, {"spec": {"replicas": 3}})
    await it.catch_up()
    for _ in range(3):
        await it.run()
    assert len(it.client.wrote("delete")) == 2
    assert len(it.pods()) == 3


async def test_deletion_names_the_pod_by_uid() -> None:
    it = await room(0)
    (owner,) = it.client.all(resources.REPLICA_SET)
    it.client.seed(resources.POD, testing.pod(owner=owner, node=""))
    await it.catch_up()
    (seen,) = it.pods()
    await it.client.delete(resources.POD, meta.key(seen))
    it.client.seed(resources.POD, testing.pod())
    await it.run()
    (other,) = it.pods()
    assert not meta.is_deleting(other)


async def test_pods_that_take_their_time_to_end_hold_up_nothing() -> None:
    it = await room(1)
    (owner,) = it.client.all(resources.REPLICA_SET)
    it.client.seed(resources.POD, testing.pod("a", owner=owner))
    for size in (0, 1):
        await it.client.patch(resources.REPLICA_SET, REQUEST, {"spec": {"replicas": size}})
        await it.catch_up()
        await it.run()
    assert [meta.is_deleting(pod) for pod in it.pods()] == [True, False]


async def test_orphans_are_adopted_and_counted() -> None:
    it = await room(2, testing.pod("a"), testing.pod("b"))
    await it.run()
    await it.catch_up()
    await it.run()
    (owner,) = it.client.all(resources.REPLICA_SET)
    assert [meta.name(pod) for pod in it.pods()] == ["a", "b"]
    assert all(owners.is_controlled_by(pod, owner) for pod in it.pods())
    assert it.status()["readyReplicas"] == 2


async def test_a_dying_owner_the_cache_does_not_know_of_adopts_nothing() -> None:
    it = await room(1, testing.pod("a"))
    (owner,) = it.client.all(resources.REPLICA_SET)
    await it.client.patch(resources.REPLICA_SET, REQUEST, {"metadata": {"finalizers": ["x/y"]}})
    await it.client.delete(resources.REPLICA_SET, REQUEST)
    with pytest.raises(errors.Conflict):
        await it.run()
    assert not owners.is_controlled_by(it.pods()[0], owner)


async def test_another_owner_of_the_same_name_adopts_nothing_for_the_former() -> None:
    it = await room(1, testing.pod("a"))
    await it.client.delete(resources.REPLICA_SET, REQUEST)
    it.client.seed(resources.REPLICA_SET, testing.replica_set())
    with pytest.raises(errors.Conflict):
        await it.run()
    assert owners.controller_of(it.pods()[0]) is None


async def test_a_pod_that_no_longer_matches_is_let_go_and_replaced() -> None:
    it = await room(1)
    await it.run()
    name = meta.name(it.pods()[0])
    await it.client.patch(resources.POD, ("default", name), {"metadata": {"labels": {"app": "other"}}})
    for _ in range(2):
        await it.catch_up()
        await it.run()
    pods = {meta.name(pod): owners.controller_of(pod) for pod in it.pods()}
    assert len(pods) == 2
    assert pods.pop(name) is None
    assert None not in pods.values()


async def test_a_refusal_is_told_and_healed() -> None:
    it = await room(4)
    it.client.fail_next(errors.Forbidden("exceeded quota", reason="Forbidden"), verb="create", kind=resources.POD)
    with pytest.raises(errors.Forbidden):
        await it.run()
    assert len(it.client.wrote("create", resources.POD)) == 1
    (condition,) = it.status()["conditions"]
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "exceeded quota")
    await it.catch_up()
    (event,) = it.client.all(resources.EVENT)
    assert (event["type"], event["message"]) == ("Warning", "Error creating: exceeded quota")
    await it.run()
    await it.catch_up()
    await it.run()
    assert len(it.pods()) == 4
    assert "conditions" not in it.status()


async def test_batches_grow_while_all_goes_well() -> None:
    it = await room(7)
    it.client.latency = 1.0
    began = asyncio.get_running_loop().time()
    await it.run()
    assert len(it.pods()) == 7
    # Batches of 1, 2 and 4, then the status.
    assert asyncio.get_running_loop().time() - began == pytest.approx(4.0)


async def test_when_nothing_goes_well_one_request_tells() -> None:
    it = await room(20)
    it.client.fail_next(errors.Forbidden("full", reason="Forbidden"), verb="create", kind=resources.POD, times=50)
    with pytest.raises(errors.Forbidden):
        await it.run()
    assert len(it.client.wrote("create", resources.POD)) == 1


async def test_a_failed_deletion_is_told_and_tried_again() -> None:
    it = await room(1)
    await it.run()
    await it.client.patch(resources.REPLICA_SET, REQUEST, {"spec": {"replicas": 0}})
    await it.catch_up()
    it.client.fail_next(errors.Unavailable("starting"), verb="delete")
    with pytest.raises(errors.Unavailable):
        await it.run()
    assert it.status()["conditions"][0]["reason"] == "FailedDelete"
    await it.catch_up()
    await it.run()
    assert it.pods() == []


async def test_an_unchanged_status_is_not_written() -> None:
    it = await room(1)
    for _ in range(2):
        await it.run()
        await it.catch_up()
    it.client.calls.clear()
    await it.run()
    assert it.client.wrote() == []


async def test_it_asks_to_look_again_when_a_pod_becomes_available() -> None:
    it = await room(1)
    (owner,) = it.client.all(resources.REPLICA_SET)
    await it.client.patch(resources.REPLICA_SET, REQUEST, {"spec": {"minReadySeconds": 100}})
    it.client.seed(resources.POD, testing.pod("a", owner=owner, ready_for=40))
    await it.catch_up()
    result = await it.run()
    assert result.requeue_after == pytest.approx(60, abs=5)
    assert "availableReplicas" not in it.status()
