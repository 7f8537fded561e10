"""Whether requests are traced, and by what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from brickyard.api.names import environment
from brickyard.gateway.tracing import contract
from brickyard.lib import logs

log = logs.get(__name__)

_YES: Final = "true"
_OFF: Final = "none"


def wanted(environ: Mapping[str, str]) -> bool:
    """A collector is named, and nothing says not to use it."""
    named = environ.get(environment.OTLP_TRACES_ENDPOINT) or environ.get(environment.OTLP_ENDPOINT)
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == _YES
    return bool(named) and not disabled and environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() != _OFF


@contextlib.asynccontextmanager
async def tracer(*, on: bool, pod: str) -> AsyncIterator[contract.Tracer | None]:
    """The tracer of this process; None where requests are not traced. Requests go on where its packages are missing."""
    if not on:
        yield None
        return
    try:
        from brickyard.gateway.tracing import otel  # noqa: PLC0415 - an extra
    except ImportError:
        log.warning("requests are not traced: OpenTelemetry is not installed", hint="pip install 'brickyard[tracing]'")
        yield None
        return
    async with otel.opened({"service.instance.id": pod} if pod else {}) as made:
        yield made
