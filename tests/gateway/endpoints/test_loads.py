"""The scraper in virtual time: its pace, its patience, and who is scraped."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.api import serving
from brickyard.gateway.endpoints import loads, pods, table, testing
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


class LoopTime:
    """The running loop's own clock, which the test moves."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return asyncio.get_running_loop().time()


class Bench:
    """A scraper, its table and its fakes."""

    def __init__(self, *names: str, **knobs: Any) -> None:
        self.live = table.Table()
        self.pace = 1.0
        for name in names:
            self.put(name, **knobs)
        self.reader = testing.FakeReader()
        self.pages = testing.FakePages(b"3")
        self.scraper = loads.LoadScraper(
            self.live, {"vllm": self.reader}, self.pages.get, lambda: self.pace, time=LoopTime(), rng=random.Random(4)
        )

    def put(self, name: str, **knobs: Any) -> None:
        pod = pods.read(testing.FakePod(name=name, **knobs).object())
        assert pod is not None
        self.live.put(pod)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with tasks.Scope("test") as scope:
            scope.start(self.scraper.run(), name="loads")
            yield

    def seen(self) -> list[tuple[serving.EngineLoad | None, float]]:
        snapshot = self.live.snapshot("demo", asyncio.get_running_loop().time())
        return list(zip(snapshot.loads, snapshot.load_ages, strict=True))


async def test_every_routable_endpoint_is_read_about_once_an_interval() -> None:
    bench = Bench("a", "b")
    bench.put("c", ready=False)
    async with bench.running():
        await asyncio.sleep(10)
    assert 18 <= len(bench.pages.asked) <= 24
    assert set(bench.pages.asked) == {"http://10.0.0.1:8000/metrics"}


async def test_what_engines_say_reaches_the_table() -> None:
    bench = Bench("a")
    async with bench.running():
        await asyncio.sleep(5)
        ((load, age),) = bench.seen()
    assert load == serving.EngineLoad(running=3.0)
    assert age <= 1.1


async def test_a_page_that_did_not_change_is_not_read_again_but_is_fresh() -> None:
    bench = Bench("a")
    async with bench.running():
        await asyncio.sleep(5)
        assert bench.reader.parsed == 1
        ((_, age),) = bench.seen()
        assert age <= 1.1
        bench.pages.page = b"4"
        await asyncio.sleep(2)
        ((load, _),) = bench.seen()
    assert load == serving.EngineLoad(running=4.0)
    assert bench.reader.parsed == 2


async def test_two_misses_change_nothing_and_the_third_makes_the_load_void() -> None:
    bench = Bench("a")
    async with bench.running():
        await asyncio.sleep(1.05)
        bench.pages.down = True
        asked = len(bench.pages.asked)
        while len(bench.pages.asked) < asked + 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        ((load, age),) = bench.seen()
        assert load == serving.EngineLoad(running=3.0)
        assert age > 1.0
        await asyncio.sleep(1.2)
        assert bench.seen() == [(None, float("inf"))]
        bench.pages.down = False
        await asyncio.sleep(1.2)
        ((load, age),) = bench.seen()
    assert load == serving.EngineLoad(running=3.0)
    assert age <= 1.1


async def test_a_page_that_cannot_be_read_counts_as_missed_and_harms_no_other_endpoint() -> None:
    bench = Bench("a", "b")
    async with bench.running():
        await asyncio.sleep(2)
        bench.pages.page = b"no number"
        await asyncio.sleep(5)
        assert bench.seen() == [(None, float("inf"))] * 2
        bench.pages.page = b"7"
        await asyncio.sleep(2)
        assert [load for load, _ in bench.seen()] == [serving.EngineLoad(running=7.0)] * 2


async def test_endpoints_come_and_go() -> None:
    bench = Bench("a")
    async with bench.running():
        await asyncio.sleep(3)
        bench.put("b", address="10.0.0.2")
        await asyncio.sleep(3)
        assert "http://10.0.0.2:8000/metrics" in bench.pages.asked
        bench.live.remove("default/b")
        await asyncio.sleep(1.5)
        bench.pages.asked.clear()
        await asyncio.sleep(3)
        assert set(bench.pages.asked) == {"http://10.0.0.1:8000/metrics"}


async def test_an_endpoint_that_stops_being_ready_forgets_its_load() -> None:
    bench = Bench("a")
    async with bench.running():
        await asyncio.sleep(3)
        bench.put("a", ready=False)
        await asyncio.sleep(1.5)
        bench.pages.down = True
        bench.put("a")
        assert bench.seen() == [(None, float("inf"))]


async def test_a_slow_page_delays_nobody_else() -> None:
    bench = Bench("a", "b", "c")
    bench.pages.delay = 30.0
    async with bench.running():
        await asyncio.sleep(5)
        assert bench.pages.open == 3
    assert bench.pages.open == 0


async def test_an_engine_that_nobody_can_read_is_left_alone_until_its_label_changes() -> None:
    bench = Bench("a", labels={"model.aibrix.ai/engine": "mystery"})
    async with bench.running():
        await asyncio.sleep(3)
        assert bench.pages.asked == []
        bench.put("a", labels={"model.aibrix.ai/engine": "vllm"})
        await asyncio.sleep(2)
        assert bench.pages.asked


async def test_the_metrics_port_of_the_label_is_asked() -> None:
    bench = Bench("a", labels={"model.aibrix.ai/metric-port": "9400"})
    async with bench.running():
        await asyncio.sleep(2)
    assert set(bench.pages.asked) == {"http://10.0.0.1:9400/metrics"}


async def test_looks_are_spread_over_the_interval() -> None:
    """Twenty endpoints that appear together are not asked together."""
    bench = Bench(*(f"p{n}" for n in range(20)))
    moments: list[float] = []
    async with bench.running():
        for _ in range(20):
            await asyncio.sleep(0.05)
            moments.append(len(bench.pages.asked))
    assert max(later - earlier for earlier, later in itertools.pairwise(moments)) <= 6


async def test_the_pace_may_change_while_it_runs() -> None:
    bench = Bench("a")
    bench.pace = 5.0
    async with bench.running():
        await asyncio.sleep(20.0)
        seldom = len(bench.pages.asked)
        bench.pace = 1.0
        await asyncio.sleep(20.0)
    assert 3 <= seldom <= 6
    assert len(bench.pages.asked) - seldom >= 14


async def test_who_wants_to_know_hears_of_every_page_and_misses_are_counted() -> None:
    bench = Bench("a")
    heard: list[tuple[str, bytes]] = []
    bench.scraper.told = lambda endpoint, page: heard.append((endpoint.key, page))
    async with bench.running():
        await asyncio.sleep(5)
        pages = len(heard)
        bench.pages.down = True
        await asyncio.sleep(5)
    assert set(heard) == {("default/a:8000", b"3")}
    assert 4 <= pages <= 7
    assert len(heard) == pages
    assert 4 <= bench.scraper.missed <= 7
