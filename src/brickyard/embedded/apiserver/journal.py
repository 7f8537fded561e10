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
from typing import Final, Self

from brickyard.embedded.apiserver import errors, records
from brickyard.lib import logs

log = logs.get(__name__)

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
_EVERYTHING = "SELECT resource, namespace, name, revision, body FROM objects"
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_REMOVE = "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?"
_ADVANCE = "UPDATE state SET value = ? WHERE name = 'revision'"
_TOUCH = "UPDATE state SET value = value WHERE name = 'revision'"

_LOG_KEPT = 8 * 1024 * 1024
"""Bytes of the write-ahead log that stay on disk once a storm is over."""
_WASTE_ALLOWED = 16 * 1024 * 1024
"""Bytes of free pages that are not worth rewriting the file for."""
_HELD: Final = b"open"
"""Follows the process id in the lock file while the write-ahead log belongs to the store."""
_BEYOND_REPAIR: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """One object to keep, or with ``gone`` to forget. ``record.revision`` is the revision of the write itself."""

    record: records.Record
    gone: bool = False


class Journal:
    """The file ``store.db`` under a directory, with a lock that keeps a second process away.

    ``store.lock`` holds the process id of its owner, and ``open`` behind it from the moment the write-ahead log exists until it was
    folded in: a store that was left open and has no log has lost what was acknowledged last, and is not opened.
    """

    def __init__(self, directory: pathlib.Path, connection: sqlite3.Connection, lock: int) -> None:
        self._directory = directory
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, directory: pathlib.Path) -> Self:
        """Open or make the journal under ``directory``.

        Raises:
            DirectoryInUseError: another process has it open.
            DirectoryUnreadableError: it was written by a newer version, is damaged, or the directory cannot be written.
        """
        with _using(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock, was_held = _lock(directory / "store.lock")
        try:
            with _using(directory), _reading(directory):
                if was_held:
                    _check_log(directory)
                connection = _connect(directory / "store.db")
                _own(lock, _HELD)
                return cls(directory, connection, lock)
        except errors.LogLostError:
            os.close(lock)
            raise
        except BaseException:
            _let_go(directory, lock)
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
        # Closed even when an object cannot be read: a statement half done would keep the file open behind ``close``.
        with _reading(self._directory), contextlib.closing(self._connection.execute(_EVERYTHING)) as rows:
            return [records.load(records.Key(*place), revision, body) for *place, revision, body in rows]

    def commit(self, writes: Sequence[Write]) -> None:
        """All of ``writes`` in order, or none of them.

        Raises:
            DamagedStoreError: the file is no longer what was written into it.
            StorageError: the disk is full, gone or read-only; it is worth trying again.
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
            raise _refusal(self._directory, error) from error

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself where the disk was full; what it cannot undo now, the next BEGIN refuses.
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Fold the write-ahead log into the file and let the directory go. A log that does not fit stays for the next start."""
        self._connection.close()
        _let_go(self._directory, self._lock)


def _let_go(directory: pathlib.Path, lock: int) -> None:
    """Leave the lock to the next one; a log that is gone now was folded in by SQLite when the connection closed."""
    if not (directory / "store.db-wal").exists():
        _own(lock, b"")
    os.close(lock)


def _lock(path: pathlib.Path) -> tuple[int, bool]:
    """The lock, and whether its last owner went without folding the write-ahead log in."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    owner = os.read(handle, 64).partition(b" ")[0]
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise errors.DirectoryInUseError(
            f"{path.parent} is in use by another API server (process {owner.decode(errors='replace') or 'unknown'})",
            hint="stop it, or choose another directory with --data-dir",
        ) from None
    # Read again: its owner may have left between the two.
    was_held = os.pread(handle, 64, 0).endswith(_HELD)
    _own(handle, _HELD if was_held else b"")
    return handle, was_held


def _own(lock: int, mark: bytes) -> None:
    text = b"%d %s" % (os.getpid(), mark)
    os.pwrite(lock, text, 0)
    os.ftruncate(lock, len(text))


def _connect(path: pathlib.Path) -> sqlite3.Connection:
    # Used by one thread at a time: opened in the caller's, then only in the store's.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_KEPT}")
        _lay_out(connection, path.parent)
        _examine(connection, path.parent)
        _shrink(connection)
        # From here on there is a write-ahead log.
        connection.execute(_TOUCH)
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


def _examine(connection: sqlite3.Connection, directory: pathlib.Path) -> None:
    """Find damage now, rather than in the middle of somebody's write."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _unreadable(directory, str(verdict))


def _shrink(connection: sqlite3.Connection) -> None:
    """Give back what was freed, where that is most of the file: free pages are used again, so a running store grows no further."""
    free, pages, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count", "page_size")
    )
    if free * size <= _WASTE_ALLOWED or free * 2 <= pages:
        return
    try:
        connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        log.warning("the store keeps its free pages", free=free * size, error=error)


@contextlib.contextmanager
def _using(directory: pathlib.Path) -> Iterator[None]:
    """What the operating system refuses, said as what it is."""
    try:
        yield
    except OSError as error:
        raise errors.unusable(directory, error) from error


@contextlib.contextmanager
def _reading(directory: pathlib.Path) -> Iterator[None]:
    """What a damaged file makes of its readers, said as what it is."""
    try:
        yield
    except (sqlite3.DatabaseError, ValueError, LookupError, TypeError, AttributeError) as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise _refusal(directory, error) from error
        raise _unreadable(directory, str(error)) from error


def _refusal(directory: pathlib.Path, error: Exception) -> errors.StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BEYOND_REPAIR:
        return errors.DamagedStoreError(
            f"the store in {directory} is damaged: {error}",
            hint="what was acknowledged is in store.db and store.db-wal: copy both away before anything else",
        )
    if code == sqlite3.SQLITE_FULL:
        return errors.StorageError(
            f"the store could not be written: {error}",
            hint=f"free space on the disk that holds {directory}; nothing that was acknowledged is lost",
        )
    return errors.StorageError(
        f"the store could not be written: {error}", hint=f"look at the disk that holds {directory}"
    )


def _check_log(directory: pathlib.Path) -> None:
    if (directory / "store.db-wal").exists():
        return
    raise errors.LogLostError(
        f"the store in {directory} was not closed and its write-ahead log store.db-wal is missing, and with it what was written last",
        hint=f"put the file back; or delete {directory / 'store.lock'} to go on without those writes",
    )


def _unreadable(directory: pathlib.Path, why: str) -> errors.DirectoryUnreadableError:
    return errors.DirectoryUnreadableError(
        f"the store in {directory} cannot be read: {why}",
        hint="use the version that wrote it, choose another directory with --data-dir, or move this one away",
    )
