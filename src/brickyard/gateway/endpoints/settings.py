"""What an operator may set about the choice of endpoints. Times are seconds."""

from __future__ import annotations

import dataclasses
from typing import Final

from brickyard.api import names
from brickyard.api.names import environment
from brickyard.lib import settings

SOON: Final = 1.0
SELDOM: Final = 5.0
"""Seconds between scrapes that a policy reads, and between those that only explanations and screens show."""


@dataclasses.dataclass(frozen=True)
class EndpointSettings:
    """How the gateway chooses endpoints and what it knows of them."""

    strategy: str = settings.field(
        "least-request",
        env=environment.ROUTING_ALGORITHM,
        help="Routing strategy of requests that name none: a policy or a mix such as least-request:2,other.",
    )
    policies: str = settings.field(
        "",
        env="BRICKYARD_GATEWAY_POLICIES",
        help='Parameters of routing policies as JSON, such as {"policy": {"parameter": 1}}; an unknown one stops the start.',
    )
    scrape_interval: float = settings.field(
        0.0,
        env="BRICKYARD_GATEWAY_SCRAPE_INTERVAL",
        help="Between two looks at an engine's metrics page; 0 means 1 s when a policy reads them and 5 s when only people do.",
    )
    scrape_timeout: float = settings.field(
        2.0,
        env="BRICKYARD_GATEWAY_SCRAPE_TIMEOUT",
        help="For one metrics page; three misses in a row make its numbers void.",
    )
    scrape_connections: int = settings.field(
        32, env="BRICKYARD_GATEWAY_SCRAPE_CONNECTIONS", help="Metrics pages read at the same time."
    )
    models_interval: float = settings.field(
        5.0,
        env="BRICKYARD_GATEWAY_MODELS_INTERVAL",
        help="Between two looks at which adapters an engine holds; one without any sign of adapters is asked a twelfth as often.",
    )
    slow_start: float = settings.field(
        0.0,
        env="BRICKYARD_GATEWAY_SLOW_START",
        help="Over which a new endpoint's share of the requests grows from a tenth to all; 0: it takes its full part at once.",
    )
    gpu_profiles: bool = settings.field(
        True,
        env=environment.MODEL_GPU_PROFILE_CACHING,
        help="Read the optimizer's profiles of deployments every 10 s, for slo strategies; needs a store in Redis.",
    )
    fleet_label: str = settings.field(
        names.RAY_CLUSTER_FLEET_NAME,
        env=environment.POD_RAY_CLUSTER_FLEET_LABEL,
        help="Pod label by which a profile's deployment is known, where the pod has it.",
    )
    deployment_label: str = settings.field(
        names.APP_NAME,
        env=environment.POD_DEPLOYMENT_LABEL,
        help="Pod label by which it is known otherwise, but for pods of Ray; without either by what made the pod.",
    )
    decisions_kept: int = settings.field(
        2048, env="BRICKYARD_GATEWAY_DECISIONS_KEPT", help="Latest decisions that `brickyard why` can explain."
    )

    def pace(self, *, needed: bool) -> float:
        """Seconds between two scrapes of one engine; ``needed`` when a routing policy reads what they say."""
        return self.scrape_interval or (SOON if needed else SELDOM)
