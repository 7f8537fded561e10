"""What a kind's values are made of, as far as owning and merging their fields goes: a tree of ``Node``, compiled once per kind.

form     a JSON value of it is                           its fields are owned
leaf     a scalar, or a list or object kept as a whole   as one
object   an object with named ``fields``, others         each on its own
         are of ``items`` (None: there are none)
set      a list of scalars                               each element by its value
keyed    a list of objects known by ``keys``             each element by its keys, and each field inside
deduced  of no known type                                objects by field, all else as one

Values that do not fit their node count as leaves: what is stored may be older than its schema.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from brickyard.kube.objects import equality, errors, fieldsets

Form = Literal["leaf", "object", "set", "keyed", "deduced"]

FieldSet = fieldsets.FieldSet
LEAF_SET: Final = fieldsets.LEAF


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """A part of a kind. ``defaults`` hold for keys that an element leaves out. Trees of recursive types have cycles."""

    form: Form
    fields: Mapping[str, Node] = dataclasses.field(default_factory=dict)
    items: Node | None = None
    keys: Sequence[str] = ()
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def child(self, name: str) -> Node:
        """What the field ``name`` of an object is; a leaf where nothing is known of it."""
        return self.fields.get(name) or self.items or LEAF

    def inner(self) -> Node:
        """What the elements of a list are."""
        return self.items or LEAF


LEAF: Final = Node("leaf")
DEDUCED: Final = Node("deduced")
DEDUCED.items = DEDUCED


def is_object(node: Node, value: Any) -> bool:
    """Whether ``value`` is an object whose fields are owned one by one."""
    return isinstance(value, dict) and node.form in ("object", "deduced")


def is_collection(node: Node, value: Any) -> bool:
    """Whether ``value`` is a list whose elements are owned one by one."""
    return isinstance(value, list) and node.form in ("set", "keyed")


def element_of(node: Node, value: Any) -> str:
    """The path element of an element of a list.

    Raises:
        UnkeyedListError: it has no identity.
    """
    if node.form == "set":
        if value is None or isinstance(value, dict | list):
            raise errors.UnkeyedListError(": associative list without keys has an element that is no scalar")
        return fieldsets.by_value(value)
    if not isinstance(value, dict):
        raise errors.UnkeyedListError(": associative list with keys may not have non-map elements")
    found = {}
    for name in node.keys:
        key = value.get(name, node.defaults.get(name))
        if key is None:
            raise errors.UnkeyedListError(
                f': associative list with keys has an element that omits key field "{name}" '
                "(and doesn't have default value)"
            )
        found[name] = key
    return fieldsets.by_keys(found)


def indexed(node: Node, values: Sequence[Any]) -> dict[str, Any] | None:
    """Elements of a list by path element, in order; None where one has no identity, so that the list counts as a leaf.

    Where several share one identity, the tuple of them stands for them: together they count as a leaf.
    """
    found: dict[str, Any] = {}
    for each in values:
        try:
            element = element_of(node, each)
        except errors.UnkeyedListError:
            return None
        if element in found:
            before = found[element]
            found[element] = (*before, each) if isinstance(before, tuple) else (before, each)
        else:
            found[element] = each
    return found


def mentioned(node: Node, value: Any) -> FieldSet:
    """The fields that ``value``, an object, speaks of: what somebody who applies it owns.

    A field of a struct is owned through what is inside it, an entry of a map or an element of a list by itself as well.
    """
    return _mentioned(node, value, whole=False) if isinstance(value, dict) else LEAF_SET


def _mentioned(node: Node, value: Any, *, whole: bool) -> FieldSet:
    """The node of ``value`` in a set. ``whole``: maps and lists are members themselves, as for somebody who brought them about."""
    if is_object(node, value):
        return _mentioned_fields(node, value, whole=whole)
    if is_collection(node, value):
        elements = indexed(node, value)
        if elements:
            inner = node.inner()
            return _own(
                {key: _member(_mentioned(inner, each, whole=whole)) for key, each in elements.items()}, owned=whole
            )
    return LEAF_SET


def _mentioned_fields(node: Node, value: dict[str, Any], *, whole: bool) -> FieldSet:
    found: FieldSet = {}
    for name, each in value.items():
        field = node.fields.get(name)
        inner = _mentioned(field or node.items or LEAF, each, whole=whole)
        found["f:" + name] = inner if field is not None else _member(inner)
    return _own(found, owned=whole and not node.fields)


def _own(children: FieldSet, *, owned: bool) -> FieldSet:
    if owned and children:
        children[fieldsets.SELF] = LEAF_SET
    return children


def _member(node: FieldSet) -> FieldSet:
    return {**node, fieldsets.SELF: LEAF_SET} if node and fieldsets.SELF not in node else node


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """What a change did. ``changed``: fields that are new or have another value. ``removed``: fields that are gone, and all in them."""

    changed: FieldSet
    removed: FieldSet

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def compare(node: Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """What became of the object ``old`` in ``new``. Parts that are equal are not looked into."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    _compare_fields(node, old, new, changed, removed)
    return Difference(changed, removed)


