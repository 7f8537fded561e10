"""What a place of models on the network is to the cache.

A *catalogue* (``web``, ``hub``, ``objects``) turns a reference into its *contents*: the files to fetch and which path an engine
gets. Each file has an *origin*, which opens it at an offset; ``transfer`` reads it to the end, over as many openings as it takes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from brickyard.sidecar.downloads import references

R_contra = TypeVar("R_contra", bound=references.Remote, contravariant=True)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An opened file.

    Attributes:
        start: the offset at which ``chunks`` begin: the one asked for, or 0 when the file is not what it was, or has no offsets.
        total: bytes of the whole file; None when untold.
        validator: names this content, to go on with it later; "" when the other side cannot tell.
        chunks: the bytes, to the end.
    """

    start: int
    total: int | None
    validator: str
    chunks: AsyncIterator[bytes]


class Origin(Protocol):
    """Where one file comes from."""

    @property
    def label(self) -> str:
        """What to call it before people; holds no secret."""
        ...

    def open(self, start: int, validator: str) -> contextlib.AbstractAsyncContextManager[Answer]:
        """The file from byte ``start`` if it still is what ``validator`` names, else from its beginning.

        Raises (on entering, and while the chunks are read):
            DownloadError: each kind says who can help; ``passing`` whether opening it again can.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """One file to fetch.

    Attributes:
        path: where it lies in its folder; relative, with forward slashes and no ``..``.
        size: bytes; None when untold.
        sha256: in hexadecimal; "" when untold.
        git_oid: the SHA-1 by which git knows it, in hexadecimal; "" when untold. Needs ``size``.
        validator: what an answer's validator will be; "" when untold. What lies here under another one is fetched anew.
    """

    path: str
    origin: Origin
    size: int | None = None
    sha256: str = ""
    git_oid: str = ""
    validator: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What a reference is made of.

    Attributes:
        pieces: at least one; no path twice.
        entry: the path, among the pieces', that an engine gets; "" for the folder of all.
    """

    pieces: tuple[Piece, ...]
    entry: str = ""


class Catalogue(Protocol[R_contra]):
    """Knows what references of one kind are made of."""

    async def contents(self, reference: R_contra) -> Contents:
        """
        Raises:
            DownloadError: it cannot be told; each kind says who can help.
        """
        ...
