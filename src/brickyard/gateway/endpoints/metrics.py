"""Series about endpoints for ``/metrics``, read from the live table when somebody scrapes."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import core, registry

from brickyard.gateway import traffic
from brickyard.gateway.endpoints import table

MOST_ADAPTERS: Final = 512
"""Adapters that have a series; those beyond, by name, have none."""


class EndpointMetrics(registry.Collector):
    """Per model, so that the number of series follows the models and not the pods that come and go.

    gateway_endpoints{model,state}         endpoints that are ready, barred (ready, but connections fail) or not ready
    gateway_endpoint_in_flight{model,…}    requests open on the busiest and on the idlest ready endpoint
    gateway_adapter_endpoints{model,adapter}  ready endpoints that hold an adapter
    gateway_model_config_errors{model}     pods whose routing profiles cannot be read, where there are any

    AIBrix' own, for its dashboards:

    model_replicas{pod's labels,…}         1 for each pod that takes requests
    llm_engine_metrics_query_fail          metrics pages that did not come, as ``missed`` says
    """

    def __init__(
        self, live: table.Table, now: Callable[[], float], *, missed: Callable[[], int] = int, gateway: str = ""
    ) -> None:
        self._table = live
        self._now = now
        self._missed = missed
        self._gateway = gateway

    def collect(self) -> Iterator[core.Metric]:
        states = core.GaugeMetricFamily("gateway_endpoints", "Endpoints by state", labels=("model", "state"))
        spread = core.GaugeMetricFamily(
            "gateway_endpoint_in_flight", "Requests open on one endpoint", labels=("model", "which")
        )
        replicas = core.GaugeMetricFamily(
            "model_replicas",
            "1 for each pod that takes requests",
            labels=(*traffic.POD_LABELS, "gateway_pod", "model_name"),
        )
        wrong = core.GaugeMetricFamily(
            "gateway_model_config_errors", "Pods whose routing profiles cannot be read", labels=("model",)
        )
        for model, members in sorted(self._table.models().items()):
            if faults := self._table.faults(model):
                wrong.add_metric((model,), len(faults))
            snapshot = self._table.snapshot(model, self._now())
            everybody = sum(max(1, len(pod.endpoints)) for pod in members)
            states.add_metric((model, "ready"), len(snapshot.endpoints) - len(snapshot.barred))
            states.add_metric((model, "barred"), len(snapshot.barred))
            states.add_metric((model, "unready"), everybody - len(snapshot.endpoints))
            if snapshot.in_flight:
                spread.add_metric((model, "busiest"), max(snapshot.in_flight))
                spread.add_metric((model, "idlest"), min(snapshot.in_flight))
            ready = {endpoint.pod: endpoint for endpoint in reversed(snapshot.endpoints)}
            for endpoint in ready.values():
                replicas.add_metric((*traffic.pod_labels(endpoint), self._gateway, model), 1)
        yield from self._adapters()
        failed = core.UnknownMetricFamily("llm_engine_metrics_query_fail", "Engines' metrics pages that did not come")
        failed.add_metric((), self._missed())
        yield from (states, spread, replicas, wrong, failed)

    def _adapters(self) -> Iterator[core.Metric]:
        held = core.GaugeMetricFamily(
            "gateway_adapter_endpoints", "Ready endpoints that hold an adapter", labels=("model", "adapter")
        )
        for adapter, members in sorted(self._table.adapters().items())[:MOST_ADAPTERS]:
            rows = collections.Counter(row.model for row in self._table.snapshot(adapter, self._now()).endpoints)
            for model in sorted({pod.model for pod in members}):
                held.add_metric((model, adapter), rows[model])
        yield held
