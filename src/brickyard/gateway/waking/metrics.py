"""What became of requests that were held for models that sleep. Plain numbers; series are made from them when somebody scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import core, registry

from brickyard.gateway import distributions
from brickyard.gateway.queueing import metrics as queueing

WAKES: Final = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of what waking a model may take, in seconds."""


class WakingMetrics(registry.Collector):
    """All counters of one gateway.

    Attributes:
        ends: requests that were held, or would have been, by how that ended.
        seconds: from the first request held to the first endpoint.
        told, untold: words to autoscalers that were written, and that could not be.
        held: (model, requests held), read when somebody scrapes.
        bytes: bodies of held requests, likewise.
    """

    def __init__(self) -> None:
        self.ends = dict.fromkeys(queueing.ENDS, 0)
        self.seconds = distributions.Histogram(WAKES)
        self.told = 0
        self.untold = 0
        self.held: Callable[[], Iterable[tuple[str, int]]] = tuple
        self.bytes: Callable[[], int] = int

    def collect(self) -> Iterator[core.Metric]:
        held = core.GaugeMetricFamily(
            "gateway_waking_held", "Requests held for a model without any endpoint", labels=("model",)
        )
        for model, count in self.held():
            held.add_metric((model,), count)
        ended = core.CounterMetricFamily(
            "gateway_waking_ended", "Requests that were held for a model, by how that ended", labels=("how",)
        )
        for end, count in self.ends.items():
            ended.add_metric((end.value,), count)
        words = core.CounterMetricFamily("gateway_waking_signals", "Words to autoscalers", labels=("outcome",))
        words.add_metric(("written",), self.told)
        words.add_metric(("failed",), self.untold)
        yield from (held, ended, words)
        yield core.GaugeMetricFamily("gateway_waking_bytes", "Bodies of held requests", value=self.bytes())
        text = "From the first request held for a model to its first endpoint"
        yield core.HistogramMetricFamily(
            "gateway_waking_seconds", text, buckets=self.seconds.buckets(), sum_value=self.seconds.total
        )
