"""What a source of numbers is asked, and what it answers.

A source is asked once for each metric in each pass. It never raises for what a pod, a service or an API does: the answer says what is
missing and why, in words that tell a user what to do. Values that leave a source are finite and not negative; everything else is
missing, because missing is not zero (see ``scaling.contract``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.scaling import contract


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """One metric of one autoscaler.

    Attributes:
        metric: as ``scaling`` knows it; its key comes back in the observation.
        source: the same as its owner wrote it.
        namespace: the autoscaler's; its target's pods are there, and nothing outside of it is asked.
        pods: the target's replicas, as the API tells them: without those that end or have ended.
        selector: what selects these pods, as text; the metrics APIs are asked by it.
    """

    metric: contract.Metric
    source: types.MetricSource
    namespace: str
    pods: Sequence[resources.Object] = ()
    selector: str = ""


class Source(Protocol):
    """Reads one kind of metric, or all of them."""

    async def observe(self, wanted: Wanted, now: float) -> contract.Observation:
        """What is measured now. ``now`` is Unix time and dates the observation; ages within it are the source's own business."""
        ...
