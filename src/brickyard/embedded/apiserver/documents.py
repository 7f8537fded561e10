"""Documents the API server serves about itself: an answer as a value, and a shelf for answers that are dear to make."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import orjson


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """One document. ``etag`` is quoted, as in the header; "" where the document has none."""

    content_type: str
    body: bytes
    etag: str = ""
    status: int = 200

    def fresh_for(self, if_none_match: str) -> bool:
        """Whether a client that sent this ``If-None-Match`` already has the document: answer 304 without a body."""
        asked = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
        return bool(self.etag) and (self.etag in asked or "*" in asked)


def of_json(document: Any, content_type: str = "application/json") -> Response:
    """``document`` as JSON, with an ETag of its content."""
    return of_bytes(orjson.dumps(document), content_type)


def of_bytes(body: bytes, content_type: str) -> Response:
    """``body`` as it is, with an ETag."""
    return Response(content_type, body, f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"')


class Shelf:
    """Documents by key, each with the basis it was made from; another basis makes it anew. Keys are bounded."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._held: dict[str, tuple[object, Response]] = {}

    def get(self, key: str, basis: object, render: Callable[[], Response]) -> Response:
        """The document under ``key``, rendered unless the one held was made from an equal ``basis``."""
        held = self._held.get(key)
        if held is not None and held[0] == basis:
            return held[1]
        made = render()
        if len(self._held) >= self._limit and key not in self._held:
            self._held.clear()
        self._held[key] = (basis, made)
        return made
