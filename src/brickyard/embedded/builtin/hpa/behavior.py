"""How fast: what ``spec.behavior`` lets become of a recommendation. Pure.

    1  stabilise: go up no further than the lowest, and down no further than the highest recommendation of the window
    2  limit the rate: each policy allows so many pods, or so many per cent, on top of (or off) what there was a period ago
    3  stay between ``minReplicas`` and ``maxReplicas``

Without ``spec.behavior`` the defaults hold: up by four pods or by as many as there are, whichever is more, in 15 s; down to anything, but
only after 300 s. ``Memory`` is what is remembered between passes.
"""

from __future__ import annotations

import dataclasses
import fractions
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.embedded.builtin.hpa import proposals
from brickyard.kube.objects import quantities

_LONGEST = 3600.0
"""Seconds that the longest window or period may last."""
_MOST = 1000

_FOUR = {"type": "Pods", "value": 4, "periodSeconds": 15}
_ALL = {"type": "Percent", "value": 100, "periodSeconds": 15}
_UP: Mapping[str, Any] = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [_FOUR, _ALL]}
_DOWN: Mapping[str, Any] = {"stabilizationWindowSeconds": 300, "selectPolicy": "Max", "policies": [_ALL]}


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """At that Unix time, so many replicas: recommended, or changed by (negative when fewer)."""

    at: float
    replicas: int


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """What earlier passes recommended, and what they changed."""

    recommended: tuple[Entry, ...] = ()
    changed: tuple[Entry, ...] = ()

    def recommending(self, replicas: int, now: float) -> Memory:
        """With one recommendation more; what is older than any window is forgotten."""
        return dataclasses.replace(self, recommended=_recent((*self.recommended, Entry(now, replicas)), now))

    def changing(self, by: int, now: float) -> Memory:
        """With one change more."""
        return dataclasses.replace(self, changed=_recent((*self.changed, Entry(now, by)), now))


def _recent(entries: Iterable[Entry], now: float) -> tuple[Entry, ...]:
    return tuple(each for each in entries if each.at > now - _LONGEST)[-_MOST:]


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """``minReplicas`` and ``maxReplicas``."""

    least: int
    most: int


@dataclasses.dataclass(frozen=True, slots=True)
class Allowed:
    """How many replicas may be, and why not as many as recommended: ``stabilised`` "up", "down" or "", and the limit that bit."""

    replicas: int
    stabilised: str = ""
    limit: str = ""


def rules(spec: Mapping[str, Any], direction: str) -> Mapping[str, Any]:
    """The rules for ``scaleUp`` or ``scaleDown``, with what they leave out."""
    defaults = _UP if direction == "scaleUp" else _DOWN
    own = (spec.get("behavior") or {}).get(direction) or {}
    return {**defaults, **{key: value for key, value in own.items() if value is not None}}


def tolerance(spec: Mapping[str, Any]) -> proposals.Tolerance:
    """How far from the target nothing moves."""
    found = {}
    for field, direction in (("up", "scaleUp"), ("down", "scaleDown")):
        own = ((spec.get("behavior") or {}).get(direction) or {}).get("tolerance")
        if own is not None:
            found[field] = fractions.Fraction(quantities.parse(own))
    return dataclasses.replace(proposals.Tolerance(), **found)


def bounds(spec: Mapping[str, Any]) -> Bounds:
    """The bounds of an autoscaler."""
    least = spec.get("minReplicas")
    return Bounds(1 if least is None else int(least), int(spec["maxReplicas"]))


def allow(spec: Mapping[str, Any], recommended: int, current: int, memory: Memory, now: float) -> Allowed:
    """What becomes of ``recommended``. ``memory`` is that of earlier passes."""
    stable, way = _stabilise(spec, recommended, current, memory, now)
    limits = bounds(spec)
    if stable > current:
        ceiling = max(current, _ceiling(rules(spec, "scaleUp"), current, memory, now))
        if stable > min(ceiling, limits.most):
            return Allowed(
                min(ceiling, limits.most), way, "ScaleUpLimit" if ceiling < limits.most else "TooManyReplicas"
            )
    elif stable < current:
        floor = min(current, _floor(rules(spec, "scaleDown"), current, memory, now))
        if stable < max(floor, limits.least):
            return Allowed(
                max(floor, limits.least), way, "ScaleDownLimit" if floor > limits.least else "TooFewReplicas"
            )
    if stable > limits.most:
        return Allowed(limits.most, way, "TooManyReplicas")
    return Allowed(limits.least, way, "TooFewReplicas") if stable < limits.least else Allowed(stable, way)


def _stabilise(spec: Mapping[str, Any], recommended: int, current: int, memory: Memory, now: float) -> tuple[int, str]:
    up = [recommended, *_since(memory, now - float(rules(spec, "scaleUp")["stabilizationWindowSeconds"]))]
    down = [recommended, *_since(memory, now - float(rules(spec, "scaleDown")["stabilizationWindowSeconds"]))]
    lowest, highest = min(up), max(down)
    found = min(max(current, lowest), highest)
    if found == recommended:
        return found, ""
    return found, "up" if recommended > current else "down"


def _since(memory: Memory, moment: float) -> Iterable[int]:
    return (each.replicas for each in memory.recommended if each.at > moment)


def _before(policy: Mapping[str, Any], current: int, memory: Memory, now: float) -> int:
    """How many there were when the policy's period began."""
    recent = (each.replicas for each in memory.changed if each.at > now - float(policy["periodSeconds"]))
    return current - sum(recent)


def _ceiling(found: Mapping[str, Any], current: int, memory: Memory, now: float) -> int:
    if found["selectPolicy"] == "Disabled":
        return current
    offers = []
    for policy in found["policies"]:
        start, value = _before(policy, current, memory, now), int(policy["value"])
        # Per cent round up: one pod must be able to become two.
        offers.append(start + value if policy["type"] == "Pods" else -(-start * (100 + value) // 100))
    return min(offers) if found["selectPolicy"] == "Min" else max(offers)


def _floor(found: Mapping[str, Any], current: int, memory: Memory, now: float) -> int:
    if found["selectPolicy"] == "Disabled":
        return current
    offers = []
    for policy in found["policies"]:
        start, value = _before(policy, current, memory, now), int(policy["value"])
        offers.append(start - value if policy["type"] == "Pods" else start * (100 - value) // 100)
    return max(offers) if found["selectPolicy"] == "Min" else min(offers)
