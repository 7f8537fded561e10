"""What can go wrong with the services.

BrickyardError
└── ServicesError
    ├── ListenError       the operator: choose another address or port
    └── RefusedError      the client: carries the answer it gets
"""

from __future__ import annotations

from brickyard.api.openai import errors as openai
from brickyard.lib import errors


class ServicesError(errors.BrickyardError):
    """Root of this room's errors."""


class ListenError(ServicesError, errors.UsageError):
    """The listener cannot be opened."""


class RefusedError(ServicesError):
    """A request that gets an error answer. ``headers`` go with it."""

    def __init__(self, error: openai.ApiError, **headers: str) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = headers
