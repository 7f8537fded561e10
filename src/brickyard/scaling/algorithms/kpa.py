"""KPA: as many replicas as the demand of the whole workload needs, as Knative's autoscaler works it out. Pure.

    ratio   demand / (target * current)
    ask     ceil(demand / target) outside the band, else current; with no replicas there is no band
    panic   the panic window's demand / target >= threshold * max(1, ready)

With target 10, no tolerance, rates 2; n replicas, S and P the demand over the stable and the panic window:

    | n | S   | P   | else               | ask           | after rates |
    |---|-----|-----|--------------------|---------------|-------------|
    | 2 | 20  | 20  |                    | 2             | 2           | K1
    | 2 | 30  | 40  | panic: 4 >= 2 * 2  | max(3, 4)     | 4           | K2
    | 5 | 20  | 20  | in panic, peak 5   | 2, held at 5  | 5           | K3
    | 1 | 0   | 0   |                    | 0             | 0           | K4
    | 0 | 15  | 15  | activation 3       | max(2, 3)     | 3           | K5
    | 2 | 100 | 100 | up rate 1.5        | 10            | 3           | K6
    | 4 | 5   | 5   |                    | 1             | 2           | K7
"""

from __future__ import annotations

from brickyard.scaling import contract, rounding
from brickyard.scaling.algorithms import band


def ratio(demand: contract.Span, target: float, current: int) -> contract.Span | None:
    """Demand to what ``current`` replicas should do; None where there are none."""
    if not current:
        return None
    wanted = target * current
    return contract.Span(demand.low / wanted, demand.high / wanted)


def ask(demand: contract.Span, target: float, current: int, tolerance: band.Band) -> int:
    """How many replicas ``demand`` needs at ``target`` each."""
    found = ratio(demand, target, current)
    move = band.Move.UP if found is None else tolerance.move(found)
    if move is band.Move.UP:
        return max(current, rounding.up(demand.low / target))
    if move is band.Move.DOWN:
        return min(current, rounding.up(demand.high / target))
    return current


def activated(asked: int, activation: int) -> int:
    """``asked``, but at least ``activation`` where it is anything at all."""
    return max(asked, activation) if asked else 0


def panics(demand: contract.Span, target: float, ready: int, threshold: float) -> bool:
    """Whether the panic window's ``demand`` is a rush for ``ready`` replicas."""
    return not rounding.below(demand.low / target, threshold * max(1, ready))


def excess_burst_capacity(demand: contract.Span, metric: contract.Metric, current: int, burst: float) -> float:
    """Demand that ``current`` replicas could take on top of ``demand`` and ``burst``; negative where they could not."""
    return metric.target * current - demand.high - burst
