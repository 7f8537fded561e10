"""One engine's messages over a connection that comes and goes: what to hold back, what to ask for again, when to forget. Pure.

    BEGINNING  nothing is known: live messages wait until the replay from 0 is over
    VERIFYING  the connection was away: the last message known is asked for again, live ones wait. If it comes back as it was, the engine
               is the same and goes on from there; if not, it began anew while nobody listened
    LIVE       message follows message
    FILLING    numbers are missing: those after them wait, the missing are asked for

    connected ──► BEGINNING ──replay over──► LIVE ◄──replay over── FILLING
                     ▲                        │ └──────gap──────────▲
                     │ not the same           │ connected again
                     └────── VERIFYING ◄──────┘ ──the same──► LIVE

After every call ``ask`` says from which number a replay is wanted, None when none is.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Sequence
from typing import Final

import xxhash

from brickyard.kvindex import events

HELD: Final = 4096
"""Live messages that wait for a replay; later ones are dropped, and then missing."""


class State(enum.Enum):
    """As above."""

    AWAY = "away"
    BEGINNING = "beginning"
    VERIFYING = "verifying"
    LIVE = "live"
    FILLING = "filling"


class Feed:
    """Messages in, steps out as ``kvindex.events.Order`` makes them.

    Attributes:
        ask: the first number that is wanted again; None: nothing is.
        dropped: live messages for which there was no room. lost: those that never came, or too late.
        gaps: how often some were missing.
    """

    def __init__(self, held: int = HELD) -> None:
        self.state = State.AWAY
        self.ask: int | None = None
        self.dropped = self.gaps = 0
        self._lost = 0
        self._order = events.Order()
        self._waiting: collections.deque[tuple[int, bytes]] = collections.deque()
        self._held = held
        self._last: tuple[int, int] | None = None
        self._same = False

    @property
    def lost(self) -> int:
        return self._lost + self._order.lost

    @property
    def last(self) -> int | None:
        """Number of the last message passed on."""
        return None if self._last is None else self._last[0]

    def connected(self) -> None:
        """The connection is there, for the first time or again."""
        self._waiting.clear()
        self._same = False
        if self._last is None:
            self.state, self.ask = State.BEGINNING, 0
        else:
            self.state, self.ask = State.VERIFYING, self._last[0]

    def live(self, number: int, payload: bytes) -> Sequence[events.Step]:
        """A message of the live socket."""
        if self.state in {State.AWAY, State.BEGINNING, State.VERIFYING}:
            if len(self._waiting) < self._held:
                self._waiting.append((number, payload))
            else:
                self.dropped += 1
            return []
        if self._last is not None and number <= self._last[0]:
            return self._restarted((number, payload))
        return self._passed(self._order.live(number, payload))

    def replayed(self, number: int, payload: bytes) -> Sequence[events.Step]:
        """A message of the replay socket."""
        if self.state is State.VERIFYING and not self._same:
            self._same = (number, xxhash.xxh3_64_intdigest(payload)) == self._last
            return [] if self._same else self._restarted()
        return self._passed(self._order.replayed(number, payload))

    def replay_over(self) -> Sequence[events.Step]:
        """The replay is at its end, or there is none, or it came to a halt: what is missing now stays so."""
        if self.state is State.VERIFYING and not self._same:
            return self._restarted()
        steps = list(self._passed(self._order.give_up()))
        self.state, self.ask = State.LIVE, None
        waiting, self._waiting = self._waiting, collections.deque()
        for number, payload in waiting:
            if self._last is None or number > self._last[0]:
                steps += self.live(number, payload)
        return steps

    def _restarted(self, first: tuple[int, bytes] | None = None) -> Sequence[events.Step]:
        """The engine is another one: forget, and hear from the beginning."""
        self._lost += self._order.lost
        self._order, self._last = events.Order(), None
        self.state, self.ask, self._same = State.BEGINNING, 0, False
        if first is not None:
            self._waiting.append(first)
        return [events.RESET]

    def _passed(self, steps: Sequence[events.Step]) -> Sequence[events.Step]:
        """Note the last message that goes out, and whether some are missing after it."""
        if steps and isinstance(steps[-1], bytes):
            self._last = (self._order.next - 1, xxhash.xxh3_64_intdigest(steps[-1]))
        missing = self._order.missing
        if missing is not None and self.state is State.LIVE:
            self.state, self.ask = State.FILLING, missing
            self.gaps += 1
        elif missing is None and self.state is State.FILLING:
            self.state, self.ask = State.LIVE, None
        return steps
