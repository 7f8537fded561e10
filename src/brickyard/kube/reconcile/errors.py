"""What can end a controller's work from outside, or keep it from beginning.

BrickyardError
├── UsageError
│   └── UnknownController       the list of controllers names one that is not; a person must write another
└── ReconcileError
    ├── LeadershipLost          another replica leads, or may: stop at once and start over
    └── NotSynced               the API did not show what is to be worked on in time: start over
"""
# ruff: noqa: N818 - a state, as the API's own errors are

from __future__ import annotations

from brickyard.lib import errors


class UnknownController(errors.UsageError):
    """No controller has that name."""


class ReconcileError(errors.BrickyardError):
    """Root of this room's errors."""


class LeadershipLost(ReconcileError):
    """The lease could not be renewed in time."""


class NotSynced(ReconcileError):
    """A collection was not read to its end in time."""
