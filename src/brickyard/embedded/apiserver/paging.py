"""Lists in pages: every page of a list comes from the moment its first page was read.

The rest of a started list is kept as references to records (shared with the store, a few bytes each), a bounded number of lists for a
bounded time; a continue token names one of them and a place in it. A token whose list is gone gets 410 and the client begins anew.
"""

from __future__ import annotations

import base64
import binascii
import collections
import dataclasses
import secrets
from collections.abc import Sequence

from brickyard.embedded.apiserver import errors, records

_MAX_LISTS = 64
_LIFE = 300.0


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. ``continue_token`` "" on the last page; ``remaining`` counts what follows it."""

    items: Sequence[records.Record]
    revision: int
    continue_token: str = ""
    remaining: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Started:
    subject: str
    items: Sequence[records.Record]
    revision: int
    until: float


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
        name, start = _parse(token)
        self._forget(now)
        started = self._lists.get(name)
        if started is None:
            raise errors.ExpiredError(
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter."
            )
        if started.subject != subject or not 0 < start < len(started.items):
            raise errors.BadRequestError("continue key is not valid: it belongs to another list")
        return self._page(name, started, start, limit)

    def _page(self, name: str, started: _Started, start: int, limit: int) -> Page:
        end = start + limit if limit > 0 else len(started.items)
        items = started.items[start:end]
        if end >= len(started.items):
            return Page(items, started.revision)
        token = base64.urlsafe_b64encode(f"{name}:{end}".encode()).decode().rstrip("=")
        return Page(items, started.revision, token, len(started.items) - end)

    def _forget(self, now: float) -> None:
        while self._lists:
            oldest = next(iter(self._lists.values()))
            if len(self._lists) <= _MAX_LISTS and oldest.until > now:
                return
            self._lists.popitem(last=False)


def _parse(token: str) -> tuple[str, int]:
    try:
        name, _, start = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(":")
        return name, int(start)
    except (binascii.Error, ValueError) as error:
        raise errors.BadRequestError("continue key is not valid: it was not made by this server") from error
