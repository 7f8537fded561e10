"""What can go wrong in the node agent.

KubeletError
├── ImpossibleState    the state machine contradicts itself: a bug here
├── NotStarted         a container cannot be started as it is; ``reason`` becomes its waiting reason, it is tried again
│   └── NoProgram      the program to run is missing: counts as a run that failed (StartError)
├── BadImageTable      the user's images.yaml is not what it should be
├── NoAddress          every loopback address is taken
└── AlreadyRunning     another agent holds this data directory
"""

from __future__ import annotations

from brickyard.lib import errors


class KubeletError(errors.BrickyardError):
    """Root of this room's errors."""


class ImpossibleState(KubeletError):  # noqa: N818 - named for what it found
    """The state machine contradicts itself."""


class NotStarted(KubeletError):  # noqa: N818 - a state of the container
    """A container cannot be started now. ``reason`` is Kubernetes' word for it, the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NoProgram(NotStarted):
    """The program is not on this machine, or may not be executed."""

    def __init__(self, message: str) -> None:
        super().__init__("StartError", message)


class BadImageTable(KubeletError):  # noqa: N818 - names the thing
    """``images.yaml`` cannot be used; the message names the file and the entry."""


class NoAddress(KubeletError):  # noqa: N818 - names the lack
    """No loopback address is free."""


class AlreadyRunning(KubeletError):  # noqa: N818 - a state
    """Another agent works on the same directory."""
