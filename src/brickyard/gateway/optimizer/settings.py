"""What an operator may set about records of requests."""

from __future__ import annotations

import dataclasses

from brickyard.api.names import environment
from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class OptimizerSettings:
    """Whether the gateway writes down what requests were like."""

    records: bool = settings.field(
        False,
        env=environment.GPU_OPTIMIZER_TRACING,
        help="Write counts of requests by tokens to Redis every 10 s, for AIBrix' GPU optimizer; needs a store in Redis.",
    )
