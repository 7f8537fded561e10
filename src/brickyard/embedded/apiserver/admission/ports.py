"""Ports: their numbers and their names (IANA service names)."""

from __future__ import annotations

import re
from typing import Any

from brickyard.api.kinds import faults

PROTOCOLS = ("SCTP", "TCP", "UDP")
_NAME_LIMIT = 15


def number(path: str, value: int | None) -> faults.Errors:
    """A port number that must be given."""
    if value is None:
        yield faults.required(path)
    elif not 1 <= value <= 65535:
        yield faults.invalid(path, value, "must be between 1 and 65535, inclusive")


def name(path: str, value: str) -> faults.Errors:
    """The name of a container's port."""
    if len(value) > _NAME_LIMIT:
        yield faults.invalid(path, value, f"must be no more than {_NAME_LIMIT} characters")
    if not re.fullmatch(r"[-a-z0-9]*", value):
        yield faults.invalid(path, value, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        yield faults.invalid(path, value, "must contain at least one letter (a-z)")
    if "--" in value:
        yield faults.invalid(path, value, "must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        yield faults.invalid(path, value, "must not begin or end with a hyphen")


def number_or_name(path: str, value: Any) -> faults.Errors:
    """A port number, or the name of a container's port; must be given."""
    if isinstance(value, str):
        yield from name(path, value)
    else:
        yield from number(path, value)
