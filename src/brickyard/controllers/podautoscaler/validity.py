"""Whether an autoscaler's spec can be worked with: admission's rules again, for what passed no door. Pure.

    fault at                                             reason
    scaleTargetRef                                       MissingScaleTargetRef
    minReplicas, maxReplicas                             InvalidBounds
    scalingStrategy, subTargetSelector                   InvalidScalingStrategy
    observeWindowSeconds, panicWindowSeconds, schedules  InvalidSpec
    metricsSources                                       MetricsConfigError

The first row that is at fault is told. A targetValue that is no number is not a fault here: settings fall back to others.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from brickyard.api.kinds import faults, resources
from brickyard.api.kinds.podautoscaler import admission, types

_ROWS: Final = (
    (("spec.scaleTargetRef",), types.REASON_MISSING_TARGET),
    (("spec.minReplicas", "spec.maxReplicas"), types.REASON_INVALID_BOUNDS),
    (("spec.scalingStrategy", "spec.subTargetSelector"), types.REASON_INVALID_STRATEGY),
    (("spec.observeWindowSeconds", "spec.panicWindowSeconds", "spec.schedules"), types.REASON_INVALID_SPEC),
    (("spec.metricsSources",), types.REASON_METRICS_CONFIG),
)
_RULES: Final = admission.Rules()


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """Why nothing is done. ``reason`` is the condition's."""

    reason: str
    text: str


def converted(autoscaler: resources.Object) -> resources.Object:
    """``autoscaler`` in today's form, where it was stored before anything converted it."""
    return _RULES.convert(autoscaler).obj


def fault(autoscaler: resources.Object) -> Fault | None:
    """The first thing wrong with the spec of an autoscaler in today's form."""
    found = list(_RULES.validate(autoscaler, None))
    for paths, reason in _ROWS:
        for each in found:
            if each.path.startswith(paths) and not _left_to_settings(each):
                return Fault(reason, f"{each.path}: {each.message}")
    return None


def _left_to_settings(found: faults.FieldError) -> bool:
    return found.path.endswith(".targetValue") and found.reason == "FieldValueInvalid"
