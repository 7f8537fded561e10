"""What goes wrong around autoscalers, and what of it may change a size: nothing that was not measured."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import testing
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, meta

pytestmark = pytest.mark.looptime

SCALER, DEPLOYMENT = resources.POD_AUTOSCALER, resources.DEPLOYMENT
BRISK = {"scale-down-cooldown-window": "0s"}


def pods(count: int, name: str = "chat") -> list[resources.Object]:
    return [testing.pod(f"{name}-{index}", app=name) for index in range(count)]


def stored(*scalers: resources.Object, replicas: int = 1) -> clients.MemoryClient:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment(replicas=replicas))
    client.seed(resources.POD, *pods(replicas))
    client.seed(SCALER, *scalers)
    return client


@contextlib.asynccontextmanager
async def following(it: testing.World) -> AsyncIterator[list[tuple[float, int]]]:
    """Every size that ``chat`` was asked for within the block, with its moment."""
    seen: list[tuple[float, int]] = [(asyncio.get_running_loop().time(), it.replicas())]

    def look() -> None:
        if it.replicas() != seen[-1][1]:
            seen.append((asyncio.get_running_loop().time(), it.replicas()))

    async def follow() -> None:
        while True:
            await asyncio.sleep(0.1)
            look()

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        look()


def counts(seen: Sequence[tuple[float, int]]) -> list[int]:
    return [count for _, count in seen]


def gaps(seen: Sequence[tuple[float, int]]) -> list[float]:
    """Seconds between one change and the next."""
    moments = [at for at, _ in seen[1:]]
    return [later - earlier for earlier, later in itertools.pairwise(moments)]


# Steps.


async def test_what_was_ordered_is_no_reason_to_look_sooner() -> None:
    client = stored(testing.autoscaler(maxReplicas=1000))
    async with testing.running(client, testing.Dials(each=100_000.0)) as it, following(it) as seen:
        await it.until(lambda: it.replicas() == 1000, 120)
    assert counts(seen) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000]
    first, second, *others = gaps(seen)
    assert min(first, second) > 7, "until it has come to its place"
    assert others == pytest.approx([10.0] * 7, abs=0.3), "each at its place in the period"


async def test_news_that_come_before_the_answer_are_no_reason_either() -> None:
    client = clients.MemoryClient(testing.LoopClock(), latency=1.0, seed=7)
    client.seed(DEPLOYMENT, testing.deployment())
    client.seed(resources.POD, *pods(1))
    client.seed(SCALER, testing.autoscaler(maxReplicas=100))
    async with testing.running(client, testing.Dials(each=10_000.0)) as it, following(it) as seen:
        await it.until(lambda: it.replicas() == 100, 120)
    assert counts(seen) == [1, 2, 4, 8, 16, 32, 64, 100]
    assert min(gaps(seen)) > 6


async def test_looks_out_of_turn_go_no_further() -> None:
    client = stored(testing.autoscaler(maxReplicas=1000))
    async with testing.running(client, testing.Dials(each=100_000.0)) as it, following(it) as seen:
        await it.until(lambda: it.replicas() == 2, 20)
        for most in range(900, 912):
            await client.patch(SCALER, ("default", "chat"), {"spec": {"maxReplicas": most}})
            await asyncio.sleep(0.5)
        assert it.replicas() == 2
        assert it.condition("ScalingActive") == "True ReconcilingScaleDiff"
        assert "it waits: one step was taken a moment ago" in str(it.status()["conditions"])
        assert [reason for reason, _ in it.events()].count("AlgorithmRun") == 1
        await client.patch(SCALER, ("default", "chat"), {"spec": {"minReplicas": 7}})
        await it.until(lambda: it.replicas() == 7, 0.5)
        await it.until(lambda: it.replicas() > 7, 30)
    assert counts(seen) == [1, 2, 7, 14]
    assert 7 < gaps(seen)[-1] < 13, "bounds hold at once; the next step counts from there"


async def test_the_other_direction_waits_for_nothing() -> None:
    client = stored(testing.autoscaler(annotations=BRISK, observeWindowSeconds=1, panicWindowSeconds=1))
    async with testing.running(client, testing.Dials(each=20.0)) as it:
        await it.until(lambda: it.replicas() == 2, 20)
        await asyncio.sleep(1.5)
        it.dials.each = 0.0
        await client.patch(SCALER, ("default", "chat"), {"spec": {"maxReplicas": 9}})
        await it.until(lambda: it.replicas() == 1, 0.5)


async def test_a_way_down_goes_a_step_a_period() -> None:
    client = stored(testing.autoscaler(annotations=BRISK, maxReplicas=64), replicas=64)
    async with testing.running(client, testing.Dials(each=0.0)) as it, following(it) as seen:
        await it.until(lambda: it.replicas() == 1, 400)
    assert counts(seen) == [64, 32, 16, 8, 4, 2, 1]
    assert gaps(seen) == pytest.approx([10.0] * 5, abs=0.3)


# Targets.


async def test_a_target_that_is_renamed_is_told_and_found_again_by_its_new_name() -> None:
    client = stored(testing.autoscaler(annotations=BRISK, minReplicas=2), replicas=4)
    async with testing.running(client, testing.Dials(each=10.0)) as it:
        await asyncio.sleep(200)
        await client.delete(DEPLOYMENT, ("default", "chat"))
        await it.until(lambda: it.condition("AbleToScale") == "False FailedGetScale", 1)
        it.dials.each = 1.0
        client.seed(resources.POD, *pods(4, "talk"))
        await client.create(DEPLOYMENT, testing.deployment("talk", replicas=4))
        await asyncio.sleep(30)
        assert it.replicas("talk") == 4, "nobody was told that it is the same"
        assert it.condition("AbleToScale") == "False FailedGetScale"
        await client.patch(SCALER, ("default", "chat"), {"spec": {"scaleTargetRef": {"name": "talk"}}})
        await it.until(lambda: it.condition("AbleToScale") == "True SucceededGetScale", 1)
        await asyncio.sleep(150)
        assert it.replicas("talk") == 4, "what was observed of another one is forgotten"
        await it.until(lambda: it.replicas("talk") == 2, 60)


async def test_a_target_that_is_deleted_while_it_is_decided_on_is_not_made_again() -> None:
    client = stored(testing.autoscaler())
    async with testing.running(client, testing.Dials(each=10.0)) as it:
        await it.until(it.status)
        it.dials.slow, it.dials.each = 1.0, 25.0
        await client.patch(SCALER, ("default", "chat"), {"spec": {"maxReplicas": 8}})
        await asyncio.sleep(0.5)
        await client.delete(DEPLOYMENT, ("default", "chat"))
        await it.until(lambda: it.condition("AbleToScale").startswith("False Failed"), 5)
        assert client.all(DEPLOYMENT) == []
        await it.until(lambda: it.condition("AbleToScale") == "False FailedGetScale", 15)


# Restarts.


async def test_a_restart_in_panic_takes_nothing_away() -> None:
    client = stored(testing.autoscaler(annotations=BRISK, observeWindowSeconds=60, panicWindowSeconds=10))
    dials = testing.Dials(each=1.0)
    async with testing.running(client, dials) as it:
        await asyncio.sleep(65)
        dials.each = 80.0
        await it.until(lambda: it.replicas() == 8, 60)
        (line,) = it.pages["/debug/autoscalers"]({})[1]["autoscalers"]
        assert line["panic"], "it is in a rush"
        client.seed(resources.POD, *pods(8))
    dials.each = 0.0
    async with testing.running(client, dials) as it:
        await asyncio.sleep(55)
        assert it.replicas() == 8, "within a stable window of its beginning nothing goes down"
        assert [each["newScale"] for each in it.status()["scalingHistory"]] == [2, 4, 8]
        await it.until(lambda: it.replicas() == 1, 60)
        assert [each["newScale"] for each in it.status()["scalingHistory"]] == [2, 4, 8, 4, 2, 1][-5:]


async def test_a_restart_on_the_way_up_goes_on_where_it_was() -> None:
    client = stored(testing.autoscaler(maxReplicas=16))
    dials = testing.Dials(each=1000.0)
    async with testing.running(client, dials) as it, following(it) as first:
        await it.until(lambda: it.replicas() == 4, 60)
    async with testing.running(client, dials) as it, following(it) as second:
        await it.until(lambda: it.replicas() == 16, 60)
        await it.until(lambda: it.condition("Ready") == "True AsExpected", 20)
        history = it.status()["scalingHistory"]
    assert counts(first) == [1, 2, 4]
    assert counts(second) == [4, 8, 16]
    assert second[1][0] - second[0][0] > 6, "the step before is in the status"
    assert [each["newScale"] for each in history] == [2, 4, 8, 16]


async def test_a_restart_between_a_write_and_its_telling_writes_once() -> None:
    client = stored(testing.autoscaler())
    dials = testing.Dials(each=20.0)
    async with testing.running(client, dials) as it:
        client.fail_next(errors.Unavailable("going"), verb="update", kind=SCALER)
        await it.until(lambda: it.replicas() == 2, 20)
    client.seed(resources.POD, testing.pod("chat-1"))
    dials.each = 10.0
    async with testing.running(client, dials) as it:
        await it.until(lambda: it.condition("Ready") == "True AsExpected", 30)
        assert it.replicas() == 2
        assert len(client.wrote("update", DEPLOYMENT)) == 1
        assert (it.status()["desiredScale"], it.status()["actualScale"]) == (2, 2)


# Clocks.


@pytest.mark.parametrize("skew", [86_400.0, -86_400.0, 3.0, -3.0])
async def test_a_clock_that_leaps_keeps_nobody_from_going_up(skew: float) -> None:
    async with testing.running(stored(testing.autoscaler()), testing.Dials(each=10.0)) as it:
        await asyncio.sleep(200)
        it.clock.skew = skew
        await asyncio.sleep(25)
        assert it.replicas() == 1
        it.dials.each = 40.0
        await it.until(lambda: it.replicas() == 4, 60)


@pytest.mark.parametrize("skew", [86_400.0, -86_400.0])
async def test_a_clock_that_leaps_in_panic_takes_nothing_away(skew: float) -> None:
    client = stored(testing.autoscaler(annotations=BRISK, observeWindowSeconds=60, panicWindowSeconds=10))
    async with testing.running(client, testing.Dials(each=1.0)) as it, following(it) as seen:
        await asyncio.sleep(65)
        it.dials.each = 40.0
        await it.until(lambda: it.replicas() == 4, 60)
        it.clock.skew, it.dials.each = skew, 0.0
        await asyncio.sleep(40)
        assert it.replicas() == 4
        await it.until(lambda: it.replicas() == 1, 120)
    assert counts(seen) == [1, 2, 4, 2, 1]


# Rivals.


async def test_two_that_were_made_at_once_agree_after_every_restart() -> None:
    rivals = [testing.autoscaler(name, minReplicas=size) for name, size in (("b", 3), ("a", 2))]
    client = stored(*rivals)
    for _ in range(3):
        async with testing.running(client) as it:
            await it.until(lambda: it.condition("MultiPodAutoscalerConflict", "b") and it.condition("Ready", "a"))
            await asyncio.sleep(30)
            assert it.replicas() == 2, "the first by name"
            assert not conditions.find(it.status("a")["conditions"], "MultiPodAutoscalerConflict")
    assert [meta.name(each) for each in client.all(SCALER) if "scalingHistory" in each["status"]] == ["a"]
