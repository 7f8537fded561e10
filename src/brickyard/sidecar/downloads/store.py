"""The cache's folder on disk. Blocking; the async way in is ``cache``.

    blobs/sha256-<hex><suffix>   the files, read-only, one per content; engines go by the suffix, so it stays
    trees/<name>/                folders of links to blobs, see ``trees``
    refs/<key>.json              what a reference is: source, when fetched, and the blob or the tree with its members
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
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from brickyard.lib import clock as clocks
from brickyard.lib import logs, timestamps
from brickyard.sidecar.downloads import errors, trees, wheels

log = logs.get(__name__)

_FOLDERS: Final = ("blobs", "trees", "refs", "locks", "tmp")
_FIELDS: Final = frozenset({"source", "blob", "size", "sha256", "mtime_ns", "fetched"})
_TREE_FIELDS: Final = frozenset({"source", "tree", "entry", "members", "fetched"})
_READ_ONLY: Final = 0o444
STALE: Final = 86400.0
"""Seconds after which a download that nobody took up again is thrown away."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A cached model: its reference, path, size in bytes, SHA-256 in hexadecimal ("" of a folder), when it was fetched (RFC 3339)."""

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
                if self._clock.wall() - _touched(folder) > STALE:
                    discard(folder)

    def room(self, size: int) -> None:
        """Refuse to begin what cannot end.

        Raises:
            OutOfSpaceError: fewer than ``size`` bytes are free.
        """
        free = shutil.disk_usage(self.root).free
        if size > free:
            raise errors.OutOfSpaceError(
                f"{size / 1e9:.1f} GB are to come and {free / 1e9:.1f} GB are free below {self.root}: free some space, "
                "or set BRICKYARD_MODEL_CACHE to another folder"
            )

    def lookup(self, source: str, *, thorough: bool = False) -> pathlib.Path | None:
        """The file or folder of a reference, or None when it must be fetched. ``thorough`` reads and hashes it."""
        record = self._read(self._record(source))
        if record is None:
            return None
        if "tree" in record:
            return self._tree(source, record, thorough=thorough)
        path = self.root / "blobs" / str(record["blob"])
        sound, time = self._sound(path, record["size"], record["sha256"], record["mtime_ns"], thorough)
        if sound and time != record["mtime_ns"]:
            self._write(source, {**record, "mtime_ns": time})
        return path if sound else None

    def blob(self, sha256: str, suffix: str, size: int | None) -> trees.Member | None:
        """A file that is there already, whatever reference brought it; as a member without a path."""
        path = self.root / "blobs" / _blob(sha256, suffix)
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if size is not None and status.st_size != size:
            return None
        return trees.Member("", path.name, status.st_size, sha256, status.st_mtime_ns)

    def keep(self, suffix: str, file: wheels.Extracted) -> trees.Member:
        """Move a fetched file among the blobs; as a member without a path.

        Raises:
            OSError: the cache cannot be written.
        """
        path = self.root / "blobs" / _blob(file.sha256, suffix)
        file.path.chmod(_READ_ONLY)
        file.path.replace(path)
        _sync(path.parent)
        return trees.Member("", path.name, file.size, file.sha256, path.stat().st_mtime_ns)

    def admit(self, source: str, suffix: str, file: wheels.Extracted) -> pathlib.Path:
        """Move a fetched file into the cache under ``source``; returns its place.

        Raises:
            OSError: the cache cannot be written.
        """
        return self.name(source, source, self.keep(suffix, file))

    def name(self, source: str, text: str, member: trees.Member) -> pathlib.Path:
        """From now on ``source``, for people ``text``, is the blob of ``member``; returns its place.

        Raises:
            OSError: the cache cannot be written.
        """
        facts = {"blob": member.blob, "size": member.size, "sha256": member.sha256, "mtime_ns": member.mtime_ns}
        self._write(source, {"source": text, **facts, "fetched": timestamps.rfc3339(self._clock.wall())})
        return self.root / "blobs" / member.blob

    def publish(self, source: str, text: str, members: Sequence[trees.Member], entry: str) -> pathlib.Path:
        """From now on ``source``, for people ``text``, is the folder of ``members``, or the file ``entry`` in it; returns its place.

        Raises:
            OSError: the cache cannot be written.
        """
        tree = trees.name(_key(source), members)
        draft = self.workspace(source) / "tree"
        discard(draft)
        trees.build(self.root, draft, self.root / "trees" / tree, members)
        _sync(self.root / "trees")
        listed = [dataclasses.asdict(member) for member in members]
        fetched = timestamps.rfc3339(self._clock.wall())
        self._write(source, {"source": text, "tree": tree, "entry": entry, "members": listed, "fetched": fetched})
        return self._place(tree, entry)

    def _place(self, tree: str, entry: str) -> pathlib.Path:
        return self.root / "trees" / tree / entry if entry else self.root / "trees" / tree

    def _tree(self, source: str, record: dict[str, Any], *, thorough: bool) -> pathlib.Path | None:
        try:
            members = [trees.Member.read(each) for each in record["members"]]
        except (KeyError, TypeError, ValueError):
            log.warning("record of the model cache is damaged and left aside", path=self._record(source))
            return None
        times: list[int] = []
        for each in members:
            path = self.root / "blobs" / each.blob
            sound, time = self._sound(path, each.size, each.sha256, each.mtime_ns, thorough)
            if not sound:
                return None
            times.append(time)
        tree = self.root / "trees" / str(record["tree"])
        if not all((tree / each.path).is_file() for each in members):
            discard(tree)
            return None
        if times != [each.mtime_ns for each in members]:
            pairs = zip(members, times, strict=True)
            listed = [dataclasses.asdict(dataclasses.replace(each, mtime_ns=time)) for each, time in pairs]
            self._write(source, {**record, "members": listed})
        return self._place(tree.name, str(record["entry"]))

    def _sound(self, path: pathlib.Path, size: int, sha256: str, mtime_ns: int, thorough: bool) -> tuple[bool, int]:
        """Whether the blob at ``path`` is what its record says, and its time. One that is not is removed."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return False, 0
        if status.st_size == size and status.st_mtime_ns == mtime_ns and not thorough:
            return True, mtime_ns
        if status.st_size != size or _hash(path) != sha256:
            log.warning("cached model is damaged and is fetched again", path=path)
            path.unlink(missing_ok=True)
            return False, 0
        return True, status.st_mtime_ns

    def entries(self) -> Iterator[Entry]:
        """What the cache holds, by reference; damaged records and lost blobs are left out."""
        found = [self._read(path) for path in (self.root / "refs").glob("*.json")]
        for record in sorted((each for each in found if each is not None), key=lambda each: str(each["source"])):
            if "tree" in record:
                path, sha256 = self._place(str(record["tree"]), str(record["entry"])), ""
                size = sum(int(each["size"]) for each in record["members"])
            else:
                path, sha256, size = self.root / "blobs" / str(record["blob"]), record["sha256"], record["size"]
            if path.exists():
                yield Entry(record["source"], path, size, sha256, record["fetched"])

    def _record(self, source: str) -> pathlib.Path:
        return self.root / "refs" / f"{_key(source)}.json"

    def _read(self, path: pathlib.Path) -> dict[str, Any] | None:
        try:
            record = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            record = None
        if not isinstance(record, dict) or not (record.keys() >= _FIELDS or record.keys() >= _TREE_FIELDS):
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


def _touched(folder: pathlib.Path) -> float:
    """When something below ``folder`` was last written: a file that grows leaves its folder's own time alone."""
    return max([folder.stat().st_mtime, *(path.lstat().st_mtime for path in folder.rglob("*"))])


def _blob(sha256: str, suffix: str) -> str:
    return f"sha256-{sha256}{suffix}"


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
