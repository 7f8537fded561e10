"""Errors of replays.

SimError
└── ReplayError    exit code 2   to whoever asks for one: a file, load or option that cannot be
"""

from __future__ import annotations

from brickyard.sim.engine.core import errors


class ReplayError(errors.SimError):
    """What was asked for cannot be replayed; the message says what can."""

    exit_code = 2
