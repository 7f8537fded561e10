"""What an operator may set about the services. Sizes are bytes, times are seconds."""

from __future__ import annotations

import dataclasses

from brickyard.api.names import ports
from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class ServicesSettings:
    """The services' listener."""

    host: str = settings.field("127.0.0.1", env="BRICKYARD_SERVICES_HOST", help="Address the services listen on.")
    port: int = settings.field(
        ports.METADATA,
        env="BRICKYARD_SERVICES_PORT",
        help="TCP port of the services; 0 lets the system choose.",
        within=settings.PORTS,
    )
    token: str = settings.field(
        "",
        env="BRICKYARD_SERVICES_TOKEN",
        secret=True,
        help="Bearer token asked of everybody who manages users; empty: whoever reaches the port may, as with AIBrix.",
    )
    access_log: str = settings.field(
        "", env="BRICKYARD_SERVICES_ACCESS_LOG", help="File that gets one JSON line per request; - is standard output."
    )
    max_requests: int = settings.field(
        256, env="BRICKYARD_SERVICES_MAX_REQUESTS", help="Requests under way at once; one more is answered 503."
    )
    drain_timeout: float = settings.field(
        10.0, env="BRICKYARD_SERVICES_DRAIN_TIMEOUT", help="For requests under way to finish after a stop signal."
    )
