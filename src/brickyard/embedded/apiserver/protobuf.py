"""Objects of built-in kinds in Kubernetes' binary form, as typed Go clients send them (``application/vnd.kubernetes.protobuf``).

Read only: answers are JSON, which every such client takes too. A body is an envelope (``k8s\\0``, then apiVersion, kind and the
object's own bytes); numbers and forms of fields come from ``data/protobuf.json.gz``, made by ``tools/make_protobuf.py``. Go encodes
fields that are empty, so what its JSON leaves out is left out here.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import gzip
import importlib.resources
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"

_MAGIC = b"k8s\x00"
_DELETE_OPTIONS = "k8s.io/apimachinery/pkg/apis/meta/v1.DeleteOptions"
_DEPTH_LIMIT = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class UnknownKindError(LookupError):
    """The body is of a kind whose binary form is not known: ask for JSON with 415."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    """``name`` "" means that the message's fields stand in its holder; ``form`` as in the data file."""

    name: str
    form: str
    drop_zero: bool


@functools.cache
def _messages() -> Mapping[str, Mapping[int, _Field]]:
    packed = importlib.resources.files(__package__).joinpath("data/protobuf.json.gz").read_bytes()
    return {
        name: {number: _Field(key, form, drop) for number, key, form, drop in rows}
        for name, rows in orjson.loads(gzip.decompress(packed))["messages"].items()
    }


def load() -> None:
    """Unpack the field numbers now rather than with the first request."""
    _messages()


def decode(body: bytes) -> resources.Object:
    """The object in ``body`` as JSON would have it.

    Raises:
        UndecodableError: the bytes are no such object.
        UnknownKindError: they are one of a kind that is only read as JSON.
    """
    if not body.startswith(_MAGIC):
        raise contract.UndecodableError(
            f"provided data does not appear to be a protobuf message, expected prefix {list(_MAGIC)}"
        )
    try:
        envelope = dict(_wire(memoryview(body)[len(_MAGIC) :]))
        meta = dict(_wire(_view(envelope.get(1, b""))))
        api_version, kind = _text(meta.get(1, b"")), _text(meta.get(2, b""))
        fields = _message(_name(api_version, kind), _view(envelope.get(2, b"")), 0)
    except (ValueError, struct.error) as error:
        raise contract.UndecodableError(f"the protobuf body cannot be read: {error}") from error
    return {"apiVersion": api_version, "kind": kind, **fields}


def _name(api_version: str, kind: str) -> str:
    """``k8s.io/api/apps/v1.Deployment`` of ``apps/v1`` and ``Deployment``; packages are called by the first word of the group."""
    group, _, version = api_version.rpartition("/")
    name = f"k8s.io/api/{group.partition('.')[0] or 'core'}/{version}.{kind}"
    if kind == "DeleteOptions":
        name = _DELETE_OPTIONS
    if name not in _messages():
        raise UnknownKindError(f"{kind} ({api_version}) is read as JSON only")
    return name


Value = int | memoryview
"""What the wire carries: a number, or bytes whose meaning the field's form tells."""


def _wire(data: memoryview) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in order."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} of field {number}")
        if length > len(data) - at:
            raise ValueError(f"field {number} is cut off")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value & (2**64 - 1), at
    raise ValueError("a number is too long")


def _view(value: Value | bytes) -> memoryview:
    if isinstance(value, int):
        raise ValueError("found a number where bytes belong")  # noqa: TRY004 - told to the client like all that is malformed
    return memoryview(value)


def _text(value: Value | bytes) -> str:
    return bytes(_view(value)).decode()


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("found bytes where a number belongs")  # noqa: TRY004 - as above
    return value - 2**64 if value >= 2**63 else value


def _message(name: str, data: memoryview, depth: int) -> dict[str, Any]:
    if depth > _DEPTH_LIMIT:
        raise ValueError("messages are nested too deep")
    known, result = _messages()[name], dict[str, Any]()
    for number, raw in _wire(data):
        field = known.get(number)
        if field is None:
            continue
        if field.form.startswith("list "):
            result.setdefault(field.name, []).extend(_items(field.form[5:], raw, depth))
        elif field.form.startswith("map "):
            key, value = _entry(field.form[4:], _view(raw), depth)
            result.setdefault(field.name, {})[key] = value
        elif not field.name:
            result.update(_value(field.form, raw, depth))
        else:
            value = _value(field.form, raw, depth)
            if value is not None and not (field.drop_zero and not value):
                result[field.name] = value
    return result


def _items(form: str, raw: Value, depth: int) -> Iterator[Any]:
    """The element that ``raw`` is, or the elements of a packed list of numbers."""
    if form in ("int", "bool") and not isinstance(raw, int):
        at = 0
        while at < len(raw):
            number, at = _varint(raw, at)
            yield _value(form, number, depth)
    else:
        yield _value(form, raw, depth)


def _entry(form: str, data: memoryview, depth: int) -> tuple[str, Any]:
    """One key and value of a map; either may be left out when it is empty."""
    found = dict(_wire(data))
    key, raw = _text(found.get(1, b"")), found.get(2, data[:0])
    if form.startswith("list "):
        return key, list(_items(form[5:], raw, depth))
    return key, _value(form, raw, depth)


def _value(form: str, raw: Value, depth: int) -> Any:
    scalar = _SCALARS.get(form)
    return scalar(raw) if scalar is not None else _message(form, _view(raw), depth + 1)


def _moment(raw: Value) -> datetime.datetime | None:
    """Seconds since 1970 and nanoseconds; nothing at all is no time."""
    found = dict(_wire(_view(raw)))
    if not found:
        return None
    try:
        moment = datetime.datetime.fromtimestamp(_number(found.get(1, 0)), datetime.UTC)
        return moment + datetime.timedelta(microseconds=_number(found.get(2, 0)) // 1000)
    except (OverflowError, OSError) as error:
        raise ValueError("a time is out of range") from error


def _time(raw: Value) -> str | None:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(raw: Value) -> str | None:
    moment = _moment(raw)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _int_or_string(raw: Value) -> int | str:
    found = dict(_wire(_view(raw)))
    return _text(found.get(3, b"")) if found.get(1) else _number(found.get(2, 0))


def _quantity(raw: Value) -> str:
    return _text(dict(_wire(_view(raw))).get(1, b"0"))


def _json(raw: Value) -> Any:
    text = bytes(_view(dict(_wire(_view(raw))).get(1, b"")))
    return orjson.loads(text) if text else None


def _double(raw: Value) -> float:
    found: float = struct.unpack("<d", _view(raw))[0]
    return found


_SCALARS: Mapping[str, Callable[[Value], Any]] = {
    "string": _text,
    "int": _number,
    "bool": lambda raw: bool(_number(raw)),
    "bytes": lambda raw: base64.b64encode(_view(raw)).decode(),
    "double": _double,
    "time": _time,
    "microtime": _micro_time,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "json": _json,
}
