"""What a Kubernetes API can answer instead of an object.

    BrickyardError
    ├── UsageError
    │   └── KubeconfigError         there is no usable kubeconfig; a person must name one
    │       └── NoCluster           there is none at all
    └── KubeError                   anything an API refused, or that kept it from answering
        ├── BadRequest              400   the request makes no sense; a bug on our side or a person's typo
        ├── Unauthorized            401   credentials are missing or no longer valid
        ├── Forbidden               403   credentials are fine, permission is not given
        ├── NotFound                404   no such object, or no such kind
        ├── AlreadyExists           409   create: the name is taken
        ├── Conflict                409   somebody was faster: read again, decide again
        ├── Gone                    410   a version or a continue token is no longer held: list again
        ├── TooLarge                413   the object is beyond the API's limit
        ├── UnsupportedMediaType    415   such as a strategic merge patch on a custom resource
        ├── Invalid                 422   the object breaks its kind's rules; ``causes`` says where
        ├── TooManyRequests         429   wait ``retry_after`` seconds
        ├── ServerTimeout           500, 504   the API gave up on its own; try again
        ├── Unavailable             503   the API is starting, stopping or overloaded; try again
        └── Unreachable             no answer: refused, reset, TLS, or past the deadline; try again

Reactions: ``Conflict`` and ``Gone`` start the caller's pass anew; errors with ``retryable`` want back-off; the rest wants a person.
Class names are the reasons that Kubernetes gives.
"""
# ruff: noqa: N818 - named by the reason they stand for

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.lib import errors


class KubeconfigError(errors.UsageError):
    """There is no kubeconfig, or it cannot be used."""


class NoCluster(KubeconfigError):
    """Nothing says where a cluster is: no file is named, none is in the usual place, and this is no pod."""


class KubeError(errors.BrickyardError):
    """A refusal.

    Attributes:
        status: HTTP status, 0 when there was no answer.
        reason: Kubernetes' one-word reason, such as ``AlreadyExists``; "" when none was given.
        details: ``details`` of the Status object: ``kind``, ``group``, ``name``, ``causes``, ``retryAfterSeconds``; may be empty.
        retry_after: seconds that the API asked to wait, or None.
    """

    code = 500
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = self.code if status is None else status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after

    @property
    def causes(self) -> Sequence[Mapping[str, Any]]:
        """Single faults, each ``{reason, message, field}``."""
        return self.details.get("causes") or ()


class BadRequest(KubeError):
    """The request makes no sense to the API."""

    code = 400


class Unauthorized(KubeError):
    """Credentials are missing or not valid (any more)."""

    code = 401


class Forbidden(KubeError):
    """The credentials lack permission."""

    code = 403


class NotFound(KubeError):
    """There is no such object or kind."""

    code = 404


class AlreadyExists(KubeError):
    """The name is taken."""

    code = 409


class Conflict(KubeError):
    """The object is not what it was when it was read."""

    code = 409


class Gone(KubeError):
    """A resourceVersion or continue token is too old: list again."""

    code = 410


class TooLarge(KubeError):
    """The request is larger than the API takes."""

    code = 413


class UnsupportedMediaType(KubeError):
    """The API does not speak this media type for this kind."""

    code = 415


class Invalid(KubeError):
    """The object breaks its kind's rules."""

    code = 422


class TooManyRequests(KubeError):
    """The API asks for patience."""

    code = 429
    retryable = True


class ServerTimeout(KubeError):
    """The API did not finish in its own time."""

    code = 504
    retryable = True


class InternalError(KubeError):
    """The API failed."""

    code = 500
    retryable = True


class Unavailable(KubeError):
    """The API cannot answer now."""

    code = 503
    retryable = True


class Unreachable(KubeError):
    """No answer came: connection refused or broken, TLS failed, or the deadline passed."""

    code = 0
    retryable = True


_BY_REASON: Mapping[str, type[KubeError]] = {
    "BadRequest": BadRequest,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Gone": Gone,
    "Expired": Gone,
    "RequestEntityTooLarge": TooLarge,
    "UnsupportedMediaType": UnsupportedMediaType,
    "Invalid": Invalid,
    "TooManyRequests": TooManyRequests,
    "ServerTimeout": ServerTimeout,
    "Timeout": ServerTimeout,
    "InternalError": InternalError,
    "ServiceUnavailable": Unavailable,
}
_BY_CODE: Mapping[int, type[KubeError]] = {
    each.code: each
    for each in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        Gone,
        TooLarge,
        UnsupportedMediaType,
        Invalid,
        TooManyRequests,
        InternalError,
        Unavailable,
        ServerTimeout,
    )
}


def from_status(code: int, status: Mapping[str, Any], retry_after: float | None = None) -> KubeError:
    """The error that a ``Status`` object stands for.

    Args:
        code: HTTP status of the answer; that of a watch's ERROR event is in the object.
        status: the decoded Status; may be empty or something else altogether, as proxies answer.
        retry_after: seconds of a ``Retry-After`` header.
    """
    reason = _text(status.get("reason"))
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code) or (InternalError if code >= 500 else KubeError)
    found = status.get("details")
    details = found if isinstance(found, Mapping) else {}
    wait = retry_after if retry_after is not None else _number(details.get("retryAfterSeconds"))
    message = _text(status.get("message")) or f"the Kubernetes API answered {code} {reason}".rstrip()
    return kind(message, status=code, reason=reason, details=details, retry_after=wait)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None
