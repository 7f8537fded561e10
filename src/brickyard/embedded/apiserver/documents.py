"""Documents the API server serves about itself: an answer as a value, and a cache for what follows from the catalog alone."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from brickyard.embedded.apiserver import contract


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """One document. ``etag`` is quoted, as in the header; "" where the document has none."""

    content_type: str
    body: bytes
    etag: str = ""

    def fresh_for(self, if_none_match: str) -> bool:
        """Whether a client that sent this ``If-None-Match`` already has the document: answer 304 without a body."""
        asked = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
        return bool(self.etag) and (self.etag in asked or "*" in asked)


def of_json(document: Any, content_type: str = "application/json") -> Response:
    """``document`` as JSON, with an ETag of its content."""
    body = orjson.dumps(document)
    return Response(content_type, body, f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"')


class Shelf:
    """Documents by key, thrown away together when the catalog moves on. One shelf serves one catalog."""

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._version: int | None = None
        self._documents: dict[str, Response] = {}

    def get(self, key: str, catalog: contract.Catalog, render: Callable[[], Response]) -> Response:
        """The document under ``key``, rendered once for each version of ``catalog``."""
        if self._version != catalog.version:
            self._version = catalog.version
            self._documents.clear()
        found = self._documents.get(key)
        if found is None:
            found = render()
            if len(self._documents) < self._limit:
                self._documents[key] = found
        return found
