"""Watches: what a client hears, from where, and how a watch ends."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.embedded.apiserver import (
    catalog,
    context,
    paging,
    records,
    requests,
    selection,
    settings,
    shapes,
    store,
    streams,
    testing,
    watch,
)
from brickyard.kube.objects import selectors
from brickyard.lib import clock

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


async def take(events: AsyncIterator[dict[str, Any]], count: int) -> list[tuple[str, str]]:
    """(type, name) of the next ``count`` events."""
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            event = await anext(events)
            found.append((event["type"], event["object"]["metadata"].get("name", "")))
    return found


class TestOverHttp:
    async def test_state_first_then_changes_in_order(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map("a"))
        async with api.watch(CONFIG_MAPS) as events:
            assert await take(events, 1) == [("ADDED", "a")]
            await api.created(CONFIG_MAPS, config_map("b"))
            await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "1"}})
            await api.delete(f"{CONFIG_MAPS}/b")
            await api.created("/api/v1/namespaces/kube-system/configmaps", config_map("elsewhere"))
            await api.created(CONFIG_MAPS, config_map("c"))
            assert await take(events, 4) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("ADDED", "c")]

    async def test_resume_misses_nothing_and_repeats_nothing(self, api: testing.Api) -> None:
        first = await api.created(CONFIG_MAPS, config_map("a"))
        await api.created(CONFIG_MAPS, config_map("b"))
        deleted = await api.delete(f"{CONFIG_MAPS}/a")
        assert deleted.code == 200
        async with api.watch(f"{CONFIG_MAPS}?resourceVersion={first['metadata']['resourceVersion']}") as events:
            assert await take(events, 2) == [("ADDED", "b"), ("DELETED", "a")]

    async def test_a_deletion_carries_its_own_revision(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map("a"))
        async with api.watch(f"{CONFIG_MAPS}?resourceVersion={made['metadata']['resourceVersion']}") as events:
            await api.delete(f"{CONFIG_MAPS}/a")
            gone = (await anext(events))["object"]["metadata"]
            assert gone["uid"] == made["metadata"]["uid"]
            assert int(gone["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

    async def test_objects_enter_and_leave_a_selection(self, api: testing.Api) -> None:
        async with api.watch(f"{CONFIG_MAPS}?labelSelector=tier%3Dweb") as events:
            await api.created(CONFIG_MAPS, config_map("a", tier="db"))
            moved = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tier": "web"}}})
            await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "1"}})
            left = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"labels": {"tier": "db"}}})
            await api.delete(f"{CONFIG_MAPS}/a")
            await api.created(CONFIG_MAPS, config_map("b", tier="web"))
            told = [await anext(events) for _ in range(4)]
        assert [event["type"] for event in told] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
        assert told[0]["object"] == moved.body
        # The last state that was selected, at the revision at which it left.
        assert told[2]["object"]["metadata"]["labels"] == {"tier": "web"}
        assert told[2]["object"]["metadata"]["resourceVersion"] == left.body["metadata"]["resourceVersion"]

    async def test_fields_select_too(self, api: testing.Api) -> None:
        pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        await api.created(PODS, pod)
        async with api.watch(f"{PODS}?fieldSelector=status.phase%3DRunning") as events:
            for phase in ("Running", "Succeeded"):
                await api.patch(f"{PODS}/p/status", {"status": {"phase": phase}})
            assert await take(events, 2) == [("ADDED", "p"), ("DELETED", "p")]

    async def test_one_object_by_its_own_path(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map("a"))
        await api.created(CONFIG_MAPS, config_map("b"))
        async with api.watch(f"{CONFIG_MAPS}/b") as events:
            await api.delete(f"{CONFIG_MAPS}/b")
            assert await take(events, 2) == [("ADDED", "b"), ("DELETED", "b")]

    async def test_streaming_lists_end_with_a_marked_bookmark(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map("a"))
        query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with api.watch(f"{CONFIG_MAPS}?{query}") as events:
            added, bookmark = [await anext(events) for _ in range(2)]
            assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
            assert bookmark["object"]["kind"] == "ConfigMap"
            assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            await api.created(CONFIG_MAPS, config_map("b"))
            assert await take(events, 1) == [("ADDED", "b")]
        silent = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
        async with api.watch(f"{CONFIG_MAPS}?{silent}") as events:
            await api.created(CONFIG_MAPS, config_map("c"))
            assert await take(events, 1) == [("ADDED", "c")]

    async def test_a_revision_that_is_gone_or_not_yet(self, tmp_path: pathlib.Path) -> None:
        tuned = settings.ApiServerSettings(history_events=3)
        async with testing.running(tmp_path, settings=tuned) as server, testing.connect(server) as api:
            for number in range(10):
                await api.created(CONFIG_MAPS, config_map(f"c{number}"))
            for asked, code, reason in (("1", 410, "Expired"), ("999999", 504, "Timeout")):
                async with api.watch(f"{CONFIG_MAPS}?resourceVersion={asked}") as events:
                    told = [event async for event in events]
                assert [event["type"] for event in told] == ["ERROR"]
                assert (told[0]["object"]["code"], told[0]["object"]["reason"]) == (code, reason)

    async def test_a_restart_expires_old_revisions_but_not_the_last(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            old = await api.created(CONFIG_MAPS, config_map("a"))
            await api.created(CONFIG_MAPS, config_map("b"))
            last = (await api.get(CONFIG_MAPS)).body["metadata"]["resourceVersion"]
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            assert len((await api.get(CONFIG_MAPS)).body["items"]) == 2
            async with api.watch(f"{CONFIG_MAPS}?resourceVersion={old['metadata']['resourceVersion']}") as events:
                assert (await anext(events))["object"]["code"] == 410
            async with api.watch(f"{CONFIG_MAPS}?resourceVersion={last}") as events:
                await api.created(CONFIG_MAPS, config_map("c"))
                assert await take(events, 1) == [("ADDED", "c")]

    @pytest.mark.slow
    async def test_tables_say_their_columns_once(self, api: testing.Api) -> None:
        for name in ("a", "b"):
            await api.created(CONFIG_MAPS, config_map(name))
        accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
        async with api.client.stream("GET", f"{CONFIG_MAPS}?watch=true&timeoutSeconds=1", headers=accept) as reply:
            lines = [line async for line in reply.aiter_lines()]
        assert len(lines) == 2
        assert '"columnDefinitions":[{' in lines[0]
        assert '"columnDefinitions":null' in lines[1]

    @pytest.mark.slow
    async def test_time_is_up(self, api: testing.Api) -> None:
        async with api.watch(f"{CONFIG_MAPS}?timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=1") as events:
            told = [event async for event in events]
        assert [event["type"] for event in told][-1:] in (["BOOKMARK"], ["ERROR"])

    @pytest.mark.parametrize(
        "query",
        [
            "resourceVersion=abc",
            "timeoutSeconds=-1",
            "fieldSelector=spec.nonsense%3Dx",
            "allowWatchBookmarks=perhaps",
        ],
    )
    async def test_queries_that_make_no_sense(self, api: testing.Api, query: str) -> None:
        assert (await api.get(f"{CONFIG_MAPS}?watch=true&{query}")).code == 400

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
            (
                "resourceVersionMatch=NotOlderThan",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
        ],
    )
    async def test_queries_that_contradict(self, api: testing.Api, query: str, message: str) -> None:
        reply = await api.get(f"{CONFIG_MAPS}?watch=true&{query}")
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        assert reply.body["message"] == (
            f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: {message}'
        )

    async def test_stopping_ends_open_watches_at_once(self, tmp_path: pathlib.Path) -> None:
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(testing.running(tmp_path))
            api = await stack.enter_async_context(testing.connect(server))
            watches = [await stack.enter_async_context(api.watch(CONFIG_MAPS)) for _ in range(20)]
            await api.created(CONFIG_MAPS, config_map("a"))
            for events in watches:
                assert await take(events, 1) == [("ADDED", "a")]
            ends = [asyncio.ensure_future(anext(events, None)) for events in watches]
            began = loop.time()
            server.stop()
            assert await asyncio.gather(*ends) == [None] * 20
            assert loop.time() - began < 10

    async def test_a_client_that_leaves_is_forgotten(self, api: testing.Api, server: testing.RunningServer) -> None:
        async with api.watch(CONFIG_MAPS) as events:
            await api.created(CONFIG_MAPS, config_map("a"))
            await take(events, 1)
            assert server.watches() == 1
        async with asyncio.timeout(5):
            while server.watches():
                await api.get("/healthz")


KEY = records.Key("/configmaps", "default", "a")


def change(revision: int, previous: records.Record | None = None, **labels: str) -> records.Change:
    record = records.make(KEY, revision, {"metadata": {"name": "a", "labels": labels}})
    return records.Change("ADDED" if previous is None else "MODIFIED", record, previous)


class TestWatcher:
    async def test_waits_until_something_comes(self) -> None:
        watcher = watch.Watcher(selection.Selection())
        taking = asyncio.ensure_future(watcher.take(60))
        await asyncio.sleep(0)
        watcher.offer(change(1))
        watcher.offer(change(2))
        assert [heard.change.revision for heard in await taking] == [1, 2]

    @pytest.mark.looptime
    async def test_gives_up_after_its_time(self, looptime: Any) -> None:
        assert await watch.Watcher(selection.Selection()).take(5) == []
        assert looptime == 5

    async def test_a_slow_reader_is_cut_off_and_told_nothing_more(self) -> None:
        watcher = watch.Watcher(selection.Selection(), limit=2)
        for revision in (1, 2, 3, 4):
            watcher.offer(change(revision))
        assert watcher.closed is watch.Closed.SLOW
        assert list(await watcher.take(60)) == []

    async def test_large_changes_are_few(self) -> None:
        watcher = watch.Watcher(selection.Selection(), limit_bytes=2 * len(change(1).record.raw))
        for revision in (1, 2, 3):
            watcher.offer(change(revision))
        assert len(await watcher.take(60)) == 3
        for revision in (4, 5, 6, 7):
            watcher.offer(change(revision))
        assert watcher.closed is watch.Closed.SLOW
        assert list(await watcher.take(60)) == []

    async def test_the_past_does_not_count_against_the_limit(self) -> None:
        watcher = watch.Watcher(selection.Selection(), limit=1)
        watcher.replay([change(1), change(2), change(3)])
        watcher.offer(change(4))
        assert watcher.closed is None
        assert len(await watcher.take(60)) == 4

    async def test_the_first_reason_to_close_stays(self) -> None:
        watcher = watch.Watcher(selection.Selection())
        watcher.close(watch.Closed.GONE)
        watcher.close(watch.Closed.STOPPED)
        watcher.offer(change(1))
        assert watcher.closed is watch.Closed.GONE
        assert list(await watcher.take(60)) == []

    @pytest.mark.parametrize(
        ("before", "after", "told"),
        [
            # before   after    told
            ("in", "in", "MODIFIED"),
            ("out", "in", "ADDED"),
            ("in", "out", "DELETED"),
            ("out", "out", None),
            (None, "in", "ADDED"),
            (None, "out", None),
            ("in", None, "DELETED"),
            ("out", None, None),
        ],
    )
    def test_seen_as(self, before: str | None, after: str | None, told: str | None) -> None:
        wanted = selection.Selection("default", selectors.parse_labels("side=in"))
        previous = change(1, side=before).record if before else None
        if after is None:
            assert previous is not None
            happened = records.Change("DELETED", previous, previous)
        else:
            happened = change(2, previous, side=after)
        assert wanted.seen_as(happened) == told


class TestStreams:
    """The stream itself, on virtual time."""

    @pytest.fixture
    async def parts(self, tmp_path: pathlib.Path) -> AsyncIterator[context.Context]:
        async with store.Store.open(tmp_path) as opened:
            kinds = catalog.BuiltinCatalog()
            yield context.Context(opened, kinds, watch.Hub(opened), paging.Pages(), clock=clock.ManualClock())

    def view(self, parts: context.Context) -> shapes.View:
        resource = parts.catalog.find("", "v1", "configmaps")
        assert resource is not None
        return shapes.View(resource)

    @pytest.mark.looptime
    async def test_bookmarks_come_every_minute_to_those_who_ask(self, parts: context.Context, looptime: Any) -> None:
        asked = streams.WatchQuery(timeout=150.0, bookmarks=True)
        lines = [line async for line in streams.lines(parts, self.view(parts), selection.Selection(), asked)]
        assert [line.startswith(b'{"type":"BOOKMARK"') for line in lines] == [True, True, True]
        assert looptime == 150
        quiet = streams.WatchQuery(timeout=150.0)
        assert [line async for line in streams.lines(parts, self.view(parts), selection.Selection(), quiet)] == []

    @pytest.mark.looptime
    async def test_without_a_timeout_a_watch_lasts_half_an_hour_to_an_hour(
        self, parts: context.Context, looptime: Any
    ) -> None:
        async for _ in streams.lines(parts, self.view(parts), selection.Selection(), streams.WatchQuery()):
            pass
        assert 1800 <= looptime <= 3600

    async def test_the_watcher_is_given_back_when_the_client_leaves(self, parts: context.Context) -> None:
        await parts.store.put(KEY, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, None)
        lines = streams.lines(parts, self.view(parts), selection.Selection(), streams.WatchQuery())
        assert b'"type":"ADDED"' in await anext(lines)
        assert len(parts.watches) == 1
        await lines.aclose()  # type: ignore[attr-defined]
        assert len(parts.watches) == 0

    def test_queries(self) -> None:
        asked = streams.watch_query(requests.Query("resourceVersion=7&timeoutSeconds=9&allowWatchBookmarks"))
        assert asked == streams.WatchQuery("7", 9.0, bookmarks=True)
        assert not asked.from_state
        assert streams.watch_query(requests.Query("resourceVersion=0")).from_state
