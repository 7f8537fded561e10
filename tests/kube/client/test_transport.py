from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from brickyard.kube.client import transport


class Stream(httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"


class Pool(httpx2.AsyncBaseTransport):
    """Answers 200; ``fails`` makes it break."""

    def __init__(self) -> None:
        self.closed = False
        self.fails = False
        self.seen: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        if self.fails:
            raise httpx2.ConnectError("no")
        return httpx2.Response(200, stream=Stream())

    async def aclose(self) -> None:
        self.closed = True


class Pools:
    """Every pool that was made."""

    def __init__(self) -> None:
        self.made: list[Pool] = []

    def __call__(self) -> Pool:
        self.made.append(Pool())
        return self.made[-1]


async def test_an_old_pool_closes_when_its_last_answer_is_read() -> None:
    pools = Pools()
    found = transport.RenewableTransport(pools)
    async with httpx2.AsyncClient(transport=found) as client:
        async with client.stream("GET", "https://x/") as answer:
            await found.renew()
            assert [each.closed for each in pools.made] == [False, False]
            assert await answer.aread() == b"ab"
        assert [each.closed for each in pools.made] == [True, False]
        assert (await client.get("https://x/")).content == b"ab"
        assert len(pools.made[1].seen) == 1
        await found.renew()
        assert pools.made[1].closed
    assert pools.made[2].closed


async def test_a_request_that_fails_counts_no_longer() -> None:
    pools = Pools()
    found = transport.RenewableTransport(pools)
    async with httpx2.AsyncClient(transport=found) as client:
        pools.made[0].fails = True
        with pytest.raises(httpx2.ConnectError):
            await client.get("https://x/")
        await found.renew()
        assert pools.made[0].closed


async def test_closing_closes_what_is_still_read_too() -> None:
    pools = Pools()
    found = transport.RenewableTransport(pools)
    async with httpx2.AsyncClient(transport=found) as client, client.stream("GET", "https://x/"):
        await found.renew()
        await found.aclose()
        assert [each.closed for each in pools.made] == [True, True]


async def test_the_servers_other_name_is_asked_for() -> None:
    pools = Pools()
    async with httpx2.AsyncClient(transport=transport.RenewableTransport(pools, "inner")) as client:
        await client.get("https://x/")
    assert pools.made[0].seen[0].extensions["sni_hostname"] == "inner"
