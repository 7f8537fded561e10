"""Request ids: the client's own, else its trace's, else 32 random hexadecimal digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from brickyard.api import names

_BATCH: Final = 256
_REQUEST_ID: Final = names.HEADER_REQUEST_ID.encode()
_TRACEPARENT: Final = names.HEADER_TRACEPARENT.encode()
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._~:@/+=-]{1,128}")
_TRACE: Final = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class RequestIds:
    """Where ids come from. ``entropy`` gives n random bytes; it is asked once per 256 ids."""

    __slots__ = ("_entropy", "_ready")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._ready: list[str] = []

    def of(self, notes: Mapping[bytes, bytes]) -> str:
        """The id of the request with these noted header fields."""
        given = notes.get(_REQUEST_ID)
        if given is not None and _PLAIN.fullmatch(given):
            return given.decode()
        trace = notes.get(_TRACEPARENT)
        if trace is not None and (match := _TRACE.match(trace)):
            return match[1].decode()
        return self.fresh()

    def fresh(self) -> str:
        """A new id."""
        if not self._ready:
            digits = self._entropy(16 * _BATCH).hex()
            self._ready = [digits[at : at + 32] for at in range(0, len(digits), 32)]
        return self._ready.pop()
