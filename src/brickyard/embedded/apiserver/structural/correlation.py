"""A value and what it was before an update: which old part belongs to which new one.

Fields and keys belong together by name, items of lists by their keys where ``x-kubernetes-list-type`` is ``map``. Other items have no
past of their own; neither have the parts of what is atomic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.embedded.apiserver.cel import values

Schema = Mapping[str, Any]


class _Absent:
    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""There is no old value, or none that belongs to the new one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A value and its past. ``unchanged``: it, or something larger that it is part of, is what it was."""

    value: Any
    old: Any = ABSENT
    settled: bool = False

    @property
    def unchanged(self) -> bool:
        return self.settled or (self.old is not ABSENT and values.equal(self.value, self.old))

    def entries(self, spec: Schema) -> Iterator[tuple[str, Pair]]:
        """The fields of an object."""
        settled = self.unchanged
        past = self.old if isinstance(self.old, dict) and spec.get("x-kubernetes-map-type") != "atomic" else {}
        for key, each in self.value.items():
            yield key, Pair(each, past.get(key, ABSENT), settled)

    def items(self, spec: Schema) -> Iterator[tuple[int, Pair]]:
        """The items of a list."""
        settled = self.unchanged
        keys = spec.get("x-kubernetes-list-map-keys") or ()
        past: dict[Any, Any] = {}
        if spec.get("x-kubernetes-list-type") == "map" and isinstance(self.old, list):
            past = {_key(each, keys): each for each in self.old if isinstance(each, dict)}
        for index, each in enumerate(self.value):
            old = past.get(_key(each, keys), ABSENT) if past and isinstance(each, dict) else ABSENT
            yield index, Pair(each, old, settled)


def _key(item: Mapping[str, Any], keys: Any) -> tuple[Any, ...]:
    return tuple(values.frozen(item.get(name)) for name in keys)
