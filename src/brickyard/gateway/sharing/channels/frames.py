"""Frames on a stream: a length of four bytes, then msgpack. Both ends of a hub's connections speak it.

What cannot be written because the other side does not read waits in a line that has a bound; of more, the oldest go.
"""

from __future__ import annotations

import asyncio
import collections
import enum
from collections.abc import Callable
from typing import Final, cast

import msgspec

from brickyard.gateway.sharing import contract

_LENGTH: Final = 4
LARGEST: Final = contract.LARGEST + 1024
MOST_WAITING: Final = 256
HIGH_WATER: Final = 256 * 1024


class Kind(enum.IntEnum):
    """What a frame says."""

    JOIN = 0
    """To the hub: I am ``name``."""
    DATA = 1
    """To the hub: for ``name``, or for all others. From the hub: from ``name``."""
    LEFT = 2
    """From the hub: ``name`` is gone."""


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """One frame."""

    kind: Kind
    name: str
    payload: bytes = b""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """The frame with its length."""
    body = _encoder.encode(frame)
    return len(body).to_bytes(_LENGTH, "big") + body


class Pipe(asyncio.Protocol):
    """One connection. ``heard`` gets each frame, ``lost`` is called once at the end; what breaks the form ends the connection.

    ``dropped`` counts frames that could not go out in time.
    """

    def __init__(self, heard: Callable[[Pipe, Frame], None], lost: Callable[[Pipe], None]) -> None:
        self.name = ""
        self.dropped = 0
        self._heard = heard
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._line: collections.deque[bytes] = collections.deque()
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _LENGTH:
            length = int.from_bytes(self._buffer[start : start + _LENGTH], "big")
            if length > LARGEST:
                self.close()
                return
            end = start + _LENGTH + length
            if len(self._buffer) < end:
                break
            try:
                frame = _decoder.decode(self._buffer[start + _LENGTH : end])
            except (msgspec.DecodeError, ValueError):
                self.close()
                return
            start = end
            self._heard(self, frame)
        del self._buffer[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._line.clear()
        self._lost(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        while self._line and not self._paused and self._transport is not None:
            self._transport.write(self._line.popleft())

    def write(self, data: bytes) -> None:
        """Send an encoded frame, or let it wait."""
        if self._transport is None:
            return
        if not self._paused:
            self._transport.write(data)
            return
        self._line.append(data)
        if len(self._line) > MOST_WAITING:
            self._line.popleft()
            self.dropped += 1

    def close(self) -> None:
        """End the connection; what was written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()
