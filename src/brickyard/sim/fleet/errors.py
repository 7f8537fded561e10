"""Errors of the simulated fleet.

SimError
└── TraceError    exit code 2   to whoever chose the file: a line that is no request of a trace
"""

from __future__ import annotations

from brickyard.sim.engine.core import errors


class TraceError(errors.SimError):
    """A trace that cannot be read; the message names the line and says what belongs there."""

    exit_code = 2
