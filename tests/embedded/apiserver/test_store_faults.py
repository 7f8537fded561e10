"""Disks that are full, files that are damaged or gone: what is told, what is kept, and how it goes on."""

from __future__ import annotations

import pathlib
import shutil
import sqlite3
from typing import Any

import pytest

from brickyard.embedded.apiserver import errors, history, journal, records, store


def key(name: str) -> records.Key:
    return records.Key("/configmaps", "default", name)


def body(name: str, size: int = 10) -> dict[str, Any]:
    return {"apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "data": {"fill": "x" * size}}


def limit_pages(disk: journal.Journal, pages: int) -> None:
    """What a quota does: SQLite refuses the page after the last with SQLITE_FULL."""
    connection: sqlite3.Connection = disk._connection
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()


async def test_a_full_disk_refuses_writes_keeps_the_rest_and_recovers(tmp_path: pathlib.Path) -> None:
    disk = journal.Journal.open(tmp_path)
    async with store.Store(disk, history.Limits()) as opened:
        kept = [await opened.put(key(f"k{n}"), body(f"k{n}", 4000), None) for n in range(4)]
        limit_pages(disk, 12)
        with pytest.raises(errors.StorageError, match="database or disk is full") as caught:
            await opened.put(key("large"), body("large", 200_000), None)
        assert "free space on the disk" in caught.value.hint
        assert opened.latest(key("large")) is None
        assert [opened.get(each.key) for each in kept] == kept
        # What frees space is taken while the disk is full, and what it freed is used again.
        await opened.remove(kept[0])
        await opened.put(key("small"), body("small"), None)
        limit_pages(disk, 1_000_000)
        large = await opened.put(key("large"), body("large", 200_000), None)
        assert large.revision > kept[-1].revision
        before = {each.key: each.raw for each in opened.list("/configmaps")}
    async with store.Store.open(tmp_path) as again:
        assert {each.key: each.raw for each in again.list("/configmaps")} == before


async def test_a_page_that_is_damaged_under_way_ends_the_store_and_lets_the_directory_go(
    tmp_path: pathlib.Path,
) -> None:
    disk = journal.Journal.open(tmp_path)
    async with store.Store(disk, history.Limits()) as opened:
        for n in range(300):
            await opened.put(key(f"k{n}"), body(f"k{n}", 400), None)
        disk._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        disk._connection.execute("PRAGMA shrink_memory")
        disk._connection.execute("PRAGMA cache_size = 1")
        overwrite(tmp_path / "store.db", first_page=2)
        with pytest.raises(errors.DamagedStoreError, match="malformed") as caught:
            for n in range(300):
                await opened.put(key(f"n{n}"), body(f"n{n}", 400), None)
        assert "copy both away" in caught.value.hint
        with pytest.raises(errors.DamagedStoreError):
            await opened.broken()
        with pytest.raises(errors.StorageError, match="stopping"):
            await opened.put(key("later"), body("later"), None)
    with pytest.raises(errors.DirectoryUnreadableError, match="cannot be read"):
        journal.Journal.open(tmp_path)


def overwrite(path: pathlib.Path, first_page: int) -> None:
    with path.open("r+b") as file:
        file.seek((first_page - 1) * 4096)
        file.write(b"\xff" * (path.stat().st_size - (first_page - 1) * 4096))


def crashed(origin: pathlib.Path, target: pathlib.Path) -> None:
    """A copy of an open store's files is what a crash leaves."""
    target.mkdir()
    for each in origin.glob("store.*"):
        shutil.copy(each, target / each.name)


async def test_a_lost_write_ahead_log_is_noticed(tmp_path: pathlib.Path) -> None:
    async with store.Store.open(tmp_path / "a") as opened:
        await opened.put(key("k"), body("k"), None)
        crashed(tmp_path / "a", tmp_path / "b")
        crashed(tmp_path / "a", tmp_path / "c")
    (tmp_path / "b" / "store.db-wal").unlink()
    for _ in range(2):
        with pytest.raises(errors.LogLostError, match=r"write-ahead log .* is missing") as caught:
            journal.Journal.open(tmp_path / "b")
    assert "store.lock" in caught.value.hint
    (tmp_path / "b" / "store.lock").unlink()
    journal.Journal.open(tmp_path / "b").close()
    async with store.Store.open(tmp_path / "c") as whole:
        assert whole.get(key("k")) is not None


def test_a_crashed_store_that_is_refused_for_another_reason_keeps_its_log(tmp_path: pathlib.Path) -> None:
    journal.Journal.open(tmp_path / "a").close()
    with sqlite3.connect(tmp_path / "a" / "store.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for _ in range(2):
        with pytest.raises(errors.DirectoryUnreadableError, match="its layout is 99"):
            journal.Journal.open(tmp_path / "a")


def test_a_directory_that_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.DirectoryUnreadableError, match="cannot be used"):
        journal.Journal.open(tmp_path / "file")


def commit(disk: journal.Journal, first: int, count: int, *, gone: bool = False) -> None:
    writes = [
        journal.Write(records.make(key(f"k{n}"), first + n, body(f"k{n}", 4000)), gone=gone) for n in range(count)
    ]
    for start in range(0, count, 256):
        disk.commit(writes[start : start + 256])


@pytest.mark.slow
def test_the_file_is_bounded_by_what_it_holds(tmp_path: pathlib.Path) -> None:
    disk = journal.Journal.open(tmp_path)
    commit(disk, 1, 500)
    sizes = []
    for turn in range(1, 21):
        commit(disk, 500 * turn + 1, 500)
        sizes.append(sum(each.stat().st_size for each in tmp_path.glob("store.db*")))
    assert max(sizes) < 20 * 1024 * 1024
    assert sizes[-1] <= max(sizes[:5]) * 1.1
    disk.close()


@pytest.mark.slow
def test_what_was_freed_is_given_back_at_the_next_start(tmp_path: pathlib.Path) -> None:
    disk = journal.Journal.open(tmp_path)
    commit(disk, 1, 8000)
    commit(disk, 8001, 8000, gone=True)
    disk.close()
    assert (tmp_path / "store.db").stat().st_size > 20_000_000
    journal.Journal.open(tmp_path).close()
    assert (tmp_path / "store.db").stat().st_size < 1_000_000
