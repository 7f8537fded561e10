"""The cache's folder on disk. Blocking; the async way in is ``cache``.

    blobs/sha256-<hex><suffix>   the files, read-only, one per content; engines go by the suffix, so it stays
    refs/<key>.json              which blob a reference is: source, size, checksum, when fetched
    locks/<key>.lock             one per download, see ``locks``
    tmp/<key>/                   the download in the making; belongs to the holder of its lock

A blob appears by rename after it is on disk, and a record after its blob, so that a crash at any moment leaves the cache whole.
A record without its blob, or with a blob of another size, is no record. A blob whose time changed is hashed again before it is
trusted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any, Final

import orjson

from brickyard.lib import clock as clocks
from brickyard.lib import logs, timestamps
from brickyard.sidecar.downloads import wheels

log = logs.get(__name__)

_FOLDERS: Final = ("blobs", "refs", "locks", "tmp")
_FIELDS: Final = frozenset({"source", "blob", "size", "sha256", "mtime_ns", "fetched"})
_READ_ONLY: Final = 0o444
STALE: Final = 86400.0
"""Seconds after which a download that nobody took up again is thrown away."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A cached file: its reference, path, size in bytes, SHA-256 in hexadecimal, and when it was fetched (RFC 3339)."""

    source: str
    path: pathlib.Path
    size: int
    sha256: str
    fetched: str


class Store:
    """The folder at ``root``. Only the holder of the download's lock writes."""

    def __init__(self, root: pathlib.Path, clock: clocks.Clock) -> None:
        self.root = root
        self._clock = clock

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OSError: they cannot be made.
        """
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def lock(self, download: str) -> pathlib.Path:
        """The lock file of a download."""
        return self.root / "locks" / f"{_key(download)}.lock"

    def workspace(self, download: str) -> pathlib.Path:
        """The folder of a download in the making."""
        return self.root / "tmp" / _key(download)

    def sweep(self) -> None:
        """Throw away downloads that were given up long ago."""
        for folder in (self.root / "tmp").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if self._clock.wall() - folder.stat().st_mtime > STALE:
                    discard(folder)

    def lookup(self, source: str, *, thorough: bool = False) -> pathlib.Path | None:
        """The file of a reference, or None when it must be fetched. ``thorough`` reads and hashes it."""
        record = self._read(self._record(source))
        if record is None:
            return None
        path = self.root / "blobs" / str(record["blob"])
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if status.st_size == record["size"] and status.st_mtime_ns == record["mtime_ns"] and not thorough:
            return path
        if status.st_size != record["size"] or _hash(path) != record["sha256"]:
            log.warning("cached model is damaged and is fetched again", source=source, path=path)
            path.unlink(missing_ok=True)
            return None
        if status.st_mtime_ns != record["mtime_ns"]:
            self._write(source, {**record, "mtime_ns": status.st_mtime_ns})
        return path

    def admit(self, source: str, suffix: str, file: wheels.Extracted) -> pathlib.Path:
        """Move a fetched file into the cache under ``source``; returns its place.

        Raises:
            OSError: the cache cannot be written.
        """
        path = self.root / "blobs" / f"sha256-{file.sha256}{suffix}"
        file.path.chmod(_READ_ONLY)
        file.path.replace(path)
        _sync(path.parent)
        status = path.stat()
        self._write(
            source,
            {
                "source": source,
                "blob": path.name,
                "size": file.size,
                "sha256": file.sha256,
                "mtime_ns": status.st_mtime_ns,
                "fetched": timestamps.rfc3339(self._clock.wall()),
            },
        )
        return path

    def entries(self) -> Iterator[Entry]:
        """What the cache holds, by reference; damaged records and lost blobs are left out."""
        found = [self._read(path) for path in (self.root / "refs").glob("*.json")]
        for record in sorted((each for each in found if each is not None), key=lambda each: str(each["source"])):
            path = self.root / "blobs" / str(record["blob"])
            if path.is_file():
                yield Entry(record["source"], path, record["size"], record["sha256"], record["fetched"])

    def _record(self, source: str) -> pathlib.Path:
        return self.root / "refs" / f"{_key(source)}.json"

    def _read(self, path: pathlib.Path) -> dict[str, Any] | None:
        try:
            record = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict) or not record.keys() >= _FIELDS:
            log.warning("record of the model cache is damaged and left aside", path=path)
            return None
        return record

    def _write(self, source: str, record: dict[str, Any]) -> None:
        path = self._record(source)
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            file.write(orjson.dumps(record, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)


def folder_size(folder: pathlib.Path) -> int:
    """Bytes of all files below ``folder``, some of which may vanish meanwhile; 0 when there is none."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += pathlib.Path(parent, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def discard(folder: pathlib.Path) -> None:
    """Remove a folder and what it holds, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def _key(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def _hash(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: pathlib.Path) -> None:
    """Make renames in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
