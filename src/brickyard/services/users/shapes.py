"""What is said about users: the original's shapes for its four calls, our own for lists and keys."""

from __future__ import annotations

import msgspec

from brickyard.accounts import contract
from brickyard.lib import timestamps


class UserBody(msgspec.Struct):
    """A user as asked for. ``rpm`` and ``tpm`` of 0: 100 requests a minute, and 1000 tokens for each of them."""

    name: str
    rpm: int = 0
    tpm: int = 0


class UserAnswer(msgspec.Struct):
    """What was done, and the user."""

    message: str
    user: UserBody


class UserRow(msgspec.Struct):
    """A user in a list. ``limits`` are what the gateway goes by; null: no limit."""

    name: str
    rpm: int
    tpm: int
    limits: dict[str, int | None]


class UserList(msgspec.Struct):
    """Users by name. ``has_more``: ask again with ``after`` set to the last one's name."""

    data: list[UserRow]
    has_more: bool
    object: str = "list"


class KeyBody(msgspec.Struct):
    """An API key as asked for; ``label`` is for people."""

    label: str = ""


class KeyRow(msgspec.Struct):
    """An API key. ``id`` is the beginning of its hash; ``created`` is RFC 3339."""

    id: str
    user: str
    label: str
    created: str


class NewKey(msgspec.Struct):
    """A new API key: ``key`` is shown this once and kept nowhere."""

    id: str
    user: str
    label: str
    created: str
    key: str


class KeyList(msgspec.Struct):
    """A user's API keys, oldest first."""

    data: list[KeyRow]
    object: str = "list"


def user(found: contract.User) -> UserBody:
    """A stored user in the original's shape."""
    return UserBody(found.name, found.rpm, found.tpm)


def row(found: contract.User) -> UserRow:
    """A stored user for a list."""
    limits = {"rpm": found.requests_per_minute, "tpm": found.tokens_per_minute}
    return UserRow(found.name, found.rpm, found.tpm, limits)


def key(found: contract.ApiKey) -> KeyRow:
    """A stored key."""
    return KeyRow(found.id, found.user, found.label, timestamps.rfc3339(found.created))


def new_key(made: contract.ApiKey, token: str) -> NewKey:
    """A key that was just made."""
    return NewKey(made.id, made.user, made.label, timestamps.rfc3339(made.created), token)
