"""When which certificate is made anew. Pure: what a bundle says and ``now`` in, a plan with its reason out.

An authority is replaced in two steps, so that no client ever meets a certificate it cannot check:

    t0   new authority joins the bundle       clients trust old and new; served is still the old authority's certificate
    t1   serving certificate is signed anew   ``settle`` later, when every configuration has had the new bundle for a while
    t2   old authority leaves the bundle      when no certificate it signed can be in use any more

| bundle                                                       | plan          |
|--------------------------------------------------------------|---------------|
| none that can be used, or its serving certificate has ended  | EVERYTHING    |
| serving has other names than ours                            | SERVING       |
| serving is of an older authority, the new one has settled    | SERVING       |
| serving is the current one's, ends within ``serving_margin`` | SERVING       |
| authority ends within ``authority_margin``                   | AUTHORITY     |
| an older authority has ended, or nothing of it can be in use | FORGET        |
| else                                                         | KEEP          |

What is served comes before who signs it: until a new authority has settled nothing is signed, so what is served has to last that
long, and longer where nobody looks. An authority that ends within ``serving_margin`` itself signs nothing that would last.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

DAY = 86400.0


@dataclasses.dataclass(frozen=True, slots=True)
class Lives:
    """Seconds. Margins say how long before its end something is replaced."""

    authority: float = 5 * 365 * DAY
    authority_margin: float = 365 * DAY
    serving: float = 90 * DAY
    serving_margin: float = 30 * DAY
    settle: float = 600.0

    def __post_init__(self) -> None:
        if not 0 < self.serving_margin < self.serving <= self.authority_margin < self.authority:
            raise ValueError("lives want 0 < serving_margin < serving <= authority_margin < authority")


@dataclasses.dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate was made and when it ends, in Unix seconds."""

    made: float
    ends: float


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What there is to know of a bundle. ``signed_by_current``: the authority that signs from now on signed what is served."""

    serving: Validity
    authority: Validity
    older: Sequence[Validity]
    names_fit: bool
    signed_by_current: bool


class Action(enum.Enum):
    """What to make."""

    KEEP = "keep"
    EVERYTHING = "everything"
    AUTHORITY = "authority"
    SERVING = "serving"
    FORGET = "forget"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, why, and after how many seconds to ask again. ``keep_older`` are places in ``State.older``."""

    action: Action
    reason: str
    check_after: float
    keep_older: Sequence[int] = ()


def plan(state: State | None, lives: Lives, now: float) -> Plan:
    """What is to be done about ``state`` (None: nothing usable is there)."""
    if state is None:
        return Plan(Action.EVERYTHING, "there are no usable certificates", 0.0)
    if state.serving.ends <= now or state.authority.ends <= now:
        return Plan(Action.EVERYTHING, "the certificates have ended", 0.0)
    kept = tuple(index for index, each in enumerate(state.older) if _in_use(each, state, lives, now))
    if reason := _serving_reason(state, lives, now):
        return Plan(Action.SERVING, reason, 0.0, kept)
    if state.authority.ends - now <= lives.authority_margin:
        return Plan(Action.AUTHORITY, "the authority nears its end", 0.0, kept)
    if len(kept) < len(state.older):
        return Plan(Action.FORGET, "an older authority is no longer needed", 0.0, kept)
    return Plan(Action.KEEP, "all is well", _next(state, lives, now), kept)


def _serving_reason(state: State, lives: Lives, now: float) -> str:
    if not state.names_fit:
        return "the serving certificate is for other names"
    if not state.signed_by_current:
        # Only the new authority can sign, and not before clients know it.
        return "the new authority is known by now" if now >= state.authority.made + lives.settle else ""
    if state.serving.ends - now <= lives.serving_margin < state.authority.ends - now:
        return "the serving certificate nears its end"
    return ""


def _forgettable(older: Validity, state: State, lives: Lives) -> float:
    """When nothing that ``older`` signed can be in use: it signed at most until the next authority had settled."""
    return min(older.ends, state.authority.made + lives.settle + lives.serving)


def _in_use(older: Validity, state: State, lives: Lives, now: float) -> bool:
    return not state.signed_by_current or now < _forgettable(older, state, lives)


def _next(state: State, lives: Lives, now: float) -> float:
    """Seconds until the plan can be another one; at least one, so that a clock's grain starts no loop."""
    moments = [state.authority.ends - lives.authority_margin]
    if state.signed_by_current:
        moments.append(state.serving.ends - lives.serving_margin)
        moments += [_forgettable(each, state, lives) for each in state.older]
    else:
        moments.append(state.authority.made + lives.settle)
    return max(1.0, min(moments) - now)
