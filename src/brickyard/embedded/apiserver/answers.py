"""What a verb answers with: bytes, or bytes that keep coming."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import orjson

JSON: Final = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    body: bytes
    code: int = 200
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Stream:
    """An answer of unknown length. Closing ``chunks`` frees what it holds."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


def of_json(value: Mapping[str, Any], code: int = 200) -> Answer:
    """``value`` as JSON."""
    return Answer(orjson.dumps(value), code)
