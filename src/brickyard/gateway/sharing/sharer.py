"""Tells the other gateways what changes here, and this gateway what changes there.

    leases, prompts ──► Telling ──► channel ──► … ──► Peers ──► live table, prefix index

A turn every ``interval`` says what changed since the last one; one every ``heartbeat`` says at least that this gateway is there. While the
channel is away, nothing waits: the others' requests stop counting after the time to live, the gateway goes on with its own, and who
comes back is asked for what was missed.
"""

from __future__ import annotations

import asyncio
import collections
import math
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final

from brickyard.gateway.endpoints import prefixes, table
from brickyard.gateway.sharing import contract, merge, messages, metrics, settings, telling
from brickyard.kvindex import prefix
from brickyard.lib import clock, logs, tasks

log = logs.get(__name__)

MOST_ASKED: Final = 64
"""Questions that wait for their answer; who asks more often is asking again."""
LAST_WORDS: Final = 0.05
"""Seconds in which the word of the end gets out before the channel closes."""
PAUSE: Final = 0.002
"""Seconds between two pieces of a long answer: requests come first."""
MOST_STRANGE: Final = 64
"""Gateways of other versions or schemes that are remembered as having been mentioned."""


class Sharer:
    """One gateway's end of a channel; a ``contract.Listener``.

    ``time`` must be the clock that leases and prompts are counted by.
    """

    def __init__(
        self,
        live: table.Table,
        known: prefixes.Prefixes,
        channel: contract.Channel,
        given: settings.SharingSettings,
        *,
        time: clock.Clock,
    ) -> None:
        self.peers = merge.Peers(max(given.ttl, 3 * given.heartbeat))
        self.counted = metrics.Counts()
        self._table = live
        self._known = known
        self._channel = channel
        self._given = given
        self._clock = time
        self._now: Callable[[], float] = time.monotonic
        self._telling = telling.Telling()
        self._seq = 0
        self._turned_at = time.monotonic()
        self._told_at = -math.inf
        self._asked: collections.deque[tuple[str, float]] = collections.deque(maxlen=MOST_ASKED)
        self._wanted = asyncio.Event()
        self._strange: set[str] = set()
        live.share(self.peers.totals)
        known.share(self._telling.sent)

    @property
    def untold(self) -> int:
        """Hashes of blocks that were dropped before anybody was told."""
        return self._telling.dropped

    @property
    def channel(self) -> contract.Channel:
        """The channel this is the end of."""
        return self._channel

    async def run(self, channel: Coroutine[Any, Any, None] | None = None) -> None:
        """Share until cancelled; the others are told of the end. ``channel`` runs the channel where somebody else listens on it too."""
        async with tasks.Scope("sharing") as scope:
            scope.start(channel or self._channel.run(self), name="channel")
            scope.start(self._answer(), name="answers")
            try:
                while True:
                    self.turn()
                    await asyncio.sleep(self._given.interval)
            finally:
                if self._say(messages.Bye()):
                    await asyncio.sleep(LAST_WORDS)

    def turn(self) -> None:
        """Say what changed, ask what is missing, forget who is silent."""
        now = self._now()
        self._apply(self.peers.expire(now))
        if self._channel.connected:
            self._tell(now)
            for question in self.peers.questions(now):
                self._say(messages.Ask(question.since), question.peer)
        else:
            self._telling.forget()
        self._turned_at = now

    def _tell(self, now: float) -> None:
        counts = self._telling.counts(self._table.open_here())
        sent = self._telling.blocks()
        if not counts and not sent and now - self._told_at < self._given.heartbeat:
            return
        blocks = tuple(messages.Blocks(each.endpoint, now - each.at, messages.pack(each.hashes)) for each in sent)
        self._seq += 1
        self._told_at = now
        self._say(messages.Delta(self._seq, now - self._turned_at, counts, blocks))

    def _say(self, body: messages.Body, to: str = "") -> bool:
        message = messages.Message(self._channel.name, self._known.scheme, self._clock.wall(), body)
        payload = messages.encode(message)
        if len(payload) > contract.LARGEST:  # more than ten thousand endpoints at once
            self.counted.oversized += 1
            return False
        return self._channel.send(payload, to)

    # For the channel.

    def joined(self) -> None:
        """Tell everybody what is open here, and ask everybody what is there."""
        log.info("channel to other gateways is open", name=self._channel.name)
        self._telling.forget()
        self._say(self._snapshot())
        self._say(messages.Ask(0.0))

    def away(self) -> None:
        """What others have open stops counting when their time is over, unless the channel is back by then."""
        log.warning("channel to other gateways is away: going on with what is known here", name=self._channel.name)

    def left(self, name: str) -> None:
        """A gateway is gone."""
        self._apply(self.peers.leave(name, self._now()))

    def received(self, payload: bytes) -> None:
        """Take a message in."""
        try:
            message = messages.decode(payload)
        except messages.UnknownMessageError as error:
            self._wonder("", str(error))
            return
        if message.sender != self._channel.name:
            self._take(message)

    def _take(self, message: messages.Message) -> None:
        now, sender, body = self._now(), message.sender, message.body
        if isinstance(body, messages.Delta):
            self._apply(self.peers.delta(sender, body.seq, body.counts, now))
            self._absorb(message, body.blocks, now)
            if body.counts or body.blocks:
                self.counted.staleness.observe(max(0.0, self._clock.wall() - message.sent) + body.lag)
        elif isinstance(body, messages.Snapshot):
            self._apply(self.peers.snapshot(sender, body.seq, body.counts, now))
            self.counted.snapshots += 1
        elif isinstance(body, messages.Held):
            self._absorb(message, body.blocks, now)
            if body.last:
                self.peers.told(sender, now)
        elif isinstance(body, messages.Ask):
            self._asked.append((sender, body.since))
            self._wanted.set()
        else:
            self._apply(self.peers.leave(sender, now))

    def _absorb(self, message: messages.Message, blocks: Sequence[messages.Blocks], now: float) -> None:
        if not blocks:
            return
        if message.scheme != self._known.scheme:
            self._wonder(message.sender, f"it hashes prompts by {message.scheme} and this one by {self._known.scheme}")
            return
        for each in blocks:
            # An endpoint that is not in the table would never leave the index.
            if self._table.holds(each.endpoint):
                self._known.heard(messages.unpack(each.hashes), each.endpoint, now, each.age)
                self.counted.blocks += len(each.hashes) // messages.WORD

    def _apply(self, totals: merge.Totals) -> None:
        for key, count in totals.items():
            self._table.changed(key, count)

    def _wonder(self, sender: str, why: str) -> None:
        self.counted.strange += 1
        if sender not in self._strange and len(self._strange) < MOST_STRANGE:
            self._strange.add(sender)
            log.warning("another gateway is not understood", gateway=sender, why=why)

    # Answers.

    def _snapshot(self) -> messages.Snapshot:
        return messages.Snapshot(self._seq, self._told_now())

    def _told_now(self) -> dict[str, int]:
        """What is open here, as of a delta that is said with it: a snapshot must not know more than its number says."""
        now_open = self._table.open_here()
        changed = self._telling.counts(now_open)
        if changed:
            self._seq += 1
            self._say(messages.Delta(self._seq, self._now() - self._turned_at, changed))
        return now_open

    async def _answer(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._asked:
                await self._answer_one(*self._asked.popleft())

    async def _answer_one(self, asker: str, since: float) -> None:
        counts = self._told_now()
        self._say(messages.Snapshot(self._seq, counts), asker)
        if not since > 0:  # none, or not a number
            return
        now = self._now()
        for piece in self._known.recent(since, now):
            for blocks in _fitting(piece):
                self._say(messages.Held(blocks, last=False), asker)
            await asyncio.sleep(PAUSE)
        self._say(messages.Held((), last=True), asker)


def _fitting(piece: Iterable[prefix.Holding]) -> Iterator[tuple[messages.Blocks, ...]]:
    """Holdings in groups that each fit a message. One holding alone always does."""
    group: list[messages.Blocks] = []
    room = telling.MOST_TOLD
    for each in piece:
        if group and len(each.hashes) > room:
            yield tuple(group)
            group, room = [], telling.MOST_TOLD
        group.append(messages.Blocks(each.endpoint, each.age, messages.pack(each.hashes)))
        room -= len(each.hashes)
    if group:
        yield tuple(group)
