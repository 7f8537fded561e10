"""The few things that are asked of the socket below a transport."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)

_IDLE: Final = 60
_BETWEEN: Final = 15
_PROBES: Final = 4
"""A peer that has vanished without a word is noticed after two minutes: an engine may think for longer than that in silence."""


def notice_vanished(transport: asyncio.BaseTransport) -> None:
    """Let the kernel probe a peer from which nothing comes; it also keeps middle boxes from forgetting the connection."""
    below = transport.get_extra_info("socket")
    if below is None:
        return
    below.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _BETWEEN)
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


def reset(transport: asyncio.Transport) -> None:
    """End the connection with a reset, which no peer takes for the regular end of a message."""
    below = transport.get_extra_info("socket")
    if below is not None:
        below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def has_failed(transport: asyncio.BaseTransport) -> bool:
    """Whether the kernel holds an error of the connection. Asking clears it."""
    below = transport.get_extra_info("socket")
    return below is not None and bool(below.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
