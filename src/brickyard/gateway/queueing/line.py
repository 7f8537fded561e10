"""Who waits for one model, and who is next. Pure: no clock, no loop, no client.

| turn | who is next, among those whose kind of request is not known to find no room |
|---|---|
| seven of eight | the highest priority there is; within it users take turns; of one user's, the earliest |
| every eighth | whoever has waited longest |

The eighth turn is what lets no priority starve: with n requests ahead of it by age, a request's turn comes within 8·(n + 1) turns, however
many of higher priority arrive meanwhile.

A full line sheds where it hurts least: from the lowest priority that waits, the newcomer's among them, the latest request of the user
who has most there. So one user's flood costs that user, and a newcomer of a higher priority finds a place.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Set
from typing import Final, Generic, TypeVar

W = TypeVar("W")

ELDER_EVERY: Final = 8
"""One turn of so many is for whoever has waited longest."""
SMOOTHING: Final = 0.2
"""How much the latest gap between two turns counts in their mean."""
LONGEST_ADVICE: Final = 60
"""Seconds; nobody is told to come back later than that."""


class Ticket(Generic[W]):
    """A place in a line.

    Attributes:
        waiter: who waits; of no interest here.
        user: whose request it is, "" for nobody's; all of nobody's are one user's.
        priority: higher goes first.
        kind: requests of one kind find room or none alike.
        joined_at: when the waiting began.
        slept: seconds of it in which the model had no endpoint at all, told when the waiting ends.
        weight: bytes that are counted for it while it waits for a model that sleeps.
    """

    __slots__ = ("joined_at", "kind", "priority", "serial", "slept", "user", "waiter", "weight")

    def __init__(self, waiter: W, user: str, priority: int, kind: Hashable, joined_at: float) -> None:
        self.waiter = waiter
        self.user = user
        self.priority = priority
        self.kind = kind
        self.joined_at = joined_at
        self.serial = -1
        self.slept = 0.0
        self.weight = 0


class Line(Generic[W]):
    """At most ``limit`` tickets."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_age: dict[int, Ticket[W]] = {}
        self._levels: dict[int, dict[str, dict[int, Ticket[W]]]] = {}  # priority → user, in turn → serial → ticket
        self._kinds: dict[Hashable, int] = {}
        self._serial = 0
        self._turn = 0
        self._gap = 0.0
        self._last_turn = 0.0

    def __len__(self) -> int:
        return len(self._by_age)

    def join(self, ticket: Ticket[W]) -> Ticket[W] | None:
        """Let ``ticket`` wait; who has to go for it, which may be itself, and is not in the line any more."""
        shed = self._shed(ticket) if len(self._by_age) >= self._limit else None
        if shed is ticket:
            return shed
        if shed is not None:
            self.leave(shed)
        if not self._by_age:
            self._last_turn = ticket.joined_at
        ticket.serial = self._serial
        self._serial += 1
        self._by_age[ticket.serial] = ticket
        self._levels.setdefault(ticket.priority, {}).setdefault(ticket.user, {})[ticket.serial] = ticket
        self._kinds[ticket.kind] = self._kinds.get(ticket.kind, 0) + 1
        return shed

    def next(self, stuck: Set[Hashable]) -> Ticket[W] | None:
        """Whose turn it is, leaving out kinds that are ``stuck``. Asking changes nothing: ``take`` does."""
        if self._kinds.keys() <= stuck:
            return None
        if self._turn % ELDER_EVERY == ELDER_EVERY - 1:
            return next((ticket for ticket in self._by_age.values() if ticket.kind not in stuck), None)
        for priority in sorted(self._levels, reverse=True):
            for tickets in self._levels[priority].values():
                for ticket in tickets.values():
                    if ticket.kind not in stuck:
                        return ticket
        return None

    def take(self, ticket: Ticket[W], now: float) -> None:
        """Its turn has come: it leaves, and its user goes to the end of the round."""
        if not self.leave(ticket):
            return
        users = self._levels.get(ticket.priority, {})
        others = users.pop(ticket.user, None)
        if others is not None:
            users[ticket.user] = others
        self._turn += 1
        self._gap += SMOOTHING * (now - self._last_turn - self._gap)
        self._last_turn = now

    def leave(self, ticket: Ticket[W]) -> bool:
        """It waits no more; False when it did not."""
        if self._by_age.get(ticket.serial) is not ticket:
            return False
        del self._by_age[ticket.serial]
        users = self._levels[ticket.priority]
        del users[ticket.user][ticket.serial]
        if not users[ticket.user]:
            del users[ticket.user]
        if not users:
            del self._levels[ticket.priority]
        self._kinds[ticket.kind] -= 1
        if not self._kinds[ticket.kind]:
            del self._kinds[ticket.kind]
        return True

    def overdue(self, before: float) -> list[Ticket[W]]:
        """Those who joined at ``before`` or earlier; they wait no more."""
        found: list[Ticket[W]] = []
        for ticket in self._by_age.values():
            if ticket.joined_at > before:
                break
            found.append(ticket)
        for ticket in found:
            self.leave(ticket)
        return found

    def advice(self) -> int:
        """Whole seconds after which there may be room for one more: as long as the whole line takes at its pace of late."""
        return min(LONGEST_ADVICE, max(1, math.ceil(self._gap * (len(self._by_age) + 1))))

    def inconsistencies(self) -> list[str]:
        """What does not hold although it must between any two calls; empty as long as this module is right."""
        wrong: list[str] = []
        found: dict[int, Ticket[W]] = {}
        for priority, users in self._levels.items():
            if not users:
                wrong.append(f"priority {priority} has nobody")
            for user, tickets in users.items():
                if not tickets or list(tickets) != sorted(tickets):
                    wrong.append(f"user {user!r} has no tickets or not in their order")
                wrong += [f"{user!r} holds another's" for each in tickets.values() if each.user != user]
                found.update(tickets)
        if found != self._by_age or list(self._by_age) != sorted(self._by_age):
            wrong.append("tickets by age and by priority differ")
        if sum(self._kinds.values()) != len(found) or self._kinds.keys() != {each.kind for each in found.values()}:
            wrong.append("kinds are miscounted")
        if len(found) > self._limit:
            wrong.append(f"{len(found)} wait and {self._limit} may")
        return wrong

    def _shed(self, newcomer: Ticket[W]) -> Ticket[W]:
        """Who has to go when ``newcomer`` comes to a full line."""
        lowest = min(self._levels, default=newcomer.priority)
        if newcomer.priority < lowest:
            return newcomer
        users = self._levels.get(lowest, {})
        greedy = max(users, key=lambda user: len(users[user]), default=newcomer.user)
        if newcomer.priority == lowest and len(users.get(greedy, ())) <= len(users.get(newcomer.user, ())) + 1:
            return newcomer
        return users[greedy][next(reversed(users[greedy]))]
