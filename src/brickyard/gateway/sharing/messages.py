"""What gateways tell each other, as bytes.

One byte of version, then msgpack. A gateway of another version is not understood and not guessed at: its messages are counted and left
alone, and each side goes on with what it knows. Hashes travel as packed little-endian words of 64 bits, which neither side has to
look at one by one before they are used.

``Delta.counts`` are what the sender has open now on endpoints where that changed, not differences: a message that comes twice does
nothing, and one that is lost is made good by any later one about the same endpoint. ``seq`` counts deltas from 1; it says what is missing.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from brickyard.gateway import errors
from brickyard.gateway.sharing import contract

VERSION: Final = 1
WORD: Final = 8


class UnknownMessageError(errors.GatewayError):
    """Not a message of this version. Nobody has to act while gateways of several versions run side by side."""


class Blocks(msgspec.Struct, array_like=True, frozen=True):
    """``endpoint`` was sent the prompts' blocks of these ``hashes`` (packed), ``age`` seconds before the message was sent."""

    endpoint: str
    age: float
    hashes: bytes


class Delta(msgspec.Struct, array_like=True, frozen=True, tag="d"):
    """What changed since the delta before.

    ``lag``: seconds that the oldest change waited to be told, at most. An empty delta says that its sender is there.
    """

    seq: int
    lag: float
    counts: dict[str, int]
    blocks: tuple[Blocks, ...] = ()


class Snapshot(msgspec.Struct, array_like=True, frozen=True, tag="s"):
    """Everything that the sender has open, as of its delta ``seq``."""

    seq: int
    counts: dict[str, int]


class Ask(msgspec.Struct, array_like=True, frozen=True, tag="a"):
    """Send me a snapshot, and the blocks that were sent to endpoints within the last ``since`` seconds (0: none)."""

    since: float


class Held(msgspec.Struct, array_like=True, frozen=True, tag="h"):
    """A piece of an answer to ``Ask``; ``last``: there is no more."""

    blocks: tuple[Blocks, ...]
    last: bool


class Bye(msgspec.Struct, array_like=True, frozen=True, tag="b"):
    """The sender is about to end; nothing of it is open any more."""


Body = Delta | Snapshot | Ask | Held | Bye


class Message(msgspec.Struct, array_like=True, frozen=True):
    """One message.

    Attributes:
        sender: the gateway's name.
        scheme: how it hashes prompts; blocks of another scheme mean nothing here.
        sent: Unix seconds by the sender's clock.
    """

    sender: str
    scheme: str
    sent: float
    body: Body


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)
_HEAD: Final = bytes([VERSION])


def encode(message: Message) -> bytes:
    """The message as bytes."""
    return _HEAD + _encoder.encode(message)


def decode(payload: bytes) -> Message:
    """The message of some bytes.

    Raises:
        UnknownMessageError: another version, or no message at all.
    """
    if not payload or payload[0] != VERSION or len(payload) > contract.LARGEST:
        raise UnknownMessageError(f"a message of version {payload[0] if payload else '?'} is not understood")
    try:
        return _decoder.decode(memoryview(payload)[1:])
    except (msgspec.DecodeError, ValueError) as error:
        raise UnknownMessageError(f"a message cannot be read: {error}") from error


def pack(hashes: Sequence[int]) -> bytes:
    """Hashes as they travel."""
    return _little(array.array("Q", hashes)).tobytes()


def unpack(packed: bytes) -> Sequence[int]:
    """Hashes as they are used. A rest that is no whole word is left out."""
    words = array.array("Q")
    words.frombytes(packed[: len(packed) // WORD * WORD])
    return _little(words)


def _little(words: array.array[int]) -> array.array[int]:
    if sys.byteorder == "big":
        words.byteswap()
    return words
