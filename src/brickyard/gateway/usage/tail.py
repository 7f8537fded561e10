"""The last bytes of a body that passes by, kept by reference."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Final

LIMIT: Final = 16 * 1024
"""Bytes at the end that are kept, at least, when there are as many."""
HEAD: Final = 4 * 1024
"""Bytes at the beginning that are looked at: Anthropic's streams tell there what they read."""


class Tail:
    """``feed`` it each piece as it goes on; ``end`` and ``head`` are the bytes to look into. Holds its limits and one piece more.

    ``began`` is what ``now`` read as the first piece came.
    """

    __slots__ = ("_first", "_head", "_now", "_parts", "_size", "began", "total")

    def __init__(self, now: Callable[[], float] = float) -> None:
        self._now = now
        self.began = 0.0
        # Most answers come in one piece: a queue is made for the others.
        self._first: bytes = b""
        self._parts: collections.deque[bytes] | None = None
        self._head: bytes = b""
        self._size = 0
        self.total = 0

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        size = len(data)
        if not self.total:
            self.began = self._now()
            self._first = data
            self._head = data if size <= HEAD else data[:HEAD]
            self.total = self._size = size
            return
        if self.total < HEAD:
            self._head += data[: HEAD - self.total]
        parts = self._parts
        if parts is None:
            parts = self._parts = collections.deque((self._first,))
        parts.append(data)
        self.total += size
        self._size += size
        while self._size - len(parts[0]) >= LIMIT:
            self._size -= len(parts.popleft())

    @property
    def head(self) -> bytes:
        """The beginning."""
        return self._head

    @property
    def end(self) -> bytes:
        """The end; all of a short body."""
        return self._first if self._parts is None else b"".join(self._parts)

    @property
    def whole(self) -> bool:
        """``end`` is everything there was."""
        return self._size == self.total
