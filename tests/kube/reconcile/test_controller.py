from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import errors, testing
from brickyard.kube.informers import informer
from brickyard.kube.objects import owners
from brickyard.kube.reconcile import contract, controller
from brickyard.lib import backoff

pytestmark = pytest.mark.looptime

A, B = contract.Request("d", "a"), contract.Request("d", "b")
RETRY = backoff.Backoff(1.0, 2.0, 60.0)
Body = Callable[[contract.Request], Awaitable[contract.Result]]


class Recording:
    """A reconciler that notes when it was called for what, and does what ``body`` says."""

    def __init__(self, body: Body | None = None) -> None:
        self.passes: list[tuple[float, contract.Request]] = []
        self._body = body

    async def reconcile(self, request: contract.Request) -> contract.Result:
        self.passes.append((round(asyncio.get_running_loop().time(), 3), request))
        return await self._body(request) if self._body else contract.Result()

    @property
    def requests(self) -> list[contract.Request]:
        return [request for _, request in self.passes]

    @property
    def times(self) -> list[float]:
        return [moment for moment, _ in self.passes]


@contextlib.asynccontextmanager
async def running(*parts: controller.Controller | informer.Informer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


def failing(times: int, error: Exception) -> Body:
    left = [error] * times

    async def body(_request: contract.Request) -> contract.Result:
        if left:
            raise left.pop()
        return contract.Result()

    return body


async def test_what_is_enqueued_is_reconciled_before_and_after_the_start() -> None:
    reconciler = Recording()
    found = controller.Controller("test", reconciler)
    found.enqueue(A)
    assert found.depth == 1
    async with running(found):
        await asyncio.sleep(0.1)
        found.enqueue(B)
        await asyncio.sleep(0.1)
    assert reconciler.requests == [A, B]
    assert found.counters.succeeded == 2
    assert found.depth == 0


async def test_it_can_be_enqueued_for_later() -> None:
    reconciler = Recording()
    found = controller.Controller("test", reconciler)
    async with running(found):
        found.enqueue(A, after=5.0)
        found.enqueue(B, after=2.0)
        await asyncio.sleep(10)
    assert reconciler.passes == [(2.0, B), (5.0, A)]


async def test_a_result_can_ask_for_another_look() -> None:
    async def body(_request: contract.Request) -> contract.Result:
        return contract.Result(requeue_after=10.0)

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler)
    found.enqueue(A)
    async with running(found):
        await asyncio.sleep(35)
    assert reconciler.times == [0.0, 10.0, 20.0, 30.0]


@pytest.mark.parametrize(
    "error", [errors.Unreachable("away"), errors.Conflict("stale"), ValueError("bug"), OSError("x")]
)
async def test_failures_are_repeated_with_growing_delay(error: Exception) -> None:
    reconciler = Recording(failing(4, error))
    found = controller.Controller("test", reconciler, backoff=RETRY)
    found.enqueue(A)
    async with running(found):
        await asyncio.sleep(100)
    assert reconciler.times == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert (found.counters.failed, found.counters.succeeded) == (4, 1)
    assert found.counters.conflicts == (4 if isinstance(error, errors.Conflict) else 0)


async def test_one_broken_object_does_not_hold_up_another() -> None:
    async def body(request: contract.Request) -> contract.Result:
        if request == A:
            raise ValueError("bug")
        return contract.Result(requeue_after=1.0)

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler, workers=1, backoff=RETRY)
    found.enqueue(A)
    found.enqueue(B)
    async with running(found):
        await asyncio.sleep(10.5)
    assert reconciler.requests.count(B) == 11


async def test_a_pass_has_a_deadline() -> None:
    async def body(_request: contract.Request) -> contract.Result:
        await asyncio.sleep(1000)
        return contract.Result()

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler, backoff=RETRY, deadline=5.0)
    found.enqueue(A)
    async with running(found):
        await asyncio.sleep(7)
        assert found.active == 1
    assert reconciler.times == [0.0, 6.0]
    assert found.counters.timeouts == 1
    assert found.counters.seconds == pytest.approx(5.0)


async def test_what_a_pass_waited_for_may_be_cancelled_without_ending_the_worker() -> None:
    async def body(_request: contract.Request) -> contract.Result:
        if len(reconciler.passes) == 1:
            shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            shared.cancel()
            await shared
        return contract.Result()

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler, workers=1, backoff=RETRY)
    found.enqueue(A)
    async with running(found):
        await asyncio.sleep(1.5)
        assert reconciler.times == [0.0, 1.0]
        assert (found.counters.failed, found.counters.succeeded, found.active) == (1, 1, 0)


