"""What is written on autoscalers, when, and that a Kubernetes API that is away does no harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import demand
from brickyard.gateway import metrics as gateway_metrics
from brickyard.gateway.endpoints import pods, table
from brickyard.gateway.endpoints import testing as endpoint_testing
from brickyard.gateway.queueing import queue
from brickyard.gateway.queueing import settings as queueing
from brickyard.gateway.waking import plan, settings, signals, testing, waking
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WALL = 1_700_000_000.0


class LoopClock:
    """The loop's time, which is virtual."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return WALL + self.monotonic()


class Line(queue.Queue):
    """A queue in which requests are held by hand."""

    def __init__(self) -> None:
        super().__init__(queueing.QueueSettings(), lambda: 0.0)
        self.held: dict[str, tuple[int, float]] = {}

    def asleep(self) -> Iterator[tuple[str, int, float]]:
        return ((model, *each) for model, each in self.held.items())


class Post:
    """A gateway ``gw`` that knows autoscaler ``demo``, over an API in memory."""

    def __init__(self, *names: str, name: str = "gw", client: clients.MemoryClient | None = None) -> None:
        self.client = client or clients.MemoryClient(LoopClock())
        self.hub = waking.Waking(settings.WakingSettings())
        self.line = Line()
        self.counts = gateway_metrics.GatewayMetrics()
        self.hub.attach(self.line, self.counts)
        self.table = table.Table()
        self.signals = signals.Signals(self.client, self.hub, self.table, name, LoopClock())
        for each in names or ("demo",):
            if client is None:
                self.client.seed(resources.POD_AUTOSCALER, testing.autoscaler(each))
            self.hub.book.autoscaler_changed(None, testing.autoscaler(each))
            self.hub.book.target_changed(resources.DEPLOYMENT, None, testing.deployment(each, each))

    def hold(self, count: int, model: str = "demo") -> None:
        if not count:
            self.line.held.pop(model, None)
            return
        if model not in self.line.held:
            self.line.held[model] = (0, asyncio.get_running_loop().time())
            self.hub.begun(model)
        self.line.held[model] = (count, self.line.held[model][1])

    def came(self, model: str = "demo") -> None:
        """A request was answered, quickly."""
        statuses = self.counts.model(model).statuses
        statuses[200] = statuses.get(200, 0) + 1

    def words(self, name: str = "demo") -> dict[str, demand.Word]:
        found = next(each for each in self.client.all(resources.POD_AUTOSCALER) if each["metadata"]["name"] == name)
        return dict(demand.read(found["metadata"].get("annotations") or {}))

    @property
    def written(self) -> int:
        return len(self.client.wrote("patch", resources.POD_AUTOSCALER))


@contextlib.asynccontextmanager
async def telling(*posts: Post) -> AsyncIterator[None]:
    async with tasks.Scope("posts") as scope:
        for each in posts:
            scope.start(each.signals.run(), name="signals")
        await asyncio.sleep(0.01)
        yield


async def test_the_first_request_held_is_told_at_once_and_renewed() -> None:
    post = Post()
    async with telling(post):
        await asyncio.sleep(7)
        assert post.written == 0, "nothing to tell"
        began = asyncio.get_running_loop().time()
        post.hold(1)
        await asyncio.sleep(0.1)
        (word,) = post.words().values()
        assert (word.held, word.open, word.lasts) == (1, 0, plan.HELD_LASTS)
        assert word.since == pytest.approx(WALL + began, abs=0.01)
        post.hold(40)
        await asyncio.sleep(4)
        assert post.written == 1, "how many they are can wait"
        await asyncio.sleep(2)
        assert post.words()["gw"].held == 40
        assert post.words()["gw"].since == word.since
        await asyncio.sleep(60)
        assert post.written == pytest.approx(14, abs=2)


async def test_what_was_told_is_taken_back_when_nobody_asks_any_more() -> None:
    post = Post()
    async with telling(post):
        post.hold(3)
        await asyncio.sleep(1)
        post.hold(0)
        await asyncio.sleep(10)
        assert post.words() == {}
        before = post.written
        await asyncio.sleep(100)
        assert post.written == before


async def test_clients_that_come_and_go_cause_few_words() -> None:
    post = Post()
    async with telling(post):
        for _ in range(300):
            post.hold(1)
            await asyncio.sleep(0.1)
            post.hold(0)
            await asyncio.sleep(0.1)
        assert post.written <= 60 / plan.HELD_EVERY * 2 + 2


async def test_a_request_of_a_moment_is_told_of() -> None:
    post = Post()
    async with telling(post):
        post.came()
        await asyncio.sleep(0.7)
        assert post.words()["gw"] == demand.Word(0, 1, post.words()["gw"].at, plan.OPEN_LASTS)
        await asyncio.sleep(14)
        assert post.written == 1
        post.came()
        await asyncio.sleep(2)
        assert post.written == 2
        await asyncio.sleep(20)
        assert post.words() == {}


async def test_open_requests_are_told_the_most_at_once_and_adapters_count() -> None:
    post = Post()
    pod = pods.read(endpoint_testing.FakePod(model="demo").object())
    assert pod is not None
    post.table.put(pod)
    (where,) = pod.endpoints
    async with telling(post):
        slots = [post.table.enter(where, 0.0) for _ in range(4)]
        await asyncio.sleep(2)
        assert post.words()["gw"].open == 4
        for slot in slots[1:]:
            slot.in_flight -= 1
        await asyncio.sleep(16)
        assert post.words()["gw"].open == 4, "the most since the word before"
        await asyncio.sleep(15)
        assert post.words()["gw"].open == 1
        slots[0].in_flight -= 1


