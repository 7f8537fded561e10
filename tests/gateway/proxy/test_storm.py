"""Everything at once: clients of every manner, engines of every mood, limits, a line, little room. Nobody hangs, nobody gets another's
answer, nothing is left.

Each request carries a word of its own, which the engine gives back: so an answer that went to the wrong client, or a body that was mixed
up with another's, shows.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import random
from collections.abc import Iterator

import orjson
import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import testing
from brickyard.gateway.queueing import settings as queueing

VISITS = 120
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'


def word_of(body: bytes) -> bytes:
    """What tells a request apart, or the answer to it."""
    begin = body.find(b"word-")
    return body[begin : body.find(b".", begin)] if begin >= 0 else b""


@dataclasses.dataclass
class Engine:
    """A script: mostly answers, in every framing there is; sometimes dies, stalls or talks nonsense."""

    rng: random.Random
    stalls: asyncio.Event

    def __call__(self, request: testing.Received) -> Iterator[testing.Step]:
        word, rng = word_of(request.body), self.rng
        mood = rng.random()
        if b'"stream":true' in request.body and mood < 0.6:
            yield testing.EVENTS
            for at in range(rng.randrange(1, 6)):
                yield testing.chunk(b'data: {"choices":[{"text":"%b. %d"}],"usage":null}\n\n' % (word, at))
                if rng.random() < 0.04:
                    yield self.end(b"nonsense\r\n")
            yield testing.chunk(USAGE + b"data: [DONE]\n\n") + testing.LAST_CHUNK
        elif mood < 0.7:
            yield testing.reply(b'{"text":"%b."}' % word)
        elif mood < 0.8:
            yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            yield testing.chunk(b'{"text":"%b."}' % word + b" " * rng.randrange(50_000)) + testing.LAST_CHUNK
        elif mood < 0.85:
            yield b"HTTP/1.0 200 OK\r\n\r\n" + b"%b. until the end" % word
            yield testing.Close()
        elif mood < 0.9:
            yield testing.reply(b'{"error":{"message":"%b."}}' % word, "503 Service Unavailable")
        else:
            yield self.end(b"nonsense\r\n\r\n")
            yield testing.Close()

    def end(self, nonsense: bytes) -> testing.Step:
        ends: list[testing.Step] = [testing.Close(), testing.Reset(), testing.Hold(self.stalls), nonsense]
        return self.rng.choice(ends)


@dataclasses.dataclass
class Visitor:
    """One client: a few requests, in some manner, until it has enough."""

    house: House
    rng: random.Random
    name: int
    seen: collections.Counter[str]
    last: bool = False

    async def visit(self) -> None:
        async with testing.connect(self.house.port) as client:
            count = self.rng.randrange(1, 5)
            asked = [self.request(at) for at in range(count)]
            if self.rng.random() < 0.3:
                client.send(b"".join(data for data, _ in asked))  # all at once
                await self.leave(client)
                await self.take(client, [word for _, word in asked])
                return
            for data, word in asked:
                await self.write(client, data)
                if await self.leave(client) or not await self.take(client, [word]) or self.last:
                    return

    def request(self, at: int) -> tuple[bytes, bytes]:
        """A request and its word."""
        rng, word = self.rng, b"word-%d-%d" % (self.name, at)
        prompt = "x" * rng.choice([1, 100, 40_000]) + word.decode() + "."
        body = {"model": testing.MODEL, "prompt": prompt, "stream": rng.random() < 0.6}
        data = orjson.dumps(body)
        line = b"POST /v1/completions HTTP/1.%d\r\nhost: g\r\n" % (rng.random() < 0.9)
        user = b"user: u%d\r\n" % rng.randrange(5) if rng.random() < 0.5 else b""
        if b"HTTP/1.1" in line and rng.random() < 0.3:
            cut = rng.randrange(1, len(data))
            pieces = testing.chunk(data[:cut]) + testing.chunk(data[cut:]) + testing.LAST_CHUNK
            return line + user + b"transfer-encoding: chunked\r\n\r\n" + pieces, word
        return line + user + b"content-length: %d\r\n\r\n" % len(data) + data, word

    async def write(self, client: testing.RawClient, data: bytes) -> None:
        if self.rng.random() < 0.8:
            client.send(data)
            return
        step = max(1, len(data) // self.rng.randrange(2, 6))
        for at in range(0, len(data), step):
            client.send(data[at : at + step])
            await asyncio.sleep(0.001)

    async def leave(self, client: testing.RawClient) -> bool:
        """Whether it goes without waiting for the answer, or closes its sending side and stays."""
        mood = self.rng.random()
        if mood < 0.08:
            client.reset()
            return True
        if mood < 0.14:
            await asyncio.sleep(self.rng.random() * 0.01)
            return True
        if mood < 0.2:
            self.last = True
            client.writer.write_eof()
        return False

    async def take(self, client: testing.RawClient, words: list[bytes]) -> bool:
        """Read the answers; whether the connection goes on."""
        for word in words:
            try:
                answer = await client.read()
            except (asyncio.IncompleteReadError, ConnectionError):
                self.seen["cut"] += 1
                return False
            found = word_of(answer.body)
            assert found in (b"", word), f"{word!r} got {found!r}"
            assert found == word or answer.status >= 400 or not answer.complete or b"error" in answer.body
            self.seen[str(answer.status)] += 1
            if not answer.complete or answer.headers.get("connection") == "close":
                return False
        return True


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_passes(start: Start, seed: int) -> None:
    rng, stalls = random.Random(seed), asyncio.Event()
    seen: collections.Counter[str] = collections.Counter()
    house = await start(
        *(Engine(rng, stalls) for _ in range(3)),
        gate=testing.FakeGate(metered=True),
        queue=queueing.QueueSettings(length=20, timeout=1.0),
        idle_timeout=0.2,
        first_byte_timeout=0.2,
        max_attempts=2,
        max_pipelined=2,
    )
    house.director.room, house.director.rotate = 12, True
    visitors = [Visitor(house, random.Random(seed * 1000 + at), at, seen) for at in range(VISITS)]
    async with asyncio.timeout(30):
        for group in range(0, VISITS, 50):
            await asyncio.gather(*(each.visit() for each in visitors[group : group + 50]))
            with contextlib.suppress(TimeoutError):
                await until(lambda: not house.plane.clients, limit=0.01)
        await until(lambda: not house.plane.clients, limit=5.0)
    stalls.set()
    assert seen["200"] > VISITS
    assert sum(count for how, count in seen.items() if how != "200") > VISITS // 20
    assert (await house.ask(testing.get("/healthz"))).status == 200
