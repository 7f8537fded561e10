"""The book follows the API, where there is one that tells of autoscalers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import resources
from brickyard.gateway.waking import book, following, testing
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


class LoopClock:
    """The loop's time, which is virtual."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.monotonic()


@contextlib.asynccontextmanager
async def following_(client: clients.MemoryClient) -> AsyncIterator[tuple[following.Following, book.Book]]:
    kept = book.Book()
    made = following.Following(client, kept, LoopClock())
    async with tasks.Scope("test") as scope:
        scope.start(made.run(), name="following")
        yield made, kept


def client(*targets: resources.Object) -> clients.MemoryClient:
    made = clients.MemoryClient(LoopClock())
    made.seed(resources.DEPLOYMENT, *targets)
    return made


async def test_targets_are_watched_once_an_autoscaler_names_their_kind() -> None:
    api = client(testing.deployment())
    async with following_(api) as (made, kept):
        await asyncio.sleep(1)
        assert made.settled()
        assert not [each for each in api.calls if each.kind is resources.DEPLOYMENT], "nobody scales any"
        await api.create(resources.POD_AUTOSCALER, testing.autoscaler())
        await asyncio.sleep(1)
        assert kept.wakes("demo")
        assert made.settled()
        await api.delete(resources.DEPLOYMENT, ("default", "demo"))
        await asyncio.sleep(1)
        assert not kept.knows("demo")


async def test_it_is_not_settled_before_targets_are_known() -> None:
    api = client(testing.deployment())
    api.latency = 1.0
    api.seed(resources.POD_AUTOSCALER, testing.autoscaler())
    async with following_(api) as (made, kept):
        while not kept.knows("demo"):
            assert not made.settled()
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert made.settled()


@pytest.mark.parametrize("error", [errors.NotFound("no such kind"), errors.Forbidden("not you")])
async def test_an_api_that_has_none_or_keeps_them_is_asked_again(error: errors.KubeError) -> None:
    api = client(testing.deployment())
    api.seed(resources.POD_AUTOSCALER, testing.autoscaler())
    api.fail_next(error, verb="list", kind=resources.POD_AUTOSCALER, times=2)
    async with following_(api) as (made, kept):
        await asyncio.sleep(1)
        assert made.settled(), "a model in no book is unknown"
        assert not kept.knows("demo")
        await asyncio.sleep(2 * following.AGAIN + 1)
        assert kept.wakes("demo")


async def test_an_api_that_is_away_is_waited_for_and_not_for_ever() -> None:
    api = client(testing.deployment())
    api.seed(resources.POD_AUTOSCALER, testing.autoscaler())
    api.fail_next(errors.Unreachable("refused"), times=50)
    async with following_(api) as (made, _kept):
        await asyncio.sleep(following.SETTLE - 1)
        assert not made.settled()
        await asyncio.sleep(2)
        assert made.settled()


async def test_a_short_absence_of_the_api_is_made_up_for_quickly() -> None:
    api = client(testing.deployment())
    api.seed(resources.POD_AUTOSCALER, testing.autoscaler())
    api.fail_next(errors.Unreachable("refused"), times=2)
    async with following_(api) as (_made, kept):
        await asyncio.sleep(2)
        assert kept.wakes("demo")
