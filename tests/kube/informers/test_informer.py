from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, testing
from brickyard.kube.informers import informer
from brickyard.kube.objects import meta

pytestmark = pytest.mark.looptime

Change = tuple[str | None, str | None]


def pod(name: str, *, namespace: str = "default", label: str = "1") -> resources.Object:
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"x": label}}, "spec": {"nodeName": "n"}}


def said(obj: resources.Object | None) -> str | None:
    return None if obj is None else f"{meta.name(obj)}={meta.labels(obj)['x']}"


class Listener:
    """Keeps what it is told as ``name=label`` pairs."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(self, old: resources.Object | None, new: resources.Object | None) -> None:
        self.changes.append((said(old), said(new)))

    def taken(self) -> list[Change]:
        found, self.changes = self.changes, []
        return found


@contextlib.asynccontextmanager
async def running(found: informer.Informer) -> AsyncIterator[informer.Informer]:
    task = asyncio.create_task(found.run())
    try:
        await found.wait_synced(60)
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settle() -> None:
    await asyncio.sleep(0.001)


async def relabel(client: testing.MemoryClient, name: str, label: str) -> None:
    await client.patch(resources.POD, ("default", name), {"metadata": {"labels": {"x": label}}})


async def test_what_is_there_is_held() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("a"), pod("b"), pod("c", namespace="other"))
    found = informer.Informer(client, resources.POD)
    states = [found.synced]
    async with running(found):
        assert [*states, found.synced] == [False, True]
        assert found.get("default", "a") == client.all(resources.POD)[0]
        assert found.get("default", "z") is None
        assert [meta.name(each) for each in found.list()] == ["a", "b", "c"]
        assert [meta.name(each) for each in found.list("other")] == ["c"]


async def test_changes_are_followed_and_told() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"))
    async with running(informer.Informer(client, resources.POD)) as found:
        found.subscribe(listener)
        assert listener.taken() == [(None, "a=1")]
        await client.create(resources.POD, pod("b"))
        await relabel(client, "a", "2")
        await client.delete(resources.POD, ("default", "b"), contract.DeleteOptions(grace_period_seconds=0))
        await settle()
        assert listener.taken() == [(None, "b=1"), ("a=1", "a=2"), ("b=1", None)]
        assert [said(each) for each in found.list()] == ["a=2"]


async def test_handlers_that_come_early_hear_everything_once() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"))
    found = informer.Informer(client, resources.POD)
    found.subscribe(listener)
    assert listener.taken() == []
    async with running(found):
        assert listener.taken() == [(None, "a=1")]


async def test_a_handler_can_leave() -> None:
    client, listener = testing.MemoryClient(), Listener()
    async with running(informer.Informer(client, resources.POD)) as found:
        leave = found.subscribe(listener)
        leave()
        leave()
        await client.create(resources.POD, pod("a"))
        await settle()
        assert listener.taken() == []


async def test_a_handler_that_fails_stops_nobody() -> None:
    client, listener = testing.MemoryClient(), Listener()

    def broken(_old: resources.Object | None, _new: resources.Object | None) -> None:
        raise ValueError("handler")

    async with running(informer.Informer(client, resources.POD)) as found:
        found.subscribe(broken)
        found.subscribe(listener)
        await client.create(resources.POD, pod("a"))
        await settle()
        assert listener.taken() == [(None, "a=1")]


async def test_only_what_is_selected_is_held() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"), pod("b", label="2"), pod("c", namespace="other"))
    query = contract.Query(namespace="default", label_selector="x=1")
    async with running(informer.Informer(client, resources.POD, query)) as found:
        found.subscribe(listener)
        await relabel(client, "a", "2")
        await relabel(client, "b", "1")
        await settle()
        assert listener.taken() == [(None, "a=1"), ("a=1", None), (None, "b=1")]


async def test_indexes_follow() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("a"), pod("b"))
    indexers = {"label": lambda obj: [meta.labels(obj)["x"]]}
    async with running(informer.Informer(client, resources.POD, indexers=indexers)) as found:
        await relabel(client, "b", "2")
        await settle()
        assert [meta.name(each) for each in found.indexed("label", "1")] == ["a"]
        assert [meta.name(each) for each in found.indexed("label", "2")] == ["b"]


async def test_after_a_gap_the_difference_is_told() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("kept"), pod("changed"), pod("gone"))
    async with running(informer.Informer(client, resources.POD)) as found:
        found.subscribe(listener)
        listener.taken()
        client.fail_next(errors.Unreachable("away"), verb="watch", times=5)
        client.break_watches(errors.Gone("too old"))
        await relabel(client, "changed", "2")
        await client.delete(resources.POD, ("default", "gone"), contract.DeleteOptions(grace_period_seconds=0))
        await client.create(resources.POD, pod("new"))
        await asyncio.sleep(60)
        assert sorted(listener.taken(), key=str) == [("changed=1", "changed=2"), ("gone=1", None), (None, "new=1")]
        await relabel(client, "kept", "3")
        await settle()
        assert listener.taken() == [("kept=1", "kept=3")]


async def test_a_name_used_again_is_an_end_and_a_beginning() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"))
    async with running(informer.Informer(client, resources.POD)) as found:
        found.subscribe(listener)
        listener.taken()
        client.break_watches(errors.Gone("too old"))
        await client.delete(resources.POD, ("default", "a"), contract.DeleteOptions(grace_period_seconds=0))
        await client.create(resources.POD, pod("a", label="2"))
        client.expire()
        await asyncio.sleep(5)
        assert listener.taken() == [("a=1", None), (None, "a=2")]


async def test_an_api_that_is_away_at_first_is_waited_for() -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("a"))
    client.fail_next(errors.Unreachable("away"), verb="list", times=6)
    found = informer.Informer(client, resources.POD)
    began = asyncio.get_running_loop().time()
    async with running(found):
        assert found.get("default", "a") is not None
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 6.4, abs=0.1)


async def test_waiting_for_an_api_that_stays_away_ends() -> None:
    client = testing.MemoryClient()
    client.fail_next(errors.Forbidden("no"), verb="list", times=1000)
    found = informer.Informer(client, resources.POD)
    task = asyncio.create_task(found.run())
    with pytest.raises(TimeoutError):
        await found.wait_synced(10)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_watch_that_ends_at_once_is_no_busy_loop() -> None:
    class Hasty(testing.MemoryClient):
        async def watch(
            self, kind: resources.ResourceType, query: contract.Query
        ) -> AsyncIterator[contract.WatchEvent]:
            self.calls.append(testing.Call("watch", kind, query.namespace, ""))
            for each in list[contract.WatchEvent]():
                yield each

    client = Hasty()
    async with running(informer.Informer(client, resources.POD)):
        await asyncio.sleep(100)
        assert sum(each.verb == "watch" for each in client.calls) < 15


async def test_long_collections_are_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "PAGE", 3)
    client = testing.MemoryClient()
    client.seed(resources.POD, *(pod(f"p{number}") for number in range(8)))
    async with running(informer.Informer(client, resources.POD)) as found:
        assert len(found.list()) == 8
        assert sum(each.verb == "list" for each in client.calls) == 3


async def test_a_continue_token_that_expires_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "PAGE", 3)
    client = testing.MemoryClient()
    client.seed(resources.POD, *(pod(f"p{number}") for number in range(5)))
    real, lists = client.list, 0

    async def list_once_broken(kind: resources.ResourceType, query: contract.Query) -> contract.ObjectList:
        nonlocal lists
        lists += 1
        if lists == 2:
            raise errors.Gone("the token is too old")
        return await real(kind, query)

    monkeypatch.setattr(client, "list", list_once_broken)
    async with running(informer.Informer(client, resources.POD)) as found:
        assert len(found.list()) == 5


async def test_resync_tells_everything_again() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"), pod("b"))
    async with running(informer.Informer(client, resources.POD, resync=30.0)) as found:
        found.subscribe(listener)
        listener.taken()
        await asyncio.sleep(31)
        assert listener.taken() == [("a=1", "a=1"), ("b=1", "b=1")]


async def test_versions_told_twice_are_told_once() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"))
    async with running(informer.Informer(client, resources.POD)) as found:
        found.subscribe(listener)
        listener.taken()
        for _ in range(3):
            client.break_watches(errors.Gone("again"))
            await asyncio.sleep(60)
        assert listener.taken() == []


# Streaming lists.

STREAMING = contract.Query(initial_events=True)


def asked(client: testing.MemoryClient) -> list[str]:
    return [each.verb for each in client.calls if each.verb in ("list", "watch")]


async def test_a_streaming_list_needs_no_list() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"), pod("b"))
    found = informer.Informer(client, resources.POD, STREAMING)
    found.subscribe(listener)
    async with running(found):
        assert listener.taken() == [(None, "a=1"), (None, "b=1")]
        await relabel(client, "a", "2")
        await settle()
        assert listener.taken() == [("a=1", "a=2")]
        assert asked(client) == ["watch"]


async def test_what_vanished_before_a_new_stream_is_told() -> None:
    client, listener = testing.MemoryClient(), Listener()
    client.seed(resources.POD, pod("a"), pod("b"))
    found = informer.Informer(client, resources.POD, STREAMING)
    async with running(found):
        found.subscribe(listener)
        listener.taken()
        client.break_watches(errors.Gone("too old", reason="Expired"))
        await client.delete(resources.POD, ("default", "a"), contract.DeleteOptions(grace_period_seconds=0))
        await asyncio.sleep(5)
        assert listener.taken() == [("a=1", None)]
        assert set(asked(client)) == {"watch"}


@pytest.mark.parametrize("refusal", [errors.Invalid("no such option"), errors.BadRequest("no such option")])
async def test_an_api_that_refuses_streaming_is_listed(refusal: errors.KubeError) -> None:
    client = testing.MemoryClient()
    client.seed(resources.POD, pod("a"))
    client.fail_next(refusal, verb="watch")
    found = informer.Informer(client, resources.POD, STREAMING)
    async with running(found):
        await settle()
        assert [meta.name(each) for each in found.list()] == ["a"]
        assert asked(client) == ["watch", "list", "watch"]


class Ignoring(testing.MemoryClient):
    """An API that does not know of streaming lists and does not say so."""

    def watch(self, kind: resources.ResourceType, query: contract.Query) -> AsyncIterator[contract.WatchEvent]:
        return super().watch(kind, dataclasses.replace(query, initial_events=False))


async def test_an_api_that_ignores_streaming_is_listed_after_a_while() -> None:
    client = Ignoring()
    client.seed(resources.POD, pod("a"))
    found = informer.Informer(client, resources.POD, STREAMING)
    task = asyncio.create_task(found.run())
    await asyncio.sleep(informer.STREAM - 1)
    assert not found.synced
    await asyncio.sleep(2)
    assert [meta.name(each) for each in found.list()] == ["a"]
    await relabel(client, "a", "2")
    await settle()
    assert said(found.get("default", "a")) == "a=2"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
