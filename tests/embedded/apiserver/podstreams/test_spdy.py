"""SPDY frames against a client's side of them, written here from the protocol."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.podstreams import spdy

HEADERS = {"streamtype": "data", "port": "8000", "requestid": "0"}


class Client:
    """Frames as a client writes them."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=spdy.DICTIONARY)
        self.inflate = zlib.decompressobj(zdict=spdy.DICTIONARY)

    def block(self, headers: Mapping[str, str]) -> bytes:
        plain = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            plain += struct.pack(">I", len(word)) + word.encode("latin-1")
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def open(self, stream: int, headers: Mapping[str, str] = HEADERS, flags: int = 0) -> bytes:
        return control(1, struct.pack(">IIH", stream, 0, 0) + self.block(headers), flags)


def control(kind: int, payload: bytes, flags: int = 0, version: int = 3) -> bytes:
    return struct.pack(">HHI", 0x8000 | version, kind, flags << 24 | len(payload)) + payload


def test_the_dictionary_is_the_protocols() -> None:
    """Its length and checksum, which every compressed block names."""
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_conversation() -> None:
    client, decoder = Client(), spdy.Decoder()
    said = client.open(1, {"StreamType": "error", "port": "80"}, flags=1) + client.open(3)
    said += spdy.data(3, b"GET") + spdy.data(3, b"", fin=True)
    said += (
        control(6, struct.pack(">I", 7)) + control(3, struct.pack(">II", 3, 5)) + control(7, struct.pack(">II", 3, 0))
    )
    assert list(decoder.feed(said)) == [
        spdy.Opened(1, {"streamtype": "error", "port": "80"}, fin=True),
        spdy.Opened(3, HEADERS),
        spdy.Received(3, b"GET"),
        spdy.Received(3, b"", fin=True),
        spdy.Ping(7),
        spdy.Reset(3),
        spdy.GoAway(),
    ]


def test_what_changes_nothing_is_passed_over() -> None:
    client, decoder = Client(), spdy.Decoder()
    said = control(4, b"\0" * 12) + control(9, b"\0" * 8) + control(8, b"\0" * 4) + client.open(1)
    assert list(decoder.feed(said)) == [spdy.Opened(1, HEADERS)]


@given(
    pieces=st.lists(st.binary(max_size=300), max_size=6),
    headers=st.lists(
        st.dictionaries(
            st.text("abcdefgh-", min_size=1, max_size=8), st.text("xyz0123456789", max_size=20), max_size=4
        ),
        min_size=1,
        max_size=5,
    ),
    cut=st.integers(1, 50),
)
def test_frames_arrive_however_they_are_cut(
    pieces: Sequence[bytes], headers: Sequence[dict[str, str]], cut: int
) -> None:
    client, decoder = Client(), spdy.Decoder()
    said = b"".join(client.open(2 * index + 1, each) for index, each in enumerate(headers))
    said += b"".join(spdy.data(1, each) for each in pieces)
    events = [event for at in range(0, len(said), cut) for event in decoder.feed(said[at : at + cut])]
    opened = [spdy.Opened(2 * index + 1, each) for index, each in enumerate(headers)]
    assert events == [*opened, *(spdy.Received(1, each) for each in pieces)]


@given(said=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(said: bytes) -> None:
    try:
        for event in spdy.Decoder().feed(said):
            assert isinstance(event, spdy.Event)
    except spdy.SpdyError:
        pass


@given(block=st.binary(max_size=200))
def test_any_header_block_is_read_or_refused(block: bytes) -> None:
    compressor = zlib.compressobj(zdict=spdy.DICTIONARY)
    payload = struct.pack(">IIH", 1, 0, 0) + compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)
    try:
        for event in spdy.Decoder().feed(control(1, payload)):
            assert isinstance(event, spdy.Opened)
    except spdy.SpdyError:
        pass


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (control(1, b"\0\0\0\1" * 4, version=2), "version 2"),
        (control(1, b"\0\0"), "shorter"),
        (control(1, b"\0" * 10), "stream 0"),
        (spdy.data(0, b"x"), "stream 0"),
        (control(1, b"\0\0\0\1" + b"\0" * 6 + b"no zlib"), "decompressed"),
        (struct.pack(">II", 1, spdy.MAX_FRAME + 1), "over the limit"),
    ],
)
def test_nonsense_is_told(said: bytes, says: str) -> None:
    with pytest.raises(spdy.SpdyError, match=says):
        list(spdy.Decoder().feed(said))


def test_a_header_block_is_bounded_before_it_is_unpacked() -> None:
    """A kilobyte can say a megabyte."""
    said = Client().open(1, {"a": "x" * 1_000_000})
    assert len(said) < 2000
    with pytest.raises(spdy.SpdyError, match="over the limit"):
        list(spdy.Decoder().feed(said))


def test_replies_share_a_compressor() -> None:
    client, encoder = Client(), spdy.Encoder()
    for stream in (1, 3, 5):
        frame = encoder.reply(stream)
        assert frame[:4] == b"\x80\x03\x00\x02"
        assert struct.unpack(">I", frame[8:12]) == (stream,)
        assert client.inflate.decompress(frame[12:]) == b"\0\0\0\0"


def test_what_the_server_says() -> None:
    assert spdy.data(5, b"ab", fin=True) == b"\0\0\0\x05\x01\0\0\x02ab"
    assert spdy.reset(5, spdy.REFUSED) == b"\x80\x03\0\x03\0\0\0\x08\0\0\0\x05\0\0\0\x03"
    assert spdy.ping(9) == b"\x80\x03\0\x06\0\0\0\x04\0\0\0\x09"
