"""What is shown of autoscalers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import pages, testing
from brickyard.kube.client import testing as clients

pytestmark = pytest.mark.looptime


@contextlib.asynccontextmanager
async def world(scaler: resources.Object) -> AsyncIterator[testing.World]:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    client.seed(resources.POD, testing.pod("chat-0"))
    client.seed(resources.POD_AUTOSCALER, scaler)
    async with testing.running(client, testing.Dials(each=25.0)) as it:
        await it.until(it.status)
        yield it


def one(it: testing.World, name: str = "chat") -> tuple[int, Any]:
    """As somebody reads it who gets JSON."""
    status, found = it.pages[pages.ONE]({"namespace": "default", "name": name})
    return status, orjson.loads(orjson.dumps(found, default=sorted))


async def test_one_autoscaler_with_all_there_is_to_know() -> None:
    late = {"name": "night", "startTime": "01:00", "endTime": "02:00", "minReplicas": 4}
    async with world(testing.autoscaler(schedules=[late])) as it:
        await asyncio.sleep(30)
        status, found = one(it)
        assert status == 200
        assert (found["strategy"], found["target"], found["period"]) == ("KPA", "Deployment default/chat", 10.0)
        assert found["recommendation"]["current"] == it.replicas() == 3
        assert found["recommendation"]["metrics"][0]["demand"] == {"low": 25.0, "high": 25.0}
        assert found["settings"]["hours"][0]["name"] == "night"
        assert found["explanation"]["short"].startswith("stays at 3")
        assert found["explanation"]["long"]
        rows = [dict(zip(found["history"]["fields"], each, strict=True)) for each in found["history"]["points"]]
        assert [(each["actual"], each["desired"]) for each in rows[:2]] == [(1, 2), (2, 3)]
        assert rows[0]["demand"] == 25.0
        assert rows[0]["at"] < rows[1]["at"]


async def test_a_step_that_waits_says_until_when() -> None:
    async with world(testing.autoscaler(metricsSources=[testing.source("1")])) as it:
        assert one(it)[1]["waits"] is None
        moved = it.clock.wall()
        await it.client.patch(resources.POD_AUTOSCALER, ("default", "chat"), {"spec": {"maxReplicas": 8}})
        await it.until(lambda: one(it)[1]["waits"], 1)
        assert one(it)[1]["waits"] == pytest.approx(moved + 7.5, abs=0.5)
        await it.until(lambda: it.replicas() == 4, 8)
        await it.until(lambda: one(it)[1]["waits"] is None, 1)


async def test_a_line_for_each() -> None:
    async with world(testing.autoscaler()) as it:
        status, found = it.pages[pages.LIST]({})
        (line,) = found["autoscalers"]
        assert status == 200
        assert (line["namespace"], line["name"], line["current"], line["desired"]) == ("default", "chat", 1, 2)


async def test_a_spec_at_fault_says_so() -> None:
    async with world(testing.autoscaler(maxReplicas=0)) as it:
        _, found = one(it)
        assert found["fault"]["reason"] == "InvalidBounds"
        assert found["settings"] is None
        assert found["recommendation"] is None


async def test_there_is_no_such_autoscaler() -> None:
    async with world(testing.autoscaler()) as it:
        assert one(it, "else") == (404, {"error": "there is no PodAutoscaler default/else"})


async def test_of_strategy_hpa_another_controller_knows() -> None:
    async with world(testing.autoscaler(scalingStrategy="HPA", metricsSources=[testing.source("50")])) as it:
        _, found = one(it)
        assert found["recommendation"] is None
        assert found["history"]["points"] == []
