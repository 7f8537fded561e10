"""Workers ask each other; who does not answer in time is left out, and nobody waits longer than that."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator

import pytest

from brickyard.gateway.sharing import contract, neighbours, testing
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


def page_of(worker: str, page: str, rest: str) -> bytes:
    return f"{page} {rest} of {worker}".encode()


@contextlib.asynccontextmanager
async def workers(count: int, expected: int = 0) -> AsyncIterator[tuple[testing.Air, list[neighbours.Neighbours]]]:
    air = testing.Air()
    made = [neighbours.Neighbours(air.channel(f"c{number}"), str(number), expected or count) for number in range(count)]
    for each in made:
        each.serve(functools.partial(page_of, each.worker))
    async with tasks.Scope("test") as scope:
        for each in made:
            scope.start(each.run(), name=each.worker)
        await asyncio.sleep(0.1)
        yield air, made


async def test_all_others_answer() -> None:
    async with workers(3) as (_, made):
        before = asyncio.get_running_loop().time()
        assert await made[0].ask("/page", "x") == {"1": b"/page x of 1", "2": b"/page x of 2"}
        assert asyncio.get_running_loop().time() - before < 0.01


async def test_questions_at_the_same_time_keep_their_answers_apart() -> None:
    async with workers(2) as (_, made):
        told = await asyncio.gather(*(made[0].ask("/page", str(number)) for number in range(20)))
        assert told == [{"1": f"/page {number} of 1".encode()} for number in range(20)]


async def test_one_that_is_missing_is_waited_for_half_a_second() -> None:
    async with workers(2, expected=3) as (_, made):
        before = asyncio.get_running_loop().time()
        assert await made[0].ask("/page") == {"1": b"/page  of 1"}
        assert asyncio.get_running_loop().time() - before == pytest.approx(neighbours.PATIENCE, abs=0.01)


async def test_an_answer_that_comes_too_late_is_no_matter() -> None:
    async with workers(2) as (air, made):
        air.delay = 1.0
        assert await made[0].ask("/page") == {}
        await asyncio.sleep(3)
        air.delay = 0.001
        assert await made[0].ask("/page") == {"1": b"/page  of 1"}


async def test_alone_or_cut_off_nobody_is_asked() -> None:
    async with workers(1) as (air, made):
        assert await made[0].ask("/page") == {}
        assert air.said == 0
    async with workers(2) as (air, made):
        air.down = True
        await asyncio.sleep(0.1)
        assert await made[0].ask("/page") == {}


async def test_long_pages_are_packed_and_those_that_do_not_pack_are_left_out() -> None:
    async with workers(2) as (_, made):
        made[1].serve(lambda _page, _rest: b"series 1.0\n" * 1_000_000)
        assert len((await made[0].ask("/page"))["1"]) == 11_000_000
        made[1].serve(lambda _page, _rest: os.urandom(contract.LARGEST))
        assert await made[0].ask("/page") == {}


async def test_what_is_for_others_goes_on_to_them_and_noise_to_nobody() -> None:
    heard: list[object] = []

    class Onward:
        def joined(self) -> None:
            heard.append("joined")

        def away(self) -> None:
            heard.append("away")

        def left(self, name: str) -> None:
            heard.append(name)

        def received(self, payload: bytes) -> None:
            heard.append(payload)

    channel = testing.Air().channel("one")
    near = neighbours.Neighbours(channel, "0", 2, Onward())
    near.joined()
    near.received(b"\1 a message")
    near.received(bytes([neighbours.MARK]) + b"noise")
    near.left("two")
    near.away()
    assert heard == ["joined", b"\1 a message", "two", "away"]
