"""From a request and the state of the world to one endpoint: filters → scorers → picker.

Runs once per request on the proxy's hot path, so the usual case (nothing filtered, one scorer, well-behaved parts) allocates
little more than the decision itself. The parts of a profile may come from third parties: whatever they do, the worst they achieve is
to be ignored in this decision and named in its ``faults``.

A **barred** row (its connections fail at the moment) is a last resort: it is out while any other row is left, and back in when none
is, because a connection that is refused costs less than a client that is turned away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from brickyard.routing import contract, errors, pickers

P = ParamSpec("P")
T = TypeVar("T")

_BEST = pickers.Best()


def route(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    profile: contract.Profile,
    now: float,
    rng: contract.Random,
) -> contract.Decision | contract.NoDecision:
    """Choose an endpoint of ``snapshot`` for ``request``, or say why there is none. Never raises."""
    faults: list[str] = []
    try:
        removed = _removed(request, snapshot, profile.filters, faults)
    except errors.BadRequestError as error:
        return contract.NoDecision(request, snapshot, contract.NOTHING_REMOVED, str(error), now, bad_request=True)
    rows: Sequence[int] = range(len(snapshot.endpoints))
    if removed:
        rows = [row for row in rows if row not in removed]
    if snapshot.barred:
        rows, removed = _without_barred(rows, removed, snapshot.barred)
    if not rows:
        return contract.NoDecision(request, snapshot, removed, _nobody(request, removed), now)
    scores, totals = _scored(request, snapshot, profile.scorers, rows, faults)
    row = _picked(profile.picker, rows, totals, rng, faults)
    endpoint = snapshot.endpoints[row]
    return contract.Decision(
        request, endpoint, profile, snapshot, rows, scores, totals, removed, now, tuple(faults) if faults else ()
    )


def _guarded(faults: list[str], part: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What ``call`` answers; None, and a line in ``faults``, when it raises."""
    try:
        return call(*args, **kwargs)
    except errors.BadRequestError:
        raise
    except Exception as error:  # noqa: BLE001 - border to plug-ins: a broken part costs its own say, not the request
        faults.append(f"{part} raised {type(error).__name__}: {error}; it was ignored")
        return None


def _removed(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    filters: Sequence[contract.Filter],
    faults: list[str],
) -> Mapping[int, str]:
    """Row → reason over all filters; the first filter that removes a row gives its reason."""
    merged: dict[int, str] = {}
    for each in filters:
        found = _guarded(faults, each.name, each.removed, request, snapshot)
        if found:
            merged = {**found, **merged}
    return merged or contract.NOTHING_REMOVED


def _without_barred(
    rows: Sequence[int], removed: Mapping[int, str], barred: Mapping[int, str]
) -> tuple[Sequence[int], Mapping[int, str]]:
    """``rows`` less the barred ones, unless these are all."""
    free = [row for row in rows if row not in barred]
    if not free or len(free) == len(rows):
        return rows, removed
    return free, {**{row: barred[row] for row in rows if row in barred}, **removed}


def _scored(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    scorers: Sequence[tuple[contract.Scorer, float]],
    rows: Sequence[int],
    faults: list[str],
) -> tuple[tuple[Sequence[float], ...], Sequence[float]]:
    """Each scorer's clamped scores, and per row their mean by weight."""
    table = []
    for scorer, _ in scorers:
        scores = _guarded(faults, scorer.name, _clamped, scorer, request, snapshot, rows, faults)
        table.append([0.0] * len(rows) if scores is None else scores)
    if len(table) == 1:
        return (table[0],), table[0]
    whole = math.fsum(weight for _, weight in scorers)
    if whole <= 0:
        return tuple(table), [0.0] * len(rows)
    shares = [weight / whole for _, weight in scorers]
    totals = [
        sum(share * score for share, score in zip(shares, column, strict=True)) for column in zip(*table, strict=True)
    ]
    return tuple(table), totals


def _clamped(
    scorer: contract.Scorer,
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    rows: Sequence[int],
    faults: list[str],
) -> Sequence[float] | None:
    """The scorer's scores within 0..1, NaN as 0; None when their number is wrong."""
    scores = scorer.scores(request, snapshot, rows)
    if len(scores) != len(rows):
        faults.append(f"{scorer.name} gave {len(scores)} scores for {len(rows)} endpoints; all count as 0")
        return None
    # A NaN can hide from min and max, but not from the sum.
    whole = sum(scores)
    if not math.isnan(whole) and min(scores) >= 0.0 and max(scores) <= 1.0:
        return scores
    unreal = sum(1 for score in scores if math.isnan(score))
    if unreal:
        faults.append(f"{scorer.name} gave no number (NaN) for {unreal} of {len(rows)} endpoints; they count as 0")
    return [0.0 if math.isnan(score) else min(1.0, max(0.0, score)) for score in scores]


def _picked(
    picker: contract.Picker, rows: Sequence[int], totals: Sequence[float], rng: contract.Random, faults: list[str]
) -> int:
    """The picker's row; the best row when the picker fails or invents one."""
    if len(rows) == 1:
        return rows[0]
    row = _guarded(faults, picker.name, picker.pick, rows, totals, rng)
    if row is not None and row in rows:
        return row
    if row is not None:
        faults.append(f"{picker.name} picked row {row!r}, which was not offered; the best row was taken")
    return _BEST.pick(rows, totals, rng)


def _nobody(request: contract.Request, removed: Mapping[int, str]) -> str:
    """Why no row is left, in one line."""
    if not removed:
        return (
            f"model {request.model!r} has no endpoint that can take requests now; "
            "look at its pods: they must be Running and Ready"
        )
    counts: dict[str, int] = {}
    for reason in removed.values():
        counts[reason] = counts.get(reason, 0) + 1
    parts = "; ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    return f"no endpoint of model {request.model!r} can take this request ({parts})"
