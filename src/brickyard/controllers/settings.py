"""What an operator may set about the controllers."""

from __future__ import annotations

import dataclasses

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True, slots=True)
class ControllersSettings:
    """Which controllers run, where they tell of themselves, and how often they look."""

    controllers: str = settings.field(
        "*", env="BRICKYARD_CONTROLLERS", help="Which controllers run: names, -names and *, a later one wins."
    )
    metrics_address: str = settings.field(
        "127.0.0.1:8080",
        env="BRICKYARD_CONTROLLERS_METRICS_ADDRESS",
        help="Where the pages with metrics and decisions are, :8080 for all addresses of the machine; 0 for nowhere.",
    )
    probes_address: str = settings.field(
        "127.0.0.1:8081",
        env="BRICKYARD_CONTROLLERS_PROBES_ADDRESS",
        help="Where /healthz and /readyz are besides; 0 for nowhere.",
    )
    autoscaler_period: float = settings.field(
        10.0, env="BRICKYARD_AUTOSCALER_PERIOD", help="Seconds between two looks at one autoscaler."
    )
    autoscaler_workers: int = settings.field(
        64, env="BRICKYARD_AUTOSCALER_WORKERS", help="Autoscalers that are looked at at the same time."
    )
