"""The wire format: a message as numbered fields, read and written. Pure.

A field is a varint, eight or four bytes, or a block whose length comes first; blocks hold text, bytes, messages and packed numbers.
Groups, which protobuf has given up, are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

Value = int | memoryview | bytes
"""A field's payload: a varint as it stands (not negative), a block, or the bytes of a number of fixed width."""

EMPTY: Final = memoryview(b"")
_VARINT, _FIXED64, _BLOCK, _FIXED32 = 0, 1, 2, 5
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}
_LAST_NUMBER: Final = 2**29 - 1
_WORD: Final = 2**64
_SMALL: Final = 16


class WireError(ValueError):
    """These bytes are no message, or not of the form their reader expects; the text says where."""


def fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and payload of each field, in order.

    Raises:
        WireError: when it comes to a field that is cut off or of no known wire type.
    """
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number <= _LAST_NUMBER:
            raise WireError(f"{number} is no number of a field")
        if kind == _VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == _BLOCK:
            length, at = varint(data, at)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise WireError(f"field {number} is of wire type {kind}, which is not in use")
        if length > end - at:
            raise WireError(f"field {number} is cut off: {length} bytes are announced, {end - at} are left")
        payload = data[at : at + length]
        yield number, payload if kind == _BLOCK else bytes(payload)
        at += length


def parts(value: Value) -> dict[int, Value]:
    """The fields of a small message by number, the last of each.

    Raises:
        WireError: it is none, or has more fields than a small message could.
    """
    found: dict[int, Value] = {}
    for count, (number, payload) in enumerate(fields(block(value))):
        if count == _SMALL:
            raise WireError(f"a message of few fields has more than {_SMALL}")
        found[number] = payload
    return found


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The varint at ``at``, cut to 64 bits, and where it ends.

    Raises:
        WireError: it is cut off, or longer than ten bytes.
    """
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value % _WORD, at
        shift += 7
    raise WireError("a number is longer than ten bytes")


def number(value: Value) -> int:
    """A varint as the signed number it stands for.

    Raises:
        WireError: it is none.
    """
    if not isinstance(value, int):
        raise WireError("found bytes where a number belongs")
    return value - _WORD if value >= _WORD // 2 else value


def block(value: Value) -> memoryview:
    """A block.

    Raises:
        WireError: it is none.
    """
    if not isinstance(value, memoryview):
        raise WireError("found a number where bytes belong")
    return value


def text(value: Value) -> str:
    """A block as UTF-8.

    Raises:
        WireError: it is none.
    """
    try:
        return str(block(value), "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"text is not UTF-8: {error.reason} at byte {error.start}") from error


def double(value: Value) -> float:
    """Eight bytes as a floating-point number.

    Raises:
        WireError: they are not eight.
    """
    if not isinstance(value, bytes) or len(value) != 8:
        raise WireError("found something else where a floating-point number belongs")
    found: float = struct.unpack("<d", value)[0]
    return found


def put_varint(number: int, value: int) -> bytes:
    """Field ``number`` with a whole number of at most 64 bits, or a boolean."""
    return _written(number << 3 | _VARINT) + _written(value % _WORD)


def put_double(number: int, value: float) -> bytes:
    """Field ``number`` with a floating-point number."""
    return _written(number << 3 | _FIXED64) + struct.pack("<d", value)


def put_block(number: int, payload: bytes) -> bytes:
    """Field ``number`` with text, bytes or a message."""
    return _written(number << 3 | _BLOCK) + _written(len(payload)) + payload


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
