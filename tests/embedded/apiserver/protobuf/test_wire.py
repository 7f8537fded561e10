"""The wire: what is written is read again, and what nobody could have written is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.protobuf import wire

NUMBERS = st.integers(1, 2**29 - 1)


def read(data: bytes) -> list[tuple[int, wire.Value]]:
    return list(wire.fields(memoryview(data)))


# From the protobuf documentation's page on encoding.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x08\x96\x01", [(1, 150)]),
        (b"\x12\x07testing", [(2, b"testing")]),
        (b"\x1a\x03\x08\x96\x01", [(3, b"\x08\x96\x01")]),
        (b"\x22\x05\x68\x65\x6c\x6c\x6f\x28\x01\x28\x02", [(4, b"hello"), (5, 1), (5, 2)]),
        (b"", []),
    ],
)
def test_known_encodings(data: bytes, expected: list[tuple[int, object]]) -> None:
    assert read(data) == expected


@given(NUMBERS, st.integers(-(2**63), 2**63 - 1))
def test_numbers(field: int, value: int) -> None:
    [(number, payload)] = read(wire.put_varint(field, value))
    assert (number, wire.number(payload)) == (field, value)


@given(NUMBERS, st.text())
def test_text(field: int, value: str) -> None:
    [(number, payload)] = read(wire.put_block(field, value.encode()))
    assert (number, wire.text(payload)) == (field, value)


@given(NUMBERS, st.floats(allow_nan=False))
def test_floating_point(field: int, value: float) -> None:
    [(number, payload)] = read(wire.put_double(field, value))
    assert (number, wire.double(payload)) == (field, value)


def test_numbers_of_64_bits_wrap_as_go_wraps_them() -> None:
    assert read(b"\x08" + b"\xff" * 9 + b"\x7f") == [(1, 2**64 - 1)]
    assert read(wire.put_varint(1, -1)) == [(1, 2**64 - 1)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x08", "a number is cut off"),
        (b"\x08\x80", "a number is cut off"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "longer than ten bytes"),
        (b"\x12\x05abc", "field 2 is cut off: 5 bytes are announced, 3 are left"),
        (b"\x12\xff\xff\xff\xff\x0f", "field 2 is cut off: 4294967295 bytes"),
        (b"\x11abc", "field 2 is cut off"),
        (b"\x15abc", "field 2 is cut off"),
        (b"\x13\x14", "wire type 3"),
        (b"\x16", "wire type 6"),
        (b"\x00\x01", "0 is no number of a field"),
        (b"\x80\x80\x80\x80\x10\x01", "536870912 is no number of a field"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(wire.WireError, match=message):
        read(data)


def test_a_payload_of_another_kind_is_refused() -> None:
    fixed, short, block = b"12345678", b"1234", memoryview(b"12345678")
    for value in (fixed, block):
        with pytest.raises(wire.WireError, match="found bytes where a number belongs"):
            wire.number(value)
    for number in (7, fixed):
        with pytest.raises(wire.WireError, match="found a number where bytes belong"):
            wire.block(number)
    for other in (7, short, block):
        with pytest.raises(wire.WireError, match="floating-point"):
            wire.double(other)


def test_of_the_parts_of_a_small_message_the_last_counts_and_few_are_taken() -> None:
    data = wire.put_varint(1, 1) + wire.put_varint(2, 2) + wire.put_varint(1, 3)
    assert wire.parts(memoryview(data)) == {1: 3, 2: 2}
    assert wire.parts(memoryview(wire.put_varint(1, 1) * 16)) == {1: 1}
    with pytest.raises(wire.WireError, match="has more than 16"):
        wire.parts(memoryview(wire.put_varint(1, 1) * 17))


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        assert sum(number > 0 for number, _ in read(data)) <= len(data) // 2
