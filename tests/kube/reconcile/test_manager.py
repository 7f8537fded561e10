from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import prometheus_client
import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import contract as clients
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract, controller, errors, leader, manager, metrics, recorder
from brickyard.lib import backoff

pytestmark = pytest.mark.looptime

KEY = meta.Key("system", "controllers")


class LoopClock:
    """The virtual time of the test."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1_700_000_000.0 + self.monotonic()


def config_map(name: str) -> resources.Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"team": name[0]}}


class Copier:
    """Notes what it was asked to look at; ``fails`` names what it cannot do."""

    def __init__(self, fails: str = "") -> None:
        self.seen: list[str] = []
        self.fails = fails

    async def reconcile(self, request: contract.Request) -> contract.Result:
        self.seen.append(request.name)
        if request.name == self.fails:
            raise kube_errors.Unavailable("no")
        return contract.Result(requeue_after=3600 if request.name == "later" else None)


@contextlib.asynccontextmanager
async def running(found: manager.Manager) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(found.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def made(client: testing.MemoryClient, reconciler: Copier, name: str = "") -> manager.Manager:
    elected = leader.Leader(client, KEY, name, LoopClock()) if name else None
    found = manager.Manager(client, LoopClock(), election=elected)
    copier = controller.Controller("copier", reconciler)
    copier.watch(found.cache(resources.CONFIG_MAP))
    found.add(copier)
    return found


async def test_caches_are_read_before_controllers_work() -> None:
    client, reconciler = testing.MemoryClient(latency=1.0), Copier()
    client.seed(resources.CONFIG_MAP, config_map("a"), config_map("b"))
    found = made(client, reconciler)
    assert list(found.not_ready()) == ["configmaps are not read yet"]
    async with running(found):
        await asyncio.sleep(0.5)
        assert reconciler.seen == []
        await asyncio.sleep(5)
        assert sorted(reconciler.seen) == ["a", "b"]
        assert not found.not_ready()


async def test_a_cache_is_shared_and_its_indexes_add_up() -> None:
    client = testing.MemoryClient()
    client.seed(resources.CONFIG_MAP, config_map("a1"), config_map("a2"), config_map("b1"))
    found = manager.Manager(client, LoopClock())

    def by_team(obj: resources.Object) -> list[str]:
        return [obj["data"]["team"]]

    cache = found.cache(resources.CONFIG_MAP)
    async with running(found):
        await asyncio.sleep(1)
        assert found.cache(resources.CONFIG_MAP, indexers={"team": by_team}) is cache
        assert found.cache(resources.CONFIG_MAP, indexers={"team": by_team}) is cache
        assert [meta.name(each) for each in cache.indexed("team", "a")] == ["a1", "a2"]
        await client.delete(resources.CONFIG_MAP, ("default", "a1"))
        await asyncio.sleep(1)
        assert [meta.name(each) for each in cache.indexed("team", "a")] == ["a2"]
        with pytest.raises(ValueError, match="something else"):
            cache.add_index("team", lambda obj: ())
    assert found.cache(resources.CONFIG_MAP, clients.Query(namespace="x")) is not cache


async def test_an_api_that_does_not_show_its_objects_ends_the_start() -> None:
    client = testing.MemoryClient()
    client.fail_next(kube_errors.Forbidden("no"), kind=resources.CONFIG_MAP, times=1000)
    with pytest.raises(errors.NotSynced, match="120 s configmaps are not read yet"):
        await made(client, Copier()).run()


async def test_only_one_replica_works_and_the_next_takes_over() -> None:
    client, one, two = testing.MemoryClient(), Copier(), Copier()
    client.seed(resources.CONFIG_MAP, config_map("a"))
    async with running(made(client, one, "one")):
        await asyncio.sleep(1)
        waiting = made(client, two, "two")
        async with running(waiting):
            await asyncio.sleep(30)
            assert (one.seen, two.seen) == (["a"], [])
            assert not waiting.not_ready()
    async with running(made(client, two, "two")):
        await asyncio.sleep(5)
        assert two.seen == ["a"]


async def test_a_lost_lease_ends_the_run_with_everything_stopped() -> None:
    client, reconciler = testing.MemoryClient(), Copier()
    found = made(client, reconciler, "one")
    ended: list[str] = []

    async def part(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    found.always("page", lambda: part("page"))
    found.while_leading("loop", lambda: part("loop"))
    async with running(found) as task:
        await asyncio.sleep(1)
        client.fail_next(kube_errors.Unavailable("away"), kind=resources.LEASE, times=1000)
        with pytest.raises(errors.LeadershipLost):
            await asyncio.wait_for(asyncio.shield(task), 60)
        assert ended == ["loop", "page"]


async def test_what_was_told_last_is_written() -> None:
    client = testing.MemoryClient()
    found = made(client, Copier(), "one")
    events = found.recorder("copier")
    assert found.recorder("copier") is events
    async with running(found):
        await asyncio.sleep(1)
        for number in range(3):
            events.record(config_map("a"), recorder.NORMAL, f"R{number}", "bye")
    assert len(client.all(resources.EVENT)) == 3
    assert client.all(resources.LEASE)[0]["spec"]["holderIdentity"] == ""


async def test_a_parts_readiness_counts() -> None:
    found = manager.Manager(testing.MemoryClient(), LoopClock())
    reasons = ["no certificates yet"]

    async def serve() -> None:
        await asyncio.Event().wait()

    found.always("webhooks", serve, lambda: reasons)
    async with running(found):
        assert found.not_ready() == reasons
        reasons.clear()
        assert not found.not_ready()


async def test_nothing_that_leads_begins_before_the_gates_are_open() -> None:
    client, reconciler, gate = testing.MemoryClient(), Copier(), asyncio.Event()
    client.seed(resources.CONFIG_MAP, config_map("a"))
    found = made(client, reconciler, "one")

    async def opened() -> None:
        await gate.wait()

    found.work_after(opened)
    async with running(found):
        await asyncio.sleep(60)
        assert (reconciler.seen, client.all(resources.LEASE)) == ([], [])
        gate.set()
        await asyncio.sleep(1)
        assert reconciler.seen == ["a"]


async def test_a_part_that_fails_ends_the_run() -> None:
    found = made(testing.MemoryClient(), Copier())

    async def broken() -> None:
        await asyncio.sleep(1)
        raise kube_errors.Invalid("broken")

    found.always("broken", broken)
    with pytest.raises(kube_errors.Invalid):
        await found.run()


async def test_metrics_tell_what_happened() -> None:
    client, page = testing.MemoryClient(), prometheus_client.CollectorRegistry()
    client.seed(resources.CONFIG_MAP, *map(config_map, ("a", "bad", "later")))
    elected = leader.Leader(client, KEY, "one", LoopClock())
    found = manager.Manager(client, LoopClock(), election=elected, observed=metrics.Metrics(page))
    copier = controller.Controller("copier", Copier("bad"), workers=2, backoff=backoff.Backoff(100, 2, 100))
    copier.watch(found.cache(resources.CONFIG_MAP))
    found.add(copier)

    def read(series: str, **labels: str) -> float | None:
        return page.get_sample_value(series, labels)

    assert read("leader_election_master_status", name="controllers") == 0
    async with running(found):
        await asyncio.sleep(50)
        mine = {"controller": "copier"}
        assert read("controller_runtime_reconcile_total", result="success", **mine) == 1
        assert read("controller_runtime_reconcile_total", result="requeue_after", **mine) == 1
        assert read("controller_runtime_reconcile_total", result="error", **mine) == 1
        assert read("controller_runtime_reconcile_errors_total", **mine) == 1
        assert read("controller_runtime_reconcile_time_seconds_count", **mine) == 3
        assert read("workqueue_depth", name="copier", **mine) == 2
        assert read("controller_runtime_active_workers", **mine) == 0
        assert read("controller_runtime_max_concurrent_reconciles", **mine) == 2
        assert read("leader_election_master_status", name="controllers") == 1


async def test_very_many_failures_are_repeated_no_faster_than_the_bucket_lets() -> None:
    class Failing:
        passes = 0

        async def reconcile(self, request: contract.Request) -> contract.Result:
            del request
            Failing.passes += 1
            raise kube_errors.Unavailable("no")

    found = controller.Controller("failing", Failing(), backoff=backoff.Backoff(0.005, 1.0, 0.005))
    for number in range(300):
        found.enqueue(contract.Request("d", str(number)))
    task = asyncio.create_task(found.run())
    await asyncio.sleep(10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # 300 first tries, 100 repeated at once, then 10 a second.
    assert 480 <= Failing.passes <= 510
