"""Why an endpoint was chosen, for people: the whole table as JSON-ready data, and one plain sentence.

Decisions are explained long after they were made and only when somebody asks, so everything is rendered here from the references
that a decision keeps. Ages are those at the moment of the decision.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from brickyard.routing import capabilities, contract, pickers

Json = dict[str, object]


@dataclasses.dataclass(frozen=True, slots=True)
class Contest:
    """How close a decision was. Positions count within ``decision.rows``.

    Attributes:
        winner: position of the chosen endpoint.
        runner_up: position of the best of the others; None when there was no other or nothing to compare by.
        margin: the winner's total less the runner-up's; negative where the picker did not take the best.
        equals: how many others had the winner's total.
    """

    winner: int
    runner_up: int | None
    margin: float
    equals: int


def contest(decision: contract.Decision) -> Contest:
    """Who came second and by how much."""
    endpoints = decision.snapshot.endpoints
    winner = next(at for at, row in enumerate(decision.rows) if endpoints[row].key == decision.endpoint.key)
    others = [at for at in range(len(decision.rows)) if at != winner]
    if not others or not decision.scores:
        return Contest(winner, None, 0.0, 0)
    totals = decision.totals
    best = max(others, key=lambda at: totals[at])
    equals = sum(1 for at in others if abs(totals[at] - totals[winner]) <= pickers.TIE)
    return Contest(winner, best, totals[winner] - totals[best], equals)


def explain(decision: contract.Decision | contract.NoDecision, outcome: Mapping[str, object] | None = None) -> Json:
    """Everything the decision was made from.

    ``outcome`` is how the request ended, as JSON-ready data; None while nobody knows. Keys of the answer: ``request``, ``sentence``,
    ``strategy``, ``config_profile`` ("" for none), ``endpoint`` and ``reason`` (one of the two is None), ``candidates`` (every row: the
    chosen one first, the others by total, removed ones last), ``runner_up`` (``endpoint``, ``total``, and ``by`` how much it lost; None
    when there was no contest), ``faults``, ``inputs`` (what the policy read beyond the rows, with ages), ``companions`` (the plan's
    other endpoints by role), ``membership`` (the table's version) and ``outcome``. Scores have ``raw`` (the scorer's own number; None:
    nothing known), ``normalised`` (0..1), ``weight`` (its share of 1) and ``weighted``. Each candidate's ``inputs`` are the facts of
    its row. Ages are seconds; an engine that never answered has None for load and age.
    """
    request = decision.request
    told: Json = {
        "request": {
            "id": request.id,
            "model": request.model,
            "path": request.path,
            "strategy": request.strategy,
            "label_filter": request.label_filter,
            "already_tried": sorted(request.excluded),
        },
        "sentence": sentence(decision),
        "membership": decision.snapshot.version,
        "outcome": dict(outcome) if outcome is not None else None,
    }
    if isinstance(decision, contract.NoDecision):
        candidates = [_row(decision, row) for row in range(len(decision.snapshot.endpoints))]
        return told | {
            "strategy": request.strategy,
            "config_profile": "",
            "endpoint": None,
            "reason": decision.reason,
            "candidates": candidates,
            "runner_up": None,
            "faults": [],
            "inputs": {},
            "companions": {},
            "saturated": decision.saturated,
        }
    chosen = decision.endpoint
    return told | {
        "strategy": decision.profile.name,
        "config_profile": decision.config_profile,
        "endpoint": {
            "key": chosen.key,
            "namespace": chosen.namespace,
            "pod": chosen.pod,
            "authority": chosen.authority,
        },
        "reason": None,
        "candidates": _ranked(decision),
        "runner_up": _runner_up(decision),
        "faults": list(decision.faults),
        "inputs": {
            name: {"age": _seconds(facts.age(decision.snapshot))} for name, facts in decision.snapshot.data.items()
        },
        "companions": {role: made.endpoint.key for role, made in decision.companions.items()},
        "saturated": False,
    }


def sentence(decision: contract.Decision | contract.NoDecision) -> str:
    """One line: who was chosen, by what, for which reason, and how close it was.

    ``demo-a chosen by least-request: 0 requests in flight, next best demo-b had 2 requests in flight``.
    """
    if isinstance(decision, contract.NoDecision):
        return f"nobody chosen: {decision.reason}"
    name = _name(decision.snapshot, decision.endpoint)
    return f"{name} chosen by {decision.profile.name}: {_because(decision)}"


def _because(decision: contract.Decision) -> str:
    everyone = len(decision.snapshot.endpoints)
    if everyone == 1:
        return f"the only endpoint of {decision.request.model}"
    if len(decision.rows) == 1:
        reasons = "; ".join(sorted(set(decision.removed.values())))
        return f"the only one left of {everyone} endpoints ({reasons})"
    if not decision.scores:
        return f"by chance, out of {len(decision.rows)} endpoints"
    return _compared(decision, contest(decision))


def _compared(decision: contract.Decision, result: Contest) -> str:
    """The winner's numbers and the runner-up's."""
    own = _inputs(decision, result.winner)
    if result.runner_up is None:
        return own
    if result.equals:
        others = "1 other" if result.equals == 1 else f"{result.equals} others"
        return f"{own}, equal to {others}, chance decided"
    runner_up = _name(decision.snapshot, decision.snapshot.endpoints[decision.rows[result.runner_up]])
    word = "next best" if result.margin > 0 else "although"
    return f"{own}, {word} {runner_up} had {_inputs(decision, result.runner_up)}"


def _inputs(decision: contract.Decision, at: int) -> str:
    """What one row was judged by: a lone scorer's own words, else the total and each score."""
    scorers = decision.profile.scorers
    if len(scorers) == 1 and isinstance(scorers[0][0], capabilities.Describes):
        return scorers[0][0].describe(decision.snapshot, decision.rows[at])
    parts = ", ".join(
        f"{scorer.name} {column[at]:.2f}" for (scorer, _), column in zip(scorers, decision.scores, strict=True)
    )
    return f"{decision.totals[at]:.2f} ({parts})"


