"""vLLM's KV events, which SGLang speaks too.

A message is three frames: topic, sequence number (8 bytes, big-endian), payload. The payload is msgpack,
``[seconds, [event, …], data-parallel rank]``, where the rank may be missing. An event is an array that begins with its kind:

| kind | then |
|---|---|
| ``BlockStored`` | block_hashes, parent_block_hash, token_ids, block_size, lora_id, medium, lora_name, extra_keys, group_idx |
| ``BlockRemoved`` | block_hashes, medium |
| ``AllBlocksCleared`` | |

Fields were added over the versions, always at the end: those after ``block_size`` and the removed blocks' medium may be missing, and
more may come. Since 0.32 an event can also be a map of these names, its kind under ``type``.

A hash is a number of 64 bits, signed or not, a whole floating number, or bytes, of which the first eight count.

Whoever missed messages asks the replay socket with ``replay_request``; a sequence number of ``None`` ends the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from brickyard.engines import contract, errors

_HASH_BYTES: Final = 8
_MASK: Final = 2**64 - 1
_END: Final = b"\xff" * _HASH_BYTES

_Hash = Any  # msgspec knows no union of bytes and str: `_number` looks at it
_Token = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
_Size = Annotated[int, msgspec.Meta(ge=1)]


class _Stored(msgspec.Struct, tag="BlockStored", array_like=True, gc=False):
    block_hashes: list[_Hash]
    parent_block_hash: _Hash
    token_ids: list[_Token]
    block_size: _Size
    lora_id: int | None = None
    medium: str | None = None
    lora_name: str | None = None
    extra_keys: Any = None
    group_idx: int | None = None


class _Removed(msgspec.Struct, tag="BlockRemoved", array_like=True, gc=False):
    block_hashes: list[_Hash]
    medium: str | None = None


class _Cleared(msgspec.Struct, tag="AllBlocksCleared", array_like=True, gc=False):
    pass


class _StoredMap(_Stored, tag="BlockStored", tag_field="type", array_like=False, gc=False):
    pass


class _RemovedMap(_Removed, tag="BlockRemoved", tag_field="type", array_like=False, gc=False):
    pass


class _ClearedMap(_Cleared, tag="AllBlocksCleared", tag_field="type", array_like=False, gc=False):
    pass


class _Batch(msgspec.Struct, array_like=True, gc=False):
    at: float
    events: list[msgspec.Raw]
    rank: int | None = None


_BATCH: Final = msgspec.msgpack.Decoder(_Batch)
_ARRAY: Final = msgspec.msgpack.Decoder(_Stored | _Removed | _Cleared)
_MAP: Final = msgspec.msgpack.Decoder(_StoredMap | _RemovedMap | _ClearedMap)


class Decoder:
    """Fills ``engines.contract.KvEventDecoder``."""

    def decode(self, payload: bytes) -> contract.KvEvents:
        try:
            batch = _BATCH.decode(payload)
            return contract.KvEvents(batch.at, tuple(_event(raw) for raw in batch.events), batch.rank)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise errors.KvEventError(f"the message about KV blocks cannot be read: {error}") from error

    def sequence(self, frame: bytes) -> int | None:
        return sequence(frame)

    def replay_request(self, first: int) -> tuple[bytes, bytes]:
        return replay_request(first)


DECODER: Final = Decoder()


def sequence(frame: bytes) -> int | None:
    """The number of a message; None for the one that ends a replay.

    Raises:
        KvEventError: the frame is no such number.
    """
    if len(frame) != _HASH_BYTES:
        raise errors.KvEventError(f"a sequence number has {_HASH_BYTES} bytes, not {len(frame)}")
    return None if frame == _END else int.from_bytes(frame)


def replay_request(first: int) -> tuple[bytes, bytes]:
    """The frames that ask for every kept message from number ``first`` on."""
    return (b"", first.to_bytes(_HASH_BYTES))


def _event(raw: msgspec.Raw) -> contract.KvEvent:
    data = memoryview(raw)
    event = (_MAP if _is_map(data[0]) else _ARRAY).decode(data)
    if isinstance(event, _Stored):
        return _stored(event)
    if isinstance(event, _Removed):
        return contract.BlocksRemoved(_numbers(event.block_hashes), event.medium or "")
    return contract.BlocksCleared()


def _is_map(first: int) -> bool:
    """Whether a msgpack value that begins with this byte is a map (fixmap, map 16, map 32)."""
    return 0x80 <= first <= 0x8F or first in {0xDE, 0xDF}


def _stored(event: _Stored) -> contract.BlocksStored:
    if event.token_ids and len(event.token_ids) != len(event.block_hashes) * event.block_size:
        raise errors.KvEventError(
            f"{len(event.block_hashes)} blocks of {event.block_size} tokens cannot hold {len(event.token_ids)} tokens"
        )
    number = "" if event.lora_id is None else str(event.lora_id)
    return contract.BlocksStored(
        hashes=_numbers(event.block_hashes),
        parent=None if event.parent_block_hash is None else _number(event.parent_block_hash),
        tokens=tuple(event.token_ids),
        block_size=event.block_size,
        medium=event.medium or "",
        adapter=event.lora_name or number,
    )


def _numbers(hashes: Sequence[_Hash]) -> tuple[int, ...]:
    return tuple(_number(each) for each in hashes)


def _number(told: _Hash) -> int:
    """A hash as an unsigned number of 64 bits: what one version writes signed another writes unsigned."""
    if isinstance(told, float) and told.is_integer():
        return int(told) & _MASK
    if isinstance(told, int) and not isinstance(told, bool):
        return told & _MASK
    if isinstance(told, bytes | str):
        data = told.encode() if isinstance(told, str) else told
        return int.from_bytes(data[:_HASH_BYTES])
    raise errors.KvEventError(f"a block's hash is a whole number or bytes, not {told!r}")
