"""Channels over real sockets and a real Redis: who is there hears, who comes back hears again, nothing grows without end."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from tests import redisserver

from brickyard.gateway.sharing import contract
from brickyard.gateway.sharing.channels import frames, hub, member
from brickyard.gateway.sharing.channels import redis as redis_channel
from brickyard.lib import tasks


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.gone: list[str] = []
        self.joins = 0
        self.aways = 0

    def joined(self) -> None:
        self.joins += 1

    def received(self, payload: bytes) -> None:
        self.heard.append(payload)

    def left(self, name: str) -> None:
        self.gone.append(name)

    def away(self) -> None:
        self.aways += 1


async def until(condition: Callable[[], object], deadline: float = 10.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(*channels: contract.Channel) -> AsyncIterator[list[Ear]]:
    ears = [Ear() for _ in channels]
    async with tasks.Scope("test") as scope:
        for channel, ear in zip(channels, ears, strict=True):
            scope.start(channel.run(ear), name=channel.name)
        yield ears


def members(path: pathlib.Path) -> list[member.HubChannel]:
    return [member.HubChannel(path, name) for name in ("one", "two", "three")]


async def test_a_hub_carries_to_all_others_or_to_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hub"
    async with hub.Hub(path) as middle, running(*(ends := members(path))) as (one, two, three):
        await until(lambda: len(middle.members) == 3)
        assert path.stat().st_mode & 0o777 == 0o600
        assert ends[0].send(b"all")
        assert ends[0].send(b"you", "three")
        assert ends[0].send(b"nobody", "stranger")
        assert ends[1].send(b"last")
        await until(lambda: b"last" in one.heard and b"last" in three.heard)
        assert (one.heard, two.heard, three.heard) == ([b"last"], [b"all"], [b"all", b"you", b"last"])
        assert (ends[0].traffic.sent, ends[2].traffic.received) == (3, 3)


async def test_who_goes_is_told_to_the_others(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hub"
    ends = members(path)
    async with hub.Hub(path) as middle, running(*ends[:2]) as (one, _two):
        async with running(ends[2]):
            await until(lambda: len(middle.members) == 3)
        await until(lambda: one.gone == ["three"])


async def test_a_hub_that_comes_back_is_found_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hub"
    ends = members(path)[:2]
    async with running(*ends) as (one, two):
        async with hub.Hub(path):
            await until(lambda: one.joins == two.joins == 1)
        await until(lambda: one.aways == two.aways == 1)
        assert not ends[0].connected
        assert not ends[0].send(b"into the void")
        assert ends[0].traffic.losses == 1
        async with hub.Hub(path):
            await until(lambda: one.joins == two.joins == 2)
            assert ends[0].send(b"again")
            await until(lambda: two.heard == [b"again"])


async def test_one_that_does_not_listen_loses_its_oldest_and_nobody_waits_for_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hub"
    ends = members(path)[:2]
    async with hub.Hub(path) as middle, running(*ends) as (_, two):
        await until(lambda: len(middle.members) == 2)
        with socket.socket(socket.AF_UNIX) as deaf:
            await asyncio.to_thread(deaf.connect, str(path))
            deaf.sendall(frames.encode(frames.Frame(frames.Kind.JOIN, "deaf")))
            await until(lambda: len(middle.members) == 3)
            for _ in range(40):
                for _ in range(frames.MOST_WAITING // 8):
                    ends[0].send(bytes(4096))
                await asyncio.sleep(0)
            ends[0].send(b"end")
            await until(lambda: two.heard[-1:] == [b"end"])
            assert sum(pipe.dropped for pipe in middle._pipes if pipe.name == "deaf") > 0
            assert all(len(pipe._line) <= frames.MOST_WAITING for pipe in middle._pipes)
        await until(lambda: len(middle.members) == 2)


@pytest.mark.parametrize("noise", [b"\xff\xff\xff\xff" + bytes(64), b"\0\0\0\x04abcd", b"\0\0\0\0"])
async def test_noise_ends_its_own_connection_only(tmp_path: pathlib.Path, noise: bytes) -> None:
    path = tmp_path / "hub"
    ends = members(path)[:2]
    async with hub.Hub(path) as middle, running(*ends) as (_, two):
        await until(lambda: len(middle.members) == 2)
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(noise)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        ends[0].send(b"still here")
        await until(lambda: two.heard == [b"still here"])


async def test_a_hub_starts_over_the_socket_of_one_that_died(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hub"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (one,) = members(path)[:1]
    async with hub.Hub(path), running(one) as (ear,):
        await until(lambda: ear.joins == 1)


# Redis.


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[redisserver.Redis]:
    made = redisserver.Redis(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.mark.slow
async def test_redis_carries_to_all_or_to_one_within_a_group(server: redisserver.Redis) -> None:
    ends = [redis_channel.RedisChannel(server.url, "blue", name) for name in ("one", "two", "three")]
    other = redis_channel.RedisChannel(server.url, "green", "two")
    async with running(*ends, other) as (one, two, three, stranger):
        await until(lambda: all(end.connected for end in (*ends, other)))
        assert ends[0].send(b"all")
        assert ends[0].send(b"you", "three")
        assert ends[1].send(b"last")
        await until(lambda: len(one.heard) == len(two.heard) == 2 and len(three.heard) == 3)
        assert sorted(two.heard) == [b"all", b"last"]  # everybody hears themselves too
        assert sorted(three.heard) == [b"all", b"last", b"you"]
        assert stranger.heard == []


@pytest.mark.slow
async def test_redis_gone_and_back(server: redisserver.Redis) -> None:
    ends = [redis_channel.RedisChannel(server.url, "blue", name) for name in ("one", "two")]
    async with running(*ends) as (one, two):
        await until(lambda: one.joins == two.joins == 1)
        await asyncio.to_thread(server.kill)
        await until(lambda: one.aways == two.aways == 1)
        assert not ends[0].send(b"into the void")
        await asyncio.to_thread(server.start)
        await until(lambda: one.joins == two.joins == 2)
        assert ends[0].send(b"again")
        await until(lambda: b"again" in two.heard)
        assert ends[0].traffic.losses == 1


async def test_a_line_to_redis_has_a_bound() -> None:
    end = redis_channel.RedisChannel("redis://127.0.0.1:1/0", "blue", "one")
    assert not end.send(b"away")
    end._connected = True
    for _ in range(redis_channel.MOST_WAITING + 10):
        assert end.send(b"x")
    assert end.traffic.dropped == 10
    await end._client.aclose()


def test_an_address_of_redis_that_cannot_be_read_is_refused_without_repeating_it() -> None:
    with pytest.raises(redis_channel.ChannelUnusableError) as caught:
        redis_channel.RedisChannel("redis://:hunter2@host:port/0", "blue", "one")
    assert "hunter2" not in str(caught.value)
