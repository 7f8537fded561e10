"""What a metrics page shows of controllers, under the names that controller-runtime gives these series.

controller_runtime_reconcile_total{controller,result}            success, requeue_after, error
controller_runtime_reconcile_errors_total{controller}
controller_runtime_reconcile_time_seconds{controller}            histogram
controller_runtime_active_workers{controller}
controller_runtime_max_concurrent_reconciles{controller}
workqueue_depth{controller,name}
leader_election_master_status{name}                              1 while this replica leads
"""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from prometheus_client import core, registry

from brickyard.kube.reconcile import contract, controller, leader

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics(registry.Collector):
    """Fills ``contract.Observer``; one per registry. ``show`` names what is read whenever the page is."""

    def __init__(self, into: prometheus_client.CollectorRegistry) -> None:
        self._controllers: list[controller.Controller] = []
        self._leaders: list[leader.Leader] = []
        label = ("controller",)
        self._passes = prometheus_client.Counter(
            "controller_runtime_reconcile", "Passes by how they ended", ("controller", "result"), registry=into
        )
        self._errors = prometheus_client.Counter(
            "controller_runtime_reconcile_errors", "Passes that failed", label, registry=into
        )
        self._seconds = prometheus_client.Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long a pass takes",
            label,
            buckets=BUCKETS,
            registry=into,
        )
        into.register(self)

    def show(self, found: controller.Controller) -> None:
        """Include this controller's queue and workers."""
        self._controllers.append(found)

    def show_leader(self, found: leader.Leader) -> None:
        """Include whether this replica leads."""
        self._leaders.append(found)

    def pass_ended(self, name: str, outcome: contract.Outcome, seconds: float) -> None:
        self._passes.labels(name, outcome.value).inc()
        self._seconds.labels(name).observe(seconds)
        if outcome is contract.Outcome.ERROR:
            self._errors.labels(name).inc()

    def collect(self) -> Iterator[core.Metric]:
        depth = core.GaugeMetricFamily("workqueue_depth", "Requests that wait", labels=("controller", "name"))
        active = core.GaugeMetricFamily("controller_runtime_active_workers", "Passes now", labels=("controller",))
        most = core.GaugeMetricFamily(
            "controller_runtime_max_concurrent_reconciles", "Passes at once at most", labels=("controller",)
        )
        leads = core.GaugeMetricFamily("leader_election_master_status", "Whether this replica leads", labels=("name",))
        for each in self._controllers:
            depth.add_metric((each.name, each.name), each.depth)
            active.add_metric((each.name,), each.active)
            most.add_metric((each.name,), each.workers)
        for one in self._leaders:
            leads.add_metric((one.lease.name,), float(one.leads))
        yield from (depth, active, most, leads)
