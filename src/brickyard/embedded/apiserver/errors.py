"""What the API server refuses, and why it may not start.

    BrickyardError
    ├── ApiError                       an answer to a client: HTTP status, reason, details; ``status()`` is the ``Status`` object
    │   ├── BadRequestError       400  the request cannot be read
    │   ├── UnauthorizedError     401  no token, or not ours
    │   ├── ForbiddenError        403  understood and refused
    │   ├── NotFoundError         404  no such object, namespace or path
    │   ├── MethodNotAllowedError 405  the path does not take this verb
    │   ├── NotAcceptableError    406  none of the accepted media types can be served
    │   ├── SlowRequestError      408  the request did not arrive in time
    │   ├── AlreadyExistsError    409  create of a name that is taken
    │   ├── ConflictError         409  somebody was faster: read again, then write
    │   ├── ExpiredError          410  that revision is no longer held: list again
    │   ├── TooLargeError         413  the body is over the limit
    │   ├── UnsupportedMediaError 415  the body's media type is not read here
    │   ├── InvalidError          422  the object breaks its kind's rules, all of them named
    │   ├── TooManyRequestsError  429  more writes are queued than the disk takes: try again
    │   ├── HeadTooLargeError     431  the request's line and headers are over the limit
    │   ├── InternalError         500  ours, not the client's; the log has more
    │   ├── NotServedError        501  Kubernetes has it, we do not
    │   ├── UnavailableError      503  what would answer is not here, or not yet
    │   └── FutureRevisionError   504  that revision has not happened yet
    ├── StorageError                   the disk refused a write; becomes ``InternalError`` at the border
    │   └── DamagedStoreError          the store is no longer what was written into it: the process ends
    └── UsageError
        ├── PortInUseError             another program listens there
        ├── DirectoryInUseError        another API server works on the same data directory
        └── DirectoryUnreadableError   the data directory is of a newer version, damaged or not ours
            └── LogLostError           it was left open and its write-ahead log is gone

Wording and ``details`` are those of Kubernetes, since clients match on them.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.lib import errors

Details = Mapping[str, Any]

_TOLD = 200
"""Field errors of one object that are told; a hundred thousand of them would be an answer of megabytes."""


def qualified(kind: resources.ResourceType) -> str:
    """``deployments.apps``, ``pods``: how messages name a collection."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def details(kind: resources.ResourceType, name: str = "") -> dict[str, Any]:
    """The ``details`` of a refusal that concerns one object."""
    found = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in found.items() if value}


class ApiError(errors.BrickyardError):
    """An answer to a client."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, about: Details | None = None) -> None:
        super().__init__(message)
        self.about = about

    def status(self) -> dict[str, Any]:
        """This refusal as a Kubernetes ``Status``."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
        }
        if self.about:
            body["details"] = dict(self.about)
        body["code"] = self.code
        return body


class BadRequestError(ApiError):
    """The request cannot be read."""

    code, reason = 400, "BadRequest"


class UnauthorizedError(ApiError):
    """No credentials, or not ours."""

    code, reason = 401, "Unauthorized"


class ForbiddenError(ApiError):
    """Understood and refused."""

    code, reason = 403, "Forbidden"


class NotFoundError(ApiError):
    """No such object, namespace or path."""

    code, reason = 404, "NotFound"


class MethodNotAllowedError(ApiError):
    """The path does not take this verb."""

    code, reason = 405, "MethodNotAllowed"


class NotAcceptableError(ApiError):
    """None of the media types the client accepts can be served."""

    code, reason = 406, "NotAcceptable"


class AlreadyExistsError(ApiError):
    """A create of a name that is taken."""

    code, reason = 409, "AlreadyExists"


class ConflictError(ApiError):
    """Somebody was faster."""

    code, reason = 409, "Conflict"


class ExpiredError(ApiError):
    """A revision that is no longer held. ``token`` continues an expired list anyway, at the price of consistency."""

    code, reason = 410, "Expired"

    def __init__(self, message: str, about: Details | None = None, *, token: str = "") -> None:
        super().__init__(message, about)
        self._token = token

    def status(self) -> dict[str, Any]:
        """The refusal with the token where clients look for one."""
        found = super().status()
        return {**found, "metadata": {"continue": self._token}} if self._token else found


class TooLargeError(ApiError):
    """The body is over the limit."""

    code, reason = 413, "RequestEntityTooLarge"


class HeadTooLargeError(ApiError):
    """The request's line and headers are over the limit."""

    code, reason = 431, "RequestHeaderFieldsTooLarge"


