"""The channel protocols, message by message."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import channels

SIZE = b'\x04{"Width": 80, "Height": 24}'


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (b"", None),
        (b"\x00", None),
        (b"\x00abc", channels.Data(b"abc")),
        (SIZE, podstreams.Size(80, 24)),
        (b'\x04{"Width": 0, "Height": 24}', None),
        (b'\x04{"Width": 70000, "Height": 24}', None),
        (b"\xff\x00", channels.End()),
        (b"\xff\x04", None),
    ],
)
def test_what_clients_say(message: bytes, meaning: object) -> None:
    assert channels.decode(message, channels.V5) == meaning


@pytest.mark.parametrize(
    ("message", "protocol", "says"),
    [
        (b"\x01x", channels.V5, "channel 1"),
        (b"\x03x", channels.V5, "channel 3"),
        (b"\xff\x00", channels.V4, "channel 255"),
        (b"\xff", channels.V5, "one channel"),
        (b"\xff\x00\x01", channels.V5, "one channel"),
        (b"\x04", channels.V5, "a size is written as"),
        (b'\x04{"Width": "wide", "Height": 1}', channels.V5, "a size is written as"),
        (b"\x04[1, 2]", channels.V5, "a size is written as"),
        (b'\x04{"Width": 1e999, "Height": 1}', channels.V5, "a size is written as"),
        (b'\x04{"Width": 1}', channels.V4, "a size is written as"),
    ],
)
def test_nonsense_is_told(message: bytes, protocol: str, says: str) -> None:
    with pytest.raises(channels.ProtocolError, match=says):
        channels.decode(message, protocol)


@given(message=st.binary(max_size=64), protocol=st.sampled_from(channels.COMMANDS))
def test_any_message_is_read_or_refused(message: bytes, protocol: str) -> None:
    try:
        said = channels.decode(message, protocol)
    except channels.ProtocolError:
        return
    assert said is None or isinstance(said, channels.Data | channels.End | podstreams.Size)


@given(data=st.binary(min_size=1))
def test_input_arrives_as_it_was_sent(data: bytes) -> None:
    assert channels.decode(channels.encode(channels.STDIN, data), channels.V4) == channels.Data(data)


def test_ports_begin_with_their_numbers() -> None:
    assert channels.port_channels([8000, 9]) == [b"\x00\x40\x1f", b"\x01\x40\x1f", b"\x02\x09\x00", b"\x03\x09\x00"]


def test_how_commands_end() -> None:
    assert orjson.loads(channels.ended(0)) == {"metadata": {}, "status": "Success"}
    failed = orjson.loads(channels.ended(3))
    assert (failed["status"], failed["reason"]) == ("Failure", "NonZeroExitCode")
    assert failed["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
    never = orjson.loads(channels.failed("exec: 'x': not found"))
    assert (never["reason"], never["code"]) == ("InternalError", 500)
    assert never["message"].endswith("error executing command in container: exec: 'x': not found")
