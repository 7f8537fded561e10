"""Lines of models that sleep: who waits, for how long, with how many bytes, and who goes when the model is awake."""

from __future__ import annotations

import asyncio

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors
from brickyard.gateway.queueing import metrics, queue, settings
from brickyard.routing import contract, pickers
from brickyard.routing import testing as routing_testing

PROFILE = contract.Profile("any", (), (), pickers.Best())
MODEL = "sleepy"


class Bed:
    """Fills ``queue.Sleep``: models sleep until ``up``."""

    def __init__(self, limit: int = 10, timeout: float = 120.0, room: int = 1000) -> None:
        self.limit = limit
        self.timeout = timeout
        self.room = room
        self.kept = 0
        self.wakes = True
        self.began: list[str] = []
        self.woke: list[tuple[str, float]] = []
        self.ends: list[metrics.End] = []

    def holds(self, model: str) -> bool:
        return self.wakes and model == MODEL

    def take(self, size: int) -> bool:
        if self.kept + size > self.room:
            return False
        self.kept += size
        return True

    def give(self, size: int) -> None:
        self.kept -= size
        assert self.kept >= 0

    def begun(self, model: str) -> None:
        self.began.append(model)

    def woken(self, model: str, seconds: float) -> None:
        self.woke.append((model, seconds))

    def ended(self, end: metrics.End) -> None:
        self.ends.append(end)

    def full(self, model: str) -> errors.RefusedError:
        return errors.RefusedError(openai.ApiError(503, f"full {model}"))

    def late(self, model: str) -> errors.RefusedError:
        return errors.RefusedError(openai.ApiError(503, f"late {model}"))


class World:
    """A model without endpoints, then with one that takes ``room`` requests."""

    def __init__(self, bed: Bed | None = None, options: settings.QueueSettings | None = None) -> None:
        self.bed = bed or Bed()
        self.now = 0.0
        self.room = 0
        self.endpoint = routing_testing.endpoint("a")
        self.up = False
        self.lines = queue.Queue(options or settings.QueueSettings(timeout=30.0), lambda: self.now, self.bed)

    def made(self, request: contract.Request) -> contract.Decision | contract.NoDecision:
        rows = [self.endpoint] if self.up else []
        snapshot = routing_testing.snapshot(*[0 for _ in rows], endpoints=rows)
        if not self.up:
            return contract.NoDecision(request, snapshot, {}, "asleep", 0.0)
        if self.room <= 0:
            return contract.NoDecision(request, snapshot, {}, "full", 0.0, saturated=True)
        return contract.Decision(request, self.endpoint, PROFILE, snapshot, (0,), contract.UNJUDGED, {}, 0.0)

    def wait(self, name: str = "w", *, user: str = "", size: int = 10) -> Waiter:
        waiter = Waiter(self, name, contract.Request("id", MODEL, "/v1/chat/completions", b"p" * size, user))
        told = self.made(waiter.request)
        assert isinstance(told, contract.NoDecision)
        assert self.lines.takes(told)
        waiter.ticket = self.lines.join(waiter, waiter.request, 0, told)
        return waiter

    async def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.lines.sweep(self.now)
        await asyncio.sleep(0)

    async def wake(self, room: int = 100) -> None:
        self.up, self.room = True, room
        self.lines.freed(MODEL)
        await asyncio.sleep(0)


class Waiter:
    """Remembers what became of it."""

    def __init__(self, world: World, name: str, request: contract.Request) -> None:
        self.world = world
        self.name = name
        self.request = request
        self.went_at: float | None = None
        self.refused = ""
        self.ticket: queue.Ticket | None = None

    def choose(self, waited: float) -> contract.Decision | contract.NoDecision:
        return self.world.made(self.request)

    def called(self, decision: contract.Decision) -> None:
        self.world.room -= 1
        self.went_at = self.world.now
        went.append(self.name)

    def turned_away(self, refused: errors.RefusedError | None) -> None:
        self.refused = "no use" if refused is None else refused.error.message


went: list[str] = []


async def test_all_go_when_the_model_is_awake_and_it_is_told_how_long_it_took() -> None:
    world = World()
    went.clear()
    first = world.wait("ann-1", user="ann")
    world.now = 3.0
    others = [world.wait(f"ann-{n}", user="ann") for n in (2, 3)] + [world.wait("bob-1", user="bob")]
    assert list(world.lines.asleep()) == [(MODEL, 4, 0.0)]
    assert world.bed.began == [MODEL], "the first one rings, the others need not"
    world.now = 10.0
    await world.wake()
    assert went == ["ann-1", "bob-1", "ann-2", "ann-3"], "users take turns"
    assert world.bed.woke == [(MODEL, 10.0)]
    assert [each.ticket.slept for each in (first, *others) if each.ticket] == [10.0, 7.0, 7.0, 7.0]
    assert world.bed.ends == [metrics.End.SENT] * 4
    assert (world.bed.kept, world.lines.waiting, list(world.lines.asleep())) == (0, 0, [])


