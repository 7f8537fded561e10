"""Series about endpoints for ``/metrics``, read from the live table when somebody scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import core, registry

from brickyard.gateway.endpoints import table


class EndpointMetrics(registry.Collector):
    """Per model, so that the number of series follows the models and not the pods that come and go.

    gateway_endpoints{model,state}         endpoints that are ready, barred (ready, but connections fail) or not ready
    gateway_endpoint_in_flight{model,…}    requests open on the busiest and on the idlest ready endpoint
    """

    def __init__(self, live: table.Table, now: Callable[[], float]) -> None:
        self._table = live
        self._now = now

    def collect(self) -> Iterator[core.Metric]:
        states = core.GaugeMetricFamily("gateway_endpoints", "Endpoints by state", labels=("model", "state"))
        spread = core.GaugeMetricFamily(
            "gateway_endpoint_in_flight", "Requests open on one endpoint", labels=("model", "which")
        )
        for model, members in sorted(self._table.models().items()):
            snapshot = self._table.snapshot(model, self._now())
            everybody = sum(max(1, len(pod.endpoints)) for pod in members)
            states.add_metric((model, "ready"), len(snapshot.endpoints) - len(snapshot.barred))
            states.add_metric((model, "barred"), len(snapshot.barred))
            states.add_metric((model, "unready"), everybody - len(snapshot.endpoints))
            if snapshot.in_flight:
                spread.add_metric((model, "busiest"), max(snapshot.in_flight))
                spread.add_metric((model, "idlest"), min(snapshot.in_flight))
        yield states
        yield spread
