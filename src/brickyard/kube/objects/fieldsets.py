"""Sets of fields, in the form in which ``metadata.managedFields`` carries them (``fieldsV1``): nested objects of path elements.

    {"f:spec": {"f:replicas": {},                                  spec.replicas
                "f:containers": {'k:{"name":"web"}': {".": {},     spec.containers[name="web"], the element itself
                                                      "f:image": {}}}}}     … and its image

``f:`` names a field, ``k:`` an element of a list by its keys, ``v:`` an element of a set by its value, ``i:`` one by its index. A node
without children is a member of the set; one with children is a member when it holds ``"."``. So a set that is stored is a set that
can be calculated with: nothing is decoded or encoded on the way.

A node never has an empty branch: ``{}`` is the empty set at the root and a member everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import orjson

from brickyard.kube.objects import errors

FieldSet: TypeAlias = dict[str, "FieldSet"]
Path: TypeAlias = tuple[str, ...]
"""Path elements from the root to a field."""

SELF: Final = "."
LEAF: Final[FieldSet] = {}
"""The node of a member without children, and the empty set. Shared: never change it."""

_DEPTH_LIMIT: Final = 200


def by_keys(keys: dict[str, Any]) -> str:
    """The path element of a list's element that is known by ``keys`` (name to scalar)."""
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def by_value(value: Any) -> str:
    """The path element of a set's element, a scalar."""
    return "v:" + orjson.dumps(value).decode()


def is_member(node: FieldSet) -> bool:
    """Whether the field whose node this is belongs to the set."""
    return not node or SELF in node


def of(paths: Iterable[Path]) -> FieldSet:
    """The set of these paths; the root itself is in no set."""
    found: FieldSet = LEAF
    for path in paths:
        node: FieldSet | None = None
        for element in reversed(path):
            node = {element: LEAF if node is None else node}
        found = union(found, node or LEAF)
    return found


def paths(fields: FieldSet) -> Iterator[Path]:
    """Every member, in order: fields before elements, each field before what is inside it."""
    for element, node in sorted(fields.items(), key=_rank):
        if element == SELF:
            continue
        if is_member(node):
            yield (element,)
        for rest in paths(node):
            yield (element, *rest)


def _rank(item: tuple[str, FieldSet]) -> tuple[int, str]:
    return "fkvi".find(item[0][0]), item[0]


def has(fields: FieldSet, path: Path) -> bool:
    """Whether ``path`` is a member."""
    node = fields
    for element in path:
        found = node.get(element)
        if found is None:
            return False
        node = found
    return bool(path) and is_member(node)


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """Members of either."""
    if not one or one is other:
        return other
    if not other:
        return one
    joined = dict(one)
    for element, node in other.items():
        mine = joined.get(element)
        joined[element] = node if mine is None else _joined(mine, node)
    return joined


def _joined(one: FieldSet, other: FieldSet) -> FieldSet:
    if one and other:
        return union(one, other)
    full = one or other
    return full if not full or SELF in full else {**full, SELF: LEAF}


def _node(children: FieldSet, member: bool) -> FieldSet | None:
    """A node inside a set; None where nothing would be left of it."""
    if not children:
        return LEAF if member else None
    if member:
        children[SELF] = LEAF
    return children


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """Members of ``one`` that are none of ``other``. What is inside a member of ``other`` stays: see ``without``."""
    if not other or not one:
        return one
    left: FieldSet = {}
    for element, node in one.items():
        if element == SELF:
            continue
        theirs = other.get(element)
        rest = node if theirs is None else _less(node, theirs)
        if rest is not None:
            left[element] = rest
    return left


def _less(one: FieldSet, other: FieldSet) -> FieldSet | None:
    children = difference(one, other) if one and other else {key: node for key, node in one.items() if key != SELF}
    return _node(children, is_member(one) and not is_member(other))


def without(one: FieldSet, other: FieldSet) -> FieldSet:
    """Members of ``one`` that neither are members of ``other`` nor lie inside one."""
    if not other or not one:
        return one
    left: FieldSet = {}
    for element, node in one.items():
        theirs = other.get(element)
        if theirs is None or element == SELF:
            left[element] = node
        elif not is_member(theirs):
            rest = without(node, theirs)
            if rest or not node:
                left[element] = _tidy(rest)
    return left


def _tidy(node: FieldSet) -> FieldSet:
    """A member without children has one spelling."""
    return LEAF if len(node) == 1 and SELF in node else node


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """Members of both."""
    both: FieldSet = {}
    for element, node in one.items():
        theirs = other.get(element)
        if theirs is None or element == SELF:
            continue
        shared = _node(intersection(node, theirs), is_member(node) and is_member(theirs))
        if shared is not None:
            both[element] = shared
    return both


def text(path: Path) -> str:
    """``path`` as messages show it: ``.spec.containers[name="web"].image``."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, content = element[:2], element[2:]
    if kind == "f:":
        return f".{content}"
    if kind == "k:":
        keys = orjson.loads(content)
        return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in keys.items()) + "]"
    return f"[={content}]" if kind == "v:" else f"[{content}]"


def parse(value: Any) -> FieldSet:
    """A set that a client wrote, with each element in its one spelling. Elements of unknown kinds are dropped, as Kubernetes does.

    Raises:
        FieldSetError: it is none.
    """
    if not isinstance(value, dict):
        raise errors.FieldSetError("a set of fields is an object")
    return {element: node for element, node in _parsed(value, 0).items() if element != SELF}


def _parsed(value: dict[str, Any], depth: int) -> FieldSet:
    if depth > _DEPTH_LIMIT:
        raise errors.FieldSetError("the set of fields is nested too deep")
    found: FieldSet = {}
    for key, inner in value.items():
        element = SELF if key == SELF else _element(key)
        if element is None:
            continue
        if not isinstance(inner, dict):
            raise errors.FieldSetError(f"the path element {key!r} does not hold an object")
        found[element] = LEAF if element == SELF else _tidy(_parsed(inner, depth + 1))
    return found


def _element(key: str) -> str | None:
    kind, content = key[:2], key[2:]
    if len(kind) < 2 or kind[1] != ":":
        raise errors.FieldSetError(f"{key!r} is no path element: write f:, k:, v: or i: before it")
    if kind not in ("f:", "k:", "v:", "i:"):
        return None
    if kind == "f:":
        return key
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise errors.FieldSetError(f"the path element {key!r} cannot be read: {error}") from error
    if kind == "k:" and isinstance(parsed, dict):
        return by_keys(parsed)
    if kind == "v:":
        return by_value(parsed)
    if kind == "i:" and type(parsed) is int:
        return f"i:{parsed}"
    raise errors.FieldSetError(f"the path element {key!r} cannot be read")
