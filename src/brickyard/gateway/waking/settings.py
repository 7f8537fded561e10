"""What an operator may set about models that sleep. Times are seconds, sizes are bytes."""

from __future__ import annotations

import dataclasses

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class WakingSettings:
    """How many requests wait for a model that its autoscaler has put to sleep, and how long."""

    timeout: float = settings.field(
        120.0,
        env="BRICKYARD_GATEWAY_WAKING_TIMEOUT",
        help="For a request to wait for a first endpoint of a model that sleeps; then it is answered 503. 0: no model is woken.",
    )
    length: int = settings.field(
        1000,
        env="BRICKYARD_GATEWAY_WAKING_LENGTH",
        help="Requests that may wait for one model that sleeps; one more is answered 503.",
    )
    max_bytes: int = settings.field(
        256 * 1024 * 1024,
        env="BRICKYARD_GATEWAY_WAKING_BYTES",
        help="Bodies of requests that wait for models that sleep, over all of them; above that a request is answered 503.",
    )

    @property
    def on(self) -> bool:
        """Whether anything is held."""
        return self.timeout > 0 and self.length > 0
