"""The store against a plain dict: what was acknowledged is there, in order, and nothing else is."""

import asyncio
import contextlib
import pathlib
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.embedded.apiserver import errors, history, journal, records, store

POD = records.Key("/pods", "default", "a")


def _object(key: records.Key = POD, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": key.name, "namespace": key.namespace}, **fields}


def _key(name: str, namespace: str = "default") -> records.Key:
    return records.Key("/pods", namespace, name)


class FailingJournal(journal.Journal):
    """A disk that can be full."""

    full = False

    def commit(self, writes: Sequence[journal.Write]) -> None:
        if self.full:
            raise errors.StorageError("no space left")
        super().commit(writes)


async def test_a_write_gets_the_next_revision_and_is_visible_when_acknowledged(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        first = await opened.put(POD, _object(spec={"x": 1}), None)
        assert (first.revision, opened.revision) == (1, 1)
        assert opened.get(POD) is first
        assert first.decode()["metadata"]["resourceVersion"] == "1"
        second = await opened.put(POD, _object(spec={"x": 2}), first)
        assert (second.revision, opened.get(POD)) == (2, second)
        gone = await opened.remove(second)
        assert (gone.revision, opened.get(POD), opened.latest(POD)) == (3, None, None)
        assert gone.decode()["spec"] == {"x": 2}


async def test_a_write_on_its_way_is_latest_but_not_visible(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        writing = asyncio.ensure_future(opened.put(POD, _object(), None))
        await asyncio.sleep(0)
        latest = opened.latest(POD)
        assert latest is not None
        assert opened.get(POD) is None
        assert opened.list("/pods") == []
        assert list(opened.latest_in("/pods")) == [latest]
        with pytest.raises(store.StaleWriteError):
            await opened.put(POD, _object(), None)
        assert await opened.settled(latest) is latest
        assert opened.get(POD) is latest
        assert await writing is latest


async def test_what_was_overwritten_is_no_state_to_rest_on(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        first = await opened.put(POD, _object(), None)
        assert await opened.settled(first) is first
        second = await opened.put(POD, _object(), first)
        with pytest.raises(store.StaleWriteError):
            await opened.settled(first)
        assert await opened.settled(second) is second


async def test_deletes_and_creates_of_one_name_may_all_be_on_their_way(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        first = await opened.put(POD, _object(), None)
        removing = asyncio.ensure_future(opened.remove(first))
        await asyncio.sleep(0)
        again = asyncio.ensure_future(opened.put(POD, _object(), None))
        await asyncio.sleep(0)
        second = opened.latest(POD)
        assert second is not None
        last = asyncio.ensure_future(opened.remove(second))
        await asyncio.sleep(0)
        await asyncio.gather(removing, again, last)
        assert opened.get(POD) is None
        assert opened.latest(POD) is None
        assert [change.type for change in opened.history("/pods").since(0)] == ["ADDED", "DELETED", "ADDED", "DELETED"]


async def test_lists_are_in_order_of_namespace_and_name(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        keys = [_key("b"), _key("a", "other"), _key("a"), _key("c", "other")]
        await asyncio.gather(*(opened.put(key, _object(key), None) for key in keys))
        assert [record.key for record in opened.list("/pods")] == sorted(keys)
        assert [record.key.name for record in opened.list("/pods", "other")] == ["a", "c"]
        assert opened.list("/services") == []


async def test_everything_is_there_after_a_restart(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        await asyncio.gather(*(opened.put(_key(f"p{n}"), _object(_key(f"p{n}")), None) for n in range(300)))
        record = opened.get(_key("p7"))
        assert record is not None
        await opened.remove(record)
        revision = opened.revision
    async with store.Store.open(tmp_path) as again:
        assert again.revision == revision == 301
        assert len(again.list("/pods")) == 299
        with pytest.raises(history.CompactedError):
            again.history("/pods").since(revision - 1)
        assert again.history("/pods").since(revision) == []
        added = await again.put(_key("p7"), _object(_key("p7")), None)
        assert added.revision == 302


async def test_a_cancelled_client_does_not_take_its_write_back(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        task = asyncio.ensure_future(opened.put(POD, _object(), None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with store.Store.open(tmp_path) as again:
        assert again.get(POD) is not None


async def test_a_full_disk_fails_the_batch_and_everything_built_on_it(tmp_path: pathlib.Path) -> None:
    disk = FailingJournal.open(tmp_path)
    async with store.Store(disk, history.Limits()) as opened:
        first = await opened.put(POD, _object(spec=1), None)
        disk.full = True
        writes = [asyncio.ensure_future(opened.put(POD, _object(spec=2), first))]
        await asyncio.sleep(0)
        writes.append(asyncio.ensure_future(opened.put(POD, _object(spec=3), opened.latest(POD))))
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(result, errors.StorageError) for result in results)
        assert opened.latest(POD) is opened.get(POD) is first
        disk.full = False
        healed = await opened.put(POD, _object(spec=4), first)
        assert healed.revision > first.revision
        assert len(opened.history("/pods").since(0)) == 2


async def test_nothing_is_taken_in_while_stopping(tmp_path: pathlib.Path) -> None:
    opened = store.Store.open(tmp_path)
    async with opened:
        pass
    with pytest.raises(errors.StorageError, match="stopping"):
        await opened.put(POD, _object(), None)


async def test_a_second_server_on_the_directory_is_refused(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path):
        with pytest.raises(errors.DirectoryInUseError, match=r"in use by another API server \(process \d+\)") as caught:
            store.Store.open(tmp_path)
        assert "--data-dir" in caught.value.hint
    async with store.Store.open(tmp_path):
        pass


def test_a_damaged_or_newer_store_is_refused_and_let_go(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    for _ in range(2):
        with pytest.raises(errors.DirectoryUnreadableError):
            journal.Journal.open(tmp_path)
    path.unlink()
    journal.Journal.open(tmp_path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(errors.DirectoryUnreadableError, match="layout is 99"):
        journal.Journal.open(tmp_path)


def overwrite_pages(path: pathlib.Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xff" * (len(data) - 8192))


def overwrite_objects(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"metadata"', b'"metadatum'))


def lose_revision(path: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM state")


@pytest.mark.parametrize("damage", [overwrite_pages, overwrite_objects, lose_revision])
async def test_damage_behind_a_whole_head_is_told_and_the_directory_let_go(
    tmp_path: pathlib.Path, damage: Callable[[pathlib.Path], None]
) -> None:
    async with store.Store.open(tmp_path) as opened:
        await asyncio.gather(*(opened.put(_key(f"p{n}"), _object(_key(f"p{n}")), None) for n in range(200)))
    damage(tmp_path / "store.db")
    for _ in range(2):
        with pytest.raises(errors.DirectoryUnreadableError, match="cannot be read") as caught:
            store.Store.open(tmp_path)
        assert "move this one away" in caught.value.hint


async def test_subscribers_hear_every_change_in_order(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path) as opened:
        heard: list[records.Change] = []
        stop = opened.subscribe(heard.append)
        await asyncio.gather(*(opened.put(_key(f"p{n}"), _object(_key(f"p{n}")), None) for n in range(20)))
        stop()
        await opened.put(_key("late"), _object(_key("late")), None)
        assert [change.revision for change in heard] == list(range(1, 21))


class TestHistory:
    def _change(self, revision: int, size: int = 10) -> records.Change:
        return records.Change("ADDED", records.make(_key("a"), revision, _object(fill="x" * size)), None)

    def test_since_gives_what_came_after(self) -> None:
        past = history.History(10, history.Limits())
        changes = [self._change(revision) for revision in (12, 15, 16)]
        for change in changes:
            past.append(change)
        assert past.since(10) == changes
        assert past.since(12) == past.since(14) == changes[1:]
        assert past.since(16) == past.since(99) == []

    def test_what_falls_out_cannot_be_resumed_from(self) -> None:
        past = history.History(0, history.Limits(events=2))
        for revision in (1, 2, 3):
            past.append(self._change(revision))
        assert past.compacted == 1
        assert [change.revision for change in past.since(1)] == [2, 3]
        with pytest.raises(history.CompactedError) as caught:
            past.since(0)
        assert caught.value.oldest == 1

    def test_bytes_are_bounded_but_the_newest_always_stays(self) -> None:
        past = history.History(0, history.Limits(events=100, size=3000))
        for revision in range(1, 11):
            past.append(self._change(revision, size=1000))
        assert len(past.since(past.compacted)) == 2
        past.append(self._change(11, size=100_000))
        assert [change.revision for change in past.since(10)] == [11]


NAMES = st.sampled_from("abc")
OPERATIONS = st.lists(st.tuples(st.sampled_from(["put", "remove", "fail", "reopen", "settle"]), NAMES), max_size=30)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(operations=OPERATIONS)
def test_the_store_is_a_dict_with_a_revision(tmp_path_factory: pytest.TempPathFactory, operations: list[Any]) -> None:
    directory = tmp_path_factory.mktemp("store")

    async def run() -> None:
        model: dict[str, int] = {}
        disk = FailingJournal.open(directory)
        opened = await store.Store(disk, history.Limits()).__aenter__()
        for number, (operation, name) in enumerate(operations):
            latest = opened.latest(_key(name))
            match operation:
                case "put":
                    await opened.put(_key(name), _object(_key(name), spec=number), latest)
                    model[name] = number
                case "remove" if latest is not None:
                    await opened.remove(latest)
                    del model[name]
                case "fail":
                    disk.full = True
                    with pytest.raises(errors.StorageError):
                        await opened.put(_key(name), _object(_key(name), spec=-1), latest)
                    disk.full = False
                case "reopen":
                    revision = opened.revision
                    await opened.__aexit__()
                    disk = FailingJournal.open(directory)
                    opened = await store.Store(disk, history.Limits()).__aenter__()
                    assert opened.revision == revision
            found = {record.key.name: record.decode()["spec"] for record in opened.list("/pods")}
            assert found == model
            assert {record.key.name for record in opened.latest_in("/pods")} == model.keys()
        await opened.__aexit__()

    asyncio.run(run())
