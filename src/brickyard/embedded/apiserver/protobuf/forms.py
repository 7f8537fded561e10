"""Values whose JSON is not an object of their fields: numbers, text, times, quantities and the like. Pure.

Names of forms are words of ``data/protobuf.json.gz``.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from brickyard.embedded.apiserver.protobuf import wire

Reader = Callable[[wire.Value], Any]
"""From a payload to the JSON value; None where JSON has nothing. Raises ``WireError`` where the payload is no such thing."""


def _moment(value: wire.Value) -> datetime.datetime | None:
    """Seconds since 1970 and nanoseconds, without a zone as it is UTC; an empty message is no time."""
    parts = wire.parts(value)
    if not parts:
        return None
    try:
        moment = datetime.datetime.fromtimestamp(wire.number(parts.get(1, 0)), datetime.UTC)
        moment += datetime.timedelta(microseconds=wire.number(parts.get(2, 0)) // 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise wire.WireError(f"a time is out of range: {error}") from error
    return moment.replace(tzinfo=None)


def _time(value: wire.Value) -> str | None:
    moment = _moment(value)
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"


def _micro_time(value: wire.Value) -> str | None:
    moment = _moment(value)
    return None if moment is None else moment.isoformat(timespec="microseconds") + "Z"


def _int_or_string(value: wire.Value) -> int | str:
    parts = wire.parts(value)
    return wire.text(parts.get(3, wire.EMPTY)) if parts.get(1) else wire.number(parts.get(2, 0))


def _quantity(value: wire.Value) -> str:
    parts = wire.parts(value)
    return wire.text(parts[1]) if 1 in parts else "0"


def _json(value: wire.Value) -> Any:
    """JSON inside protobuf, such as a default in a schema."""
    text = wire.block(wire.parts(value).get(1, wire.EMPTY))
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError as error:
        raise wire.WireError(f"the JSON inside does not parse: {error}") from error


def _double(value: wire.Value) -> float | int:
    """As JSON writes it: without a fraction where there is none."""
    found = wire.double(value)
    if not math.isfinite(found):
        raise wire.WireError(f"JSON has no number {found}")
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


NUMBERS: Final[Mapping[str, Reader]] = {
    "int": wire.number,
    "bool": lambda value: wire.number(value) != 0,
}
"""What a list may hold packed."""

READERS: Final[Mapping[str, Reader]] = {
    **NUMBERS,
    "string": wire.text,
    "bytes": lambda value: base64.b64encode(wire.block(value)).decode(),
    "double": _double,
    "time": _time,
    "microtime": _micro_time,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "json": _json,
}
