"""KV events on the metrics page: under AIBrix' names what it tells of its subscriptions, under our own what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import core, registry

from brickyard.gateway.kvevents import book, publisher

_PREFIX: Final = "aibrix_kvcache_zmq_"
_COUNTERS: Final[tuple[tuple[str, str, Callable[[publisher.Publisher], int]], ...]] = (
    ("connections", "Connections to engines' KV events", lambda told: told.connections),
    ("disconnections", "Connections to engines' KV events that went away", lambda told: told.disconnections),
    ("reconnect_attempts", "Attempts to connect again", lambda told: told.retries),
    ("missed_events", "Messages that never came", lambda told: told.missed),
    ("replay_requests", "Times that an engine was asked to tell again", lambda told: told.replays),
    ("replay_success", "Times that it did", lambda told: told.replays_done),
    ("replay_failures", "Times that it did not", lambda told: told.replays_failed),
)
_OURS: Final[tuple[tuple[str, str, Callable[[publisher.Publisher], int]], ...]] = (
    ("gateway_kv_events_gaps", "Times that numbers of messages were missing", lambda told: told.gaps),
    ("gateway_kv_events_dropped", "Messages that there was no room for while a replay ran", lambda told: told.dropped),
    ("gateway_kv_events_resets", "Times that all an engine had told was held for void", lambda told: told.resets),
)
_LEARNED: Final = ("matched", "known", "ambiguous", "unmatched", "conflicts")


class KvEventMetrics(registry.Collector):
    """The series of one ``Book``."""

    def __init__(self, shown: book.Book) -> None:
        self._shown = shown

    def collect(self) -> Iterator[core.Metric]:
        if not self._shown.publishers:
            return
        yield from self._counters()
        yield from self._kinds()
        yield from self._gauges()
        yield from self._handling()
        yield from self._models()

    def _counters(self) -> Iterator[core.Metric]:
        for name, text, read in (*((_PREFIX + name, text, read) for name, text, read in _COUNTERS), *_OURS):
            family = core.CounterMetricFamily(name, text, labels=("pod_key", "endpoint"))
            for key, told in self._shown.publishers.items():
                family.add_metric((told.source.pod, key), read(told))
            yield family

    def _kinds(self) -> Iterator[core.Metric]:
        received, processed, failed = (
            core.CounterMetricFamily(_PREFIX + name, text, labels=("pod_key", "endpoint", label))
            for name, text, label in (
                ("events_received", "Events in messages", "event_type"),
                ("events_processed", "Events taken in", "event_type"),
                ("errors", "Failures of a subscription", "error_type"),
            )
        )
        for key, told in self._shown.publishers.items():
            for kind, count in told.events.items():
                received.add_metric((told.source.pod, key, kind), count)
                processed.add_metric((told.source.pod, key, kind), count)
            for kind, count in told.errors.items():
                failed.add_metric((told.source.pod, key, kind), count)
        yield from (received, processed, failed)

    def _gauges(self) -> Iterator[core.Metric]:
        gauges: tuple[tuple[str, str, Callable[[str, publisher.Publisher], float]], ...] = (
            (_PREFIX + "connection_status", "Whether the connection is there", lambda _key, told: told.connected),
            (_PREFIX + "last_sequence_id", "Number of the last message", lambda _key, told: told.sequence or 0),
            ("gateway_kv_events_lag_seconds", "Age of the last message when it was read", lambda _key, told: told.lag),
            (
                "gateway_kv_events_blocks",
                "Blocks that the engine is known to hold",
                lambda key, told: self._shown.models[told.source.model].residency.held(key),
            ),
        )
        for name, text, read in gauges:
            family = core.GaugeMetricFamily(name, text, labels=("pod_key", "endpoint"))
            for key, told in self._shown.publishers.items():
                family.add_metric((told.source.pod, key), float(read(key, told)))
            yield family

    def _handling(self) -> Iterator[core.Metric]:
        family = core.HistogramMetricFamily(
            _PREFIX + "event_processing_duration_seconds", "Time that a message took", labels=("pod_key", "endpoint")
        )
        for key, told in self._shown.publishers.items():
            family.add_metric((told.source.pod, key), told.seconds.buckets(), told.seconds.total)
        yield family

    def _models(self) -> Iterator[core.Metric]:
        requests = core.CounterMetricFamily(
            "gateway_kv_events_requests",
            "Requests by what they taught of prompts and blocks",
            labels=("model", "result"),
        )
        links = core.GaugeMetricFamily(
            "gateway_kv_events_links", "Blocks of prompts whose blocks of tokens are known", labels=("model",)
        )
        size = core.GaugeMetricFamily("gateway_kv_events_bytes", "Memory of blocks and links", labels=("model",))
        for name, model in self._shown.models.items():
            counts = model.learner.counts
            for result in _LEARNED:
                requests.add_metric((name, result), getattr(counts, result))
            links.add_metric((name,), len(model.learner.links))
            size.add_metric((name,), model.residency.bytes + model.learner.bytes)
        yield from (requests, links, size)
