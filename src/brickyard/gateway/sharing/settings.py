"""What an operator may set about several gateways that act as one. Times are seconds."""

from __future__ import annotations

import dataclasses

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class SharingSettings:
    """How gateways tell each other what they have open and where they sent prompts."""

    channel: str = settings.field(
        "",
        env="BRICKYARD_GATEWAY_SHARING",
        help="redis://HOST:PORT/DATABASE or unix:///PATH of a hub; off: tell nobody; empty: the Redis that holds accounts, if one does.",
        secret=True,
    )
    group: str = settings.field(
        "default",
        env="BRICKYARD_GATEWAY_SHARING_GROUP",
        help="Gateways of one group in front of the same endpoints share; give groups that use one Redis different names.",
    )
    interval: float = settings.field(
        0.025, env="BRICKYARD_GATEWAY_SHARING_INTERVAL", help="Between two messages while something changes."
    )
    heartbeat: float = settings.field(
        0.5, env="BRICKYARD_GATEWAY_SHARING_HEARTBEAT", help="Between two messages while nothing changes."
    )
    ttl: float = settings.field(
        2.0,
        env="BRICKYARD_GATEWAY_SHARING_TTL",
        help="What a gateway has open counts no longer than this after it was last heard; at least three heartbeats.",
    )
