"""What can go wrong in a controller.

BrickyardError
└── ControllersError
    ├── ListenError              the operator: choose another address for the pages
    ├── AddressError             the operator: it is no address
    └── TargetError              the autoscaler's owner: its target cannot be scaled as written; ``reason`` is the condition's
        └── TargetMovedError     nobody: somebody else changed the target meanwhile; the next pass decides anew
"""

from __future__ import annotations

from brickyard.api.kinds.podautoscaler import types
from brickyard.lib import errors


class ControllersError(errors.BrickyardError):
    """Root of this room's errors."""


class ListenError(ControllersError, errors.UsageError):
    """The pages' listener cannot be opened."""


class AddressError(ControllersError, errors.UsageError):
    """What should be an address to listen on is none."""


class TargetError(ControllersError):
    """A target that cannot be read or changed. ``reason`` is what the event about it is called."""

    def __init__(self, message: str, reason: str = types.EVENT_FAILED_GET_SCALE) -> None:
        super().__init__(message)
        self.reason = reason


class TargetMovedError(TargetError):
    """The target is not what the decision was made on."""
