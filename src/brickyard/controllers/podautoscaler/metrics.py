"""``aibrix_autoscaler_scale_action{namespace,name,algorithm,reason}``: replicas that each autoscaler last decided on.

Read from what is remembered whenever the page is: an autoscaler whose reason changed, or that is gone, leaves no series behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import core, registry

from brickyard.kube.objects import meta
from brickyard.scaling import contract

SCALE_ACTION = "aibrix_autoscaler_scale_action"


class ScaleActions(registry.Collector):
    """The last decision of each autoscaler, by its namespace and name."""

    def __init__(self) -> None:
        self._decided: dict[meta.Key, tuple[str, str, int]] = {}

    def record(self, key: meta.Key, made: contract.Recommendation) -> None:
        """Show what ``made`` decided; no decision leaves the one before."""
        if made.desired is not None:
            self._decided[key] = (made.algorithm, made.reason, made.desired)

    def forget(self, key: meta.Key) -> None:
        """The autoscaler is gone."""
        self._decided.pop(key, None)

    def collect(self) -> Iterator[core.Metric]:
        labels = ("namespace", "name", "algorithm", "reason")
        family = core.GaugeMetricFamily(SCALE_ACTION, "Replicas that an autoscaler decided on", labels=labels)
        for key, (algorithm, reason, replicas) in sorted(self._decided.items()):
            family.add_metric((key.namespace, key.name, algorithm, reason), replicas)
        yield family
