"""Finalizers and status: the two writes that every controller makes."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, testing
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import finalizers, status

MARK = "brickyard.test/clean-up"
NOW = contract.DeleteOptions(grace_period_seconds=0)


@pytest.fixture
def client() -> testing.MemoryClient:
    return testing.MemoryClient()


def seeded(client: testing.MemoryClient, **metadata: Any) -> resources.Object:
    return client.seed(resources.DEPLOYMENT, {"metadata": {"name": "a", "namespace": "d", **metadata}, "spec": {}})[0]


async def test_a_mark_is_set_once(client: testing.MemoryClient) -> None:
    obj = seeded(client, finalizers=["other"])
    marked = await finalizers.ensure(client, resources.DEPLOYMENT, obj, MARK)
    assert meta.finalizers(marked) == ["other", MARK]
    assert finalizers.has(marked, MARK)
    assert await finalizers.ensure(client, resources.DEPLOYMENT, marked, MARK) == marked
    assert len(client.wrote()) == 1


async def test_a_dying_object_takes_no_new_mark(client: testing.MemoryClient) -> None:
    seeded(client, finalizers=["other"])
    dying = await client.delete(resources.DEPLOYMENT, ("d", "a"))
    assert await finalizers.ensure(client, resources.DEPLOYMENT, dying, MARK) == dying
    assert client.wrote("patch") == []


async def test_the_last_mark_removed_lets_go(client: testing.MemoryClient) -> None:
    seeded(client, finalizers=[MARK])
    dying = await client.delete(resources.DEPLOYMENT, ("d", "a"))
    await finalizers.remove(client, resources.DEPLOYMENT, dying, MARK)
    assert client.all(resources.DEPLOYMENT) == []


async def test_removing_what_is_not_there_writes_nothing(client: testing.MemoryClient) -> None:
    obj = seeded(client)
    assert await finalizers.remove(client, resources.DEPLOYMENT, obj, MARK) == obj
    assert client.wrote() == []


async def test_marks_of_others_are_not_overwritten(client: testing.MemoryClient) -> None:
    stale = seeded(client)
    await finalizers.ensure(client, resources.DEPLOYMENT, stale, "other")
    with pytest.raises(errors.Conflict):
        await finalizers.ensure(client, resources.DEPLOYMENT, stale, MARK)
    assert meta.finalizers(client.all(resources.DEPLOYMENT)[0]) == ["other"]


async def test_the_same_status_is_not_written(client: testing.MemoryClient) -> None:
    obj = await status.write(client, resources.DEPLOYMENT, seeded(client), {"replicas": 1})
    assert obj["status"] == {"replicas": 1}
    again = await status.write(client, resources.DEPLOYMENT, obj, {"replicas": 1})
    assert again == obj
    assert len(client.wrote()) == 1


async def test_a_status_is_written_over_a_newer_version(client: testing.MemoryClient) -> None:
    stale = seeded(client)
    await client.patch(resources.DEPLOYMENT, ("d", "a"), {"spec": {"replicas": 7}})
    written = await status.write(client, resources.DEPLOYMENT, stale, {"replicas": 1})
    assert (written["spec"], written["status"]) == ({"replicas": 7}, {"replicas": 1})


async def test_a_status_computed_from_the_object_is_computed_again(client: testing.MemoryClient) -> None:
    stale = seeded(client)
    await client.patch(resources.DEPLOYMENT, ("d", "a"), {"spec": {"replicas": 7}})
    written = await status.rewrite(
        client, resources.DEPLOYMENT, stale, lambda obj: {"replicas": obj["spec"].get("replicas", 0)}
    )
    assert written["status"] == {"replicas": 7}


async def test_another_life_of_the_object_keeps_its_status(client: testing.MemoryClient) -> None:
    stale = seeded(client)
    await client.delete(resources.DEPLOYMENT, ("d", "a"))
    seeded(client)
    with pytest.raises(errors.NotFound, match="made anew"):
        await status.write(client, resources.DEPLOYMENT, stale, {"replicas": 1})
    assert "status" not in client.all(resources.DEPLOYMENT)[0]


async def test_an_endless_conflict_is_told(client: testing.MemoryClient) -> None:
    obj = seeded(client)
    client.fail_next(errors.Conflict("busy"), verb="update", times=status.ATTEMPTS)
    with pytest.raises(errors.Conflict):
        await status.write(client, resources.DEPLOYMENT, obj, {"replicas": 1})
    assert len(client.wrote("update")) == status.ATTEMPTS
