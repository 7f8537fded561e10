"""What only a file can do: be shared by processes, be old, be damaged, be locked."""

from __future__ import annotations

import pathlib
import sqlite3
import subprocess
import sys

import pytest

from brickyard.accounts import contract, errors
from brickyard.accounts.stores import sqlite

NOW = 1_700_000_010.0
WINDOW = int(NOW // 60)
COUNTER = """
import asyncio, pathlib, sys
from brickyard.accounts import contract
from brickyard.accounts.stores import sqlite

async def main():
    store = sqlite.SqliteStore.open(pathlib.Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    claim = contract.Claim(contract.Kind.RPM, "k", 28333333, 60, 1, 100)
    took = 0
    for _ in range(60):
        (taken,) = await store.exchange(contract.Batch("", (), ((claim,),)), 1_700_000_010.0)
        took += taken.refused is None
    await store.aclose()
    print(took)

asyncio.run(main())
"""


def claim(key: str = "k", limit: int | None = 100, window: int = WINDOW) -> contract.Claim:
    return contract.Claim(contract.Kind.RPM, key, window, 60, 1, limit)


@pytest.mark.slow
def test_processes_never_take_more_than_there_is(tmp_path: pathlib.Path) -> None:
    """Four processes open the file at once and ask 240 times for 100."""
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "a.db")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        took = [int(process.communicate(timeout=60)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sum(took) == 100


async def test_what_was_acknowledged_survives(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "a.db"
    first = sqlite.SqliteStore.open(path)
    await first.create(contract.User("ada", 3, 4))
    await first.exchange(contract.Batch("b", (), ((claim(),),)), NOW)
    second = sqlite.SqliteStore.open(path)  # as after a kill: the first was not closed
    try:
        assert await second.read("ada") == contract.User("ada", 3, 4)
        (taken,) = await second.exchange(contract.Batch("b", (), ((claim(),),)), NOW)
        assert taken.counts == [2]
    finally:
        await second.aclose()
        await first.aclose()


async def test_only_its_owner_reads_it(tmp_path: pathlib.Path) -> None:
    store = sqlite.SqliteStore.open(tmp_path / "a.db")
    await store.create(contract.User("ada"))
    try:
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        await store.aclose()
    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm", "a.db.lock"), 0o600)


async def test_what_is_over_is_forgotten(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.db"
    store = sqlite.SqliteStore.open(path)
    charge = contract.Charge("c", WINDOW, 60, 1)
    try:
        await store.exchange(contract.Batch("b", (charge,), [(claim(f"k{number}"),) for number in range(50)]), NOW)
        later = NOW + sqlite.REMEMBERED + 60
        await store.exchange(contract.Batch("", (), ((claim("new", window=int(later // 60)),),)), later)
    finally:
        await store.aclose()
    with sqlite3.connect(path) as file:
        rows = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("counts", "batches")]
    file.close()
    assert rows == [1, 0]


@pytest.mark.parametrize("content", [b"this is no database, though it is long enough to be one" * 20])
def test_a_file_of_another_kind(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(errors.StoreUnusableError, match="not a database"):
        sqlite.SqliteStore.open(path)
    assert path.read_bytes() == content


def test_a_file_of_a_newer_version(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 9")
    file.close()
    with pytest.raises(errors.StoreUnusableError, match="layout 9"):
        sqlite.SqliteStore.open(path)


def test_a_folder_that_cannot_be_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.StoreUnusableError, match="cannot keep accounts"):
        sqlite.SqliteStore.open(tmp_path / "file" / "a.db")


@pytest.mark.slow
async def test_a_file_that_another_holds_is_away_and_comes_back(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.db"
    store = sqlite.SqliteStore.open(path)
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.StoreAwayError, match="locked"):
            await store.exchange(contract.Batch("b", (), ((claim(),),)), NOW)
        await store.ping()  # readers are not held up
        holder.execute("ROLLBACK")
        (taken,) = await store.exchange(contract.Batch("b", (), ((claim(),),)), NOW)
        assert taken.counts == [1]
    finally:
        holder.close()
        await store.aclose()


async def test_a_closed_store_is_away(tmp_path: pathlib.Path) -> None:
    store = sqlite.SqliteStore.open(tmp_path / "a.db")
    await store.aclose()
    with pytest.raises(errors.StoreAwayError):
        await store.ping()


async def test_a_batch_that_fails_leaves_nothing(tmp_path: pathlib.Path) -> None:
    store = sqlite.SqliteStore.open(tmp_path / "a.db")
    try:
        bad = contract.Claim(contract.Kind.RPM, "bad", WINDOW, 60, 2**70, None)
        with pytest.raises(OverflowError):
            await store.exchange(contract.Batch("b", (), ((claim(),), (bad,))), NOW)
        (taken,) = await store.exchange(contract.Batch("b", (), ((claim(),),)), NOW)
        assert taken.counts == [1]
    finally:
        await store.aclose()
