"""Sizes read and written, with others writing too."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.controllers import errors
from brickyard.controllers.podautoscaler import actuator, discovery, followers, targets, testing
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing as clients
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WIDGET = resources.ResourceType("example.com", "v1", "widgets", "Widget")
GROUP = "/apis/example.com/v1"


def wanted(**spec: Any) -> targets.Reference:
    return targets.reference(testing.autoscaler(**spec))


OF_WIDGET = {"scaleTargetRef": testing.target("w", "Widget", "example.com/v1")}


def serve(client: clients.MemoryClient, path: str, found: Any) -> None:
    client.streams[path] = [orjson.dumps(found)]


def with_widgets(*, scales: bool) -> clients.MemoryClient:
    client = clients.MemoryClient(testing.LoopClock())
    listed = [{"name": "widgets", "kind": "Widget", "namespaced": True}]
    if scales:
        listed.append({"name": "widgets/scale", "kind": "Scale", "namespaced": True})
    serve(client, GROUP, {"resources": listed})
    widget = {"metadata": testing.metadata("w"), "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "w"}}}}
    client.seed(WIDGET, {"apiVersion": "example.com/v1", "kind": "Widget", **widget})
    return client


@contextlib.asynccontextmanager
async def acting(client: clients.MemoryClient) -> AsyncIterator[actuator.Actuator]:
    caches = followers.Followers(client)
    async with tasks.Scope("targets") as scope:
        scope.start(caches.run(), name="caches")
        yield actuator.Actuator(client, caches)


def changing(client: clients.MemoryClient, change: Callable[[], None]) -> None:
    """Let somebody else do ``change`` between our reading and our writing."""
    get = client.get

    async def got(kind: resources.ResourceType, name: str, namespace: str = "") -> resources.Object:
        found = await get(kind, name, namespace)
        change()
        return found

    client.get = got  # type: ignore[method-assign]  # the knob that the fake has not


async def test_a_scale_is_replaced_and_nothing_else() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    async with acting(client) as it:
        size = await it.read(wanted())
        await it.resize(wanted(), size, 5)
        assert client.all(resources.DEPLOYMENT)[0]["spec"]["replicas"] == 5
        (call,) = client.wrote("update", resources.DEPLOYMENT)
        assert call.subresource == "scale"
        assert call.body["metadata"]["resourceVersion"] == size.version


async def test_writes_to_other_parts_are_waited_out() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    async with acting(client) as it:
        size = await it.read(wanted())
        busy = iter(range(2))

        def label() -> None:
            if (count := next(busy, None)) is not None:
                found = client.all(resources.DEPLOYMENT)[0]
                found["metadata"]["labels"] = {"count": str(count)}
                client.seed(resources.DEPLOYMENT, found)

        changing(client, label)
        await it.resize(wanted(), size, 5)
        found = client.all(resources.DEPLOYMENT)[0]
        assert (found["spec"]["replicas"], found["metadata"]["labels"]) == (5, {"count": "1"})


async def test_who_never_gets_a_turn_says_so() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    async with acting(client) as it:
        size = await it.read(wanted())
        for _ in range(actuator.ATTEMPTS):
            client.fail_next(kube_errors.Conflict("somebody was faster"), verb="update")
        with pytest.raises(errors.TargetError, match="changes faster"):
            await it.resize(wanted(), size, 5)


@pytest.mark.parametrize("change", ["size", "life"])
async def test_what_moved_is_left_alone(change: str) -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    async with acting(client) as it:
        size = await it.read(wanted())
        if change == "size":
            await client.patch(resources.DEPLOYMENT, ("default", "chat"), {"spec": {"replicas": 3}})
        else:
            await client.delete(resources.DEPLOYMENT, ("default", "chat"))
            await client.create(resources.DEPLOYMENT, testing.deployment())
        with pytest.raises(errors.TargetMovedError, match="from 1 to 3" if change == "size" else "made anew"):
            await it.resize(wanted(), size, 5)
        assert client.all(resources.DEPLOYMENT)[0]["spec"]["replicas"] != 5


async def test_kinds_nobody_knows_are_scaled_by_their_scale() -> None:
    client = with_widgets(scales=True)
    scale = {"metadata": {"uid": "u"}, "spec": {"replicas": 2}, "status": {"selector": "app=w"}}
    serve(client, f"{GROUP}/namespaces/default/widgets/w/scale", scale)
    async with acting(client) as it:
        size = await it.read(wanted(**OF_WIDGET))
        assert (size.replicas, str(size.selector)) == (2, "app=w")
        await it.resize(wanted(**OF_WIDGET), size, 4)
        assert client.all(WIDGET)[0]["spec"]["replicas"] == 4
        assert [call.subresource for call in client.wrote("update", WIDGET)] == ["scale"]


async def test_kinds_without_a_scale_are_patched_under_a_lock() -> None:
    client = with_widgets(scales=False)
    async with acting(client) as it:
        size = await it.read(wanted(**OF_WIDGET))
        await it.resize(wanted(**OF_WIDGET), size, 4)
        assert client.all(WIDGET)[0]["spec"]["replicas"] == 4
        (call,) = client.wrote("patch", WIDGET)
        assert call.body == {"metadata": {"resourceVersion": size.version}, "spec": {"replicas": 4}}


async def test_kinds_that_are_not_served_are_told_and_asked_for_again() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    async with acting(client) as it:
        with pytest.raises(errors.TargetError, match="no matches for kind 'Widget'"):
            await it.read(wanted(**OF_WIDGET))
        serve(client, GROUP, {"resources": [{"name": "widgets", "kind": "Widget", "namespaced": True}]})
        with pytest.raises(errors.TargetError, match="is not there"):
            await it.read(wanted(**OF_WIDGET))


@pytest.mark.parametrize(("body", "text"), [(b"<html>", "no usable answer"), (b"[]", "no object")])
async def test_answers_that_are_none_are_told(body: bytes, text: str) -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.streams[GROUP] = [body]
    async with acting(client) as it:
        with pytest.raises(errors.TargetError, match=text):
            await it.read(wanted(**OF_WIDGET))


async def test_answers_without_end_are_given_up() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.streams[GROUP] = [b" " * 2**20] * (discovery.LIMIT // 2**20 + 2)
    async with acting(client) as it:
        with pytest.raises(errors.TargetError, match="too long"):
            await it.read(wanted(**OF_WIDGET))


async def test_what_may_not_be_read_is_told() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.fail_next(kube_errors.Forbidden("no leave"), verb="get")
    async with acting(client) as it:
        with pytest.raises(errors.TargetError, match="no leave") as caught:
            await it.read(wanted())
        assert caught.value.reason == "FailedGetScale"
