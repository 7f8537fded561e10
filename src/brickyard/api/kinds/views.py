"""Typed views over plain dicts, and the schemas that come from the same declarations.

A kind is declared once, field by field::

    class Window(views.View):
        \"\"\"When, and how many.\"\"\"

        start_time = views.text("First minute, HH:MM.", pattern="^[0-2][0-9]:[0-5][0-9]$").required()
        min_replicas = views.integer("Fewest pods.", minimum=0)
        max_replicas = views.integer("Most pods.").default(4)

A view holds no values. It reads from the dict it was made of and writes into it, so that fields it does not know survive::

    window = Window({"startTime": "08:00", "note": "kept"})
    window.start_time            # "08:00"
    window.min_replicas          # None: absent, or null
    window.max_replicas          # 4: absent, and 4 is the default
    window.min_replicas = 2      # now the dict has "minReplicas": 2
    window.min_replicas = None   # and now it has not

What a field gives when it is absent or null is part of its declaration and of its Python type:

    (nothing said)     None
    .required()        MalformedError; the schema refuses the object
    .default(value)    ``value``; the schema fills it in
    .absent(value)     ``value``; the schema leaves it out, so that "not said" stays visible in the object
    lists and maps     empty

Lists and maps are read as copies: to change one, set another. Their items, where these are views, still write into the object.
The schema of a view (``View.schema``) is what its CustomResourceDefinition says, descriptions included: ``kubectl explain`` shows
them, so each tells its reader the unit and what absence means.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, overload

from brickyard.api import errors
from brickyard.api.kinds import forms, resources

T = TypeVar("T")
V = TypeVar("V", bound="View")

_NOTHING: Final = object()


@dataclasses.dataclass(frozen=True, slots=True)
class _Declared:
    """Everything said of one field. ``absent`` is the JSON that stands in for an absent value; _NOTHING for none."""

    form: forms.Form[Any]
    description: str
    name: str = ""
    required: bool = False
    absent: Any = _NOTHING
    default_in_schema: bool = False
    nullable: bool = False

    def schema(self) -> forms.Schema:
        found = {"description": self.description, **self.form.schema()}
        if self.default_in_schema:
            found["default"] = copy.deepcopy(self.absent)
        if self.nullable:
            found["nullable"] = True
        return found


class Field(Generic[T]):
    """One field of a view. Its name in the object is its Python name in camelCase, unless ``named`` says another."""

    def __init__(self, declared: _Declared) -> None:
        self.declared = declared

    def __set_name__(self, owner: type[View], name: str) -> None:
        if not self.declared.name:
            first, *others = name.split("_")
            self.declared = dataclasses.replace(self.declared, name=first + "".join(map(str.capitalize, others)))

    @overload
    def __get__(self, view: None, owner: type[View]) -> Self: ...

    @overload
    def __get__(self, view: View, owner: type[View]) -> T: ...

    def __get__(self, view: View | None, owner: type[View]) -> Self | T:
        if view is None:
            return self
        found: T = view.get_field(self.declared)
        return found

    def __set__(self, view: View, value: T) -> None:
        view.set_field(self.declared, value)

    def __delete__(self, view: View) -> None:
        view.set_field(self.declared, None)

    def named(self, name: str) -> Self:
        """The field with ``name`` in the object."""
        return self._but(name=name)

    def nullable(self) -> Self:
        """The field with null as something to be kept, rather than dropped on the way in."""
        return self._but(nullable=True)

    def deprecated(self) -> Self:
        """The field of an earlier time: still accepted, and told as such."""
        return self._but(description=f"Deprecated: {self.declared.description}")

    def _but(self, **changes: Any) -> Self:
        return type(self)(dataclasses.replace(self.declared, **changes))


class Maybe(Field[T | None], Generic[T]):
    """A field that is None when it is absent, until one of these says otherwise."""

    def required(self) -> Field[T]:
        """The field as one that must be there."""
        return Field(dataclasses.replace(self.declared, required=True))

    def default(self, value: Any) -> Field[T]:
        """The field with ``value`` (JSON) filled in by the schema."""
        return Field(_with_default(self.declared, value))

    def absent(self, value: Any) -> Field[T]:
        """The field with ``value`` (JSON) read where it is absent; the object itself is left as it is."""
        self.declared.form.read(value, "absent")
        return Field(dataclasses.replace(self.declared, absent=value))


class Many(Field[T]):
    """A list or a map, empty when it is absent."""

    def required(self) -> Field[T]:
        """The field as one that must be there."""
        return Field(dataclasses.replace(self.declared, required=True))

    def default(self, value: Any) -> Field[T]:
        """The field with ``value`` (JSON) filled in by the schema."""
        return Field(_with_default(self.declared, value))


def _with_default(declared: _Declared, value: Any) -> _Declared:
    declared.form.read(value, "default")
    return dataclasses.replace(declared, absent=value, default_in_schema=True)


def _fresh(value: Any) -> Any:
    """``value`` for a reader who may write into it; most need no copy."""
    return copy.deepcopy(value) if isinstance(value, dict | list) else value


@dataclasses.dataclass(frozen=True, slots=True)
class _Pending:
    """Where the dict of a view will stand as soon as something is written into it."""

    view: View
    name: str


class View:
    """An object, or a part of one, by the names and types of its fields. To compare content, compare ``data``.

    Options of a subclass: ``atomic`` (the part is owned as a whole by whoever applies it), ``max_properties``, ``open`` (unknown
    fields are kept by the schema, too).
    """

    fields: ClassVar[Mapping[str, Field[Any]]] = {}
    """By Python name, in the order of their declaration."""
    keywords: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, *, atomic: bool = False, max_properties: int | None = None, open: bool = False) -> None:  # noqa: A002
        super().__init_subclass__()
        cls.fields = {**cls.fields, **{name: each for name, each in vars(cls).items() if isinstance(each, Field)}}
        said = {
            "x-kubernetes-map-type": "atomic" if atomic else None,
            "maxProperties": max_properties,
            "x-kubernetes-preserve-unknown-fields": open or None,
        }
        cls.keywords = {name: value for name, value in said.items() if value is not None}

    def __init__(self, data: resources.Object | None = None, *, path: str = "") -> None:
        self._data: resources.Object = {} if data is None else data
        self._path = path
        self._pending: _Pending | None = None

    @property
    def data(self) -> resources.Object:
        """The dict itself. That of an absent part is empty, and becomes part of the object with the first write through the view."""
        if self._pending is not None:
            found = self._pending.view.data.get(self._pending.name)
            if isinstance(found, dict):
                self._data, self._pending = found, None
        return self._data

    def get_field(self, declared: _Declared) -> Any:
        """The field's value, or what stands in for it."""
        path = self._below(declared.name)
        value = self.data.get(declared.name)
        if value is not None:
            return declared.form.read(value, path)
        if declared.required:
            raise errors.MalformedError(path, "is required")
        if declared.absent is _NOTHING:
            return None
        found = declared.form.read(_fresh(declared.absent), path)
        if isinstance(found, View):
            found._pending = _Pending(self, declared.name)
        return found

    def set_field(self, declared: _Declared, value: Any) -> None:
        """Put the field's value into the dict; None takes it out."""
        if value is None:
            self.data.pop(declared.name, None)
            return
        written = declared.form.write(value, self._below(declared.name))
        self._attach()
        self.data[declared.name] = written

    def _attach(self) -> None:
        data = self.data
        if self._pending is not None:
            self._pending.view._attach()
            self._pending.view.data[self._pending.name] = data
            self._pending = None

    def _below(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.data!r})"

    @classmethod
    def schema(cls) -> forms.Schema:
        """The structural schema; a fresh dict."""
        declared = [each.declared for each in cls.fields.values()]
        found: forms.Schema = {"type": "object", **cls.keywords}
        if declared:
            found["properties"] = {each.name: each.schema() for each in declared}
        if required := [each.name for each in declared if each.required]:
            found["required"] = required
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class PartForm(Generic[V]):
    """A part of an object that has a view of its own."""

    view: type[V]

    def read(self, value: Any, path: str) -> V:
        if not isinstance(value, dict):
            raise forms.wrong_form(path, "an object", value)
        return self.view(value, path=path)

    def write(self, value: V, path: str) -> Any:
        if not isinstance(value, View):
            raise forms.wrong_form(path, f"a {self.view.__name__}", value)
        return value.data

    def schema(self) -> forms.Schema:
        return self.view.schema()


