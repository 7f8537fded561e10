"""The format of logs."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.shim import framing

HEAD = b"2023-11-14T22:13:20.000000007Z stdout "
NOW = 1_700_000_000 * 10**9 + 7

# output             records
ROWS = [
    (b"", b""),
    (b"one\n", HEAD + b"F one\n"),
    (b"\n", HEAD + b"F \n"),
    (b"one", HEAD + b"P one\n"),
    (b"one\ntwo", HEAD + b"F one\n" + HEAD + b"P two\n"),
    (b"one\n\ntwo\n", HEAD + b"F one\n" + HEAD + b"F \n" + HEAD + b"F two\n"),
    (b"a\rb\0\xff\n", HEAD + b"F a\rb\0\xff\n"),
]


@pytest.mark.parametrize(("output", "records"), ROWS)
def test_the_table(output: bytes, records: bytes) -> None:
    assert framing.frame(output, framing.STDOUT, NOW) == records


@given(st.binary(min_size=1), st.sampled_from([framing.STDOUT, framing.STDERR]), st.integers(0, 4 * 10**18))
def test_every_record_has_its_head(output: bytes, stream: bytes, now: int) -> None:
    *records, nothing = framing.frame(output, stream, now).split(b"\n")
    assert nothing == b""
    for each in records:
        assert each[: framing.STAMP_LENGTH] == framing.stamp(now)
        assert each[framing.STAMP_LENGTH : framing.HEAD_LENGTH - 2] == b" " + stream + b" "
        assert each[framing.HEAD_LENGTH - 2 : framing.HEAD_LENGTH] in (b"F ", b"P ")
    assert len(records) == output.count(b"\n") + (not output.endswith(b"\n"))


@given(st.integers(0, 4 * 10**18))
def test_stamps_are_times(now: int) -> None:
    stamp = framing.stamp(now).decode()
    assert len(stamp) == framing.STAMP_LENGTH
    assert datetime.datetime.fromisoformat(stamp[:19] + "Z").timestamp() == now // 10**9
    assert stamp[20:29] == f"{now % 10**9:09}"


@given(st.integers(0, 4 * 10**18), st.integers(0, 4 * 10**18))
def test_stamps_compare_as_their_times_do(one: int, other: int) -> None:
    assert (framing.stamp(one) < framing.stamp(other)) == (one < other)
