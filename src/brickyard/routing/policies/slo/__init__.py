"""Keep what is promised: endpoints whose profile says that the request's objective will be met there.

Deployments are tried by rank, the best first, those after the first only while their promise still holds (rank 0 or below). Within one:

| strategy | takes | full |
|---|---|---|
| ``slo``, ``slo-least-load-pulling`` | the least utilisation with the request on it | above 1.0 |
| ``slo-least-load`` | the least utilisation before it | never |
| ``slo-pack-load`` | the most utilisation with the request on it | above 1.0 |

An idle endpoint is never full, however much of it the request takes: there is nobody to whom a promise could be broken, and a request
that fits nowhere would wait for ever. When everything that may be tried is full, nobody is chosen and the decision says ``saturated``:
the request can wait. Without a profile, or with none that promises anything, it goes by ``least-request`` and is said to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Final

from brickyard.routing import contract, filters, pickers, scorers
from brickyard.routing.policies.slo import objectives

FULL: Final = 1.0
"""Utilisation that an engine can bear."""
_ROUNDING: Final = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One of the strategies: whether it counts the request's own share, prefers the fullest, and stops at ``FULL``."""

    name: str
    own: bool
    fullest: bool
    capped: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """A filter that was worked out beforehand; ``waits`` when what it removes is full."""

    out: Mapping[int, str]
    waits: bool
    name: str = "objectives"

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        return self.out


class Objectives:
    """Chooses between the profile of its kind and that of least-request. ``before``: the filters that every request passes."""

    def __init__(self, kind: Kind, before: tuple[contract.Filter, ...] = filters.ALWAYS) -> None:
        self.name = kind.name
        self._kind = kind
        self._general = before
        measure = self._after if kind.own else self._before
        scorer = scorers.Ranking(kind.name, measure, _words, highest=kind.fullest)
        self._scorers: contract.Weighted = ((scorer, 1.0),)
        fewest = scorers.least_request("least-request")
        self._fallback = contract.Profile("least-request", (), ((fewest, 1.0),), pickers.Best())

    def behind(self, before: tuple[contract.Filter, ...]) -> Objectives:
        return Objectives(self._kind, before)

    def step(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, done: Mapping[str, contract.Decision]
    ) -> contract.Step | None:
        if done:
            return None
        facts = objectives.INPUT.of(snapshot)
        if facts is None or facts.urgency is None:
            return contract.Step("only", self._fallback)
        left = chosen(self._kind, facts, *_possible(request, snapshot, self._general))
        return contract.Step("only", contract.Profile(self.name, (left,), self._scorers, pickers.Best()))

    @staticmethod
    def _after(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
        facts = objectives.INPUT.of(snapshot)
        return [facts.rows[row].after if facts is not None else scorers.UNKNOWN for row in rows]

    @staticmethod
    def _before(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
        facts = objectives.INPUT.of(snapshot)
        return [facts.rows[row].utilisation if facts is not None else scorers.UNKNOWN for row in rows]


def chosen(kind: Kind, facts: objectives.Prospects, possible: Sequence[int], taken_up: Set[int] = frozenset()) -> Left:
    """Leaves the rows of the first deployment, by rank, that has room; rows ``taken_up`` have none, whatever their engines can bear."""
    out: dict[int, str] = {}
    ranks: dict[str, float] = {}
    for row in possible:
        seen = facts.rows[row]
        if seen.rank is None:
            out[row] = f"deployment {seen.deployment!r} has no profile that promises anything"
        elif seen.consumption is None:
            out[row] = f"the profile of deployment {seen.deployment!r} has no throughput for this request"
        else:
            ranks[seen.deployment] = seen.rank
    order = sorted(ranks, key=lambda name: (ranks[name], name))
    tried = [name for at, name in enumerate(order) if at == 0 or ranks[name] <= 0]
    full = {row for row in possible if row not in out and (row in taken_up or (kind.capped and _full(facts.rows[row])))}
    roomy = {facts.rows[row].deployment for row in possible if row not in out and row not in full}
    taken = next((name for name in tried if name in roomy), None)
    for row in possible:
        name = facts.rows[row].deployment
        if row in full and name in tried:
            out[row] = "full: the request would break what is promised to others"
        elif row not in out and name not in tried:
            out[row] = f"deployment {name!r} would answer too late"
        elif row not in out and name != taken:
            out[row] = f"deployment {taken!r} comes first"
    return Left(out, waits=bool(full) and taken is None)


def _full(seen: objectives.Prospect) -> bool:
    return seen.utilisation > 0 and seen.after > FULL + _ROUNDING


def _possible(
    request: contract.Request, snapshot: contract.EndpointSnapshot, before: Sequence[contract.Filter]
) -> tuple[Sequence[int], Set[int]]:
    """Rows that no filter removes for good, without the barred ones unless these are all; and those that come back by themselves."""
    out, waiting = set[int](), set[int]()
    for each in before:
        (waiting if getattr(each, "waits", False) else out).update(each.removed(request, snapshot))
    rows = [row for row in range(len(snapshot.endpoints)) if row not in out]
    return [row for row in rows if row not in snapshot.barred] or rows, waiting


def _words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``utilised to 40 %, 45 % with this request, 1.20 s to spare``."""
    facts = objectives.INPUT.of(snapshot)
    if facts is None:
        return "utilisation unknown"
    seen = facts.rows[row]
    told = f"utilised to {seen.utilisation:.0%}, {seen.after:.0%} with this request"
    if seen.rank is None:
        return told
    return f"{told}, {abs(seen.rank):.2f} s to spare" if seen.rank <= 0 else f"{told}, {seen.rank:.2f} s late"


def _policy(kind: Kind, summary: str, aliases: tuple[str, ...] = ()) -> contract.Policy:
    handler = Objectives(kind)
    built = contract.Profile(kind.name, (), (), pickers.Best(), (), (objectives.INPUT,), handler)
    return contract.Policy(
        name=kind.name,
        stability=contract.Stability.BETA,
        summary=summary,
        needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.PROMPT}),
        build=lambda parameters: built,
        aliases=aliases,
        alone=True,
    )


SLO: Final = _policy(
    Kind("slo", own=True, fullest=False, capped=True),
    "where the promised latency is kept, the least utilised endpoint that has room",
    ("slo-least-load-pulling",),
)
LEAST_LOAD: Final = _policy(
    Kind("slo-least-load", own=False, fullest=False, capped=False),
    "where the promised latency is kept, the least utilised endpoint",
)
PACK_LOAD: Final = _policy(
    Kind("slo-pack-load", own=True, fullest=True, capped=True),
    "where the promised latency is kept, the fullest endpoint that has room",
)
POLICIES: Final = (SLO, LEAST_LOAD, PACK_LOAD)
