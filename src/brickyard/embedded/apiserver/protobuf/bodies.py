"""Bodies in Kubernetes' binary form, as typed Go clients send them: ``application/vnd.kubernetes.protobuf``. Pure.

Read only: answers are JSON, which every such client takes too. A body is an envelope: ``k8s\\0``, then apiVersion and kind, then the
object's own bytes. What comes out is what the same client would have written as JSON, with two licences: a null is left out, and so is
a field of a newer Kubernetes than the table's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.protobuf import fields, forms, wire

MEDIA_TYPE: Final = "application/vnd.kubernetes.protobuf"

_MAGIC: Final = b"k8s\x00"
_DEPTH_LIMIT: Final = 100
_SIZE_LIMIT: Final = 400_000
"""Fields of a body, down to the last: two bytes make one, so that the length alone does not bound the work."""


class UnknownKindError(LookupError):
    """The body is of a kind whose binary form is not known: ask for JSON with 415."""


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
        envelope = wire.parts(memoryview(body)[len(_MAGIC) :])
        meta = wire.parts(envelope.get(1, wire.EMPTY))
        api_version, kind = wire.text(meta.get(1, wire.EMPTY)), wire.text(meta.get(2, wire.EMPTY))
        name = fields.name_of(api_version, kind)
        if name is None:
            raise UnknownKindError(f"{kind} ({api_version}) is read as JSON only")
        content = _Reading().message(name, wire.block(envelope.get(2, wire.EMPTY)), {}, 0)
    except wire.WireError as error:
        raise contract.UndecodableError(f"the protobuf body cannot be read: {error}") from error
    return {"apiVersion": api_version, "kind": kind, **content}


class _Reading:
    """One body being read; it counts what it has read."""

    def __init__(self) -> None:
        self._left = _SIZE_LIMIT

    def message(self, name: str, data: memoryview, into: dict[str, Any], depth: int) -> Any:
        """Read a message into the object ``into``, which holds what came before of the same field, and give it back.

        In place of the object it is one of its values where the message is a choice.
        """
        if depth > _DEPTH_LIMIT:
            raise wire.WireError(f"messages are nested deeper than {_DEPTH_LIMIT}")
        message = fields.messages()[name]
        if message.either:
            into = {}
        for number, payload in wire.fields(data):
            self._count()
            field = message.fields.get(number)
            if field is not None:
                self._take(field, payload, into, depth)
        return _chosen(message, into) if message.either else into

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise wire.WireError(f"there are more than {_SIZE_LIMIT} fields: send JSON")

    def _take(self, field: fields.Field, payload: wire.Value, into: dict[str, Any], depth: int) -> None:
        if field.shape == "list":
            into.setdefault(field.name, []).extend(self._items(field.form, payload, depth))
        elif field.shape == "map":
            key, value = self._entry(field.form, payload, depth)
            into.setdefault(field.name, {})[key] = value
        elif field.name:
            value = self._value(field.form, payload, into.get(field.name), depth)
            if value is None or (field.drop_zero and not value):
                into.pop(field.name, None)
            else:
                into[field.name] = value
        else:
            self.message(field.form, wire.block(payload), into, depth + 1)

    def _items(self, form: str, payload: wire.Value, depth: int) -> Iterator[Any]:
        """The element that ``payload`` is, or the elements of a packed list of numbers."""
        if form in forms.NUMBERS and isinstance(payload, memoryview):
            at = 0
            while at < len(payload):
                self._count()
                number, at = wire.varint(payload, at)
                yield forms.NUMBERS[form](number)
        else:
            yield self._value(form, payload, None, depth)

    def _entry(self, form: str, payload: wire.Value, depth: int) -> tuple[str, Any]:
        """One key and value of a map; either may be left out when it is empty."""
        parts = wire.parts(payload)
        absent: wire.Value = 0 if form in forms.NUMBERS else wire.EMPTY
        return wire.text(parts.get(1, wire.EMPTY)), self._value(form, parts.get(2, absent), None, depth)

    def _value(self, form: str, payload: wire.Value, before: Any, depth: int) -> Any:
        reader = forms.READERS.get(form)
        if reader is not None:
            return reader(payload)
        return self.message(form, wire.block(payload), before if isinstance(before, dict) else {}, depth + 1)


def _chosen(message: fields.Message, found: dict[str, Any]) -> Any:
    present = [number for number, field in message.fields.items() if field.name in found]
    return found[message.fields[max(present)].name] if present else None
