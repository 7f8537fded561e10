"""Faults on purpose: what goes wrong, for which requests, how often. Repeatable: chance is a hash of seed, rule and request number.

A rule is written ``kind;name=value;…``, in the header ``x-sim-fault`` of one request, as a flag for all, or as a JSON object
``{"kind": …, "name": value}`` through ``POST /admin/faults``:

| kind | what happens | values of its own |
|---|---|---|
| ``latency`` | the answer begins later | ``seconds`` |
| ``error`` | an error instead of an answer | ``status`` (500) |
| ``stall`` | the stream stops after ``after`` events | ``seconds`` until it goes on (for ever) |
| ``reset`` | the connection is reset after ``after`` events; without a stream, instead of the answer | |
| ``crash`` | the process ends after ``after`` events | ``status``, its exit code (1) |

All take ``probability`` (1), ``path`` (a request path; all), ``model`` (all) and ``times`` (how often at most; for ever).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from brickyard.sim.engine.core import errors

KINDS: Final = ("latency", "error", "stall", "reset", "crash")
HEADER: Final = "x-sim-fault"
MOST: Final = 100
"""Rules at a time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table above. ``seconds`` and ``times`` are infinite and 0 for "for ever"."""

    kind: str
    probability: float = 1.0
    seconds: float = math.inf
    status: int = 0
    after: int = 0
    path: str = ""
    model: str = ""
    times: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise errors.ParamsError(f"there is no fault {self.kind!r}: there are {', '.join(KINDS)}")
        if not 0.0 <= self.probability <= 1.0:
            raise errors.ParamsError(f"a fault's probability is 0 to 1, not {self.probability}")
        if not self.seconds >= 0.0 or (self.kind == "latency" and math.isinf(self.seconds)):
            raise errors.ParamsError(f"a fault's seconds must be zero or more, and {self.kind} needs them")
        if self.after < 0 or self.times < 0:
            raise errors.ParamsError("a fault's after and times are zero or more")
        if self.kind == "error" and not 400 <= (self.status or 500) <= 599:
            raise errors.ParamsError(f"an error's status is 400 to 599, not {self.status}")

    def applies(self, path: str, model: str) -> bool:
        """Whether a request is one of those meant."""
        return self.path in ("", path) and self.model in ("", model)


_TYPES: Final[Mapping[str, type]] = {
    "probability": float,
    "seconds": float,
    "status": int,
    "after": int,
    "path": str,
    "model": str,
    "times": int,
}


def parse(text: str) -> Rule:
    """``stall;after=5;probability=0.1`` as a rule.

    Raises:
        ParamsError: it is none.
    """
    kind, *rest = (part.strip() for part in text.split(";"))
    fields = dict(part.partition("=")[::2] for part in rest if part)
    return _rule(kind, {name.strip(): value.strip() for name, value in fields.items()})


def from_object(given: Any) -> Rule:
    """A JSON object as a rule.

    Raises:
        ParamsError: it is none.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise errors.ParamsError('a fault is an object with a kind, such as {"kind": "error", "status": 503}')
    return _rule(given["kind"], {name: value for name, value in given.items() if name != "kind"})


def _rule(kind: str, fields: Mapping[str, Any]) -> Rule:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if name not in _TYPES:
            raise errors.ParamsError(f"a fault has no {name!r}: it has {', '.join(_TYPES)}")
        try:
            made[name] = _TYPES[name](value)
        except (TypeError, ValueError) as error:
            raise errors.ParamsError(f"a fault's {name} cannot be {value!r}") from error
    return Rule(kind, **made)


def as_object(rule: Rule) -> Mapping[str, Any]:
    """The inverse of ``from_object``; what has its default is left out."""
    defaults = Rule("error")
    given = {name: getattr(rule, name) for name in _TYPES if getattr(rule, name) != getattr(defaults, name)}
    return {"kind": rule.kind, **given}


class Faults:
    """The rules in force. ``seed`` decides whom chance hits."""

    def __init__(self, seed: int = 0, rules: Iterable[Rule] = ()) -> None:
        self._seed = seed
        self._rules: list[Rule] = []
        self._left: list[int] = []
        self._requests = 0
        for rule in rules:
            self.add(rule)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """In the order in which they are tried."""
        return tuple(self._rules)

    def add(self, rule: Rule) -> None:
        """Put a rule in force.

        Raises:
            ParamsError: there are too many.
        """
        if len(self._rules) >= MOST:
            raise errors.ParamsError(f"there are {MOST} faults already: remove some with DELETE /admin/faults")
        self._rules.append(rule)
        self._left.append(rule.times or -1)

    def clear(self) -> None:
        """No rules any more."""
        self._rules.clear()
        self._left.clear()

    def draw(self, path: str, model: str) -> tuple[Rule, ...]:
        """The rules that hit the next request."""
        self._requests += 1
        return tuple(rule for place, rule in enumerate(self._rules) if rule.applies(path, model) and self._hits(place))

    def _hits(self, place: int) -> bool:
        if self._left[place] == 0 or chance(self._seed, self._requests, place) >= self._rules[place].probability:
            return False
        self._left[place] -= self._left[place] > 0
        return True


def chance(seed: int, request: int, rule: int) -> float:
    """A number in [0, 1) that is the same for the same arguments and looks like chance otherwise."""
    digest = hashlib.blake2b(b"%d/%d/%d" % (seed, request, rule), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What goes wrong with one request. ``after`` counts events; None means that the kind does not happen."""

    delay: float = 0.0
    error: int | None = None
    stall: tuple[int, float] | None = None
    reset: int | None = None
    crash: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return self != NONE

    def next_event(self, sent: int) -> int | None:
        """After how many events something happens, among those not yet sent; None when nothing does."""
        points = [
            at
            for at in (self.stall and self.stall[0], self.reset, self.crash and self.crash[0])
            if at is not None and at >= sent
        ]
        return min(points, default=None)


NONE: Final = Plan()


def plan(rules: Iterable[Rule]) -> Plan:
    """The rules that hit one request, as one plan: delays add up, of each other kind the first counts."""
    delay = 0.0
    first: dict[str, Rule] = {}
    for rule in rules:
        if rule.kind == "latency":
            delay += rule.seconds
        else:
            first.setdefault(rule.kind, rule)
    error, stall, reset, crash = (first.get(kind) for kind in ("error", "stall", "reset", "crash"))
    return Plan(
        delay,
        (error.status or 500) if error else None,
        (stall.after, stall.seconds) if stall else None,
        reset.after if reset else None,
        (crash.after, crash.status or 1) if crash else None,
    )
