"""Errors of the engine double.

BrickyardError
└── SimError                 exit code 1
    ├── ParamsError          exit code 2  to whoever configures it: a number, name or text that cannot be
    ├── RejectedError        to the client: the request can never run (400)
    │   └── BusyError        to the client: not now; as many wait as may (503)
    ├── AdapterError         to the client: an adapter that is unknown (404), or a load that makes no sense (400)
    ├── TransferError        to the client: the KV cache another engine promised did not come (500)
    └── ListenError          to whoever started it: an address that cannot be used
"""

from __future__ import annotations

from brickyard.lib import errors


class SimError(errors.BrickyardError):
    """The root of this room's tree."""


class ParamsError(SimError):
    """A parameter that cannot be; the message says what can."""

    exit_code = 2


class RejectedError(SimError):
    """A request that this engine can never run. ``param`` is the field at fault, "" when it is none."""

    def __init__(self, message: str, param: str = "") -> None:
        super().__init__(message)
        self.param = param


class BusyError(RejectedError):
    """A request for which there is no room in the queue."""


class AdapterError(SimError):
    """An adapter that cannot be loaded, unloaded or used. ``status`` is HTTP's, ``kind`` vLLM's name for the error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class TransferError(SimError):
    """The prefill engine did not deliver."""


class ListenError(SimError):
    """An address or port that cannot be listened on."""
