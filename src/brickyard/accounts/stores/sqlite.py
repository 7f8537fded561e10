"""Accounts in one SQLite file, for the processes of one machine.

Two connections to it, used by one thread: what is written about users and keys has reached the disk before it is acknowledged
(``synchronous=FULL``); counts need not outlive the machine (``NORMAL``: a commit waits for no disk), only our processes. Transactions begin
as writers (``BEGIN IMMEDIATE``), so that two processes never count from the same number.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import pathlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any, Final, Self, TypeVar

from brickyard.accounts import contract, errors, windows
from brickyard.lib import logs

log = logs.get(__name__)

T = TypeVar("T")

DEADLINE: Final = 2.0
"""Seconds that a caller waits; another process's transaction is waited for half of it."""
REMEMBERED: Final = 600
_SWEEP: Final = 60.0
_LAYOUT: Final = 1
_SCHEMA: Final = """
CREATE TABLE users (name TEXT PRIMARY KEY, rpm INTEGER NOT NULL, tpm INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE api_keys (
    digest TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
    created REAL NOT NULL,
    label TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX api_keys_of_user ON api_keys (user);
CREATE TABLE counts (
    key TEXT PRIMARY KEY, period_end INTEGER NOT NULL, count INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE batches (id TEXT PRIMARY KEY, applied REAL NOT NULL) WITHOUT ROWID;
"""
_COUNT: Final = "SELECT count FROM counts WHERE key = ? AND period_end = ?"
_PUT: Final = """
INSERT INTO counts VALUES (?1, ?2, ?3)
ON CONFLICT (key) DO UPDATE SET period_end = excluded.period_end, count = excluded.count
"""


