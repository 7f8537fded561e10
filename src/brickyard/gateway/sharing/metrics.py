"""Sharing on the metrics page: whether it works, and how old what it says is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import core, registry

from brickyard.gateway import metrics

if TYPE_CHECKING:
    from brickyard.gateway.sharing import sharer


class Counts:
    """What one gateway heard from others.

    ``staleness``: age of the oldest change in a message when it had arrived, by the two machines' clocks.
    """

    def __init__(self) -> None:
        self.staleness = metrics.Histogram()
        self.snapshots = 0
        self.blocks = 0
        self.strange = 0
        self.oversized = 0


class SharingMetrics(registry.Collector):
    """The series of one ``Sharer``."""

    def __init__(self, shown: sharer.Sharer, now: Callable[[], float]) -> None:
        self._shown = shown
        self._now = now

    def collect(self) -> Iterator[core.Metric]:
        shown, counted, traffic = self._shown, self._shown.counted, self._shown.channel.traffic
        gauges = (
            ("gateway_sharing_connected", "Whether the channel to other gateways is open", shown.channel.connected),
            ("gateway_sharing_peers", "Other gateways that are heard", len(shown.peers)),
            (
                "gateway_sharing_silence_seconds",
                "Since the most silent of them was heard",
                shown.peers.silence(self._now()),
            ),
            (
                "gateway_sharing_in_flight_elsewhere",
                "Requests that other gateways have open",
                sum(shown.peers.totals.values()),
            ),
        )
        for name, text, value in gauges:
            yield core.GaugeMetricFamily(name, text, value=float(value))
        counters = (
            ("gateway_sharing_messages_sent", "Messages to other gateways", traffic.sent),
            ("gateway_sharing_messages_received", "Messages of other gateways", traffic.received),
            ("gateway_sharing_messages_dropped", "Messages that could not go out in time", traffic.dropped),
            ("gateway_sharing_losses", "Times the channel went away", traffic.losses),
            ("gateway_sharing_snapshots", "Snapshots of other gateways taken in", counted.snapshots),
            ("gateway_sharing_blocks_heard", "Blocks of prompts that other gateways told of", counted.blocks),
            ("gateway_sharing_blocks_untold", "Blocks of prompts dropped before they were told", shown.untold),
            ("gateway_sharing_messages_oversized", "Messages that were too long to be sent", counted.oversized),
            ("gateway_sharing_not_understood", "Messages of another version or scheme", counted.strange),
        )
        for name, text, value in counters:
            yield core.CounterMetricFamily(name, text, value=value)
        yield core.HistogramMetricFamily(
            "gateway_sharing_staleness_seconds",
            "Age of what other gateways told when it arrived",
            buckets=counted.staleness.buckets(),
            sum_value=counted.staleness.total,
        )
