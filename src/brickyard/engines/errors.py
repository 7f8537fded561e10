"""Errors of the engines room.

BrickyardError
├── LaunchError (contract.py)    to the node agent: the container cannot run here; its reason and message go to the pod
├── ArgumentError (exit code 2)  to whoever wrote the command line: an argument that is unknown, refused or malformed
├── KvEventError                 to whoever listens: a message of an engine's event bus cannot be read; the index has a gap
├── HandOverError                to whoever routes: a request or an answer of a hand-over is not understood; ``faulty``: the client's
├── LoraError                    to whoever asked for an adapter: the engine has not done it; ``retriable`` says if asking again helps
└── ServerError                  to whoever reads the container's log: the engine could not start; the message is its last line
"""

from __future__ import annotations

from brickyard.lib import errors


class ArgumentError(errors.UsageError):
    """A command line that the engine here cannot honour; the message names the argument and what is known instead."""


class KvEventError(errors.BrickyardError):
    """A message about KV blocks that says nothing understandable; the message says where it goes wrong."""


class LoraError(errors.BrickyardError):
    """An adapter that is not served as asked; the message holds what the engine said of it."""

    def __init__(self, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable


class HandOverError(errors.BrickyardError):
    """A hand-over that cannot be made of what was said. ``faulty``: the request itself is at fault, and its sender must mend it."""

    def __init__(self, message: str, *, faulty: bool = False) -> None:
        super().__init__(message)
        self.faulty = faulty


class ServerError(errors.BrickyardError):
    """An engine that cannot start."""
