"""Folders of cached files: what an engine gets when a model is more than one file. Blocking.

    trees/<name>/config.json -> ../../blobs/sha256-<hex>.json

The files themselves are blobs like any other, so two revisions of a model share what they have in common. A tree appears by rename
when all of it is there, and is never changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.sidecar.downloads import references


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A file of a tree: its path in it, the blob's file name, size in bytes, SHA-256, and the blob's time when it was admitted."""

    path: str
    blob: str
    size: int
    sha256: str
    mtime_ns: int

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Member:
        """From its record.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        member = cls(**record)
        if not references.relative(member.path) or "/" in member.blob or not isinstance(member.size, int):
            raise ValueError(member.path)
        return member


def name(key: str, members: Sequence[Member]) -> str:
    """The name of the tree of these members under the reference's ``key``: another content, another name."""
    listing = "\n".join(sorted(f"{member.path}\t{member.sha256}" for member in members))
    return f"{key}-{hashlib.sha256(listing.encode()).hexdigest()[:16]}"


def build(root: pathlib.Path, draft: pathlib.Path, target: pathlib.Path, members: Sequence[Member]) -> None:
    """Make the tree at ``target``, by way of ``draft``, of blobs below ``root``; one that is there already stays.

    Raises:
        OSError: it cannot be written.
    """
    if target.is_dir():
        return
    for member in members:
        link = draft / member.path
        link.parent.mkdir(parents=True, exist_ok=True)
        up = len(pathlib.PurePosixPath(member.path).parts)
        depth = len(target.relative_to(root).parts) - 1
        link.symlink_to(pathlib.Path(*[".."] * (up + depth), "blobs", member.blob))
    target.parent.mkdir(parents=True, exist_ok=True)
    draft.rename(target)
