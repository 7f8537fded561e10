"""Which way gateways reach each other, from what they are told."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable, Iterator

import pytest
from tests import redisserver

from brickyard.assembly import routing_policies, sharing, stores
from brickyard.gateway import workers
from brickyard.gateway.endpoints import director
from brickyard.gateway.sharing import settings
from brickyard.gateway.sharing.channels import hub
from brickyard.lib import errors
from brickyard.routing import contract as routing
from brickyard.routing import testing


def chooser() -> director.StaticDirector:
    return director.StaticDirector([testing.endpoint("a")], routing_policies.make())


def lease(of: director.StaticDirector) -> None:
    decision = of.choose(testing.request())
    assert isinstance(decision, routing.Decision)
    of.lease(decision)


def in_flight(of: director.StaticDirector) -> int:
    return sum(of.table.snapshot("demo", 0.0).in_flight)


async def until(condition: Callable[[], object], deadline: float = 20.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[str]:
    running = redisserver.Redis(tmp_path)
    running.start()
    yield running.url
    running.kill()


@pytest.mark.parametrize("channel", ["", sharing.OFF])
async def test_one_gateway_without_a_common_store_tells_nobody(channel: str) -> None:
    async with sharing.shared(settings.SharingSettings(channel=channel), stores.MEMORY, None, chooser()) as shared:
        assert shared == sharing.Shared()


async def test_off_holds_where_accounts_are_in_redis() -> None:
    given = settings.SharingSettings(channel=sharing.OFF)
    async with sharing.shared(given, "redis://127.0.0.1:1/0", None, chooser()) as shared:
        assert shared == sharing.Shared()


@pytest.mark.slow
async def test_gateways_whose_accounts_are_in_one_redis_share(server: str) -> None:
    one, two = chooser(), chooser()
    given = settings.SharingSettings()
    async with sharing.shared(given, server, None, one) as first, sharing.shared(given, server, None, two):
        assert len(first.collectors) == 1
        lease(one)
        await until(lambda: in_flight(two) == 1)
        apart = chooser()
        async with sharing.shared(settings.SharingSettings(group="other"), server, None, apart):
            await asyncio.sleep(0.2)
            assert in_flight(apart) == 0


async def test_workers_share_over_their_hub_and_see_each_other(tmp_path: pathlib.Path) -> None:
    seats = [workers.Seat(tmp_path, number, 2) for number in range(2)]
    one, two = chooser(), chooser()
    given = settings.SharingSettings()
    async with (
        hub.Hub(seats[0].hub),
        sharing.shared(given, stores.MEMORY, seats[0], one) as first,
        sharing.shared(given, stores.MEMORY, seats[1], two) as second,
    ):
        assert first.neighbours is not None
        assert second.neighbours is not None
        second.neighbours.serve(lambda page, rest: f"{page} {rest}".encode())
        lease(one)
        await until(lambda: in_flight(two) == 1)
        assert await first.neighbours.ask("/page", "x") == {"1": b"/page x"}


async def test_workers_that_share_by_redis_still_see_each_other(tmp_path: pathlib.Path, server: str) -> None:
    seats = [workers.Seat(tmp_path, number, 2) for number in range(2)]
    one, two = chooser(), chooser()
    given = settings.SharingSettings()
    async with (
        hub.Hub(seats[0].hub) as middle,
        sharing.shared(given, server, seats[0], one) as first,
        sharing.shared(given, server, seats[1], two) as second,
    ):
        assert first.neighbours is not None
        assert second.neighbours is not None
        second.neighbours.serve(lambda page, rest: f"{page} {rest}".encode())
        await until(lambda: len(middle.members) == 2)
        lease(one)
        await until(lambda: in_flight(two) == 1)
        assert await first.neighbours.ask("/page", "x") == {"1": b"/page x"}


async def test_two_gateways_share_over_a_hub_that_is_named(tmp_path: pathlib.Path) -> None:
    one, two = chooser(), chooser()
    given = settings.SharingSettings(channel=f"unix://{tmp_path / 'hub'}")
    async with (
        hub.Hub(tmp_path / "hub"),
        sharing.shared(given, stores.MEMORY, None, one),
        sharing.shared(given, stores.MEMORY, None, two),
    ):
        lease(one)
        await until(lambda: in_flight(two) == 1)


@pytest.mark.parametrize("address", ["nats://somewhere", "redis://:hunter2@host:port/0"])
async def test_an_address_that_is_none_is_refused_without_its_secret(address: str) -> None:
    with pytest.raises(errors.BrickyardError) as caught:
        async with sharing.shared(settings.SharingSettings(channel=address), stores.MEMORY, None, chooser()):
            pass
    assert "hunter2" not in f"{caught.value} {settings.SharingSettings(channel=address)}"
