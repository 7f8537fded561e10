"""What an operator may set about the data plane. Sizes are bytes, times are seconds."""

from __future__ import annotations

import dataclasses

from brickyard.api.names import environment
from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class GatewaySettings:
    """The gateway's listener, limits and deadlines.

    Deadlines are generous by default: an engine may think for minutes before the first byte of an answer that is not streamed.
    """

    host: str = settings.field("127.0.0.1", env="BRICKYARD_GATEWAY_HOST", help="Address the OpenAI API listens on.")
    port: int = settings.field(
        8888,
        env="BRICKYARD_GATEWAY_PORT",
        help="TCP port of the OpenAI API; 0 lets the system choose.",
        within=settings.PORTS,
    )

    pod: str = settings.field(
        "", env=environment.POD_NAME, help="The gateway's own name: the label `gateway_pod` of its series."
    )

    tls_cert: str = settings.field(
        "",
        env="BRICKYARD_GATEWAY_TLS_CERT",
        help="PEM file with the certificate and its chain: the API is served over TLS 1.2 and 1.3. Read again when it changes.",
    )
    tls_key: str = settings.field(
        "", env="BRICKYARD_GATEWAY_TLS_KEY", help="PEM file with the certificate's private key, not encrypted."
    )

    reuse_port: bool = settings.field(
        False,
        env="BRICKYARD_GATEWAY_REUSE_PORT",
        help="Let other processes of this user listen on the same port; the kernel deals connections out among them.",
    )

    max_connections: int = settings.field(
        16384,
        env="BRICKYARD_GATEWAY_MAX_CONNECTIONS",
        help="Client connections open at once; one more is answered 503 and closed.",
    )
    max_pipelined: int = settings.field(
        16,
        env="BRICKYARD_GATEWAY_MAX_PIPELINED",
        help="Requests of one connection that may wait their turn before the gateway stops reading from it.",
    )
    max_head_bytes: int = settings.field(
        64 * 1024, env="BRICKYARD_GATEWAY_MAX_HEAD_BYTES", help="Request line and headers; more is answered 431."
    )
    max_body_bytes: int = settings.field(
        64 * 1024 * 1024, env="BRICKYARD_GATEWAY_MAX_BODY_BYTES", help="Request body; more is answered 413."
    )
    max_buffered_bytes: int = settings.field(
        1024 * 1024 * 1024,
        env="BRICKYARD_GATEWAY_MAX_BUFFERED_BYTES",
        help="Request bodies held at once over all connections; above that a request is answered 503.",
    )

    head_timeout: float = settings.field(
        15.0, env="BRICKYARD_GATEWAY_HEAD_TIMEOUT", help="For a client to send a whole request head; then 408."
    )
    body_timeout: float = settings.field(
        120.0, env="BRICKYARD_GATEWAY_BODY_TIMEOUT", help="For a client to send a whole request body; then 408."
    )
    keepalive_timeout: float = settings.field(
        75.0, env="BRICKYARD_GATEWAY_KEEPALIVE_TIMEOUT", help="An idle client connection is closed after this."
    )
    client_stall_timeout: float = settings.field(
        120.0,
        env="BRICKYARD_GATEWAY_CLIENT_STALL_TIMEOUT",
        help="A client that takes none of its answer for this long is disconnected.",
    )

    connect_timeout: float = settings.field(
        5.0, env="BRICKYARD_GATEWAY_CONNECT_TIMEOUT", help="To connect to an endpoint; then another one is tried."
    )
    first_byte_timeout: float = settings.field(
        600.0,
        env="BRICKYARD_GATEWAY_FIRST_BYTE_TIMEOUT",
        help="For an endpoint's first response byte (the whole answer, when it is not streamed); then another one is tried.",
    )
    idle_timeout: float = settings.field(
        300.0, env="BRICKYARD_GATEWAY_IDLE_TIMEOUT", help="Between two pieces of a response; then it is broken off."
    )
    total_timeout: float = settings.field(
        3600.0, env="BRICKYARD_GATEWAY_TOTAL_TIMEOUT", help="For a request from its arrival to its last byte."
    )
    max_attempts: int = settings.field(
        3, env="BRICKYARD_GATEWAY_MAX_ATTEMPTS", help="Endpoints tried while nothing has come back; 1 means no retry."
    )

    pool_connections: int = settings.field(
        4096, env="BRICKYARD_GATEWAY_POOL_CONNECTIONS", help="Connections to one endpoint, busy and idle."
    )
    pool_idle: int = settings.field(
        256, env="BRICKYARD_GATEWAY_POOL_IDLE", help="Idle connections kept to one endpoint."
    )
    pool_idle_timeout: float = settings.field(
        4.0,
        env="BRICKYARD_GATEWAY_POOL_IDLE_TIMEOUT",
        help="An idle connection to an endpoint is closed after this; below the 5 s after which uvicorn and llama.cpp close theirs.",
    )

    usage: bool = settings.field(
        True,
        env="BRICKYARD_GATEWAY_USAGE",
        help="Read what requests used from the end of their answers: for limits per token, policies that learn, and logs.",
    )

    drain_timeout: float = settings.field(
        25.0, env="BRICKYARD_GATEWAY_DRAIN_TIMEOUT", help="For requests under way to finish after a stop signal."
    )
    cors_origins: str = settings.field(
        "",
        env="BRICKYARD_GATEWAY_CORS_ORIGINS",
        help="Origins that browsers may call from, by comma, or *; empty: none.",
    )
    access_log: str = settings.field(
        "", env="BRICKYARD_GATEWAY_ACCESS_LOG", help="File that gets one JSON line per request; - is standard output."
    )
    debug_pages: bool = settings.field(
        True,
        env="BRICKYARD_GATEWAY_DEBUG_PAGES",
        help="Serve /debug/models and /debug/requests/{id}, which name pods and scores.",
    )
