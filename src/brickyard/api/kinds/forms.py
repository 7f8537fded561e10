"""The forms a value takes in a Kubernetes object: how it is read, how it is written, and what a schema says of it.

A form knows nothing of names, defaults and descriptions: those are a field's (``views``). Each keyword of a form is the keyword of
the OpenAPI schema of the same name, in Python's spelling.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from brickyard.api import errors

T = TypeVar("T")

Schema = dict[str, Any]
"""A part of a structural schema (OpenAPI v3 with the extensions of Kubernetes)."""

QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_INT_OR_STRING: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


class Form(Protocol[T]):
    """How values of one form go between a dict and Python. ``path`` is where the value stands, for errors."""

    def read(self, value: Any, path: str) -> T:
        """What stands in the dict, as Python. Never called with None.

        Raises:
            MalformedError: it is of another form.
        """
        ...

    def write(self, value: T, path: str) -> Any:
        """What to put into the dict.

        Raises:
            MalformedError: ``value`` is of another form.
        """
        ...

    def schema(self) -> Schema:
        """What a schema says of such a value; a fresh dict."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Scalar(Generic[T]):
    """A value without parts. ``wanted`` names the form in errors; ``accept`` returns the value, or None for another form."""

    wanted: str
    accept: Callable[[Any], T | None]
    keywords: Mapping[str, Any]

    def read(self, value: Any, path: str) -> T:
        found = self.accept(value)
        if found is None:
            raise wrong_form(path, self.wanted, value)
        return found

    def write(self, value: T, path: str) -> Any:
        return self.read(value, path)

    def schema(self) -> Schema:
        return copy.deepcopy(dict(self.keywords))


@dataclasses.dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list whose items have one form. Read as a tuple: to change the list, set another."""

    item: Form[T]
    keywords: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def read(self, value: Any, path: str) -> Sequence[T]:
        if not isinstance(value, list):
            raise wrong_form(path, "a list", value)
        return tuple(self.item.read(each, f"{path}[{index}]") for index, each in enumerate(value))

    def write(self, value: Sequence[T], path: str) -> Any:
        return [self.item.write(each, f"{path}[{index}]") for index, each in enumerate(value)]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), **copy.deepcopy(dict(self.keywords))}


@dataclasses.dataclass(frozen=True, slots=True)
class MapOf(Generic[T]):
    """Free keys whose values have one form. Read as a copy: to change the map, set another."""

    value: Form[T]

    def read(self, value: Any, path: str) -> Mapping[str, T]:
        if not isinstance(value, dict):
            raise wrong_form(path, "an object", value)
        # A null counts as absent here as everywhere.
        return {name: self.value.read(each, _key(path, name)) for name, each in value.items() if each is not None}

    def write(self, value: Mapping[str, T], path: str) -> Any:
        return {name: self.value.write(each, _key(path, name)) for name, each in value.items()}

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.value.schema()}


def _key(path: str, name: str) -> str:
    return f"{path}[{name}]"


def wrong_form(path: str, wanted: str, value: Any) -> errors.MalformedError:
    """The error of a value that is not ``wanted``. The value itself is not told: it may be a secret."""
    return errors.MalformedError(path, f"must be {wanted}, not {_named(value)}")


def _named(value: Any) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), type(value).__name__)


_NAMES: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "a boolean"),  # before int, whose kind it is
    (int, "a number"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "an object"),
)


def text(
    *,
    enum: Sequence[str] = (),
    pattern: str = "",
    min_length: int | None = None,
    max_length: int | None = None,
    format: str = "",  # noqa: A002 - the schema's own word
) -> Scalar[str]:
    """A string; ``format`` like ``date-time`` (a moment as in ``lib.timestamps``)."""
    keywords = {
        "type": "string",
        "format": format or None,
        "enum": list(enum) or None,
        "pattern": pattern or None,
        "minLength": min_length,
        "maxLength": max_length,
    }
    return Scalar("a string", lambda value: value if isinstance(value, str) else None, _given(keywords))


def integer(
    *, minimum: int | None = None, maximum: int | None = None, enum: Sequence[int] = (), bits: int = 32
) -> Scalar[int]:
    """A whole number that fits ``bits`` bits with a sign."""
    keywords = {
        "type": "integer",
        "format": f"int{bits}",
        "enum": list(enum) or None,
        "minimum": minimum,
        "maximum": maximum,
    }
    return Scalar("a whole number", _whole, _given(keywords))


def boolean() -> Scalar[bool]:
    """True or false."""
    return Scalar("true or false", lambda value: value if isinstance(value, bool) else None, {"type": "boolean"})


def int_or_text() -> Scalar[int | str]:
    """A number, or a text that stands for one, such as a share: 2 or "25%"; also a port by number or name."""
    return Scalar("a whole number or a string", _int_or_text, _INT_OR_STRING)


def quantity() -> Scalar[int | str]:
    """An amount of a resource: 2, "500m", "1Gi". What it comes to is for ``kube.objects`` to say."""
    return Scalar("a quantity", _int_or_text, {**_INT_OR_STRING, "pattern": QUANTITY_PATTERN})


def opened(keywords: Mapping[str, Any] | None = None) -> Scalar[dict[str, Any]]:
    """A part that another project defines, read as the dict it is. ``keywords`` is its schema; without, it holds anything."""
    anything: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return Scalar("an object", lambda value: value if isinstance(value, dict) else None, keywords or anything)


def _given(keywords: Mapping[str, Any]) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    # JSON does not tell 3.0 from 3, and neither does the schema's validation.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def _int_or_text(value: Any) -> int | str | None:
    return value if isinstance(value, str) else _whole(value)
