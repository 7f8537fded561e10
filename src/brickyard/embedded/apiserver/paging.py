"""Lists in pages: every page of a list comes from the moment its first page was read.

The rest of a started list is kept as references to records (shared with the store, a few bytes each), a bounded number of lists for a
bounded time; a continue token names one of them and a place in it. A token whose list is gone gets 410, and with it a token that goes
on behind the last object the client saw in the list as it is now: the client begins anew, or takes what is not one moment's list.
"""

from __future__ import annotations

import base64
import binascii
import collections
import dataclasses
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from brickyard.embedded.apiserver import errors, records

_MAX_LISTS = 64
_LIFE = 300.0
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided "
    "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was "
    "returned and now may show up in the list."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. ``continue_token`` "" on the last page; ``remaining`` counts what follows it."""

    items: Sequence[records.Record]
    revision: int
    continue_token: str = ""
    remaining: int = 0

    def more(self, *, counted: bool) -> dict[str, Any]:
        """What a list's metadata say of the pages after this one; how many objects, where that may be told (``counted``)."""
        if not self.continue_token:
            return {}
        return {"continue": self.continue_token, **({"remainingItemCount": self.remaining} if counted else {})}


@dataclasses.dataclass(frozen=True, slots=True)
class _Started:
    subject: str
    items: Sequence[records.Record]
    revision: int
    until: float


class _Token(NamedTuple):
    """``list`` "" stands for the list as it is now, behind the object ``namespace``/``name``."""

    list: str
    start: int
    namespace: str
    name: str

    def text(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps(list(self))).decode().rstrip("=")


def resumed(token: str) -> tuple[str, str] | None:
    """The (namespace, name) behind which a list goes on that is no longer one moment's; None for other tokens.

    Raises:
        BadRequestError: it is no token.
    """
    found = _parse(token)
    return None if found.list else (found.namespace, found.name)


class Pages:
    """Lists under way, oldest first."""

    def __init__(self) -> None:
        self._lists: collections.OrderedDict[str, _Started] = collections.OrderedDict()

    def first(self, subject: str, items: Sequence[records.Record], revision: int, limit: int, now: float) -> Page:
        """The first ``limit`` of ``items`` (0: all). ``subject`` says what was asked, so that a token fits no other question."""
        if limit <= 0 or len(items) <= limit:
            return Page(items, revision)
        token = secrets.token_urlsafe(12)
        self._lists[token] = _Started(subject, items, revision, now + _LIFE)
        self._forget(now)
        return self._page(token, self._lists[token], 0, limit)

    def next(self, subject: str, token: str, limit: int, now: float) -> Page:
        """The page that ``token`` stands for.

        Raises:
            BadRequestError: it is no token, or one of another list.
            ExpiredError: its list is no longer held.
        """
        asked = _parse(token)
        self._forget(now)
        started = self._lists.get(asked.list)
        if started is None:
            raise errors.ExpiredError(_EXPIRED, token=asked._replace(list="", start=0).text())
        if started.subject != subject or not 0 < asked.start < len(started.items):
            raise errors.BadRequestError("continue key is not valid: it belongs to another list")
        return self._page(asked.list, started, asked.start, limit)

    def _page(self, name: str, started: _Started, start: int, limit: int) -> Page:
        end = start + limit if limit > 0 else len(started.items)
        items = started.items[start:end]
        if end >= len(started.items):
            return Page(items, started.revision)
        last = items[-1].key
        token = _Token(name, end, last.namespace, last.name).text()
        return Page(items, started.revision, token, len(started.items) - end)

    def _forget(self, now: float) -> None:
        while self._lists:
            oldest = next(iter(self._lists.values()))
            if len(self._lists) <= _MAX_LISTS and oldest.until > now:
                return
            self._lists.popitem(last=False)


def _parse(token: str) -> _Token:
    try:
        name, start, *place = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, last = place
    except (binascii.Error, ValueError, TypeError) as error:
        raise errors.BadRequestError("continue key is not valid: it was not made by this server") from error
    if not isinstance(start, int) or not all(isinstance(each, str) for each in (name, namespace, last)):
        raise errors.BadRequestError("continue key is not valid: it was not made by this server")
    return _Token(name, start, namespace, last)