async def test_who_waits_too_long_hears_of_sleep() -> None:
    world = World(Bed(timeout=120.0))
    waiter = world.wait()
    await world.pass_(119.0)
    held = waiter.refused
    await world.pass_(1.0)
    assert (held, waiter.refused) == ("", "late sleepy")
    assert waiter.ticket is not None
    assert waiter.ticket.slept == 120.0
    assert (world.bed.ends, world.bed.kept) == ([metrics.End.LATE], 0)


async def test_waking_is_not_counted_as_waiting_for_room() -> None:
    world = World(Bed(timeout=120.0), settings.QueueSettings(timeout=30.0))
    first, second = world.wait("a"), world.wait("b")
    world.now = 100.0
    await world.wake(room=1)
    assert (first.went_at, second.went_at) == (100.0, None)
    await world.pass_(29.0)
    assert not second.refused
    await world.pass_(1.0)
    assert "no room" in second.refused
    assert second.ticket is not None
    assert second.ticket.slept == 100.0


async def test_who_came_after_it_woke_slept_not() -> None:
    world = World()
    world.wait("a")
    world.now = 5.0
    await world.wake(room=0)
    late = world.wait("b")
    world.now = 9.0
    await world.wake(room=5)
    assert late.went_at == 9.0
    assert late.ticket is not None
    assert late.ticket.slept == 0.0
    assert world.bed.ends == [metrics.End.SENT], "only the one that waited for it to wake"


async def test_a_full_line_sheds_the_greedy() -> None:
    world = World(Bed(limit=3))
    crowd = [world.wait(f"ann-{n}", user="ann") for n in range(3)]
    bob = world.wait("bob", user="bob")
    assert [each.refused for each in (*crowd, bob)] == ["", "", "full sleepy", ""]
    more = world.wait("ann-4", user="ann")
    assert (more.refused, more.ticket) == ("full sleepy", None)
    assert world.bed.ends == [metrics.End.FULL] * 2
    assert world.bed.kept == 30


async def test_bytes_are_bounded() -> None:
    world = World(Bed(room=1000))
    first = world.wait(size=900)
    big = world.wait(size=200)
    small = world.wait(size=100)
    assert (first.refused, big.refused, small.refused) == ("", "full sleepy", "")
    assert world.bed.kept == 1000
    assert first.ticket is not None
    world.lines.leave(first.ticket, MODEL)
    assert world.bed.kept == 100
    assert world.bed.ends == [metrics.End.FULL, metrics.End.GONE]


async def test_one_that_is_too_large_alone_leaves_no_line_behind() -> None:
    world = World(Bed(room=10))
    assert world.wait(size=11).refused == "full sleepy"
    assert (world.lines.waiting, world.lines.has_line(MODEL), world.bed.kept) == (0, False, 0)


async def test_who_leaves_is_forgotten_at_once() -> None:
    world = World()
    waiter = world.wait()
    assert waiter.ticket is not None
    world.now = 4.0
    world.lines.leave(waiter.ticket, MODEL)
    assert (world.lines.waiting, world.bed.kept, list(world.lines.asleep())) == (0, 0, [])
    assert waiter.ticket.slept == 4.0


async def test_a_model_that_falls_asleep_again_is_told_of_again() -> None:
    world = World()
    world.wait("a")
    world.now = 5.0
    await world.wake(room=0)
    assert world.bed.woke == [(MODEL, 5.0)]
    world.up = False
    await world.pass_(1.0)
    assert world.bed.began == [MODEL, MODEL]
    assert list(world.lines.asleep()) == [(MODEL, 1, 6.0)]
    world.now = 8.0
    await world.wake()
    assert world.bed.woke == [(MODEL, 5.0), (MODEL, 2.0)]


async def test_a_model_that_nobody_wakes_any_more_is_not_waited_for() -> None:
    world = World()
    waiter = world.wait()
    world.bed.wakes = False
    await world.pass_(1.0)
    assert waiter.refused == "no use"
    assert world.bed.woke == [], "it has no endpoint"
    assert (world.lines.waiting, world.bed.kept) == (0, 0)


async def test_models_that_never_sleep_are_refused_as_ever() -> None:
    world = World()
    request = contract.Request("id", "other", "/v1/chat/completions")
    told = contract.NoDecision(request, routing_testing.snapshot(endpoints=[]), {}, "none", 0.0)
    assert not world.lines.takes(told)


async def test_no_line_for_room_does_not_mean_none_for_sleep() -> None:
    world = World(options=settings.QueueSettings(length=0))
    waiter = world.wait()
    await world.wake()
    assert waiter.went_at is not None