def text(
    description: str,
    *,
    enum: Sequence[str] = (),
    pattern: str = "",
    min_length: int | None = None,
    max_length: int | None = None,
) -> Maybe[str]:
    """A string."""
    form = forms.text(enum=enum, pattern=pattern, min_length=min_length, max_length=max_length)
    return Maybe(_Declared(form, description))


def moment(description: str) -> Maybe[str]:
    """A time as RFC 3339 text; ``lib.timestamps`` reads and writes it."""
    return Maybe(_Declared(forms.text(format="date-time"), description))


def integer(
    description: str,
    *,
    minimum: int | None = None,
    maximum: int | None = None,
    enum: Sequence[int] = (),
    bits: int = 32,
) -> Maybe[int]:
    """A whole number."""
    return Maybe(_Declared(forms.integer(minimum=minimum, maximum=maximum, enum=enum, bits=bits), description))


def boolean(description: str) -> Maybe[bool]:
    """True or false."""
    return Maybe(_Declared(forms.boolean(), description))


def int_or_text(description: str) -> Maybe[int | str]:
    """A whole number or a text that stands for one: 2, "25%"."""
    return Maybe(_Declared(forms.int_or_text(), description))


def quantity(description: str) -> Maybe[int | str]:
    """An amount of a resource: 2, "500m", "1Gi"."""
    return Maybe(_Declared(forms.quantity(), description))


def opened(description: str, form: forms.Form[dict[str, Any]] | None = None) -> Maybe[dict[str, Any]]:
    """A part that another project defines, as the plain dict it is."""
    return Maybe(_Declared(form or forms.opened(), description))


def part(description: str, view: type[V]) -> Maybe[V]:
    """A part with a view of its own. ``.absent({})`` makes one that is always there to be read and written."""
    return Maybe(_Declared(PartForm(view), description))


def listed(
    description: str,
    item: forms.Form[T],
    *,
    keys: Sequence[str] = (),
    min_items: int | None = None,
    max_items: int | None = None,
) -> Many[Sequence[T]]:
    """A list of values of one form. ``keys`` name the fields that tell items apart, so that appliers may own single items."""
    said = {
        "minItems": min_items,
        "maxItems": max_items,
        "x-kubernetes-list-type": "map" if keys else None,
        "x-kubernetes-list-map-keys": list(keys) or None,
    }
    keywords = {name: value for name, value in said.items() if value is not None}
    return Many(_Declared(forms.ListOf(item, keywords), description, absent=[]))


def parts(
    description: str,
    view: type[V],
    *,
    keys: Sequence[str] = (),
    min_items: int | None = None,
    max_items: int | None = None,
) -> Many[Sequence[V]]:
    """A list of parts, each with a view of its own; otherwise as ``listed``."""
    return listed(description, PartForm(view), keys=keys, min_items=min_items, max_items=max_items)


def mapped(description: str, value: forms.Form[T]) -> Many[Mapping[str, T]]:
    """Free keys with values of one form."""
    return Many(_Declared(forms.MapOf(value), description, absent={}))
