"""What the other gateways have open, from messages that may be lost, doubled or out of order.

Each peer's contribution is a map from endpoint to requests, of which every entry is as new as the latest delta that named it. ``floor`` is
the delta up to which nothing is missing; those ``beyond`` it came early. A delta within the floor is old and does nothing. A snapshot
of delta n stands for all deltas up to n. So whatever way messages take, after the last snapshot, or when none was lost, the map is
the sender's.

A peer lives as long as it is heard: after the time to live its contribution is taken out, and when it comes back it is asked for what
was missed. Totals over all peers are kept as they change, since they are read on every request.

Pure: the time is an argument, what changed is the result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Final

ASK_AGAIN: Final = 1.0
"""Seconds after which a peer that has not answered is asked again."""
MARGIN: Final = 2.0
"""Seconds more than what seems to be missing that a peer is asked for: what was under way when it was last heard."""
MOST_BEYOND: Final = 4096
"""Early deltas that are remembered of one peer; above that what is missing will not come."""
MOST_ENDPOINTS: Final = 65536
"""Endpoints that one peer may count on."""
MOST_DEPARTED: Final = 256
"""Peers remembered after they were last heard."""

Totals = Mapping[str, int]
"""Endpoint → requests of all peers, of those endpoints where it changed."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """Ask ``peer`` for a snapshot and for the blocks of the last ``since`` seconds; ``inf`` for all, 0 for none."""

    peer: str
    since: float


class _Peer:
    """One other gateway."""

    __slots__ = ("asked_at", "beyond", "counts", "floor", "heard_at", "latest", "missing_from", "whole_at")

    def __init__(self, now: float, missing_from: float | None) -> None:
        self.counts: dict[str, int] = {}
        self.floor = 0
        self.beyond: set[int] = set()
        self.latest: dict[str, int] = {}
        self.heard_at = now
        self.whole_at = now
        self.missing_from = missing_from
        self.asked_at = -math.inf

    @property
    def behind(self) -> bool:
        return bool(self.beyond)

    def delta(self, seq: int, counts: Mapping[str, int]) -> dict[str, int]:
        """Take a delta in; what it changes, as new counts."""
        if seq <= self.floor or seq in self.beyond:
            return {}
        newer = {key: count for key, count in counts.items() if self.latest.get(key, 0) < seq}
        if seq == self.floor + 1:
            self._raise_floor(seq)
        else:
            self.beyond.add(seq)
            self.latest.update(dict.fromkeys(newer, seq))
            if len(self.beyond) > MOST_BEYOND:
                self._raise_floor(max(self.beyond))
        return newer

    def snapshot(self, seq: int, counts: Mapping[str, int]) -> dict[str, int]:
        """Take a snapshot in; what it changes, as new counts."""
        if seq < self.floor:
            return {}
        changed = dict.fromkeys(self.counts, 0) | dict(counts)
        newer = {key: count for key, count in changed.items() if self.latest.get(key, 0) <= seq}
        self._raise_floor(seq)
        return newer

    def _raise_floor(self, seq: int) -> None:
        self.floor = seq
        while self.floor + 1 in self.beyond:
            self.floor += 1
        if self.beyond:
            self.beyond = {each for each in self.beyond if each > self.floor}
            self.latest = {key: each for key, each in self.latest.items() if each > self.floor}


class Peers:
    """The other gateways. ``ttl``: seconds that one counts after it was last heard."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._peers: dict[str, _Peer] = {}
        self._departed: dict[str, float] = {}
        self._totals: dict[str, int] = {}
        self._filled = False
        self._filling = ""

    def __len__(self) -> int:
        return len(self._peers)

    @property
    def totals(self) -> Totals:
        """Requests of all peers by endpoint, where there are any. Changes as messages come."""
        return self._totals

    def silence(self, now: float) -> float:
        """Seconds since the most silent peer was heard; 0 when there is none."""
        return max((now - peer.heard_at for peer in self._peers.values()), default=0.0)

    def delta(self, sender: str, seq: int, counts: Mapping[str, int], now: float) -> Totals:
        """A delta came; the totals that it changed."""
        peer = self._heard(sender, now)
        changed = self._merge(peer, peer.delta(seq, counts))
        if peer.behind and peer.missing_from is None:
            peer.missing_from = peer.whole_at - MARGIN
        elif not peer.behind:
            peer.whole_at = now
        return changed

    def snapshot(self, sender: str, seq: int, counts: Mapping[str, int], now: float) -> Totals:
        """A snapshot came; the totals that it changed."""
        peer = self._heard(sender, now)
        changed = self._merge(peer, peer.snapshot(seq, counts))
        if not peer.behind:
            peer.whole_at = now
        return changed

    def told(self, sender: str, now: float) -> None:
        """A peer has sent all blocks that it was asked for."""
        peer = self._heard(sender, now)
        peer.missing_from = None
        if sender == self._filling:
            self._filled = True

    def leave(self, sender: str, now: float) -> Totals:
        """A peer is gone, or out of reach; the totals that it changed."""
        peer = self._peers.pop(sender, None)
        if peer is None:
            return {}
        if sender == self._filling and not self._filled:
            self._filling = ""
        since = peer.whole_at if peer.missing_from is None else peer.missing_from
        self._departed.pop(sender, None)
        self._departed[sender] = min(since, now)
        if len(self._departed) > MOST_DEPARTED:
            del self._departed[next(iter(self._departed))]
        return self._merge(peer, dict.fromkeys(peer.counts, 0))

    def expire(self, now: float) -> Totals:
        """Take out peers that were not heard for the time to live; the totals that this changed."""
        silent = [name for name, peer in self._peers.items() if now - peer.heard_at > self._ttl]
        changed: dict[str, int] = {}
        for name in silent:
            changed.update(self.leave(name, now))
        return changed

    def questions(self, now: float) -> Iterable[Question]:
        """Whom to ask now. Each is asked again after a second until it has answered."""
        due: list[Question] = []
        for name, peer in self._peers.items():
            if now - peer.asked_at < ASK_AGAIN or not (peer.behind or peer.missing_from is not None):
                continue
            peer.asked_at = now
            due.append(Question(name, 0.0 if peer.missing_from is None else now - peer.missing_from))
        return due

    def inconsistencies(self) -> list[str]:
        """What does not hold although it must between any two calls; empty as long as this module is right."""
        sums: dict[str, int] = {}
        for peer in self._peers.values():
            for key, count in peer.counts.items():
                sums[key] = sums.get(key, 0) + count
        wrong = [] if sums == self._totals else [f"totals are {self._totals} and should be {sums}"]
        wrong += [
            f"{name} counts {peer.counts}"
            for name, peer in self._peers.items()
            if min(peer.counts.values(), default=1) < 1
        ]
        return wrong

    def _heard(self, sender: str, now: float) -> _Peer:
        peer = self._peers.get(sender)
        if peer is None:
            peer = self._peers[sender] = _Peer(now, self._missing_of(sender))
        peer.heard_at = now
        return peer

    def _missing_of(self, sender: str) -> float | None:
        """From when on the blocks of a peer that is new, or new again, are not known here; None: they are not needed.

        The first one is asked for all that it knows, which is what it heard of others too: one such answer is enough.
        """
        departed = self._departed.pop(sender, None)
        if departed is not None:
            return departed - MARGIN
        if self._filled or self._filling:
            return None
        self._filling = sender
        return -math.inf

    def _merge(self, peer: _Peer, news: Mapping[str, int]) -> Totals:
        changed: dict[str, int] = {}
        for key, new in news.items():
            old = peer.counts.get(key, 0)
            count = max(0, new)
            if count == old or (not old and len(peer.counts) >= MOST_ENDPOINTS):
                continue
            total = self._totals.get(key, 0) + count - old
            _put(peer.counts, key, count)
            _put(self._totals, key, total)
            changed[key] = total
        return changed


def _put(counts: dict[str, int], key: str, count: int) -> None:
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
