"""HPA: Kubernetes' formula on what is measured now, for replays and comparison. Pure.

    metric of pods    ratio over the pods there are; ask ceil(demand / target), never against the ratio's direction
    of the whole      ratio demand / (target * current); ask ceil(demand / target)

Pods that are silent damp the move, whichever way it goes, as the intervals of ``demand`` have it: two pods, target 10,

    | pods              | ratio upwards     | ratio downwards    | current | ask |
    |-------------------|-------------------|--------------------|---------|-----|
    | 15, 15            | 1.5               | 1.5                | 2       | 3   |
    | 30, not ready     | 30 / 20 = 1.5     | 3                  | 2       | 3   |
    | 12, not measured  | 12 / 20 = 0.6     | 22 / 20 = 1.1      | 2       | 2   |
    | 4, not measured   | 0.2               | 14 / 20 = 0.7      | 2       | 2   |
    | 4, 4, 4 and 4     | 0.4               | 0.4                | 4       | 2   |
"""

from __future__ import annotations

from brickyard.scaling import contract, rounding
from brickyard.scaling.algorithms import band


def ratio(demand: contract.Span, mean: contract.Span | None, target: float, current: int) -> contract.Span | None:
    """Measured to wanted. ``mean`` is None for metrics of the whole. None where there is nothing to compare with."""
    if mean is not None:
        return contract.Span(mean.low / target, mean.high / target)
    return contract.Span(demand.low / (target * current), demand.high / (target * current)) if current else None


def ask(demand: contract.Span, mean: contract.Span | None, target: float, current: int, tolerance: band.Band) -> int:
    """How many replicas ``demand`` needs at ``target`` each."""
    found = ratio(demand, mean, target, current)
    move = band.Move.UP if found is None else tolerance.move(found)
    if move is band.Move.UP:
        return max(current, rounding.up(demand.low / target))
    if move is band.Move.DOWN:
        return min(current, rounding.up(demand.high / target))
    return current