async def test_an_object_is_worked_on_by_one_at_a_time_and_no_change_is_missed() -> None:
    active: list[contract.Request] = []

    async def body(request: contract.Request) -> contract.Result:
        assert request not in active
        active.append(request)
        await asyncio.sleep(1)
        active.remove(request)
        return contract.Result()

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler, workers=4)
    async with running(found):
        for _ in range(5):
            found.enqueue(A)
            await asyncio.sleep(0.3)
        await asyncio.sleep(10)
    assert reconciler.times == [0.0, 1.0, 2.0]
    assert found.counters.failed == 0


async def test_different_objects_are_worked_on_at_once_up_to_the_limit() -> None:
    async def body(_request: contract.Request) -> contract.Result:
        await asyncio.sleep(1)
        return contract.Result()

    reconciler = Recording(body)
    found = controller.Controller("test", reconciler, workers=3)
    for number in range(7):
        found.enqueue(contract.Request("d", str(number)))
    async with running(found):
        await asyncio.sleep(0.5)
        assert (found.active, found.depth) == (3, 4)
        await asyncio.sleep(5)
    assert reconciler.times == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 2.0]


def pod(name: str, owner: resources.Object | None = None) -> resources.Object:
    references = [owners.owner_reference(owner)] if owner else []
    return {"metadata": {"name": name, "namespace": "d", "ownerReferences": references}}


OWNER: resources.Object = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "rs", "namespace": "d", "uid": "u"},
}


async def test_work_begins_when_the_collections_are_known() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("a"))
    client.fail_next(errors.Unreachable("away"), verb="list", times=8)
    pods = informer.Informer(client, resources.POD)
    seen: list[int] = []

    async def body(_request: contract.Request) -> contract.Result:
        seen.append(len(pods.list()))
        return contract.Result()

    found = controller.Controller("test", Recording(body))
    found.watch(pods)
    found.enqueue(B)
    async with running(found, pods):
        await asyncio.sleep(5)
        assert seen == []
        await asyncio.sleep(200)
    assert seen == [1, 1]


async def test_an_event_asks_for_the_owner() -> None:
    client, reconciler = testing.MemoryClient(), Recording()
    pods = informer.Informer(client, resources.POD)
    found = controller.Controller("test", reconciler)
    found.watch(pods, controller.owned_by(resources.REPLICA_SET))
    async with running(found, pods):
        await asyncio.sleep(1)
        await client.create(resources.POD, pod("child", OWNER))
        await client.create(resources.POD, pod("orphan"))
        await asyncio.sleep(1)
    assert reconciler.requests == [contract.Request("d", "rs")]


async def test_a_child_that_changes_hands_concerns_both_owners() -> None:
    client, reconciler = testing.MemoryClient(), Recording()
    other = {**OWNER, "metadata": {"name": "other", "namespace": "d", "uid": "v"}}
    client.seed(resources.POD, pod("child", OWNER))
    pods = informer.Informer(client, resources.POD)
    found = controller.Controller("test", reconciler)
    found.watch(pods, controller.owned_by(resources.REPLICA_SET))
    async with running(found, pods):
        await asyncio.sleep(1)
        reconciler.passes.clear()
        await client.patch(resources.POD, ("d", "child"), {"metadata": pod("child", other)["metadata"]})
        await asyncio.sleep(1)
    assert sorted(reconciler.requests) == [("d", "other"), ("d", "rs")]


# apiVersion and kind of the controlling owner, asked for the kind, requests
OWNERS = [
    ("apps/v1", "ReplicaSet", resources.REPLICA_SET, [contract.Request("d", "rs")]),
    ("apps/v1beta1", "ReplicaSet", resources.REPLICA_SET, [contract.Request("d", "rs")]),
    ("other/v1", "ReplicaSet", resources.REPLICA_SET, []),
    ("v1", "ReplicaSet", resources.REPLICA_SET, []),
    ("apps/v1", "Deployment", resources.REPLICA_SET, []),
    ("v1", "Node", resources.NODE, [contract.Request("", "rs")]),
]


@pytest.mark.parametrize(("api_version", "kind", "asked", "requests"), OWNERS)
def test_owners_by_group_and_kind(
    api_version: str, kind: str, asked: resources.ResourceType, requests: list[contract.Request]
) -> None:
    child = pod("c", {**OWNER, "apiVersion": api_version, "kind": kind})
    assert list(controller.owned_by(asked)(child)) == requests
    assert list(controller.itself(child)) == [contract.Request("d", "c")]


async def test_a_stopped_controller_leaves_nothing_running() -> None:
    stopped: list[str] = []

    async def body(request: contract.Request) -> contract.Result:
        try:
            await asyncio.sleep(1000)
        finally:
            stopped.append(request.name)
        return contract.Result()

    found = controller.Controller("test", Recording(body))
    found.enqueue(A)
    found.enqueue(B)
    async with running(found):
        await asyncio.sleep(1)
    assert sorted(stopped) == ["a", "b"]
    assert [task for task in asyncio.all_tasks() if "worker" in task.get_name()] == []


def test_a_request_reads_as_its_name() -> None:
    assert (str(A), str(contract.Request("", "node"))) == ("d/a", "node")
