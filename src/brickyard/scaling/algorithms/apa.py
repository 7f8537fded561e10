"""APA: replicas in proportion to what each one does, outside a band of tolerance. Pure.

    ratio   value per replica / target
    ask     ceil(current * ratio) outside the band, else current; with no replicas ceil(demand / target)

With target 30, tolerances 0.1, rates 2; n replicas with ``value`` each:

    | n | value | else          | ratio | ask | after rates |
    |---|-------|---------------|-------|-----|-------------|
    | 2 | 45    |               | 1.5   | 3   | 3           | A1
    | 2 | 35    |               | 1.17  | 3   | 3           | A2
    | 2 | 90    |               | 3     | 6   | 4           | A3
    | 2 | 90    | up rate 2.5   | 3     | 6   | 5           | A4
    | 6 | 20    |               | 0.67  | 4   | 4           | A5
    | 6 | 18    |               | 0.6   | 4   | 4           | A6
    | 6 | 10    |               | 0.33  | 2   | 3           | A7
    | 6 | 5     | down rate 2.5 | 0.17  | 1   | 2           | A8
    | 2 | 33    | on the edge   | 1.1   | 2   | 2           | A9
    | 2 | 27    | on the edge   | 0.9   | 2   | 2           | A10
    | 1 | 10    | target 0      |       | 1   | 1           | A11

**What each one does**, over a window in which their number changed, depends on the metric. What is shared out (requests in flight) is
the demand over the replicas of now: a mean over pods would still tell of the few that were overrun, and order twice. What is not (a
latency) is the mean over the pods. Nobody says which one a metric is, so the value is the interval that holds both, and nothing moves
where they disagree. While their number stays, they are the same.
"""

from __future__ import annotations

from brickyard.scaling import contract, rounding
from brickyard.scaling.algorithms import band


def per_replica(demand: contract.Span, mean: contract.Span | None, current: int) -> contract.Span | None:
    """What one replica does. ``mean`` is None where pods were not measured one by one. None where there are no replicas."""
    if not current:
        return None
    shared = contract.Span(demand.low / current, demand.high / current)
    if mean is None:
        return shared
    return contract.Span(min(shared.low, mean.low), max(shared.high, mean.high))


def ratio(value: contract.Span, target: float) -> contract.Span | None:
    """``value`` per replica to what is wanted; None without a target."""
    return contract.Span(value.low / target, value.high / target) if target > 0 else None


def ask(value: contract.Span, target: float, current: int, tolerance: band.Band) -> int:
    """How many replicas, when each of ``current`` ones does ``value``."""
    found = ratio(value, target)
    move = band.Move.STAY if found is None else tolerance.move(found)
    if found is None or not current or move is band.Move.STAY:
        return current
    return rounding.up(current * (found.low if move is band.Move.UP else found.high))