def _compare_fields(
    node: Node, old: Mapping[str, Any], new: Mapping[str, Any], changed: FieldSet, removed: FieldSet
) -> None:
    for name, value in new.items():
        if name not in old:
            field = node.fields.get(name)
            added = _mentioned(field or node.items or LEAF, value, whole=True)
            changed["f:" + name] = added if field is not None else _member(added)
        elif not equality.surely_identical(old[name], value):
            _compare_values(node.child(name), "f:" + name, (old[name], value), (changed, removed))
    for name in old:
        if name not in new:
            removed["f:" + name] = LEAF_SET


def _compare_values(node: Node, element: str, pair: tuple[Any, Any], found: tuple[FieldSet, FieldSet]) -> None:
    """Put what differs between the unequal values of ``pair`` (old, new) under ``element`` into ``found`` (changed, removed)."""
    old, new = pair
    changed: FieldSet = {}
    removed: FieldSet = {}
    if is_object(node, new) and isinstance(old, dict):
        _compare_fields(node, old, new, changed, removed)
    elif is_collection(node, new) and isinstance(old, list) and _compare_lists(node, old, new, changed, removed):
        pass
    elif equality.identical(old, new):
        return  # said in another order
    else:
        became = _mentioned(node, new, whole=True)
        found[0][element] = became if element.startswith("f:") else _member(became)
        if isinstance(old, dict | list):
            found[1][element] = LEAF_SET  # whatever was owned inside it is gone
        return
    if changed:
        found[0][element] = changed
    if removed:
        found[1][element] = removed


def _compare_lists(node: Node, old: list[Any], new: list[Any], changed: FieldSet, removed: FieldSet) -> bool:
    """False where the lists can only be compared as wholes."""
    before, after = indexed(node, old), indexed(node, new)
    if before is None or after is None:
        return False
    inner = node.inner()
    for element, value in after.items():
        if element not in before:
            changed[element] = _member(_mentioned(inner, value, whole=True))
        elif not equality.surely_identical(before[element], value):
            _compare_values(inner, element, (before[element], value), (changed, removed))
    for element in before:
        if element not in after:
            removed[element] = LEAF_SET
    return True


def with_structs(node: Node, fields: FieldSet) -> FieldSet:
    """``fields``, and each struct field on the way to one: a struct belongs to whoever owns something in it."""
    found: FieldSet = {}
    for element, below in fields.items():
        if element == fieldsets.SELF or not below:
            found[element] = below
            continue
        name = element[2:] if element.startswith("f:") else None
        inner = with_structs(node.child(name) if name is not None else node.inner(), below)
        found[element] = _member(inner) if name in node.fields else inner
    return found


def fitted(node: Node, fields: FieldSet) -> FieldSet:
    """``fields`` after a change of schema: what is kept as a whole now belongs, as a whole, to whoever owned parts of it."""
    if node.form == "leaf" and fields:
        return LEAF_SET
    if node.form == "deduced" or not fields:
        return fields
    found: FieldSet = {}
    for element, below in fields.items():
        part = node.fields.get(element[2:]) or node.items if element.startswith("f:") else node.items
        found[element] = below if part is None or element == fieldsets.SELF else fitted(part, below)
    return found
