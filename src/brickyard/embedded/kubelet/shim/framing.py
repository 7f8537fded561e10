"""The format of containers' logs, which is that of Kubernetes' container runtimes (CRI): one record per line of output.

    2024-05-01T12:00:00.123456789Z stdout F the whole line, or the last part of it
    2024-05-01T12:00:00.123456789Z stderr P what was there of a line that had not ended yet

Times are UTC with nine digits and streams have names of equal length, so that every record's text begins at the same byte. Nothing is held
back until a line ends: a prompt or a progress bar is in the log as soon as it is written.
"""

from __future__ import annotations

import time

STDOUT = b"stdout"
STDERR = b"stderr"
STAMP_LENGTH = 30
HEAD_LENGTH = STAMP_LENGTH + 10
"""Bytes before the text of a record: stamp, blank, stream, blank, F or P, blank."""
FULL = b"F"
PARTIAL = b"P"

_BILLION = 1_000_000_000


def stamp(now_ns: int) -> bytes:
    """RFC 3339 in UTC with nanoseconds, of Unix nanoseconds."""
    second, rest = divmod(now_ns, _BILLION)
    return b"%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode(), rest)


def frame(chunk: bytes, stream: bytes, now_ns: int) -> bytes:
    """The records of a piece of output that arrived at ``now_ns``; b"" of nothing."""
    if not chunk:
        return b""
    head = b"%s %s " % (stamp(now_ns), stream)
    *lines, rest = chunk.split(b"\n")
    full = head + b"F "
    records = [full + (b"\n" + full).join(lines) + b"\n"] if lines else []
    if rest:
        records.append(b"%sP %s\n" % (head, rest))
    return b"".join(records)
