"""Objects on disk: one SQLite file in WAL mode, held by one process.

``commit`` returns only after the write-ahead log has reached the disk (``synchronous=FULL``), so what was acknowledged survives a
``kill -9`` and a power cut. All methods block; the store calls them from a thread of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Self

from brickyard.embedded.apiserver import errors, records

_LAYOUT = 1
_SCHEMA = """
CREATE TABLE objects (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (resource, namespace, name)
);
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO state VALUES ('revision', 0);
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_ADVANCE = "UPDATE state SET value = ? WHERE name = 'revision'"


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """One object to keep, or with ``gone`` to forget. ``record.revision`` is the revision of the write itself."""

    record: records.Record
    gone: bool = False


class Journal:
    """The file ``store.db`` under a directory, with a lock that keeps a second process away."""

    def __init__(self, directory: pathlib.Path, connection: sqlite3.Connection, lock: int) -> None:
        self._directory = directory
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, directory: pathlib.Path) -> Self:
        """Open or make the journal under ``directory``.

        Raises:
            DirectoryInUseError: another process has it open.
            DirectoryUnreadableError: it was written by a newer version, or is damaged.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(directory / "store.lock")
        try:
            with _reading(directory):
                return cls(directory, _connect(directory / "store.db"), lock)
        except BaseException:
            os.close(lock)
            raise

    @property
    def revision(self) -> int:
        """The last revision that was committed; 0 before the first. Raises as ``load``."""
        with _reading(self._directory):
            (value,) = self._connection.execute("SELECT value FROM state WHERE name = 'revision'").fetchone()
            return int(value)

    def load(self) -> Sequence[records.Record]:
        """Everything that is kept.

        Raises:
            DirectoryUnreadableError: the file is damaged, or holds what is no object.
        """
        with _reading(self._directory):
            rows = self._connection.execute("SELECT resource, namespace, name, revision, body FROM objects")
            return [records.load(records.Key(*place), revision, body) for *place, revision, body in rows]

    def commit(self, writes: Sequence[Write]) -> None:
        """All of ``writes`` in order, or none of them.

        Raises:
            StorageError: the disk is full, gone or read-only.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in writes:
                record = write.record
                if write.gone:
                    self._connection.execute(_REMOVE, record.key)
                else:
                    self._connection.execute(_PUT, (*record.key, record.revision, record.raw))
            self._connection.execute(_ADVANCE, (writes[-1].record.revision,))
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise errors.StorageError(f"the store could not be written: {error}", hint="is the disk full?") from error

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Fold the write-ahead log into the file and let the directory go."""
        self._connection.close()
        os.close(self._lock)


def _lock(path: pathlib.Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise errors.DirectoryInUseError(
            f"{path.parent} is in use by another API server (process {owner})",
            hint="stop it with `brickyard down`, or choose another directory with --data-dir",
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _connect(path: pathlib.Path) -> sqlite3.Connection:
    # Used by one thread at a time: opened in the caller's, then only in the store's.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _lay_out(connection, path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _lay_out(connection: sqlite3.Connection, directory: pathlib.Path) -> None:
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if layout == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_LAYOUT}; COMMIT;")
    elif layout != _LAYOUT:
        raise _unreadable(directory, f"its layout is {layout}, this version reads {_LAYOUT}")


@contextlib.contextmanager
def _reading(directory: pathlib.Path) -> Iterator[None]:
    """What a damaged file makes of its readers, said as what it is."""
    try:
        yield
    except (sqlite3.DatabaseError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unreadable(directory, str(error)) from error


def _unreadable(directory: pathlib.Path, why: str) -> errors.DirectoryUnreadableError:
    return errors.DirectoryUnreadableError(
        f"the store in {directory} cannot be read: {why}",
        hint="use the version that wrote it, choose another directory with --data-dir, or move this one away",
    )