async def test_of_others_requests_nothing_is_told() -> None:
    post = Post()
    pod = pods.read(endpoint_testing.FakePod(model="demo").object())
    assert pod is not None
    post.table.put(pod)
    async with telling(post):
        post.table.changed(pod.endpoints[0].key, 7)
        await asyncio.sleep(3)
        assert post.written == 0


async def test_gateways_do_not_write_over_each_other() -> None:
    one = Post(name="one")
    other = Post(name="other", client=one.client)
    async with telling(one, other):
        one.hold(2)
        other.hold(5)
        await asyncio.sleep(1)
        assert {name: word.held for name, word in one.words().items()} == {"one": 2, "other": 5}
        one.hold(0)
        await asyncio.sleep(6)
        assert {name: word.held for name, word in one.words().items()} == {"other": 5}


async def test_an_api_that_is_away_is_tried_again_and_said_to_be() -> None:
    post = Post()
    async with telling(post):
        post.client.fail_next(errors.Unreachable("connection refused"), verb="patch", times=4)
        post.hold(1)
        await asyncio.sleep(1)
        assert post.words() == {}
        (sleeper,) = post.hub.book.of("demo")
        assert post.hub.trouble(sleeper) == "connection refused"
        assert "could not be told: connection refused" in post.hub.late("demo").error.message
        await asyncio.sleep(10)
        assert post.words()["gw"].held == 1
        assert post.hub.trouble(sleeper) == ""
        assert (post.hub.metrics.untold, post.hub.metrics.told) == (4, 1)


async def test_an_api_that_hangs_keeps_no_other_autoscaler_waiting_for_long() -> None:
    post = Post("demo", "fine")
    real = post.client.patch

    async def hangs(kind: resources.ResourceType, target: tuple[str, str], patch: Any, *more: Any) -> resources.Object:
        if target[1] == "demo":
            await asyncio.sleep(3600)
        return await real(kind, target, patch, *more)

    post.client.patch = hangs  # type: ignore[method-assign,assignment]  # the knob that the fake has not
    async with telling(post):
        post.hold(1)
        await asyncio.sleep(0.2)
        post.hold(1, "fine")
        await asyncio.sleep(signals.DEADLINE + 0.5)
        assert post.words("fine")["gw"].held == 1
        (sleeper,) = post.hub.book.of("demo")
        assert "did not answer within 5 s" in post.hub.trouble(sleeper)


async def test_an_autoscaler_that_is_gone_is_no_trouble() -> None:
    post = Post()
    async with telling(post):
        await post.client.delete(resources.POD_AUTOSCALER, ("default", "demo"))
        post.hold(1)
        await asyncio.sleep(3)
        assert post.hub.metrics.untold == 0
        post.hub.book.autoscaler_changed(testing.autoscaler(), None)
        await asyncio.sleep(3)


async def test_a_word_of_an_earlier_life_is_taken_back() -> None:
    post = Post()
    left = {demand.key("gw"): demand.write(demand.Word(3, 0, WALL - 500, 30.0, WALL - 520))}
    await post.client.patch(resources.POD_AUTOSCALER, ("default", "demo"), {"metadata": {"annotations": left}})
    post.hub.book.autoscaler_changed(testing.autoscaler(), testing.autoscaler(annotations=left))
    async with telling(post):
        await asyncio.sleep(1)
        assert post.words() == {}
        before = post.written
        await asyncio.sleep(30)
        assert post.written == before


async def test_words_of_gateways_that_are_gone_for_long_are_cleared_away() -> None:
    post = Post()
    dead = demand.write(demand.Word(1, 0, WALL - signals.STALE - 10, 30.0))
    alive = demand.write(demand.Word(1, 0, WALL - 100, 30.0))
    left = {demand.key("dead"): dead, demand.key("alive"): alive, "other": "stays"}
    await post.client.patch(resources.POD_AUTOSCALER, ("default", "demo"), {"metadata": {"annotations": left}})
    post.hub.book.autoscaler_changed(testing.autoscaler(), testing.autoscaler(annotations=left))
    async with telling(post):
        post.hold(1)
        await asyncio.sleep(1)
        (found,) = post.client.all(resources.POD_AUTOSCALER)
        assert sorted(found["metadata"]["annotations"]) == [demand.key("alive"), demand.key("gw"), "other"]
        assert json.loads(found["metadata"]["annotations"][demand.key("gw")])["held"] == 1


async def test_only_so_many_at_once_and_those_that_wait_go_first() -> None:
    many = [f"m{number:02}" for number in range(40)]
    post = Post(*many)
    async with telling(post):
        for each in many:
            post.came(each)
        post.line.held["m39"] = (1, 0.0)
        post.hub.begun("m39")
        await asyncio.sleep(signals.BREATH + 0.01)
        assert post.written == signals.AT_ONCE
        assert post.words("m39")["gw"].held == 1
        await asyncio.sleep(3)
        assert post.written == 40


async def test_autoscalers_that_never_sleep_are_told_nothing() -> None:
    post = Post()
    post.hub.book.autoscaler_changed(testing.autoscaler(), testing.autoscaler(minReplicas=1))
    async with telling(post):
        post.came()
        await asyncio.sleep(3)
        assert post.written == 0