def _name(snapshot: contract.EndpointSnapshot, endpoint: contract.Endpoint) -> str:
    """The pod's name, with namespace and port only where the name alone would be ambiguous."""
    same = sum(1 for each in snapshot.endpoints if each.pod == endpoint.pod)
    return endpoint.pod if same <= 1 else endpoint.key


def _ranked(decision: contract.Decision) -> list[Json]:
    winner = contest(decision).winner
    order = sorted(range(len(decision.rows)), key=lambda at: (at != winner, -decision.totals[at]))
    kept = [_row(decision, decision.rows[at]) | _judged(decision, at, chosen=at == winner) for at in order]
    return kept + [_row(decision, row) for row in sorted(decision.removed)]


def _row(decision: contract.Decision | contract.NoDecision, row: int) -> Json:
    """What was known of one endpoint, and why it was out."""
    snapshot = decision.snapshot
    endpoint, load, age = snapshot.endpoints[row], snapshot.loads[row], snapshot.load_ages[row]
    return {
        "endpoint": endpoint.key,
        "authority": endpoint.authority,
        "chosen": False,
        "removed": decision.removed.get(row),
        "barred": snapshot.barred.get(row),
        "in_flight": snapshot.in_flight[row],
        "in_flight_age": 0.0,  # the gateway's own count, read as the decision was made
        "load": dataclasses.asdict(load) if load is not None else None,
        "load_age": _seconds(age),
        "inputs": {name: dict(facts.row(row)) for name, facts in snapshot.data.items()},
        "scores": {},
        "total": None,
    }


def _judged(decision: contract.Decision, at: int, *, chosen: bool) -> Json:
    """The scores of the row at one position."""
    scorers = decision.profile.scorers
    whole = math.fsum(weight for _, weight in scorers) or 1.0
    scores: Json = {
        scorer.name: {
            "raw": _raw(decision, place, at),
            "normalised": column[at],
            "weight": weight / whole,
            "weighted": column[at] * weight / whole,
        }
        for place, ((scorer, weight), column) in enumerate(zip(scorers, decision.scores, strict=True))
    }
    return {"chosen": chosen, "scores": scores, "total": decision.totals[at] if scorers else None}


def _raw(decision: contract.Decision, place: int, at: int) -> float | None:
    """The number behind a score; the score itself where the scorer has no other, None where nothing was known."""
    measured = decision.measures[place] if place < len(decision.measures) else None
    number = decision.scores[place][at] if measured is None else measured[at]
    return number if math.isfinite(number) else None


def _seconds(age: float) -> float | None:
    return round(age, 3) if math.isfinite(age) else None


def _runner_up(decision: contract.Decision) -> Json | None:
    result = contest(decision)
    if result.runner_up is None:
        return None
    endpoint = decision.snapshot.endpoints[decision.rows[result.runner_up]]
    return {"endpoint": endpoint.key, "total": decision.totals[result.runner_up], "by": result.margin}
