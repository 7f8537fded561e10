"""The gateway's Prometheus series.

The hot path only adds to plain numbers; series are made from them when somebody scrapes. Each number has one owner, named in
its comment. Labels are bounded: models are those pods serve (at most ``MAX_MODELS``, then ``other``), statuses are HTTP's.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import core, registry

MAX_MODELS: Final = 512
OTHER: Final = "other"
UNKNOWN: Final = "unknown"

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Histogram:
    """Counts per bucket and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Add one value."""
        self.counts[bisect.bisect_left(_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and cumulative count, as the text format wants them."""
        rows: list[tuple[str, float]] = []
        running = 0
        for bound, count in zip((*map(str, _SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, running))
        return rows


class ModelCounts:
    """What happened to one model's requests."""

    __slots__ = ("duration", "first_byte", "in_flight", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.in_flight = 0
        self.first_byte = Histogram()
        self.duration = Histogram()


class GatewayMetrics(registry.Collector):
    """All counters of one data plane."""

    def __init__(self) -> None:
        self._models: dict[str, ModelCounts] = {}
        self.retries = 0  # exchange: another endpoint tried
        self.replays = 0  # exchange: a kept connection had died, a fresh one tried
        self.cancelled = 0  # exchange: the client went away
        self.broken_streams = 0  # exchange: ended after the first byte was sent
        self.connects = 0  # pool: connections opened
        self.connect_failures = 0  # pool
        self.reused = 0  # pool: requests that found an idle connection
        self.request_bytes = 0  # exchange: bodies sent to endpoints
        self.response_bytes = 0  # exchange: heads and bodies received from endpoints
        self.refused_connections = 0  # client: above max_connections
        # Gauges are read where they live; the server sets these when it starts.
        self.client_connections: Callable[[], int] = int
        self.upstream_connections: Callable[[], int] = int
        self.buffered_bytes: Callable[[], int] = int

    def model(self, name: str) -> ModelCounts:
        """The counts of a model that is served, or of ``UNKNOWN``: requests refused before their model was known."""
        found = self._models.get(name)
        if found is None:
            if len(self._models) >= MAX_MODELS:
                name = OTHER
            found = self._models.setdefault(name, ModelCounts())
        return found

    def models(self) -> Mapping[str, ModelCounts]:
        """All counts by model."""
        return self._models

    def collect(self) -> Iterator[core.Metric]:
        yield from self._per_model()
        counters = (
            ("gateway_retries", "Requests sent to another endpoint after a failure", self.retries),
            ("gateway_replays", "Requests sent again because a kept connection had died", self.replays),
            ("gateway_client_cancellations", "Requests whose client went away", self.cancelled),
            ("gateway_broken_streams", "Responses that ended before their end", self.broken_streams),
            ("gateway_upstream_connects", "Connections opened to endpoints", self.connects),
            ("gateway_upstream_connect_failures", "Connections to endpoints that failed", self.connect_failures),
            ("gateway_upstream_reuses", "Requests sent over a kept connection", self.reused),
            ("gateway_request_bytes", "Bytes of request bodies sent to endpoints", self.request_bytes),
            ("gateway_response_bytes", "Bytes of responses received from endpoints", self.response_bytes),
            ("gateway_refused_connections", "Client connections above the limit", self.refused_connections),
        )
        for name, text, count in counters:
            yield core.CounterMetricFamily(name, text, value=count)
        gauges = (
            ("gateway_client_connections", "Open client connections", self.client_connections),
            ("gateway_upstream_connections", "Open connections to endpoints", self.upstream_connections),
            ("gateway_buffered_body_bytes", "Request bodies held in memory", self.buffered_bytes),
        )
        for name, text, read in gauges:
            yield core.GaugeMetricFamily(name, text, value=read())

    def _per_model(self) -> Iterator[core.Metric]:
        requests = core.CounterMetricFamily("gateway_request", "Finished requests", labels=("model", "status"))
        in_flight = core.GaugeMetricFamily(
            "gateway_model_in_flight_requests", "Requests being answered", labels=("model",)
        )
        first = core.HistogramMetricFamily(
            "gateway_time_to_first_byte_seconds", "From arrival to the first response byte", labels=("model",)
        )
        duration = core.HistogramMetricFamily(
            "gateway_request_duration_seconds", "From arrival to the last response byte", labels=("model",)
        )
        for name, counts in self._models.items():
            for status, count in sorted(counts.statuses.items()):
                requests.add_metric((name, str(status)), count)
            in_flight.add_metric((name,), counts.in_flight)
            first.add_metric((name,), counts.first_byte.buckets(), counts.first_byte.total)
            duration.add_metric((name,), counts.duration.buckets(), counts.duration.total)
        total = sum(counts.in_flight for counts in self._models.values())
        yield core.GaugeMetricFamily("gateway_in_flight_requests", "Requests being answered, all models", value=total)
        yield from (requests, in_flight, first, duration)
