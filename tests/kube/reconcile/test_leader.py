from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import errors, leader

pytestmark = pytest.mark.looptime

KEY = meta.Key("aibrix-system", "controllers")


class LoopClock:
    """The virtual time of the test."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1_700_000_000.0 + self.monotonic()


class Replica:
    """One process of several; ``spans`` are the times between which it worked."""

    def __init__(self, client: testing.MemoryClient, name: str) -> None:
        self.name = name
        self.spans: list[tuple[float, float]] = []
        self.leader = leader.Leader(client, KEY, name, LoopClock())

    async def run(self) -> None:
        await self.leader.run(self.work)

    async def work(self) -> None:
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.Event().wait()
        finally:
            self.spans.append((began, asyncio.get_running_loop().time()))


@contextlib.asynccontextmanager
async def started(*replicas: Replica) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(each.run()) for each in replicas]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def holder(client: testing.MemoryClient) -> str:
    (lease,) = client.all(resources.LEASE)
    return str(lease["spec"]["holderIdentity"])


async def test_one_of_several_leads() -> None:
    client = testing.MemoryClient()
    one, two = Replica(client, "one"), Replica(client, "two")
    async with started(one, two):
        await asyncio.sleep(100)
        assert [each.leader.leads for each in (one, two)] == [True, False]
        assert holder(client) == "one"
    assert two.spans == []


async def test_who_stops_hands_over_at_once() -> None:
    client = testing.MemoryClient()
    one, two = Replica(client, "one"), Replica(client, "two")
    async with started(one, two) as tasks:
        await asyncio.sleep(10)
        tasks[0].cancel()
        await asyncio.sleep(2.1)
        assert two.leader.leads
        assert holder(client) == "two"
    assert holder(client) == ""


async def test_who_dies_is_followed_when_its_lease_has_run_out() -> None:
    client = testing.MemoryClient()
    client.seed(
        resources.LEASE,
        {
            "metadata": {"name": KEY.name, "namespace": KEY.namespace},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15},
        },
    )
    heir = Replica(client, "heir")
    async with started(heir):
        await asyncio.sleep(13)
        assert not heir.leader.leads
        await asyncio.sleep(5)
        assert heir.leader.leads


async def test_a_change_counts_from_when_it_was_read_not_from_when_it_was_asked_for() -> None:
    """Another may have renewed while the question was on its way: it leads for ten seconds from then on."""
    client = testing.MemoryClient()
    client.latency = 4.0
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 15}
    client.seed(resources.LEASE, {"metadata": {"name": KEY.name, "namespace": KEY.namespace}, "spec": spec})
    heir = Replica(client, "heir")
    async with started(heir):
        await asyncio.sleep(5)  # asked at 0, read at 4
        client.latency = 0.0
        await asyncio.sleep(13.9)
        assert not heir.leader.leads
        await asyncio.sleep(2.1)
        assert heir.leader.leads


async def test_who_cannot_renew_stops_before_another_may_begin() -> None:
    client = testing.MemoryClient()
    one = Replica(client, "one")
    async with started(one) as tasks:
        await asyncio.sleep(20)
        client.fail_next(kube_errors.Unreachable("away"), times=1000)
        with pytest.raises(errors.LeadershipLost, match="one"):
            await tasks[0]
    ((_, ended),) = one.spans
    assert 20 <= ended <= 30


async def test_an_api_that_does_not_answer_is_no_renewal() -> None:
    client = testing.MemoryClient()
    one = Replica(client, "one")
    async with started(one) as tasks:
        await asyncio.sleep(20)
        client.latency = 1000.0
        with pytest.raises(errors.LeadershipLost):
            await tasks[0]
    ((_, ended),) = one.spans
    assert ended <= 30


async def test_a_hiccup_is_survived() -> None:
    client = testing.MemoryClient()
    one = Replica(client, "one")
    async with started(one):
        await asyncio.sleep(20)
        client.fail_next(kube_errors.Unreachable("away"), times=3)
        await asyncio.sleep(60)
        assert one.leader.leads


async def test_a_lease_that_somebody_took_ends_the_work() -> None:
    client = testing.MemoryClient()
    one = Replica(client, "one")
    async with started(one) as tasks:
        await asyncio.sleep(5)
        await client.patch(resources.LEASE, KEY, {"spec": {"holderIdentity": "usurper"}})
        with pytest.raises(errors.LeadershipLost, match="usurper"):
            await tasks[0]
    assert holder(client) == "usurper"


async def test_a_lease_that_was_deleted_is_made_again() -> None:
    client = testing.MemoryClient()
    one = Replica(client, "one")
    async with started(one):
        await asyncio.sleep(5)
        await client.delete(resources.LEASE, KEY)
        await asyncio.sleep(5)
        assert holder(client) == "one"
        assert one.leader.leads


async def test_work_that_ends_releases_the_lease() -> None:
    client = testing.MemoryClient()

    async def work() -> None:
        await asyncio.sleep(3)

    await leader.Leader(client, KEY, "one", LoopClock()).run(work)
    assert holder(client) == ""


async def test_work_that_fails_releases_the_lease_and_is_told() -> None:
    client = testing.MemoryClient()

    async def work() -> None:
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        await leader.Leader(client, KEY, "one", LoopClock()).run(work)
    assert holder(client) == ""


async def test_two_never_lead_at_once_whatever_the_api_does() -> None:
    client = testing.MemoryClient()
    replicas = [Replica(client, name) for name in "abc"]

    async def forever(replica: Replica) -> None:
        while True:
            with contextlib.suppress(errors.LeadershipLost):
                await replica.run()

    tasks = [asyncio.create_task(forever(each)) for each in replicas]
    for _ in range(10):
        await asyncio.sleep(30)
        client.fail_next(kube_errors.Unavailable("x"), times=40)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    spans = sorted(span for each in replicas for span in each.spans)
    assert len(spans) > 3
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(spans))
