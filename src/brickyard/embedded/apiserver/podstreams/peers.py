"""Whether a client is still there although nobody reads what it sent.

A connection that is not read, because its bytes have nowhere to go, does not tell that its client has died: the farewell waits behind the
bytes. But clients are on this machine, and the kernel shows the state of their ends too.
"""

from __future__ import annotations

import pathlib
import socket
import struct
from typing import Any, Final

_TABLES: Final = {socket.AF_INET: pathlib.Path("/proc/net/tcp"), socket.AF_INET6: pathlib.Path("/proc/net/tcp6")}
_ESTABLISHED: Final = "01"


def left(ours: Any) -> bool:
    """Whether the other end of ``ours``, a connection within this machine, is held by nobody any more. Blocks for a moment."""
    try:
        here, there = ours.getsockname(), ours.getpeername()
        table = _TABLES[ours.family].read_text()
    except (OSError, KeyError):
        return False
    return state(table, _shown(ours.family, there), _shown(ours.family, here)) != _ESTABLISHED


def state(table: str, local: str, remote: str) -> str:
    """The state of a connection in the kernel's ``table``; "" when it is not there."""
    _, found, rest = table.partition(f" {local} {remote} ")
    return rest[:2] if found else ""


def _shown(family: int, address: Any) -> str:
    """An address as the kernel's table shows it: words of 32 bits in the machine's byte order, and the port."""
    packed = socket.inet_pton(family, address[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
