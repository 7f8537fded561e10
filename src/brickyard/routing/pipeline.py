"""From a request and the state of the world to one endpoint: filters → scorers → picker; with a handler, several times in a row.

Runs once per request on the proxy's hot path, so the usual case (nothing removed, a profile with a shortcut) allocates little more
than the decision itself: the scores behind it are worked out when somebody asks why. The parts of a profile may come from third
parties: whatever they do, the worst they achieve is to be ignored in this decision and named in its ``faults``.

A **barred** row (its connections fail at the moment) is a last resort: it is out while any other row is left, and back in when none
is, because a connection that is refused costs less than a client that is turned away. A **young** row (its endpoint has just come) is
offered a share of the requests that grows; it is never out when no other row is left either.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec, TypeVar

from brickyard.routing import contract, errors, pickers

P = ParamSpec("P")
T = TypeVar("T")

MOST_STEPS = 8
"""Steps of one plan; a handler that wants more never ends."""

_BEST = pickers.Best()


def route(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    profile: contract.Profile,
    now: float,
    rng: contract.Random,
) -> contract.Decision | contract.NoDecision:
    """Choose an endpoint of ``snapshot`` for ``request``, or say why there is none. Never raises."""
    if profile.handler is not None:
        return _planned(request, snapshot, profile, now, rng)
    faults: list[str] = []
    try:
        removed = _removed(request, snapshot, profile.filters, faults)
    except errors.BadRequestError as error:
        return contract.NoDecision(request, snapshot, contract.NOTHING_REMOVED, str(error), now, bad_request=True)
    rows: Sequence[int] = range(len(snapshot.endpoints))
    if profile.shortcut is not None and rows and not (removed or snapshot.barred or snapshot.young):
        row = _shortcut(profile.shortcut, request, snapshot, rng, faults)
        if row in rows:
            return contract.Decision(
                request,
                snapshot.endpoints[row],
                profile,
                snapshot,
                rows,
                _judged_late,
                contract.NOTHING_REMOVED,
                now,
                tuple(faults),
                contract.NOTHING_KNOWN,
                row,
            )
    if removed:
        rows = [row for row in rows if row not in removed]
    if snapshot.barred:
        rows, removed = _without_barred(rows, removed, snapshot.barred)
        if rows and rows[0] in snapshot.barred and _saturated(request, snapshot, profile.filters, snapshot.barred):
            rows = ()  # a place among those that work comes back sooner than one that does not
    if snapshot.young:
        rows, removed = _without_young(rows, removed, snapshot.young, rng)
    if not rows:
        full = _saturated(request, snapshot, profile.filters)
        return contract.NoDecision(request, snapshot, removed, _nobody(request, removed), now, saturated=full)
    judgement = _judgement(request, snapshot, profile.scorers, rows, faults)
    row = _picked(profile.picker, rows, judgement.totals, rng, faults)
    endpoint = snapshot.endpoints[row]
    return contract.Decision(
        request, endpoint, profile, snapshot, rows, judgement, removed, now, tuple(faults), row=row
    )


def _shortcut(
    shortcut: contract.Shortcut,
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    rng: contract.Random,
    faults: list[str],
) -> int:
    """The shortcut's row; -1 when it leads nowhere."""
    try:
        return shortcut(request, snapshot, rng)
    except Exception as error:  # noqa: BLE001 - border to plug-ins: the long way is still there
        faults.append(f"the shortcut raised {type(error).__name__}: {error}; it was ignored")
        return -1


def _judged_late(decision: contract.Decision) -> contract.Judgement:
    """What the scorers say of a decision that was made without them."""
    return _judgement(decision.request, decision.snapshot, decision.profile.scorers, decision.rows, [])


def _planned(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    profile: contract.Profile,
    now: float,
    rng: contract.Random,
) -> contract.Decision | contract.NoDecision:
    """One decision per step of the profile's handler; the last one's endpoint answers, the others are its companions.

    ``profile.filters`` are put before those of each step. A handler that misbehaves leaves a request without an endpoint: nobody
    knows what it would have wanted.
    """
    handler, done, faults = profile.handler, dict[str, contract.Decision](), list[str]()
    assert handler is not None  # noqa: S101 - the caller has looked
    for _ in range(MOST_STEPS):
        try:
            step = _guarded(faults, handler.name, handler.step, request, snapshot, done)
        except errors.BadRequestError as error:
            return contract.NoDecision(request, snapshot, contract.NOTHING_REMOVED, str(error), now, bad_request=True)
        if step is None or step.role in done:
            break
        chosen = dataclasses.replace(step.profile, filters=profile.filters + step.profile.filters)
        made = route(request, snapshot, chosen, now, rng)
        if isinstance(made, contract.NoDecision):
            return made
        done[step.role] = made
    if not done or faults:
        told = "; ".join(faults) or f"{handler.name} named no step"
        return contract.NoDecision(request, snapshot, contract.NOTHING_REMOVED, f"strategy {profile.name}: {told}", now)
    *others, last = done
    return dataclasses.replace(done[last], companions={role: done[role] for role in others}) if others else done[last]


