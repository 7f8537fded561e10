"""Messages come out as they went in; what is no message is refused and breaks nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.sharing import contract, messages

HASHES = [1, 2**63 - 1, 12345]
BODIES = [
    messages.Delta(7, 0.02, {"default/a:8000": 3}, (messages.Blocks("default/a:8000", 0.01, messages.pack(HASHES)),)),
    messages.Snapshot(7, {"default/a:8000": 3}),
    messages.Ask(float("inf")),
    messages.Held((), last=True),
    messages.Bye(),
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_round_trip(body: messages.Body) -> None:
    message = messages.Message("me", "scheme", 1.5, body)
    assert messages.decode(messages.encode(message)) == message


def test_hashes_travel_as_words() -> None:
    packed = messages.pack(HASHES)
    assert packed[:8] == b"\1" + bytes(7)
    assert list(messages.unpack(packed)) == HASHES
    assert list(messages.unpack(packed[:-1])) == HASHES[:2]


def test_another_version_is_not_understood() -> None:
    good = messages.encode(messages.Message("me", "scheme", 1.5, messages.Bye()))
    with pytest.raises(messages.UnknownMessageError, match="version 2"):
        messages.decode(bytes([messages.VERSION + 1]) + good[1:])


@given(st.binary(max_size=200))
def test_garbage_is_refused(rest: bytes) -> None:
    with pytest.raises(messages.UnknownMessageError):
        messages.decode(bytes([messages.VERSION]) + b"\x00" + rest)
    with pytest.raises(messages.UnknownMessageError):
        messages.decode(b"")


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(messages.UnknownMessageError):
        messages.decode(bytes([messages.VERSION]) + bytes(contract.LARGEST))


def test_a_full_message_of_blocks_fits() -> None:
    blocks = messages.Blocks("default/a:8000", 0.0, messages.pack(range(32768)))
    assert (
        len(messages.encode(messages.Message("me", "s", 0.0, messages.Held((blocks,), last=False)))) < contract.LARGEST
    )
