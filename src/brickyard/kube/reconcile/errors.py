"""What can end a controller's work from outside.

BrickyardError
└── ReconcileError
    └── LeadershipLost          another replica leads, or may: stop at once and start over
"""
# ruff: noqa: N818 - a state, as the API's own errors are

from __future__ import annotations

from brickyard.lib import errors


class ReconcileError(errors.BrickyardError):
    """Root of this room's errors."""


class LeadershipLost(ReconcileError):
    """The lease could not be renewed in time."""
