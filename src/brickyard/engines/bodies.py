"""JSON bodies changed at their top level, everything below it byte by byte as it came. Pure.

A prompt must reach both engines of a hand-over as the client wrote it: text that was read and written anew may differ in numbers and
escapes, and with it the blocks of the prefix cache. Values are therefore kept as raw text; only members that are named are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from brickyard.engines import errors

Members = dict[str, msgspec.Raw]
"""The members of an object, in their order, each value as it is written."""

REQUEST: Final = "the request"
"""What the client's body is called in messages."""

_READ: Final = msgspec.json.Decoder(Members)
_WRITE: Final = msgspec.json.Encoder()


def members(text: bytes, what: str) -> Members:
    """The members of the object ``text``; of a name that is there twice the last, as engines read it.

    Raises:
        HandOverError: it is no JSON object; ``what`` names it.
    """
    try:
        return _READ.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise errors.HandOverError(f"{what} is no JSON object: {error}", faulty=what == REQUEST) from error


def once(text: bytes, names: Iterable[str], what: str) -> None:
    """Refuse an object in which one of ``names`` stands twice: engines disagree on which one counts.

    Raises:
        HandOverError: one does; the message names it.
    """
    # A name can be written with escapes, so these are looked into as well. A body with neither is the rule and costs a search.
    wanted = frozenset(names)
    if b"\\u" not in text and all(text.count(f'"{name}"'.encode()) < 2 for name in wanted):
        return
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    found = [name for name, _ in pairs]
    if twice := next((name for name in found if name in wanted and found.count(name) > 1), None):
        raise errors.HandOverError(f"{what} has {twice!r} twice: which one counts?", faulty=True)


def made(base: Members, filled: Mapping[str, Any], dropped: Iterable[str] = ()) -> bytes:
    """``base`` as text, with ``filled`` in the place of what has these names, and without ``dropped``."""
    gone = frozenset(dropped)
    kept: dict[str, Any] = {name: value for name, value in base.items() if name not in gone}
    return _WRITE.encode({**kept, **filled})


def object_of(base: Members, name: str, what: str) -> Members | None:
    """The member ``name`` as members of its own; None when it is absent or null.

    Raises:
        HandOverError: it is something else.
    """
    raw = base.get(name)
    if raw is None or bytes(raw).strip() == b"null":
        return None
    return members(bytes(raw), f"{name} of {what}")


def raw(base: Members) -> msgspec.Raw:
    """``base`` as a value of another object."""
    return msgspec.Raw(_WRITE.encode(base))


def value(given: Any) -> msgspec.Raw:
    """``given`` as written in JSON."""
    return msgspec.Raw(_WRITE.encode(given))


def first(base: Members, name: str) -> Members:
    """The first object of the list ``name``; no members when there is none."""
    listed = base.get(name)
    if listed is None:
        return {}
    try:
        items = msgspec.json.decode(listed, type=list[msgspec.Raw])
        return _READ.decode(items[0]) if items else {}
    except msgspec.DecodeError:
        return {}
