"""Which target the next connection goes to: the one with the fewest open connections, in turn among equals. Pure."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence

from brickyard.embedded.builtin.balancer import plan

CLIENTS = 10_000
"""Clients whose target one port remembers; beyond that the one that was not heard of for longest is forgotten."""


def choose(
    targets: Sequence[plan.Target], busy: Mapping[plan.Target, int], turn: int, tried: Collection[plan.Target] = ()
) -> plan.Target | None:
    """A target that was not ``tried``; None when there is none left. ``turn`` counts connections, ``busy`` open ones by target."""
    left = [each for each in targets if each not in tried]
    if not left:
        return None
    start = turn % len(left)
    return min(left[start:] + left[:start], key=lambda each: busy.get(each, 0))


class Affinity:
    """Remembers for ``seconds`` since its last connection which target a client has."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: collections.OrderedDict[str, tuple[plan.Target, float]] = collections.OrderedDict()

    def recall(self, client: str, targets: Collection[plan.Target], now: float) -> plan.Target | None:
        """The client's target, if it is still one of ``targets``."""
        target, until = self._known.get(client, (None, 0.0))
        return target if target is not None and now < until and target in targets else None

    def remember(self, client: str, target: plan.Target, now: float) -> None:
        """``client`` was connected to ``target``."""
        self._known[client] = (target, now + self._seconds)
        self._known.move_to_end(client)
        while len(self._known) > CLIENTS:
            self._known.popitem(last=False)
