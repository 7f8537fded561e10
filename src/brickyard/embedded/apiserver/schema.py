"""Objects of built-in kinds against their definitions, as a typed decoder would see them.

Three passes over the same compiled tree: ``check_types`` refuses a value of the wrong type in the words of Go's JSON decoder,
``unknown_fields`` names what the kind does not have, ``pruned`` copies an object without unknown fields and without nulls.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, definitions
from brickyard.kube.objects import errors, quantities
from brickyard.lib import timestamps

_QUANTITY = re.compile(r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_INTEGERS = {"int32": 2**31, "int64": 2**63}


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """A compiled schema. ``form`` says what JSON is taken:

    ``struct`` (an object with ``fields``), ``map`` and ``list`` (of ``items``), ``string``, ``integer``, ``number``, ``boolean``,
    ``int-or-string``, ``quantity``, ``time``, ``bytes`` (base64), ``any``. ``go`` is the type's name in a decoder's complaint.
    """

    form: str
    go: str
    fields: Mapping[str, Node] = dataclasses.field(default_factory=dict)
    items: Node | None = None

    @property
    def element(self) -> Node:
        return self.items or _ANY


_ANY = Node("any", "interface {}")
_NAMED_FORMS = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "int-or-string",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
}
_ZERO: Mapping[str, Any] = {
    "string": "",
    "bytes": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
    "int-or-string": 0,
    "quantity": "0",
}


class _Compiler:
    """Compiles definitions once each. A definition that refers to itself gives a tree with a cycle."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def definition(self, name: str) -> Node:
        node = self._nodes.get(name)
        if node is None:
            # Registered before its fields are compiled: one of them may lead back here.
            node = self._nodes[name] = Node(_NAMED_FORMS.get(name, "struct"), _go_name(name))
            schema = definitions.load()[name]
            if node.form == "struct" and schema.get("type") != "object":
                node.form = "any"
            node.fields = {field: self._compiled(each) for field, each in schema.get("properties", {}).items()}
        return node

    def _compiled(self, schema: definitions.Schema) -> Node:
        name = definitions.referred(schema)
        if name is not None:
            return self.definition(name)
        form = schema.get("type", "any")
        if form == "array":
            items = self._compiled(schema["items"])
            return Node("list", f"[]{items.go}", items=items)
        if form == "object":
            items = self._compiled(schema["additionalProperties"]) if "additionalProperties" in schema else _ANY
            return Node("map", f"map[string]{items.go}", items=items)
        return _scalar(form, schema.get("format", ""))


@functools.cache
def _compiler() -> _Compiler:
    return _Compiler()


def of_definition(name: str) -> Node:
    """The compiled definition with the full name ``name``. Shared: read, never change."""
    return _compiler().definition(name)


def _go_name(name: str) -> str:
    """``v1.PodSpec`` of ``io.k8s.api.core.v1.PodSpec``: the last two words."""
    return ".".join(name.split(".")[-2:])


def _scalar(form: str, layout: str) -> Node:
    if form == "integer":
        return Node("integer", layout if layout in _INTEGERS else "int64")
    if form == "string" and layout == "byte":
        return Node("bytes", "[]uint8")
    if form == "string" and layout == "date-time":
        return Node("time", "v1.Time")
    return Node(form, {"boolean": "bool", "number": "float64"}.get(form, form))


def check_types(node: Node, obj: resources.Object, kind: resources.ResourceType) -> None:
    """Refuse the first value of a wrong type; null fits every type.

    Raises:
        UndecodableError: worded as Kubernetes words it, with ``kind``.
    """
    try:
        orjson.dumps(obj)  # refuses what nests too deep for any of the passes, and integers beyond 64 bits
        _check(node, obj, "", kind.kind)
    except (_MismatchError, orjson.JSONEncodeError) as error:
        raise contract.UndecodableError(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
        ) from None


class _MismatchError(ValueError):
    """The decoder's part of the complaint."""


def _check(node: Node, value: Any, path: str, struct: str) -> None:
    """``path`` has field names only, no indexes and no map keys; ``struct`` is the innermost struct's name: so Go words it."""
    if value is None or node.form == "any":
        return
    if node.form == "struct":
        _check_struct(node, value, path, struct)
    elif node.form == "map":
        if not isinstance(value, dict):
            raise _mismatch(node, value, path, struct)
        for each in value.values():
            _check(node.element, each, path, struct)
    elif node.form == "list":
        if not isinstance(value, list):
            raise _mismatch(node, value, path, struct)
        for each in value:
            _check(node.element, each, path, struct)
    else:
        _check_scalar(node, value, path, struct)


def _check_struct(node: Node, value: Any, path: str, struct: str) -> None:
    if not isinstance(value, dict):
        raise _mismatch(node, value, path, struct)
    inner = node.go.rpartition(".")[2]
    for name, each in value.items():
        field = node.fields.get(name)
        if field is not None:
            _check(field, each, f"{path}.{name}" if path else name, inner)


