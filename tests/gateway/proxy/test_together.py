"""Pages of all workers, and what becomes of a connection while they are gathered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping

import orjson
from tests.gateway.proxy.conftest import House, check_settled, until

from brickyard.gateway import settings, testing
from brickyard.gateway.proxy import server, together
from brickyard.gateway.sharing import neighbours
from brickyard.gateway.sharing import testing as sharing_testing


class Neighbours(neighbours.Neighbours):
    """Others that say what they are told to: ``says`` by page, once ``free`` is set; ``fault`` is raised instead."""

    def __init__(self) -> None:
        super().__init__(sharing_testing.Air().channel("one"), "0", 2)
        self.says: dict[str, Mapping[str, bytes]] = {}
        self.free = asyncio.Event()
        self.free.set()
        self.fault: Exception | None = None
        self.asked = 0

    async def ask(self, page: str, rest: str = "") -> Mapping[str, bytes]:
        self.asked += 1
        await self.free.wait()
        if self.fault is not None:
            raise self.fault
        return self.says.get(page, {})


@contextlib.asynccontextmanager
async def house() -> AsyncIterator[tuple[House, Neighbours]]:
    near = Neighbours()
    options = settings.GatewaySettings(port=0, drain_timeout=0.05)
    async with testing.ScriptedEndpoint() as engine:
        director = testing.FakeDirector(testing.endpoint(engine.port))
        async with server.DataPlane(director, options, server.Around(neighbours=near)) as running:
            made = House(director, [engine], running)
            yield made, near
        check_settled(made)


def row(rate: float, decided_at: str) -> dict[str, object]:
    return {"id": "tiny", "requests_per_second": rate, "endpoints": [], "last": {"decided_at": decided_at}}


async def test_metrics_of_all_stand_on_one_page() -> None:
    async with house() as (own, near):
        near.says[together.METRICS] = {"1": b"# HELP gateway_retries_total x\ngateway_retries_total 7.0\n"}
        await own.ask()
        page = (await own.ask(testing.get("/metrics"))).body.decode()
        assert 'gateway_retries_total{worker="0"} 0.0' in page
        assert 'gateway_retries_total{worker="1"} 7.0' in page
        assert page.endswith("gateway_workers 2.0\n")


async def test_rates_add_up_and_the_latest_decision_is_shown() -> None:
    async with house() as (own, near):
        own.director.summary = lambda: [row(1.5, "2026-01-01T00:00:02Z")]  # type: ignore[method-assign]  # a knob it lacks
        later = row(2.0, "2026-01-01T00:00:03Z")
        near.says[together.MODELS] = {"1": orjson.dumps({"models": [later]}), "2": b""}
        (told,) = orjson.loads((await own.ask(testing.get("/debug/models"))).body)["models"]
        assert told == row(3.5, "2026-01-01T00:00:03Z")


async def test_a_decision_is_found_wherever_it_was_made() -> None:
    async with house() as (own, near):
        near.says[together.DECISION] = {"1": b'{"id":"theirs","decided_at":"2"}', "2": b""}
        answer = await own.ask(testing.get("/debug/requests/theirs"))
        assert (answer.status, orjson.loads(answer.body)["id"]) == (200, "theirs")
        near.says.clear()
        assert (await own.ask(testing.get("/debug/requests/nobodys"))).status == 404


def adapted(**rates: float) -> dict[str, object]:
    adapters = {name: {"ready": 1, "requests_per_second": rate} for name, rate in rates.items()}
    return row(1.0, "2026-01-01T00:00:00Z") | {"adapters": adapters}


async def test_rates_of_adapters_are_sums_too() -> None:
    summed = together._summed([[adapted(tone=0.25)], [adapted(tone=0.5, tale=2.0)], [row(1.0, "x")]])
    assert [each["adapters"] for each in summed] == [
        {"tone": {"ready": 1, "requests_per_second": 0.75}, "tale": {"ready": 1, "requests_per_second": 2.0}}
    ]


async def test_others_are_told_what_is_here_and_nothing_else() -> None:
    async with house() as (_, near):
        assert near._page is not None
        assert near._page(together.METRICS, "").startswith(b"# HELP")
        assert near._page(together.DECISION, "nobodys") == b""
        assert near._page("/v1/models", "") == b""


async def test_requests_that_follow_on_the_connection_wait_their_turn() -> None:
    async with house() as (own, near):
        near.free.clear()
        async with testing.connect(own.port) as client:
            client.send(testing.get("/metrics") + testing.get("/healthz"))
            await until(lambda: near.asked == 1)
            near.free.set()
            assert b"gateway_workers" in (await client.read()).body
            assert (await client.read()).body == b"ok\n"


async def test_a_client_that_goes_meanwhile_leaves_nothing() -> None:
    async with house() as (own, near):
        near.free.clear()
        async with testing.connect(own.port) as client:
            client.send(testing.get("/metrics"))
            await until(lambda: near.asked == 1)
            client.reset()
        await until(lambda: not own.plane.clients)
        near.free.set()
        assert (await own.ask(testing.get("/healthz"))).status == 200


async def test_a_page_that_fails_is_a_500_and_the_connection_goes_on() -> None:
    async with house() as (own, near):
        near.fault = RuntimeError("no")
        async with testing.connect(own.port) as client:
            client.send(testing.get("/metrics"))
            assert (await client.read()).status == 500
            client.send(testing.get("/healthz"))
            assert (await client.read()).status == 200
