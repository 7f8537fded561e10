"""The gateway's Prometheus series.

The hot path only adds to plain numbers; series are made from them when somebody scrapes. Each number has one owner, named in
its comment. Labels are bounded: models are those pods serve (at most ``MAX_MODELS``, then ``other``), statuses are HTTP's, pods are
those there are (``traffic``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import core, registry

from brickyard.gateway import distributions, traffic

MAX_MODELS: Final = 512
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
Histogram = distributions.Histogram


class ModelCounts:
    """What happened to one model's requests. ``unrouted`` are those of ``statuses`` that no pod was asked."""

    __slots__ = ("duration", "first_byte", "first_token", "gap", "in_flight", "queued", "statuses", "unrouted")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.unrouted: dict[int, int] = {}
        self.in_flight = 0
        self.first_byte = distributions.Histogram()
        self.first_token = distributions.Histogram()
        self.gap = distributions.Histogram(distributions.GAPS)
        self.queued = distributions.Histogram()
        self.duration = distributions.Histogram()

    @property
    def arrived(self) -> int:
        """Requests since the start, those under way included."""
        return sum(self.statuses.values()) + self.in_flight


class GatewayMetrics(registry.Collector):
    """All counters of one data plane. ``pod`` is the gateway's own name, the label ``gateway_pod``."""

    def __init__(self, pod: str = "") -> None:
        self._pod = pod
        self._models: dict[str, ModelCounts] = {}
        self.traffic = traffic.Traffic()  # ledger
        self.retries = 0  # exchange: another endpoint tried
        self.replays = 0  # exchange: a kept connection had died, a fresh one tried
        self.cancelled = 0  # exchange: the client went away
        self.broken_streams = 0  # exchange: ended after the first byte was sent
        self.connects = 0  # pool: connections opened
        self.connect_failures = 0  # pool
        self.connect_time = distributions.Histogram()  # pool: of those opened
        self.reused = 0  # pool: requests that found an idle connection
        self.request_bytes = 0  # exchange: bodies sent to endpoints
        self.response_bytes = 0  # exchange: heads and bodies received from endpoints
        self.refused_connections = 0  # client: above max_connections
        # What is kept elsewhere is read where it lives; the server sets these when it starts.
        self.client_connections: Callable[[], int] = int
        self.upstream_connections: Callable[[], int] = int
        self.buffered_bytes: Callable[[], int] = int
        self.lost_log_lines: Callable[[], int] = int

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
        yield from self._requests()
        yield from self._durations()
        pods = tuple(self.traffic.pods())
        unrouted = {name: counts.unrouted for name, counts in self._models.items()}
        yield from traffic.outcomes(pods, unrouted, self._pod)
        yield from traffic.tokens(pods, self._pod)
        yield from self._process()

    def _requests(self) -> Iterator[core.Metric]:
        arrived = core.CounterMetricFamily(
            "gateway_request", "Requests that arrived", labels=("gateway_pod", "model", "pod_name")
        )
        responses = core.CounterMetricFamily("gateway_responses", "Finished requests", labels=("model", "status"))
        in_flight = core.GaugeMetricFamily(
            "gateway_model_in_flight_requests", "Requests being answered", labels=("gateway_pod", "model")
        )
        for name, counts in self._models.items():
            arrived.add_metric((self._pod, name, ""), counts.arrived)
            in_flight.add_metric((self._pod, name), counts.in_flight)
            for status, count in sorted(counts.statuses.items()):
                responses.add_metric((name, str(status)), count)
        total = core.GaugeMetricFamily(
            "gateway_in_flight_requests", "Requests being answered, all models", labels=("gateway_pod",)
        )
        total.add_metric((self._pod,), sum(counts.in_flight for counts in self._models.values()))
        yield from (total, arrived, responses, in_flight)

    def _durations(self) -> Iterator[core.Metric]:
        told: tuple[tuple[str, str, Callable[[ModelCounts], distributions.Histogram]], ...] = (
            ("gateway_time_to_first_byte_seconds", "From arrival to the first response byte", lambda c: c.first_byte),
            ("gateway_time_to_first_token_seconds", "From arrival to a stream's first event", lambda c: c.first_token),
            ("gateway_inter_token_seconds", "Between two tokens of a stream, the mean of each", lambda c: c.gap),
            ("gateway_queue_time_seconds", "In the gateway's own queue", lambda c: c.queued),
            ("gateway_request_duration_seconds", "From arrival to the last response byte", lambda c: c.duration),
        )
        for name, text, read in told:
            family = core.HistogramMetricFamily(name, text, labels=("model",))
            for model, counts in self._models.items():
                family.add_metric((model,), read(counts).buckets(), read(counts).total)
            yield family
        yield core.HistogramMetricFamily(
            "gateway_upstream_connect_seconds",
            "To open a connection to an endpoint",
            self.connect_time.buckets(),
            self.connect_time.total,
        )

    def _process(self) -> Iterator[core.Metric]:
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
            ("gateway_access_log_lost_lines", "Lines the access log could not take", self.lost_log_lines()),
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
