"""The Service reconciler on an API in memory, with caches that stand still when a test wants them to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.service import reconciler
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
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

    async def catch_up(self) -> None:
        async with tasks.Scope("caches") as scope:
            for cache in (self.caches.services, self.caches.pods, self.caches.slices):
                scope.start(cache.run(), name=cache.kind.plural)
            scope.start(self.events.run(), name="events")
            await testing.quiet(self.client)

    async def run(self) -> None:
        assert await self.subject.reconcile(REQUEST) == reconcile.Result()

    def slices(self) -> list[dict[str, Any]]:
        return self.client.all(resources.ENDPOINT_SLICE)


async def room(*pods: dict[str, Any], **spec: Any) -> Room:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.SERVICE, testing.service(**spec))
    client.seed(resources.POD, *pods)
    caches = reconciler.Caches(
        informers.Informer(client, resources.SERVICE),
        informers.Informer(client, resources.POD),
        informers.Informer(client, resources.ENDPOINT_SLICE, indexers={reconciler.BY_SERVICE: reconciler.service_of}),
    )
    events = recorder.EventRecorder(client, "endpoint-slice-controller", testing.LoopClock())
    made = Room(client, caches, events, reconciler.Reconciler(client, caches, events))
    await made.catch_up()
    return made


async def test_a_slice_is_made_kept_and_changed() -> None:
    it = await room(testing.pod("a"))
    await it.run()
    await it.catch_up()
    it.client.calls.clear()
    await it.run()
    assert it.client.wrote() == []
    await it.client.delete(resources.POD, ("default", "a"))
    await it.catch_up()
    await it.run()
    (left,) = it.slices()
    assert left["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}


async def test_a_stale_cache_never_makes_slices_twice() -> None:
    it = await room(testing.pod("a"))
    await it.run()
    with pytest.raises(errors.AlreadyExists):
        await it.run()
    assert len(it.slices()) == 1
    await it.catch_up()
    assert it.client.all(resources.EVENT) == []


async def test_a_slice_that_changed_meanwhile_is_not_written_over() -> None:
    it = await room(testing.pod("a"))
    await it.run()
    await it.client.delete(resources.POD, ("default", "a"))
    await it.catch_up()
    (made,) = it.slices()
    await it.client.patch(resources.ENDPOINT_SLICE, meta.key(made), {"metadata": {"annotations": {"x": "y"}}})
    with pytest.raises(errors.Conflict):
        await it.run()
    await it.catch_up()
    await it.run()
    assert meta.annotations(it.slices()[0]) == {"x": "y"}


async def test_a_slice_too_many_goes_unless_another_has_its_name_by_now() -> None:
    it = await room(ipFamilies=["IPv4", "IPv6"])
    await it.run()
    await it.client.patch(resources.SERVICE, REQUEST, {"spec": {"ipFamilies": ["IPv4"]}})
    await it.catch_up()
    six = next(each for each in it.slices() if each["addressType"] == "IPv6")
    await it.client.delete(resources.ENDPOINT_SLICE, meta.key(six))
    it.client.seed(resources.ENDPOINT_SLICE, testing.unstored(six))
    with pytest.raises(errors.Conflict):
        await it.run()
    assert len(it.slices()) == 2
    await it.catch_up()
    await it.run()
    assert [each["addressType"] for each in it.slices()] == ["IPv4"]


async def test_a_slice_that_is_gone_already_is_fine() -> None:
    it = await room(ipFamilies=["IPv4", "IPv6"])
    await it.run()
    await it.client.patch(resources.SERVICE, REQUEST, {"spec": {"ipFamilies": ["IPv4"]}})
    await it.catch_up()
    six = next(each for each in it.slices() if each["addressType"] == "IPv6")
    await it.client.delete(resources.ENDPOINT_SLICE, meta.key(six))
    await it.run()
    assert len(it.slices()) == 1


async def test_a_refusal_is_told() -> None:
    it = await room()
    it.client.fail_next(errors.Invalid("no good", reason="Invalid"), verb="create", kind=resources.ENDPOINT_SLICE)
    with pytest.raises(errors.Invalid):
        await it.run()
    await it.catch_up()
    (event,) = it.client.all(resources.EVENT)
    assert (event["type"], event["reason"]) == ("Warning", "FailedToUpdateEndpointSlices")


async def test_a_service_that_is_gone_is_nothing() -> None:
    it = await room()
    assert await it.subject.reconcile(reconcile.Request("default", "other")) == reconcile.Result()
    assert it.client.wrote() == []
