"""The field numbers of Kubernetes' messages: a table made by ``tools/make_protobuf.py``, unpacked once per process."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import importlib.resources
from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson

DELETE_OPTIONS: Final = "k8s.io/apimachinery/pkg/apis/meta/v1.DeleteOptions"
_DEFINITIONS: Final = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"

Shape = Literal["one", "list", "map"]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    ``name`` is its name in JSON, "" where its message's fields stand in its holder's object. ``form`` is a word of ``forms`` or the
    full name of a message: the value's own, that of each element of a list, or of each value of a map with text as keys. A value with
    ``drop_zero`` is left out of JSON when it is zero, empty or false.
    """

    name: str
    shape: Shape
    form: str
    drop_zero: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """A message by field number. In JSON ``either`` of its fields stands for the whole, the one with the higher number first."""

    fields: Mapping[int, Field]
    either: bool


@functools.cache
def messages() -> Mapping[str, Message]:
    """Every message by full name, such as ``k8s.io/api/core/v1.PodSpec``."""
    packed = importlib.resources.files("brickyard.embedded.apiserver").joinpath("data/protobuf.json.gz").read_bytes()
    document = orjson.loads(gzip.decompress(packed))
    either = frozenset(document["either"])
    return {
        name: Message({number: _field(*row) for number, *row in rows}, name in either)
        for name, rows in document["messages"].items()
    }


def _field(name: str, form: str, drop_zero: Any) -> Field:
    shape, _, inner = form.rpartition(" ")
    return Field(name, "list" if shape == "list" else "map" if shape == "map" else "one", inner, bool(drop_zero))


def name_of(api_version: str, kind: str) -> str | None:
    """Full name of a kind's message; None when it is not in the table. Options of a delete come under any group.

    Packages are called by the first word of the group: ``k8s.io/api/apps/v1.Deployment`` of ``apps/v1``.
    """
    group, _, version = api_version.rpartition("/")
    if kind == "DeleteOptions":
        return DELETE_OPTIONS
    package = _DEFINITIONS if group == "apiextensions.k8s.io" else f"k8s.io/api/{group.partition('.')[0] or 'core'}"
    name = f"{package}/{version}.{kind}"
    return name if name in messages() else None
