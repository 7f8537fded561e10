"""What one worker asks the others: their metrics, a decision that it did not make.

All workers of a machine stand behind one port, and whoever asks for a page does not know which of them answers. So the one that
does asks the rest, over the hub that they share anyway, and waits a short time: a worker that is just being started again is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from brickyard.gateway.sharing import contract
from brickyard.lib import logs

log = logs.get(__name__)

PATIENCE: Final = 0.5
"""Seconds that an answer is waited for."""
MARK: Final = 0xB1
"""The first byte of questions and answers; no version of ``messages`` begins with it."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of an answer, unpacked."""


class _Question(msgspec.Struct, array_like=True, frozen=True, tag="q"):
    asker: str
    number: int
    page: str
    rest: str


class _Answer(msgspec.Struct, array_like=True, frozen=True, tag="a"):
    worker: str
    number: int
    packed: bytes


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Question | _Answer)


class _Waiting:
    """A question that is out."""

    def __init__(self, expected: int) -> None:
        self.answers: dict[str, bytes] = {}
        self.complete = asyncio.Event()
        self._expected = expected

    def add(self, worker: str, body: bytes) -> None:
        self.answers[worker] = body
        if len(self.answers) >= self._expected:
            self.complete.set()


class Neighbours:
    """The other workers, reached over ``channel``. What is not meant for this part goes on to ``onward``.

    ``worker``: what this one is called on pages. ``count``: how many there are in all.
    """

    def __init__(
        self, channel: contract.Channel, worker: str, count: int, onward: contract.Listener | None = None
    ) -> None:
        self.worker = worker
        self.onward = onward
        self._channel = channel
        self._count = count
        self._page: Callable[[str, str], bytes] | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0

    def serve(self, page: Callable[[str, str], bytes]) -> None:
        """Answer the others' questions by ``page(name, rest)``, which returns at once."""
        self._page = page

    async def ask(self, page: str, rest: str = "") -> Mapping[str, bytes]:
        """What the others say to ``page``, by their names; those that answer within half a second."""
        if self._count < 2 or not self._channel.connected:
            return {}
        self._number += 1
        number, waiting = self._number, _Waiting(self._count - 1)
        self._waiting[number] = waiting
        try:
            self._say(_Question(self._channel.name, number, page, rest))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(waiting.complete.wait(), PATIENCE)
        finally:
            del self._waiting[number]
        return waiting.answers

    async def run(self) -> None:
        """Be reachable until cancelled."""
        await self._channel.run(self)

    def _say(self, said: _Question | _Answer, to: str = "") -> None:
        self._channel.send(bytes([MARK]) + _encoder.encode(said), to)

    # For the channel.

    def joined(self) -> None:
        if self.onward is not None:
            self.onward.joined()

    def away(self) -> None:
        if self.onward is not None:
            self.onward.away()

    def left(self, name: str) -> None:
        if self.onward is not None:
            self.onward.left(name)

    def received(self, payload: bytes) -> None:
        if payload[:1] != bytes([MARK]):
            if self.onward is not None:
                self.onward.received(payload)
            return
        try:
            said = _decoder.decode(memoryview(payload)[1:])
        except (msgspec.DecodeError, ValueError):
            return
        if isinstance(said, _Question):
            self._answer(said)
        elif said.number in self._waiting:
            self._unpack(said)

    def _answer(self, question: _Question) -> None:
        if self._page is None:
            return
        packed = zlib.compress(self._page(question.page, question.rest), 1)
        if len(packed) < contract.LARGEST:
            self._say(_Answer(self.worker, question.number, packed), question.asker)
        else:
            log.warning("a page is too large for the other workers", page=question.page, bytes=len(packed))

    def _unpack(self, answer: _Answer) -> None:
        with contextlib.suppress(zlib.error):
            body = zlib.decompressobj().decompress(answer.packed, MOST_BYTES)
            self._waiting[answer.number].add(answer.worker, body)
