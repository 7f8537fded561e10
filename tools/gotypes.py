"""Struct types of a Go program, read from the type information that every Go binary carries for reflection.

Enough of it to list a struct's fields with their tags: the ELF sections, the module data, ``abi.Type`` and its kinds as Go 1.24 to 1.26
lay them out on 64-bit little-endian machines. Names follow Go's source: ``internal/abi/type.go`` and ``runtime/symtab.go``.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES_WORD = 296
"""Where module data holds the address of the first type."""

BOOL, INT32, INT64, UINT8, FLOAT64, MAP, POINTER, SLICE, STRING, STRUCT = 1, 5, 6, 8, 14, 21, 22, 23, 24, 25

_TYPE_SIZE = 48
_STRUCT_SIZE = _TYPE_SIZE + 32
_NAMED, _EXTRA_STAR = 1, 2
_HAS_TAG = 2


class NotGoError(Exception):
    """The file is no Go program of the expected layout; the text says what is missing."""


@dataclasses.dataclass(frozen=True)
class Field:
    """A struct's field: its Go name, its tags by key, and its type."""

    name: str
    tags: Mapping[str, str]
    type: Type


@dataclasses.dataclass(frozen=True)
class Type:
    """A type at ``address``; equal addresses are equal types. ``name`` like ``v1.PodSpec`` or ``[]string``."""

    address: int
    kind: int
    name: str
    named: bool


class Program:
    """One binary, held in memory."""

    def __init__(self, path: pathlib.Path) -> None:
        self._data = path.read_bytes()
        if self._data[:6] != b"\x7fELF\x02\x01":
            raise NotGoError(f"{path} is no 64-bit little-endian ELF program")
        self._sections = dict(self._read_sections())
        if missing := {".go.module", ".typelink", ".rodata"} - self._sections.keys():
            raise NotGoError(f"{path} has no section {', '.join(sorted(missing))}: it was built with another Go")
        (self._types,) = self._at("<Q", self._sections[".go.module"][0] + _TYPES_WORD)

    def _read_sections(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        (start,) = struct.unpack_from("<Q", self._data, 0x28)
        size, count, names = struct.unpack_from("<HHH", self._data, 0x3A)
        headers = [struct.unpack_from("<IIQQQQ", self._data, start + index * size) for index in range(count)]
        if names >= len(headers):
            return
        base = headers[names][4]
        for name, _, _, address, offset, length in headers:
            text = self._data[base + name : self._data.index(b"\0", base + name)].decode()
            yield text, (address, offset, length)

    def _offset(self, address: int) -> int:
        for start, offset, length in self._sections.values():
            if start and start <= address < start + length:
                return offset + address - start
        raise NotGoError(f"address {address:#x} lies in no section: the type information is laid out otherwise")

    def _at(self, layout: str, address: int) -> tuple[Any, ...]:
        return struct.unpack_from(layout, self._data, self._offset(address))

    def _text(self, at: int) -> tuple[str, int]:
        length = shift = 0
        while True:
            byte = self._data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return self._data[at : at + length].decode(), at + length

    def _name(self, address: int) -> tuple[str, str]:
        """A name record: the name and its tag."""
        at = self._offset(address)
        flags = self._data[at]
        name, at = self._text(at + 1)
        return name, self._text(at)[0] if flags & _HAS_TAG else ""

    def type_at(self, address: int) -> Type:
        """The type at ``address``."""
        *_, flags, _, _, kind, _, _, name, _ = self._at("<QQIBBBBQQii", address)
        text = self._name(self._types + name)[0]
        # A type and the pointer to it share one string.
        text = text[1:] if flags & _EXTRA_STAR else text
        return Type(address, kind & 0x1F, text, bool(flags & _NAMED))

    def structs(self) -> Iterator[tuple[str, Type]]:
        """Every struct that some pointer type leads to, as ``k8s.io/api/core/v1.PodSpec``."""
        address, _, length = self._sections[".typelink"]
        for (offset,) in struct.iter_unpack("<i", self._data[self._offset(address) :][:length]):
            pointer = self.type_at(self._types + offset)
            if pointer.kind == POINTER:
                found = self.element(pointer)
                if found.kind == STRUCT and found.named:
                    yield self.full_name(found), found

    def full_name(self, found: Type) -> str:
        """Package path and name of a named struct."""
        (package,) = self._at("<i", found.address + _STRUCT_SIZE)
        return f"{self._name(self._types + package)[0]}.{found.name.rpartition('.')[2]}"

    def element(self, found: Type) -> Type:
        """What a pointer or slice leads to, or a map holds."""
        (address,) = self._at("<Q", found.address + _TYPE_SIZE + (8 if found.kind == MAP else 0))
        return self.type_at(address)

    def fields(self, found: Type) -> Iterator[Field]:
        """The fields of a struct, in order."""
        start, count, _ = self._at("<QQQ", found.address + _TYPE_SIZE + 8)
        for index in range(count):
            name, kind, _ = self._at("<QQQ", start + 24 * index)
            text, tag = self._name(name)
            yield Field(text, dict(re.findall(r'(\w+):"([^"]*)"', tag)), self.type_at(kind))