def _check_scalar(node: Node, value: Any, path: str, struct: str) -> None:
    fits = _FITS[node.form]
    if not fits(value):
        raise _mismatch(node, value, path, struct)
    if node.form == "integer" and not -_INTEGERS[node.go] <= value < _INTEGERS[node.go]:
        raise _mismatch(node, value, path, struct)
    complaint = _COMPLAINTS.get(node.form)
    if complaint is not None and (text := complaint(value)):
        raise _MismatchError(text)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": _is_string,
    "bytes": _is_string,
    "time": _is_string,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "int-or-string": lambda value: _is_string(value) or _is_integer(value),
    "quantity": lambda value: _is_string(value) or _is_number(value),
}


def _bad_quantity(value: Any) -> str:
    if isinstance(value, str) and not _QUANTITY.match(value):
        return f"quantities must match the regular expression '{_QUANTITY.pattern}'"
    return ""


def _bad_base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return f"illegal base64 data at input byte {_first_foreign(value)}"
    return ""


def _first_foreign(text: str) -> int:
    found = re.search(r"[^A-Za-z0-9+/]", text)
    return found.start() if found else len(text) // 4 * 4


def _is_time(value: str) -> bool:
    if _TIME.fullmatch(value) is None:
        return False
    try:
        timestamps.parse_rfc3339(value)
    except ValueError:
        return False  # the right form, but no such day or hour
    return True


def _bad_time(value: str) -> str:
    if not _is_time(value):
        return f'parsing time "\\"{value}\\"" as "\\"2006-01-02T15:04:05Z07:00\\"": cannot parse "{value}" as RFC 3339'
    return ""


_COMPLAINTS: Mapping[str, Callable[[Any], str]] = {"quantity": _bad_quantity, "bytes": _bad_base64, "time": _bad_time}


def _mismatch(node: Node, value: Any, path: str, struct: str) -> _MismatchError:
    return _MismatchError(
        f"json: cannot unmarshal {_word(value, node)} into Go struct field {struct}.{path} of type {node.go}"
    )


def _word(value: Any, node: Node) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        # Go names the number only where a number was wanted.
        return f"number {value}" if node.form in ("integer", "number") else "number"
    return _WORDS.get(type(value), type(value).__name__)


_WORDS: Mapping[type[object], str] = {str: "string", list: "array", dict: "object"}


def unknown_fields(node: Node, value: Any, path: str = "") -> list[str]:
    """Paths of the fields that ``node`` does not have, such as ``spec.template.spec.containers[0].imag``."""
    if node.form == "struct" and isinstance(value, dict):
        found: list[str] = []
        for name, each in value.items():
            inner = f"{path}.{name}" if path else name
            field = node.fields.get(name)
            found += [inner] if field is None else unknown_fields(field, each, inner)
        return found
    if node.form == "list" and isinstance(value, list):
        return [
            each for index, item in enumerate(value) for each in unknown_fields(node.element, item, f"{path}[{index}]")
        ]
    if node.form == "map" and isinstance(value, dict):
        return [each for key, item in value.items() for each in unknown_fields(node.element, item, f"{path}.{key}")]
    return []


def pruned(node: Node, value: Any) -> Any:
    """What a typed decoder keeps of ``value``: no unknown fields, no null fields, nulls of lists and maps as zeros.

    Times are in UTC, quantities texts in their one spelling.
    """
    if node.form == "struct" and isinstance(value, dict):
        fields = node.fields
        return {name: pruned(fields[name], each) for name, each in value.items() if each is not None and name in fields}
    if node.form == "list" and isinstance(value, list):
        return [_zero(node.element) if each is None else pruned(node.element, each) for each in value]
    if node.form == "map" and isinstance(value, dict):
        return {key: _zero(node.element) if each is None else pruned(node.element, each) for key, each in value.items()}
    if node.form == "time" and isinstance(value, str):
        return _utc(node, value)
    return _quantity(value) if node.form == "quantity" and value is not None else value


@functools.lru_cache(maxsize=1024)
def _quantity(value: str | int | float) -> str | int | float:
    """A quantity as a typed decoder keeps it. What is none is left for the kind's rules to refuse."""
    try:
        return quantities.canonical(value)
    except errors.QuantityError:
        return value


def _utc(node: Node, text: str) -> str:
    """A time as a typed decoder keeps it: in UTC, with whole seconds or (``MicroTime``) six decimals."""
    micro = node.go == "v1.MicroTime"
    if text.endswith("Z") and len(text) == (27 if micro else 20):
        return text
    try:
        moment = datetime.datetime.fromisoformat(text).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return text
    return moment.isoformat(timespec="microseconds" if micro else "seconds").removesuffix("+00:00") + "Z"


def _zero(node: Node) -> Any:
    if node.form in ("struct", "map"):
        return {}
    return [] if node.form == "list" else _ZERO.get(node.form)
