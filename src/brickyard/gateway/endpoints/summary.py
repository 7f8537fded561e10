"""Every model at a glance, as ``brickyard status`` and consoles show it: its endpoints' loads, its rate, its latest decision.

Made only when somebody asks, from what the gateway keeps anyway: the live table and the ring of decisions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Final

from brickyard.gateway.endpoints import ring, table
from brickyard.lib import timestamps
from brickyard.routing import contract as routing
from brickyard.routing import explain

Json = dict[str, object]
_NOBODY: Final[Mapping[str, Mapping[str, object]]] = {}
WINDOW = 10.0
"""Seconds that rates are taken over: long enough for a person's handful of requests to show, short enough to be about now."""


@dataclasses.dataclass(slots=True)
class _Told:
    """What the ring says of one model: its latest entry, and how many of its requests ended within the window."""

    last: ring.Entry | None = None
    ended: int = 0


def models(
    live: table.Table,
    decisions: ring.Ring,
    now: float,
    wall: Callable[[float], float],
    asleep: Mapping[str, Mapping[str, object]] = _NOBODY,
) -> list[Json]:
    """One row for each model that any pod claims to serve or that is ``asleep``, by name.

    ``wall`` turns the clock of ``now`` into Unix seconds.

    Keys: ``id``, ``requests_per_second`` (that ended, over the last ten seconds), ``endpoints`` (routable ones: ``endpoint``,
    ``in_flight``, ``barred`` with the reason or None, ``running``, ``waiting`` and ``kv_cache_usage`` as the engine last said, None
    where it does not, and ``load_age`` in seconds), ``adapters`` (by name, those that any of its endpoints holds: ``ready``, how many of
    them do, and ``requests_per_second``), ``faults`` (by pod, what is wrong with the routing profiles it carries), ``asleep`` (what is
    told of it where it has no pod and wakes when it is asked, else None) and ``last`` (``id``, ``sentence``, ``decided_at``, ``status``;
    None before any).
    """
    told, seconds = _read(decisions, now)

    def rate(name: str) -> float:
        return round(told[name].ended / seconds, 2) if name in told else 0.0

    adapters = live.adapters()
    rows: list[Json] = []
    for name in sorted({*live.models(), *asleep}):
        last = told[name].last if name in told else None
        held = sorted(adapter for adapter, members in adapters.items() if any(pod.model == name for pod in members))
        rows.append(
            {
                "id": name,
                "requests_per_second": rate(name),
                "endpoints": _endpoints(live.snapshot(name, now)),
                "adapters": {
                    each: {"ready": _ready(live.snapshot(each, now), name), "requests_per_second": rate(each)}
                    for each in held
                },
                "faults": dict(live.faults(name)),
                "asleep": asleep.get(name),
                "last": None if last is None else _last(last, wall),
            }
        )
    return rows


def _ready(snapshot: routing.EndpointSnapshot, model: str) -> int:
    return sum(endpoint.model == model for endpoint in snapshot.endpoints)


def _read(decisions: ring.Ring, now: float) -> tuple[dict[str, _Told], float]:
    """What is held of each model, and over how many seconds the counts are: fewer than the window where the ring ends within it."""
    told: dict[str, _Told] = {}
    oldest = now
    for entry in decisions.newest_first():
        own = told.setdefault(entry.decision.request.model, _Told())
        own.last = own.last or entry
        ended = entry.decision.decided_at + entry.outcome.duration
        if now - ended <= WINDOW:
            own.ended += 1
            oldest = min(oldest, ended)
    if decisions.dropped and now - oldest < WINDOW:
        return told, max(now - oldest, 1e-3)
    return told, WINDOW


def _endpoints(snapshot: routing.EndpointSnapshot) -> list[Json]:
    rows: list[Json] = []
    for at, endpoint in enumerate(snapshot.endpoints):
        load, age = snapshot.loads[at], snapshot.load_ages[at]
        rows.append(
            {
                "endpoint": endpoint.key,
                "in_flight": snapshot.in_flight[at],
                "barred": snapshot.barred.get(at),
                "running": None if load is None else load.running,
                "waiting": None if load is None else load.waiting,
                "kv_cache_usage": None if load is None else load.kv_cache_usage,
                "load_age": round(age, 3) if math.isfinite(age) else None,
            }
        )
    return rows


def _last(entry: ring.Entry, wall: Callable[[float], float]) -> Json:
    return {
        "id": entry.decision.request.id,
        "sentence": explain.sentence(entry.decision),
        "decided_at": timestamps.rfc3339_micro(wall(entry.decision.decided_at)),
        "status": entry.outcome.status,
    }
