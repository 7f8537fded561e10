"""Engine doubles with real block accounting behind the gateway: what they forget, the index forgets."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator

import orjson

from brickyard.api import names
from brickyard.assembly import routing_policies
from brickyard.gateway import settings
from brickyard.gateway import testing as gateway
from brickyard.gateway.kvevents import publisher
from brickyard.gateway.kvevents import testing as ears
from brickyard.gateway.proxy import server
from brickyard.kvindex import accuracy as kvindex
from brickyard.routing import contract as routing
from brickyard.sim.engine import options, testing
from brickyard.sim.engine.core import presets

EVENTS = options.KvEvents("tcp://*:0", "tcp://*:0")
SMALL = dataclasses.replace(presets.NAMED["instant"], blocks=72)
"""1152 tokens, three conversations."""


def endpoint(engine: testing.Engine, name: str) -> routing.Endpoint:
    made = gateway.endpoint(engine.server.port, name)
    ports = [address.rpartition(":")[2] for address in (engine.server.events_endpoint, engine.server.replay_endpoint)]
    labels = {
        names.KV_EVENTS_ENABLED: "true",
        names.MODEL_PORT: str(made.port),
        names.KV_EVENTS_PORT: ports[0],
        names.KV_REPLAY_PORT: ports[1],
    }
    return dataclasses.replace(made, labels=labels, engine="vllm")


@dataclasses.dataclass
class Gateway:
    """A gateway over running engines."""

    heard: ears.Ears
    port: int
    engines: list[testing.Engine]

    async def ask(self, text: str, tokens: int = 8) -> dict[str, int]:
        """One request; its usage."""
        body = {"model": gateway.MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": tokens}
        async with gateway.connect(self.port) as client:
            client.send(gateway.post(body))
            answer = await client.read()
        assert answer.status == 200, answer.body
        usage = orjson.loads(answer.body)["usage"]
        return {"prompt": usage["prompt_tokens"], "cached": usage["prompt_tokens_details"]["cached_tokens"]}

    async def learned(self) -> None:
        """All that the engines told has come, and all is learned from it that can be."""
        await ears.until(lambda: all(self.heard_all(engine) for engine in self.engines))
        await self.heard.pass_time()

    def heard_all(self, engine: testing.Engine) -> bool:
        assert engine.server.publisher is not None
        sequence = self.told(engine).sequence
        return (-1 if sequence is None else sequence) + 1 == engine.server.publisher.published

    def told(self, engine: testing.Engine) -> publisher.Publisher:
        told = self.heard.book.publishers
        return next(told[key] for key in told if key.endswith(f":{engine.server.port}"))


@contextlib.asynccontextmanager
async def running(count: int = 2, *, listen: bool = True) -> AsyncIterator[Gateway]:
    async with contextlib.AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(testing.running(models=(gateway.MODEL,), params=SMALL, kv_events=EVENTS))
            for _ in range(count)
        ]
        endpoints = [endpoint(engine, f"e{number}") for number, engine in enumerate(started)]
        heard = await stack.enter_async_context(
            ears.listening(routing_policies.make(), "prefix-cache", endpoints, listen=listen)
        )
        plane = await stack.enter_async_context(server.DataPlane(heard.director, settings.GatewaySettings(port=0)))
        yield Gateway(heard, plane.port, started)


def story(number: int) -> str:
    return "".join(f"{number} {line} and the sea came up to the wall. " for line in range(40))


async def rounds(gate: Gateway, *, listen: bool) -> kvindex.Accuracy:
    """Twelve conversations in no order, some asked for more often; both engines together hold half of them."""
    chance = random.Random(3)
    for _ in range(100):
        await gate.ask(story(min(chance.randrange(12), chance.randrange(12))))
        if listen:
            await gate.learned()
    return gate.heard.director.prefixes.accuracy


async def test_what_engines_forget_is_not_foreseen() -> None:
    async with running(listen=False) as gate:
        guessed = await rounds(gate, listen=False)
    async with running() as gate:
        told = await rounds(gate, listen=True)
        (model,) = gate.heard.book.models.values()
    assert guessed.precision is not None
    assert told.precision is not None
    assert guessed.precision < 0.7
    assert told.precision > 0.95
    assert told.recall is not None
    assert told.recall > 0.9
    assert model.learner.counts.conflicts == 0
