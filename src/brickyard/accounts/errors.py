"""What can go wrong with accounts.

BrickyardError
└── AccountError
    ├── StoreAwayError         the store does not answer: whoever asked is told to come back (HTTP 503)
    ├── DamagedRecordError     a record holds what is no user or key; whoever wrote it mends it (HTTP 500)
    ├── InvalidUserError       a name or a limit that cannot be (HTTP 422)
    └── KeysUnavailableError   no secret was given to hash API keys with (HTTP 503); an operator sets one

    UsageError
    └── StoreUnusableError     an address that is none, or a file of another version; the process cannot start
"""

from __future__ import annotations

from brickyard.lib import errors


class AccountError(errors.BrickyardError):
    """Root of this room's errors."""


class StoreAwayError(AccountError):
    """The store refused, broke off or took too long. What was asked may or may not have happened."""


class DamagedRecordError(AccountError):
    """A record cannot be read."""


class InvalidUserError(AccountError):
    """A user that cannot be. ``param`` is the field at fault."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message)
        self.param = param


class KeysUnavailableError(AccountError):
    """API keys are off."""


class StoreUnusableError(AccountError, errors.UsageError):
    """The store cannot be used as it was given."""
