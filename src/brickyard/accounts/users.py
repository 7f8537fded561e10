"""What a user record may hold, and how it is written. Pure."""

from __future__ import annotations

from typing import Any, Final

import orjson

from brickyard.accounts import contract, errors

LONGEST_NAME: Final = 256
LARGEST_LIMIT: Final = 2**53 - 1
"""Above it, Redis' scripts and JSON's readers no longer count exactly."""


def check_name(name: str) -> str:
    """``name`` when a user may be called so.

    Raises:
        InvalidUserError: it is empty, too long, or cannot be sent as a header's value.
    """
    if not name:
        raise errors.InvalidUserError("a user needs a name", param="name")
    if len(name) > LONGEST_NAME:
        raise errors.InvalidUserError(f"a user's name may have {LONGEST_NAME} characters", param="name")
    if not name.isprintable() or name != name.strip():
        text = "a user's name is made of printable characters and neither begins nor ends with a blank"
        raise errors.InvalidUserError(text, param="name")
    return name


def check(user: contract.User) -> contract.User:
    """``user`` when clients may ask for it.

    Raises:
        InvalidUserError: the name cannot be, or a limit is below 0 or too large to count to.
    """
    check_name(user.name)
    for param, limit in (("rpm", user.rpm), ("tpm", user.tpm)):
        if not 0 <= limit <= LARGEST_LIMIT:
            raise errors.InvalidUserError(f"{param} is 0 (the default) or a positive number", param=param)
    return user


def encode(user: contract.User) -> bytes:
    """The stored form: ``{"name", "rpm", "tpm"}`` as JSON."""
    return orjson.dumps(shown(user))


def shown(user: contract.User) -> dict[str, object]:
    """The fields of a user, for JSON."""
    return {"name": user.name, "rpm": user.rpm, "tpm": user.tpm}


def decode(name: str, raw: bytes) -> contract.User:
    """The user ``name`` from its stored form. Limits that are missing are 0; a name within is not asked for.

    Raises:
        DamagedRecordError: it is no JSON object, or a limit is no whole number.
    """
    record = _json_object(raw)
    if record is not None:
        rpm, tpm = _whole(record.get("rpm", 0)), _whole(record.get("tpm", 0))
        if rpm is not None and tpm is not None:
            return contract.User(name, rpm, tpm)
    raise errors.DamagedRecordError(
        f"the record of user {name} cannot be read", hint="write it again with UpdateUser, or delete the user"
    )


def encode_key(key: contract.ApiKey) -> bytes:
    """The stored form of a key, its hash left out: ``{"user", "created", "label"}`` as JSON."""
    return orjson.dumps({"user": key.user, "created": key.created, "label": key.label})


def decode_key(digest: str, raw: bytes) -> contract.ApiKey:
    """The key of a hash from its stored form.

    Raises:
        DamagedRecordError: it is none.
    """
    record = _json_object(raw) or {}
    user, created, label = record.get("user"), record.get("created"), record.get("label", "")
    if not isinstance(user, str) or not isinstance(created, int | float) or not isinstance(label, str):
        raise errors.DamagedRecordError(
            f"the record of API key {digest[:12]} cannot be read", hint="revoke it and make a new one"
        )
    return contract.ApiKey(digest, user, float(created), label)


def _json_object(raw: bytes) -> dict[str, Any] | None:
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
