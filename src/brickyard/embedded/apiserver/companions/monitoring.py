"""The Prometheus operator: what is scraped."""

from __future__ import annotations

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver.companions.declare import Companion, Schema, anything, listed, record

_CATEGORIES = ("prometheus-operator",)


def _monitor(endpoints: str) -> Schema:
    properties = {
        "selector": anything("Labels of what is scraped."),
        "namespaceSelector": anything("Where it lies."),
        endpoints: listed("How it is scraped.", anything("One page of metrics.")),
    }
    return record("What is scraped, and how.", properties, ["selector"])


COMPANIONS = (
    Companion(
        resources.SERVICE_MONITOR,
        "ServiceMonitor has pods behind Services scraped.",
        _monitor("endpoints"),
        short_names=("smon",),
        categories=_CATEGORIES,
    ),
    Companion(
        resources.POD_MONITOR,
        "PodMonitor has pods scraped.",
        _monitor("podMetricsEndpoints"),
        short_names=("pmon",),
        categories=_CATEGORIES,
    ),
)
