"""Objects of every kind, encoded as Go's generated code encodes them, come back as Go's JSON encoder would write them."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.protobuf import bodies, fields, wire

DEPTH = 4
ABSENT = object()
"""What JSON does not show."""

Drawn = tuple[Any, bytes]
"""A value as JSON and as the field it makes, its number included."""

NUMBERS = st.integers(-(2**31), 2**31 - 1)
TEXTS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner, max_size=2), max_leaves=3
)


@st.composite
def scalar(draw: st.DrawFn, form: str, number: int) -> Drawn:
    """A value of a form that is no message."""
    if form in ("int", "bool"):
        value: Any = draw(NUMBERS if form == "int" else st.booleans())
        return value, wire.put_varint(number, value)
    if form == "double":
        value = draw(st.floats(allow_nan=False, allow_infinity=False))
        return value, wire.put_double(number, value)
    if form == "bytes":
        raw = draw(st.binary(max_size=5))
        return base64.b64encode(raw).decode(), wire.put_block(number, raw)
    if form == "string":
        value = draw(TEXTS)
        return value, wire.put_block(number, value.encode())
    if form == "json":
        value = draw(JSON)
        return value, wire.put_block(number, wire.put_block(1, orjson.dumps(value)))
    return draw(special(form, number))


@st.composite
def special(draw: st.DrawFn, form: str, number: int) -> Drawn:
    """A value of a form that is a message of its own making."""
    value: Any = draw(st.sampled_from(["1500m", "4Gi"])) if form == "quantity" else draw(NUMBERS | TEXTS)
    if form == "quantity":
        return value, wire.put_block(number, wire.put_block(1, value.encode()))
    if form == "int-or-string":
        text = value if isinstance(value, str) else ""
        parts = wire.put_varint(1, text is value), wire.put_varint(2, 0 if text is value else value)
        return value, wire.put_block(number, b"".join(parts) + wire.put_block(3, text.encode()))
    seconds = draw(st.integers(0, 59) | st.none())
    if seconds is None:
        return ABSENT, wire.put_block(number, b"")
    shown = f"1970-01-01T00:00:{seconds:02}" + (".000000Z" if form == "microtime" else "Z")
    return shown, wire.put_block(number, wire.put_varint(1, seconds) + wire.put_varint(2, 0))


@st.composite
def value_of(draw: st.DrawFn, form: str, number: int, depth: int) -> Drawn:
    if form not in fields.messages():
        return draw(scalar(form, number))
    shown, data = draw(message(form, depth + 1))
    return shown, wire.put_block(number, data)


@st.composite
def field(draw: st.DrawFn, number: int, told: fields.Field, depth: int) -> Drawn:
    if told.shape == "list":
        items = draw(st.lists(value_of(told.form, number, depth), min_size=1, max_size=2))
        return [None if shown is ABSENT else shown for shown, _ in items], b"".join(data for _, data in items)
    if told.shape == "map":
        entries = draw(st.dictionaries(TEXTS, value_of(told.form, 2, depth), min_size=1, max_size=2))
        written = (wire.put_block(number, wire.put_block(1, key.encode()) + data) for key, (_, data) in entries.items())
        given = {key: None if shown is ABSENT else shown for key, (shown, _) in entries.items()}
        return given, b"".join(written)
    shown, data = draw(value_of(told.form, number, depth))
    return (ABSENT if shown is None or (told.drop_zero and not shown) else shown), data


@st.composite
def message(draw: st.DrawFn, name: str, depth: int = 0) -> Drawn:
    """An object of up to three fields, in the order of their numbers."""
    told = fields.messages()[name]
    if told.either:
        # Go writes a choice of nothing as null or false; clients have no use for it.
        number = draw(st.sampled_from(sorted(told.fields)))
        return draw(field(number, told.fields[number], depth).map(lambda one: (one[0], one[1])))
    fitting = [number for number, each in told.fields.items() if depth < DEPTH or each.form not in fields.messages()]
    chosen = draw(st.lists(st.sampled_from(fitting), max_size=3, unique=True)) if fitting else []
    shown, data = {}, b""
    for number in sorted(chosen):
        one, written = draw(field(number, told.fields[number], depth))
        data += written
        if not told.fields[number].name:
            shown.update(one)
        elif one is not ABSENT:
            shown[told.fields[number].name] = one
    return shown, data


def kinds() -> list[tuple[str, str]]:
    found = [(each.type.api_version, each.type.kind) for each in builtin_kinds.ALL]
    return [*found, ("autoscaling/v1", "Scale"), ("apps/v1", "DeleteOptions")]


@pytest.mark.parametrize(("api_version", "kind"), kinds(), ids=lambda each: each.rpartition("/")[2])
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_objects_come_back(api_version: str, kind: str, data: st.DataObject) -> None:
    name = fields.name_of(api_version, kind)
    assert name is not None
    shown, raw = data.draw(message(name))
    head = wire.put_block(1, wire.put_block(1, api_version.encode()) + wire.put_block(2, kind.encode()))
    # Go writes the two empty fields of the envelope as well.
    body = b"k8s\x00" + head + wire.put_block(2, raw) + wire.put_block(3, b"") + wire.put_block(4, b"")
    assert bodies.decode(body) == {"apiVersion": api_version, "kind": kind, **shown}
    with pytest.raises(contract.UndecodableError):
        bodies.decode(body[: len(head) - 1])
