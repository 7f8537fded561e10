"""``/v1/audio/transcriptions`` and ``/v1/audio/translations``: forms, whose file the gateway passes by."""

from __future__ import annotations

import dataclasses
from typing import Final

import python_multipart
from python_multipart import exceptions

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.dialects import contract

_FIELD_LIMIT: Final = 4096
"""Bytes of a field that is read; more than any name of a model has."""
_PARTS_LIMIT: Final = 256
_READ: Final = frozenset((b"model", b"stream", b"user"))


@dataclasses.dataclass(frozen=True, slots=True)
class Audio:
    """``multipart/form-data`` with a field ``model`` and, for streams, ``stream`` as ``true`` or ``1``."""

    path: str

    def read(self, body: bytes, content_type: bytes = b"") -> contract.Meaning:
        given = _Form(_boundary(content_type)).read(body)
        model = given.get(b"model", b"").decode(errors="replace").strip()
        if not model:
            raise _broken("the form names no model: add a field model; GET /v1/models lists those served", "model")
        stream = given.get(b"stream", b"").strip().lower() in (b"1", b"true")
        return contract.Meaning(model, stream, given.get(b"user", b"").decode(errors="replace"))


def _boundary(content_type: bytes) -> bytes:
    """The border between the parts.

    Raises:
        RefusedError: it is no form, or does not say.
    """
    kind, options = python_multipart.multipart.parse_options_header(content_type)
    if not kind.startswith(b"multipart/"):
        shown = content_type.decode("latin-1") or "none"
        text = f"audio comes as multipart/form-data, the request's content-type is {shown}: send a form with file and model"
        raise errors.RefusedError(openai.ApiError(400, text), ((names.ERROR_BODY, "true"),))
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise _broken("the content-type multipart/form-data names no boundary: let the HTTP client make the header")
    return boundary


class _Form:
    """Collects the few fields that are read; files pass by uncopied."""

    def __init__(self, boundary: bytes) -> None:
        self._found: dict[bytes, bytes] = {}
        self._name = self._header = self._value = b""
        self._parts = 0
        self._ended = False
        try:
            self._parser = python_multipart.MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._field,
                    "on_header_value": self._content,
                    "on_header_end": self._header_end,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except exceptions.FormParserError as error:
            raise _broken(f"the form's boundary cannot be used: {error}") from error

    def read(self, body: bytes) -> dict[bytes, bytes]:
        try:
            self._parser.write(body)
            self._parser.finalize()
        except exceptions.FormParserError as error:
            raise _broken(f"the form cannot be read: {error}") from error
        if not self._ended:
            raise _broken("the form ends before its last boundary: send all of it")
        return self._found

    def _begin(self) -> None:
        self._parts += 1
        self._name = self._header = self._value = b""
        if self._parts > _PARTS_LIMIT:
            raise _broken(f"the form has more than {_PARTS_LIMIT} parts")

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = python_multipart.multipart.parse_options_header(self._value)
            self._name = options.get(b"name", b"")
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name in _READ:
            text = self._found.get(self._name, b"") + data[start:end]
            if len(text) > _FIELD_LIMIT:
                name = self._name.decode()
                raise _broken(f"the field {name} is longer than {_FIELD_LIMIT} bytes", name)
            self._found[self._name] = text

    def _end(self) -> None:
        self._ended = True


def _broken(message: str, param: str | None = None) -> errors.RefusedError:
    return errors.RefusedError(openai.ApiError(400, message, None, param), ((names.ERROR_MULTIPART, "true"),))


TRANSCRIPTIONS = Audio("/v1/audio/transcriptions")
TRANSLATIONS = Audio("/v1/audio/translations")
