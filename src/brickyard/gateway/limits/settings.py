"""What an operator may set about who may ask."""

from __future__ import annotations

import dataclasses

from brickyard.api.names import environment
from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class GateSettings:
    """Who may ask."""

    bearer_token: str = settings.field(
        "",
        env=environment.AUTH_BEARER_TOKEN,
        help="One token that every client must send as Authorization: Bearer; users' own API keys are as good.",
    )
    require_key: bool = settings.field(
        False,
        env="BRICKYARD_GATEWAY_REQUIRE_KEY",
        help="Refuse requests without a user's API key; otherwise those without any are nobody's and have no limits.",
    )
    trust_user_header: bool = settings.field(
        True,
        env="BRICKYARD_GATEWAY_TRUST_USER_HEADER",
        help="Believe the user header, as AIBrix does, where no API key says who asks.",
    )