class SlowRequestError(ApiError):
    """The request did not arrive in time; what is left of it is not read."""

    code, reason = 408, "Timeout"


class UnsupportedMediaError(ApiError):
    """The body's media type is not read here."""

    code, reason = 415, "UnsupportedMediaType"


class InvalidError(ApiError):
    """The object breaks its kind's rules."""

    code, reason = 422, "Invalid"


class TooManyRequestsError(ApiError):
    """More writes are queued than the disk takes."""

    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    """Our own fault."""


class NotServedError(ApiError):
    """Kubernetes has it, we do not."""

    code, reason = 501, "NotImplemented"


class UnavailableError(ApiError):
    """What would answer is not here, or not yet."""

    code, reason = 503, "ServiceUnavailable"


class FutureRevisionError(ApiError):
    """A revision that has not happened yet."""

    code, reason = 504, "Timeout"


class StorageError(errors.BrickyardError):
    """The disk refused a write."""


class DamagedStoreError(StorageError):
    """The store is no longer what was written into it; every later write would make it worse."""


class PortInUseError(errors.UsageError):
    """Another program listens there."""


class DirectoryInUseError(errors.UsageError):
    """Another API server works on the same data directory."""


class DirectoryUnreadableError(errors.UsageError):
    """The data directory cannot be read by this version."""


class LogLostError(DirectoryUnreadableError):
    """The store was left open and its write-ahead log is gone, and with it what was acknowledged last."""


def unusable(directory: pathlib.Path, error: OSError) -> DirectoryUnreadableError:
    """The operating system keeps us from a data directory: it is read-only, full, another user's or no directory."""
    return DirectoryUnreadableError(
        f"the data directory {directory} cannot be used: {error.strerror or error}",
        hint="choose one that you may write to with --data-dir, or free some space",
    )


def not_found(kind: resources.ResourceType, name: str) -> NotFoundError:
    """``pods "x" not found``."""
    return NotFoundError(f'{qualified(kind)} "{name}" not found', details(kind, name))


def no_such_path() -> NotFoundError:
    """What Kubernetes says of a path or kind it does not serve."""
    return NotFoundError("the server could not find the requested resource", {})


def already_exists(kind: resources.ResourceType, name: str) -> AlreadyExistsError:
    """``pods "x" already exists``."""
    return AlreadyExistsError(f'{qualified(kind)} "{name}" already exists', details(kind, name))


def conflict(kind: resources.ResourceType, name: str, why: str = "") -> ConflictError:
    """``Operation cannot be fulfilled on …``; ``why`` is by default that the object has been modified."""
    why = why or ("the object has been modified; please apply your changes to the latest version and try again")
    return ConflictError(f'Operation cannot be fulfilled on {qualified(kind)} "{name}": {why}', details(kind, name))


def forbidden(kind: resources.ResourceType, name: str, why: str, causes: Sequence[Details] = ()) -> ForbiddenError:
    """``pods "x" is forbidden: why``."""
    about = details(kind, name)
    if causes:
        about["causes"] = list(causes)
    return ForbiddenError(f'{qualified(kind)} "{name}" is forbidden: {why}', about)


def invalid(kind: resources.ResourceType, name: str, found: Sequence[faults.FieldError]) -> InvalidError:
    """``Deployment.apps "x" is invalid: spec.foo: Required value``, with one cause per field error."""
    who = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    texts = list(dict.fromkeys(f"{each.path}: {each.message}" for each in found[:_TOLD]))
    if len(found) > _TOLD:
        texts.append(f"and {len(found) - _TOLD} more")
    what = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": each.reason, "message": each.message, "field": each.path} for each in found[:_TOLD]]
    about = {"name": name, "group": kind.group, "kind": kind.kind, "causes": causes}
    return InvalidError(f'{who} "{name}" is invalid: {what}', {key: value for key, value in about.items() if value})


def invalid_options(kind: str, found: Sequence[faults.FieldError]) -> InvalidError:
    """The options of a verb contradict each other: ``ListOptions.meta.k8s.io "" is invalid: …``."""
    return invalid(resources.ResourceType("meta.k8s.io", "v1", "", kind), "", found)


def too_old(asked: int, oldest: int) -> ExpiredError:
    """A watch that starts before what is held."""
    return ExpiredError(f"too old resource version: {asked} ({oldest})")


def in_the_future(asked: int, current: int) -> FutureRevisionError:
    """A revision from another life of the store: clients list anew when they read this."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    text = f"Timeout: Too large resource version: {asked}, current: {current}"
    return FutureRevisionError(text, {"causes": [cause], "retryAfterSeconds": 1})
