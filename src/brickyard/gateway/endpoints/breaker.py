"""Keeps requests away from an endpoint whose connections fail, and finds out when it is back. Pure.

    closed ──── `threshold` failures in a row ───► open for a back-off that grows with every opening
      ▲                                              │ time is up
      └── a request sent since then is answered ── half-open: one request goes through, the next one after another back-off

A dead endpoint has nothing in flight and so looks best to least-request; without the breaker it would be everybody's first try until
its pod is marked unready.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from brickyard.lib import backoff

PAUSE: Final = backoff.Backoff(1.0, 2.0, 15.0)
"""Seconds: short at first, because a process that was restarted is back in seconds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """``threshold`` failures in a row open; ``pause`` is how long it stays open the first, second, … time."""

    threshold: int = 3
    pause: backoff.Backoff = PAUSE


@dataclasses.dataclass(frozen=True, slots=True)
class Breaker:
    """One endpoint's state; ``failures`` in a row, ``openings`` since it last worked, ``failed_at`` the last failure."""

    failures: int = 0
    openings: int = 0
    failed_at: float = -math.inf
    open_until: float = -math.inf

    def bars(self, now: float) -> bool:
        """Whether requests should stay away."""
        return now < self.open_until


CLOSED: Final = Breaker()
"""The state of an endpoint that works."""

DEFAULT: Final = Rule()


def failed(state: Breaker, now: float, rule: Rule = DEFAULT) -> Breaker:
    """After a connection that failed at ``now``."""
    if state.bars(now):
        # Echoes of one outage: requests that were under way when it opened say nothing new and must not lengthen the pause.
        return dataclasses.replace(state, failures=state.failures + 1, failed_at=now)
    failures = state.failures + 1
    if failures < rule.threshold:
        return Breaker(failures, state.openings, now, -math.inf)
    return _opened(dataclasses.replace(state, failures=failures, failed_at=now), now, rule)


def sent(state: Breaker, now: float, rule: Rule = DEFAULT) -> Breaker:
    """After a request was sent at ``now``: the one that a half-open breaker lets through shuts the door behind it."""
    if state.openings == 0 or state.bars(now):
        return state
    return _opened(state, now, rule)


def answered(state: Breaker, sent_at: float) -> Breaker:
    """After an answer to a request sent at ``sent_at``; a request from before the last failure proves nothing."""
    return CLOSED if sent_at > state.failed_at else state


def _opened(state: Breaker, now: float, rule: Rule) -> Breaker:
    openings = state.openings + 1
    return dataclasses.replace(state, openings=openings, open_until=now + rule.pause.delay(openings))


def reason(state: Breaker, now: float) -> str:
    """Why requests stay away, for the explanation."""
    return f"its last {state.failures} connections failed; next try in {max(0.0, state.open_until - now):.1f} s"
