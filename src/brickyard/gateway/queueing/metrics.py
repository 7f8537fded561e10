"""What happened to requests that waited. The queue adds to plain numbers; series are made from them when somebody scrapes.

How long they waited stands with the other times of a request (``gateway_queue_time_seconds``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import core, registry


class End(enum.Enum):
    """How a request's waiting ended."""

    SENT = "sent"
    FULL = "full"
    LATE = "late"
    GONE = "gone"
    REFUSED = "refused"
    STOPPED = "stopped"


ENDS: Final = tuple(End)


class QueueMetrics(registry.Collector):
    """All counters of one queue.

    Attributes:
        ends: requests that waited, or would have, by how that ended.
        lengths: (model, requests that wait), read when somebody scrapes.
    """

    def __init__(self) -> None:
        self.ends = dict.fromkeys(ENDS, 0)
        self.lengths: Callable[[], Iterable[tuple[str, int]]] = tuple

    def collect(self) -> Iterator[core.Metric]:
        ended = core.CounterMetricFamily(
            "gateway_queue_ended", "Requests that waited for room, by how that ended", labels=("how",)
        )
        for end, count in self.ends.items():
            ended.add_metric((end.value,), count)
        length = core.GaugeMetricFamily(
            "gateway_queue_length", "Requests that wait for room at an endpoint", labels=("model",)
        )
        for model, count in self.lengths():
            length.add_metric((model,), count)
        yield from (ended, length)
