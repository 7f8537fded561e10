"""Values whose JSON is not an object of their fields."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.protobuf import forms, wire
from brickyard.lib import timestamps


def message(data: bytes) -> memoryview:
    return memoryview(data)


@pytest.mark.parametrize(
    ("form", "payload", "expected"),
    [
        ("int", 2**64 - 1, -1),
        ("bool", 0, False),
        ("bool", 7, True),
        ("string", message("Zürich".encode()), "Zürich"),
        ("bytes", message(b"\xff\x00"), "/wA="),
        ("double", b"\0\0\0\0\0\0\xe0\x3f", 0.5),
        ("time", message(b""), None),
        ("time", message(wire.put_varint(1, 0)), "1970-01-01T00:00:00Z"),
        ("time", message(wire.put_varint(1, -1) + wire.put_varint(2, 999_999_999)), "1969-12-31T23:59:59Z"),
        ("time", message(wire.put_varint(1, -62135596800)), "0001-01-01T00:00:00Z"),
        ("microtime", message(b""), None),
        ("microtime", message(wire.put_varint(1, 5) + wire.put_varint(2, 1_999)), "1970-01-01T00:00:05.000001Z"),
        ("microtime", message(wire.put_varint(1, 5)), "1970-01-01T00:00:05.000000Z"),
        ("int-or-string", message(b""), 0),
        ("int-or-string", message(wire.put_varint(1, 0) + wire.put_varint(2, 80) + wire.put_block(3, b"")), 80),
        ("int-or-string", message(wire.put_varint(1, 1) + wire.put_varint(2, 0) + wire.put_block(3, b"25%")), "25%"),
        ("quantity", message(wire.put_block(1, b"1500m")), "1500m"),
        ("quantity", message(b""), "0"),
        ("json", message(b""), None),
        ("json", message(wire.put_block(1, b'{"a": [1.5, null]}')), {"a": [1.5, None]}),
    ],
)
def test_values(form: str, payload: wire.Value, expected: Any) -> None:
    found = forms.READERS[form](payload)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        ("int", message(b"")),
        ("bool", b"12345678"),
        ("string", 1),
        ("string", message(b"\xed\xa0\x80")),
        ("bytes", b"12345678"),
        ("double", 1),
        ("time", 1_700_000_000),
        ("time", message(wire.put_varint(1, 2**40))),
        ("time", message(wire.put_varint(1, -(2**63)))),
        ("time", message(wire.put_varint(1, 253402300799) + wire.put_varint(2, 2**62))),
        ("time", message(wire.put_block(1, b"now"))),
        ("int-or-string", message(wire.put_varint(1, 1) + wire.put_varint(3, 1))),
        ("quantity", message(wire.put_varint(1, 1))),
        ("json", message(wire.put_block(1, b"[" * 100_000))),
        ("json", message(wire.put_block(1, b"NaN"))),
    ],
)
def test_what_is_no_such_value_is_refused(form: str, payload: wire.Value) -> None:
    with pytest.raises(wire.WireError):
        forms.READERS[form](payload)


@given(st.integers(-62135596800, 253402300799))
def test_times_read_like_the_servers_own(seconds: int) -> None:
    found = forms.READERS["time"](message(wire.put_varint(1, seconds)))
    assert timestamps.parse_rfc3339(found) == seconds
