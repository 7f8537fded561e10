"""Lines of models and of their adapters: who hears that there is room."""

from __future__ import annotations

import asyncio

from brickyard.gateway import errors
from brickyard.gateway.queueing import queue, settings
from brickyard.routing import contract, pickers
from brickyard.routing import testing as routing_testing

PROFILE = contract.Profile("any", (), (), pickers.Best())


class World:
    """One endpoint of the model ``demo`` with room for one request."""

    def __init__(self) -> None:
        self.endpoint = routing_testing.endpoint("a")
        self.snapshot = routing_testing.snapshot(0, endpoints=[self.endpoint])
        self.free = False
        self.lines = queue.Queue(settings.QueueSettings(), lambda: 0.0)

    def request(self, model: str) -> contract.Request:
        return contract.Request("id", model, "/v1/chat/completions")

    def full(self, model: str) -> contract.NoDecision:
        return contract.NoDecision(self.request(model), self.snapshot, {}, "full", 0.0, saturated=True)

    def wait(self, model: str, *, behind: bool = False) -> Waiter:
        waiter = Waiter(self, model)
        waiter.ticket = self.lines.join(waiter, self.request(model), 0, None if behind else self.full(model))
        return waiter


class Waiter:
    """Goes when the world is free, and takes that place."""

    def __init__(self, world: World, model: str) -> None:
        self.world = world
        self.model = model
        self.went = False
        self.asked = 0
        self.ticket: queue.Ticket | None = None

    def choose(self, waited: float) -> contract.Decision | contract.NoDecision:
        self.asked += 1
        world = self.world
        if not world.free:
            return world.full(self.model)
        return contract.Decision(
            world.request(self.model), world.endpoint, PROFILE, world.snapshot, (0,), contract.UNJUDGED, {}, 0.0
        )

    def called(self, decision: contract.Decision) -> None:
        self.went, self.world.free = True, False

    def turned_away(self, refused: errors.RefusedError | None) -> None:
        raise AssertionError(refused)


async def freed(world: World) -> None:
    """Somebody gave the place back, on an endpoint that counts as its pod's model."""
    world.free = True
    world.lines.freed(world.endpoint.model)
    await asyncio.sleep(0)


async def test_a_place_of_the_model_is_one_for_its_adapters() -> None:
    world = World()
    first, second = world.wait("tone"), world.wait("tone", behind=True)
    await freed(world)
    assert (first.went, second.went) == (True, False)
    await freed(world)
    assert second.went
    assert world.lines.waiting == 0


async def test_model_and_adapter_both_hear_of_it() -> None:
    world = World()
    waiters = [world.wait(world.endpoint.model), world.wait("tone"), world.wait("tale")]
    for gone in range(1, 4):
        await freed(world)
        assert sum(each.went for each in waiters) == gone
    assert world.lines.waiting == 0


async def test_other_models_hear_nothing() -> None:
    world = World()
    waiter = world.wait("tone")
    world.lines.freed("other")
    await asyncio.sleep(0)
    assert waiter.asked == 0


async def test_a_line_that_is_gone_is_forgotten() -> None:
    world = World()
    for _ in range(3):
        waiter = world.wait("tone")
        assert waiter.ticket is not None
        world.lines.leave(waiter.ticket, "tone")
        await freed(world)
        assert (waiter.asked, world.lines.waiting, world.lines.has_line("tone")) == (0, 0, False)
