"""CronJobs on an API in memory with a node that starts nothing, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import meta
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


async def test_a_job_a_minute() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    body = {"schedule": "* * * * *", "jobTemplate": {"spec": testing.job()["spec"]}}
    made = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "tick", "namespace": "default"},
        "spec": body,
    }
    async with tasks.Scope("world") as scope:
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        client.fail_next(errors.Invalid("no", reason="Invalid"), verb="create", kind=resources.JOB)
        await client.create(resources.CRON_JOB, made)
        await asyncio.sleep(300)
        names = {meta.name(each) for each in client.all(resources.JOB)}
        assert len(names) == 5
        assert "FailedCreate" in {each["reason"] for each in client.all(resources.EVENT)}
        await client.patch(resources.CRON_JOB, ("default", "tick"), {"spec": {"concurrencyPolicy": "Replace"}})
        await asyncio.sleep(61)
        assert len(client.all(resources.JOB)) == 1
        await client.patch(resources.CRON_JOB, ("default", "tick"), {"spec": {"suspend": True}})
        await asyncio.sleep(600)
        assert len(client.all(resources.JOB)) == 1
