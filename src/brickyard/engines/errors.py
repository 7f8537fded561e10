"""Errors of the engines room.

BrickyardError
├── LaunchError (contract.py)    to the node agent: the container cannot run here; its reason and message go to the pod
├── ArgumentError (exit code 2)  to whoever wrote the command line: an argument that is unknown, refused or malformed
└── ServerError                  to whoever reads the container's log: the engine could not start; the message is its last line
"""

from __future__ import annotations

from brickyard.lib import errors


class ArgumentError(errors.UsageError):
    """A command line that the engine here cannot honour; the message names the argument and what is known instead."""


class ServerError(errors.BrickyardError):
    """An engine that cannot start."""
