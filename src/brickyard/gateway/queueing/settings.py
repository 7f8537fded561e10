"""What an operator may set about waiting. Times are seconds."""

from __future__ import annotations

import dataclasses

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class QueueSettings:
    """When an endpoint is full, and what becomes of requests while all of a model's are.

    Without a limit no endpoint is ever full and nothing waits, except for strategies that hold requests back themselves.
    """

    max_in_flight: int = settings.field(
        0,
        env="BRICKYARD_GATEWAY_ENDPOINT_MAX_IN_FLIGHT",
        help="Requests open at one endpoint, those of other gateways too where they are known; at that many it is full. 0: any number.",
    )
    max_waiting: int = settings.field(
        -1,
        env="BRICKYARD_GATEWAY_ENDPOINT_MAX_WAITING",
        help="Requests that may wait inside an engine, by its metrics page; with more it is full. -1: any number.",
    )
    length: int = settings.field(
        1000,
        env="BRICKYARD_GATEWAY_QUEUE_LENGTH",
        help="Requests of one model that may wait for room; one more is answered 429. 0: none waits.",
    )
    timeout: float = settings.field(
        30.0, env="BRICKYARD_GATEWAY_QUEUE_TIMEOUT", help="For a request to wait for room; then it is answered 503."
    )
    hold_absent: bool = settings.field(
        False,
        env="BRICKYARD_GATEWAY_QUEUE_HOLD_ABSENT",
        help="Let requests wait also while their model has no endpoint that is ready, such as one that is being started for them.",
    )

    @property
    def limits(self) -> bool:
        """Whether an endpoint can be full."""
        return self.max_in_flight > 0 or self.max_waiting >= 0
