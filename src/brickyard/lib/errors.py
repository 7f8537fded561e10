"""The root of every room's error tree.

    BrickyardError                exit code 1
    ├── UsageError                exit code 2   the caller asked for something that cannot be; the message says what to do
    └── (one tree per room, in that room's errors.py)

Each error says who should react by its class, and maps once to what its border speaks: an exit code here, an HTTP status or a
condition reason in the room that owns the border.
"""

from __future__ import annotations


class BrickyardError(Exception):
    """Something that a person can be told. ``hint`` is the next step, shown on a line of its own."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(BrickyardError):
    """What was asked cannot be done as asked."""

    exit_code = 2