class SqliteStore:
    """The file ``path``; any number of processes may have it open.

    Every method waits ``DEADLINE`` seconds at most and raises ``StoreAwayError`` where the file is locked, full or gone.
    """

    def __init__(self, path: pathlib.Path, records: sqlite3.Connection, counts: sqlite3.Connection) -> None:
        self._path = path
        self._records = records
        self._counts = counts
        self._swept = 0.0
        self._thread = futures.ThreadPoolExecutor(1, thread_name_prefix="accounts")

    @classmethod
    def open(cls, path: pathlib.Path) -> Self:
        """Open or make the file. Blocks, for as long as another process takes to do the same.

        Raises:
            StoreUnusableError: the file cannot be made or written, is no database of ours, or of a newer version.
        """
        opened: list[sqlite3.Connection] = []
        try:
            with _alone(path):
                opened += [_connect(path, durable=True)]
                opened += [_connect(path, durable=False)]
                _lay_out(path, opened[0])
        except BaseException as error:
            for connection in opened:
                connection.close()
            if isinstance(error, sqlite3.Error | OSError):
                hint = "give a file in a folder that can be written, or move a damaged one away"
                raise errors.StoreUnusableError(f"cannot keep accounts in {path}: {error}", hint=hint) from error
            raise
        return cls(path, *opened)

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.run_in_executor(self._thread, work), DEADLINE)
        except TimeoutError:
            raise self._away("it is locked or its disk does not answer") from None
        except (sqlite3.Error, RuntimeError) as error:
            raise self._away(str(error)) from error

    def _away(self, why: str) -> errors.StoreAwayError:
        return errors.StoreAwayError(
            f"{self._path} cannot be used now: {why}", hint="look at the disk's space and rights"
        )

    async def exchange(self, batch: contract.Batch, now: float) -> Sequence[contract.Taken]:
        return await self._run(lambda: self._exchange(batch, now))

    def _exchange(self, batch: contract.Batch, now: float) -> list[contract.Taken]:
        with _transaction(self._counts):
            if not 0 <= now - self._swept < _SWEEP:
                self._sweep(now)
            if batch.charges and self._first_time(batch.id, now):
                for charge in batch.charges:
                    self._put(charge, max(0, self._count(charge) + charge.amount))
            return [self._take(asked) for asked in batch.asks]

    def _first_time(self, batch: str, now: float) -> bool:
        return self._counts.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, now)).rowcount == 1

    def _take(self, asked: Sequence[contract.Claim]) -> contract.Taken:
        taken = windows.take(asked, [self._count(claim) for claim in asked])
        if taken.refused is None:
            for claim, count in zip(asked, taken.counts, strict=True):
                self._put(claim, count)
        return taken

    def _count(self, counter: contract.Claim | contract.Charge) -> int:
        row = self._counts.execute(_COUNT, (counter.key, counter.ends)).fetchone()
        return int(row[0]) if row else 0

    def _put(self, counter: contract.Claim | contract.Charge, count: int) -> None:
        self._counts.execute(_PUT, (counter.key, counter.ends, count))

    def _sweep(self, now: float) -> None:
        """Forget windows that are over and batches that are old; also what a clock left that went back since."""
        self._swept = now
        self._counts.execute("DELETE FROM counts WHERE abs(period_end - ?) > ?", (now, 2 * _SWEEP))
        self._counts.execute("DELETE FROM batches WHERE abs(applied - ?) > ?", (now, REMEMBERED))

    async def create(self, user: contract.User) -> bool:
        return await self._change("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", user.name, user.rpm, user.tpm)

    async def update(self, user: contract.User) -> bool:
        return await self._change("UPDATE users SET rpm = ?, tpm = ? WHERE name = ?", user.rpm, user.tpm, user.name)

    async def delete(self, name: str) -> bool:
        return await self._change("DELETE FROM users WHERE name = ?", name)

    async def add_key(self, key: contract.ApiKey) -> bool:
        statement = "INSERT INTO api_keys SELECT ?1, name, ?3, ?4 FROM users WHERE name = ?2"
        return await self._change(statement, key.digest, key.user, key.created, key.label)

    async def revoke(self, key: contract.ApiKey) -> bool:
        return await self._change("DELETE FROM api_keys WHERE digest = ?", key.digest)

    async def _change(self, statement: str, *values: str | float) -> bool:
        return await self._run(lambda: self._records.execute(statement, values).rowcount > 0)

    async def read(self, name: str) -> contract.User | None:
        rows = await self._rows("SELECT name, rpm, tpm FROM users WHERE name = ?", name)
        return contract.User(*rows[0]) if rows else None

    async def users(self, *, after: str = "", limit: int = 1000) -> Sequence[contract.User]:
        statement = "SELECT name, rpm, tpm FROM users WHERE name > ? ORDER BY name LIMIT ?"
        return [contract.User(*row) for row in await self._rows(statement, after, limit)]

    async def keys(self, user: str) -> Sequence[contract.ApiKey]:
        statement = "SELECT digest, user, created, label FROM api_keys WHERE user = ? ORDER BY created, digest"
        return [contract.ApiKey(*row) for row in await self._rows(statement, user)]

    async def key(self, digest: str) -> contract.ApiKey | None:
        rows = await self._rows("SELECT digest, user, created, label FROM api_keys WHERE digest = ?", digest)
        return contract.ApiKey(*rows[0]) if rows else None

    async def _rows(self, statement: str, *values: str | float) -> list[tuple[Any, ...]]:
        return await self._run(lambda: self._records.execute(statement, values).fetchall())

    async def ping(self) -> None:
        await self._rows("SELECT 1 FROM users LIMIT 1")

    async def aclose(self) -> None:
        """Let what was asked for happen, then close the file."""
        for connection in (self._counts, self._records):
            with contextlib.suppress(errors.StoreAwayError):
                await self._run(connection.close)
        await asyncio.to_thread(functools.partial(self._thread.shutdown, wait=True))


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself where the disk was full.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
    """Nobody else opens the file meanwhile: turning to WAL needs it for oneself and does not wait."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Made here, so that it is never readable by others, not even for a moment; SQLite gives its log the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        yield
    finally:
        os.close(lock)


def _connect(path: pathlib.Path, *, durable: bool) -> sqlite3.Connection:
    # Opened in the caller's thread, then used by the store's only.
    connection = sqlite3.connect(path, timeout=DEADLINE / 2, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _lay_out(path: pathlib.Path, connection: sqlite3.Connection) -> None:
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_LAYOUT}; COMMIT;")
    elif layout != _LAYOUT:
        raise errors.StoreUnusableError(
            f"{path} has layout {layout}, this version reads {_LAYOUT}", hint="use the newer version, or another file"
        )
