"""From the records of a container's log (format: ``shim.framing``) to the text that people ask for."""

from __future__ import annotations

import dataclasses
import pathlib

from brickyard.embedded.kubelet import logfiles
from brickyard.embedded.kubelet.shim import framing

RECORD_LIMIT = 1024 * 1024
"""Bytes of a record without end after which it is no record, whatever it is."""
_TAG = framing.HEAD_LENGTH - 2
_STREAM = slice(framing.STAMP_LENGTH + 1, _TAG - 1)


def ends_line(record: bytes) -> bool:
    """Whether a record ends a line of output, other than one that tells of a part."""
    return record[_TAG : _TAG + 2] != framing.PARTIAL + b" "


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Which text. ``since`` is in Unix seconds; ``stream`` is one of framing's, b"" for both."""

    timestamps: bool = False
    since: float | None = None
    stream: bytes = b""


ALL = Choice()
"""Everything, without times."""


class Text:
    """Turns records into text, piece by piece."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._since = b"" if choice.since is None else framing.stamp(int(choice.since * 1e9))
        self._rest = b""
        self._inside = False

    def feed(self, chunk: bytes) -> bytes:
        """The text of the records that ``chunk`` completes."""
        *records, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest
        text = b"".join([self._of(each) for each in records])
        return text + self.end() if len(rest) > RECORD_LIMIT else text

    def end(self) -> bytes:
        """The text of what is left: a record that its writer did not live to end."""
        rest, self._rest = self._rest, b""
        return self._of(rest) if rest else b""

    def _of(self, record: bytes) -> bytes:
        tag, text = record[_TAG : _TAG + 2], record[framing.HEAD_LENGTH :]
        if tag not in (b"F ", b"P "):
            return record + b"\n"  # a foreign hand wrote this
        choice = self._choice
        # Stamps are of one length and in one zone: they compare as text.
        if record[: framing.STAMP_LENGTH] < self._since or (choice.stream and record[_STREAM] != choice.stream):
            return b""
        if choice.timestamps and not self._inside:
            text = record[: framing.STAMP_LENGTH + 1] + text
        self._inside = tag == b"P "
        return text if self._inside else text + b"\n"


def tail(path: pathlib.Path, lines: int, size: int) -> bytes:
    """The last ``lines`` lines of a log, but whole lines of no more than the last ``size`` bytes; b"" without a log. Blocks."""
    try:
        reader = logfiles.Reader(path, lines, ends_line)
    except OSError:
        return b""
    text, kept = Text(ALL), b""
    try:
        while chunk := reader.next():
            kept = (kept + text.feed(chunk))[-size - 1 :]
        kept = (kept + text.end())[-size - 1 :]
    finally:
        reader.close()
    return kept if len(kept) <= size else kept[kept.find(b"\n") + 1 :][-size:]
