"""Takes out of a stream the event that the client did not ask for: the one that only tells what was used.

Events go on as soon as they are complete. One is held back until its end has come, which for engines that send an event at a time is
no wait at all; what is held has a bound, behind which everything passes as it is.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

HELD: Final = 256 * 1024
"""Bytes of an event that is not complete; longer ones are no event that tells usage."""
_DATA: Final = b"data:"


class Stripper:
    """``feed`` it a stream's body without transfer framing; what comes back goes to the client. ``finish`` gives what is left."""

    __slots__ = ("_held", "_open")

    def __init__(self) -> None:
        self._held = b""
        self._open = False

    def feed(self, data: bytes) -> bytes:
        """What may go on."""
        if self._open:
            return self._pass(data)
        data = self._held + data if self._held else data
        end = _behind_last(data)
        self._held = data[end:]
        ready = data[:end]
        if len(self._held) > HELD:
            ready, self._held, self._open = ready + self._held, b"", True
        return _without(ready) if b'"usage"' in ready else ready

    def finish(self) -> bytes:
        """The stream is over; what was held goes as it is."""
        held, self._held = self._held, b""
        return held

    def _pass(self, data: bytes) -> bytes:
        """Inside an event that is too long to hold: as it comes, up to its end."""
        for border in (b"\n\n", b"\r\n\r\n"):
            at = data.find(border)
            if at >= 0:
                self._open = False
                at += len(border)
                return data[:at] + self.feed(data[at:])
        return data


def _behind_last(data: bytes) -> int:
    """Where the last complete event ends."""
    plain, wide = data.rfind(b"\n\n"), data.rfind(b"\r\n\r\n")
    return max(plain + 2 if plain >= 0 else 0, wide + 4 if wide >= 0 else 0)


def _without(events: bytes) -> bytes:
    """Complete events without those that only tell usage."""
    border = b"\r\n\r\n" if b"\r\n\r\n" in events else b"\n\n"
    parts = events.split(border)
    return border.join(part for part in parts if not (b'"usage"' in part and _only_usage(part)))


def _only_usage(event: bytes) -> bool:
    """A chunk without choices that says what was used."""
    text = b"".join(line[len(_DATA) :] for line in event.splitlines() if line.startswith(_DATA))
    try:
        chunk: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(chunk, dict) and chunk.get("choices") == [] and isinstance(chunk.get("usage"), dict)
