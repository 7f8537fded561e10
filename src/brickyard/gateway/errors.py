"""What can go wrong in the data plane.

GatewayError
├── PortInUseError            the operator: choose another port
├── EndpointsFileError        the operator: correct the file
├── CertificateError          the operator: correct the files
├── RefusedError       the client: carries the answer it gets
└── UpstreamError        an attempt at an endpoint failed; maps to an HTTP status once no attempt is left
    ├── ConnectError        502   refused or unreachable
    ├── EndpointFullError         503   as many connections to it as there may be
    ├── BrokenConnectionError     502   closed or reset before the end of the response
    ├── MalformedResponseError    502   not HTTP, or HTTP that must not be passed on
    ├── StoppingError      503   the gateway's own end came first
    └── DeadlineError     504   nothing came in time
        └── OutOfTimeError        504   the whole request took too long
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from brickyard.api.openai import errors as openai
from brickyard.lib import errors


class GatewayError(errors.BrickyardError):
    """Root of this room's errors."""


class PortInUseError(GatewayError, errors.UsageError):
    """The listener's port is taken."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is in use, the gateway cannot listen on it",
            hint="stop what uses it, or choose another with --port (0 takes a free one); `brickyard up` takes --gateway-port",
        )


class EndpointsFileError(GatewayError, errors.UsageError):
    """A file of endpoints cannot be used. ``faults`` has everything that is wrong with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("the file of endpoints cannot be used: " + "; ".join(faults))
        self.faults = tuple(faults)


class CertificateError(GatewayError, errors.UsageError):
    """A certificate and its key cannot be used."""


class RefusedError(GatewayError):
    """A request that gets an error answer instead of an endpoint.

    Attributes:
        error: status and OpenAI error object.
        headers: extra response headers, such as the AIBrix ``x-error-…`` ones.
        close: the connection cannot go on after the answer, because where the next request starts is not known.
    """

    def __init__(
        self, error: openai.ApiError, headers: tuple[tuple[str, str], ...] = (), *, close: bool = False
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.headers = headers
        self.close = close


class UpstreamError(GatewayError):
    """An attempt failed. ``status`` is what the client hears when it was the last one.

    ``blames``: the endpoint is at fault. ``final``: another attempt would not help.
    """

    status: ClassVar[int] = 502
    code: ClassVar[str] = "upstream_error"
    blames: ClassVar[bool] = True
    final: ClassVar[bool] = False


class ConnectError(UpstreamError):
    """No connection to the endpoint."""

    code = "upstream_unreachable"


class EndpointFullError(UpstreamError):
    """The gateway holds as many connections to the endpoint as it may."""

    status = 503
    code = "upstream_busy"
    blames = False


class BrokenConnectionError(UpstreamError):
    """The connection ended before the response did."""

    code = "upstream_closed"


class MalformedResponseError(UpstreamError):
    """The endpoint answered with something that cannot be passed on."""

    code = "upstream_malformed"


class StoppingError(UpstreamError):
    """The gateway stops before the endpoint has finished."""

    status = 503
    code = "gateway_stopping"
    blames = False
    final = True


class DeadlineError(UpstreamError):
    """The endpoint took too long."""

    status = 504
    code = "upstream_timeout"


class OutOfTimeError(DeadlineError):
    """The request as a whole took too long."""

    code = "request_timeout"
    blames = False
    final = True
