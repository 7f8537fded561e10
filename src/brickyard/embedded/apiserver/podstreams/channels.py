"""The channel protocols of Kubernetes: what travels in one binary WebSocket message. Pure.

    message     a byte that names the channel, then data
    channel     0 stdin   1 stdout   2 stderr   3 error (a Status, once, at the end)   4 the terminal's size, as JSON
    255         v5 only: the channel whose number follows has ended; there is no other way to end stdin and still read the answer

A port-forward has two channels for each port instead: data (even) and error (odd), each begun by the server with the port's number.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from typing import Any, Final

import orjson

from brickyard.api.kinds import podstreams

V5: Final = "v5.channel.k8s.io"
V4: Final = "v4.channel.k8s.io"
UNNAMED: Final = ""
"""No subprotocol: some clients forward ports without naming one, and mean v4."""
COMMANDS: Final = (V5, V4)
"""What exec and attach are spoken in, best first."""

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
OUTPUTS: Final = {podstreams.Output.STDOUT: STDOUT, podstreams.Output.STDERR: STDERR}


class ProtocolError(Exception):
    """The client sent what the protocol does not have; the text says what."""


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    """Bytes of stdin."""

    data: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """stdin has ended."""


Incoming = Data | End | podstreams.Size


def decode(message: bytes, protocol: str) -> Incoming | None:
    """What a client says of a command; None where it says nothing.

    Raises:
        ProtocolError: it cannot be read.
    """
    if not message:
        return None
    channel, data = message[0], message[1:]
    match channel:
        case 0:
            return Data(data) if data else None
        case 4:
            return _size(data)
        case 255 if protocol == V5:
            if len(data) != 1:
                raise ProtocolError("a close signal names one channel")
            return End() if data[0] == STDIN else None
    raise ProtocolError(f"channel {channel} is not the client's to write to")


def _size(data: bytes) -> podstreams.Size | None:
    """A size that says nothing (zero: not known yet) is none."""
    try:
        said = orjson.loads(data)
        size = podstreams.Size(int(said["Width"]), int(said["Height"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError):
        raise ProtocolError('a size is written as {"Width": 80, "Height": 24}') from None
    return size if 0 < size.columns < 65536 and 0 < size.rows < 65536 else None


def encode(channel: int, data: bytes = b"") -> bytes:
    """``data`` on ``channel``."""
    return bytes((channel,)) + data


def port_channels(ports: Sequence[int]) -> list[bytes]:
    """How a port-forward by channels begins: each channel, with the port it stands for."""
    return [
        encode(channel, struct.pack("<H", port))
        for index, port in enumerate(ports)
        for channel in (2 * index, 2 * index + 1)
    ]


def ended(exit_code: int) -> bytes:
    """The Status of a command that has ended."""
    if exit_code == 0:
        return orjson.dumps({"metadata": {}, "status": "Success"})
    return _failure(
        reason="NonZeroExitCode",
        message=f"command terminated with non-zero exit code: exit status {exit_code}",
        details={"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    )


def failed(why: str) -> bytes:
    """The Status of a command that could not be run."""
    text = f"error executing command in container: {why}"
    return _failure(
        reason="InternalError",
        message=f"Internal error occurred: {text}",
        details={"causes": [{"message": text}]},
        code=500,
    )


def _failure(**fields: Any) -> bytes:
    return orjson.dumps({"metadata": {}, "status": "Failure", **fields})