def _guarded(faults: list[str], part: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What ``call`` answers; None, and a line in ``faults``, when it raises."""
    try:
        return call(*args, **kwargs)
    except errors.BadRequestError:
        raise
    except Exception as error:  # noqa: BLE001 - border to plug-ins: a broken part costs its own say, not the request
        faults.append(_broken(part, error))
        return None


def _broken(part: str, error: Exception) -> str:
    return f"{part} raised {type(error).__name__}: {error}; it was ignored"


def _removed(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    filters: Sequence[contract.Filter],
    faults: list[str],
) -> Mapping[int, str]:
    """Row → reason over all filters; the first filter that removes a row gives its reason."""
    merged: dict[int, str] = {}
    for each in filters:
        # As ``_guarded`` does it, without its call: these run for every request.
        try:
            found = each.removed(request, snapshot)
        except errors.BadRequestError:
            raise
        except Exception as error:  # noqa: BLE001 - border to plug-ins: a broken part costs its own say, not the request
            faults.append(_broken(each.name, error))
        else:
            if found:
                merged = {**found, **merged}
    return merged or contract.NOTHING_REMOVED


def _saturated(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    filters: Sequence[contract.Filter],
    barred: Mapping[int, str] = contract.NOTHING_REMOVED,
) -> bool:
    """Whether there are rows other than ``barred`` that only filters which give rows back took; asked when nobody is left."""
    waiting, out = set[int](), set[int]()
    for each in filters:
        found = _guarded([], each.name, each.removed, request, snapshot) or ()
        (waiting if getattr(each, "waits", False) else out).update(found)
    return bool(waiting - out - barred.keys())


def _without_barred(
    rows: Sequence[int], removed: Mapping[int, str], barred: Mapping[int, str]
) -> tuple[Sequence[int], Mapping[int, str]]:
    """``rows`` less the barred ones, unless these are all."""
    free = [row for row in rows if row not in barred]
    if not free or len(free) == len(rows):
        return rows, removed
    return free, {**{row: barred[row] for row in rows if row in barred}, **removed}


def _without_young(
    rows: Sequence[int], removed: Mapping[int, str], young: Mapping[int, float], rng: contract.Random
) -> tuple[Sequence[int], Mapping[int, str]]:
    """``rows`` less those new ones whose turn it is not this time, unless these are all."""
    resting = {
        row: f"new: it is offered {share:.0%} of the requests for now"
        for row, share in young.items()
        if rng.random() >= share
    }
    return _without_barred(rows, removed, resting) if resting else (rows, removed)


def _judgement(
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    scorers: contract.Weighted,
    rows: Sequence[int],
    faults: list[str],
) -> contract.Judgement:
    """Each scorer's clamped scores and the numbers behind them, and per row their mean by weight."""
    if not scorers:
        return contract.Judgement((), [0.0] * len(rows))
    table, measures = [], []
    for scorer, _ in scorers:
        scores, measured = _judged(scorer, request, snapshot, rows, faults)
        table.append(scores)
        measures.append(measured)
    if len(table) == 1:
        return contract.Judgement((table[0],), table[0], (measures[0],))
    whole = math.fsum(weight for _, weight in scorers)
    if whole <= 0:
        return contract.Judgement(tuple(table), [0.0] * len(rows), tuple(measures))
    totals = [0.0] * len(rows)
    for (_, weight), column in zip(scorers, table, strict=True):
        share = weight / whole
        totals = [total + share * score for total, score in zip(totals, column, strict=True)]
    return contract.Judgement(tuple(table), totals, tuple(measures))


def _judged(
    scorer: contract.Scorer,
    request: contract.Request,
    snapshot: contract.EndpointSnapshot,
    rows: Sequence[int],
    faults: list[str],
) -> tuple[Sequence[float], Sequence[float] | None]:
    """One scorer's clamped scores, and the numbers behind them where it has any."""
    # Asked for by name: a runtime check of the protocol costs as much as a small scorer does.
    measure = getattr(scorer, "measure", None)
    measured: Sequence[float] | None = None
    if measure is None:
        scores = _guarded(faults, scorer.name, scorer.scores, request, snapshot, rows)
    else:
        measured = _guarded(faults, scorer.name, measure, request, snapshot, rows)
        normalise: Callable[[Sequence[float]], Sequence[float]] = scorer.normalise  # type: ignore[attr-defined]  # a scorer that measures normalises
        scores = None if measured is None else _guarded(faults, scorer.name, normalise, measured)
    clamped = None if scores is None else _guarded(faults, scorer.name, _clamped, scorer.name, scores, rows, faults)
    return ([0.0] * len(rows), None) if clamped is None else (clamped, measured)


def _clamped(name: str, scores: Sequence[float], rows: Sequence[int], faults: list[str]) -> Sequence[float] | None:
    """The scores within 0..1, NaN as 0; None when their number is wrong."""
    if len(scores) != len(rows):
        faults.append(f"{name} gave {len(scores)} scores for {len(rows)} endpoints; all count as 0")
        return None
    # A NaN can hide from min and max, but not from the sum.
    whole = sum(scores)
    if not math.isnan(whole) and min(scores) >= 0.0 and max(scores) <= 1.0:
        return scores
    unreal = sum(1 for score in scores if math.isnan(score))
    if unreal:
        faults.append(f"{name} gave no number (NaN) for {unreal} of {len(rows)} endpoints; they count as 0")
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
