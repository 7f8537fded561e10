from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import resources
from brickyard.kube.client import errors, testing
from brickyard.kube.reconcile import recorder
from brickyard.lib import clock

pytestmark = pytest.mark.looptime

POD: resources.Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "d", "uid": "u1", "resourceVersion": "7"},
}
NODE: resources.Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "u2"}}


@contextlib.asynccontextmanager
async def recording(
    client: testing.MemoryClient, time: clock.Clock | None = None, host: str = ""
) -> AsyncIterator[recorder.EventRecorder]:
    found = recorder.EventRecorder(client, "tester", time or clock.ManualClock(), host=host)
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_event_says_what_happened_to_whom() -> None:
    client = testing.MemoryClient()
    async with recording(client, host="n1") as found:
        found.record(POD, "Normal", "Started", "it started", field_path="spec.containers{main}")
        await found.flush(1)
    (event,) = client.all(resources.EVENT)
    stamp = "2023-11-14T22:13:20Z"
    told = {key: event[key] for key in event if key not in ("metadata", "apiVersion", "kind")}
    assert told == {
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "d",
            "name": "web",
            "uid": "u1",
            "resourceVersion": "7",
            "fieldPath": "spec.containers{main}",
        },
        "type": "Normal",
        "reason": "Started",
        "message": "it started",
        "source": {"component": "tester", "host": "n1"},
        "reportingComponent": "tester",
        "reportingInstance": "n1",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    assert event["metadata"]["namespace"] == "d"
    assert event["metadata"]["name"].startswith("web.")


async def test_the_same_again_counts_up() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock()
    async with recording(client, time) as found:
        for _ in range(3):
            found.record(POD, "Warning", "BackOff", "restarting")
            await found.flush(1)
            time.advance(10)
    (event,) = client.all(resources.EVENT)
    assert (event["count"], event["firstTimestamp"], event["lastTimestamp"]) == (
        3,
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:40Z",
    )


async def test_an_event_that_has_expired_is_made_anew() -> None:
    client, time = testing.MemoryClient(), clock.ManualClock()
    async with recording(client, time) as found:
        found.record(POD, "Warning", "BackOff", "restarting")
        await found.flush(1)
        (first,) = client.all(resources.EVENT)
        await client.delete(resources.EVENT, ("d", first["metadata"]["name"]))
        time.advance(10)
        found.record(POD, "Warning", "BackOff", "restarting")
        await found.flush(1)
    (second,) = client.all(resources.EVENT)
    assert second["metadata"]["name"] != first["metadata"]["name"]


async def test_events_about_what_has_no_namespace_live_in_default() -> None:
    client = testing.MemoryClient()
    async with recording(client) as found:
        found.record(NODE, "Normal", "Ready", "it is")
        await found.flush(1)
    (event,) = client.all(resources.EVENT)
    assert event["metadata"]["namespace"] == "default"
    assert "namespace" not in event["involvedObject"]


async def test_different_events_at_one_moment_have_different_names() -> None:
    client = testing.MemoryClient()
    async with recording(client) as found:
        for reason in ("Scheduled", "Created", "Started"):
            found.record(POD, "Normal", reason, "x")
        await found.flush(1)
    assert len(client.all(resources.EVENT)) == 3


async def test_long_names_and_messages_are_cut() -> None:
    client = testing.MemoryClient()
    long = {**POD, "metadata": {**POD["metadata"], "name": "n" * 253}}
    async with recording(client) as found:
        found.record(long, "Normal", "Started", "m" * 5000)
        await found.flush(1)
    (event,) = client.all(resources.EVENT)
    assert len(event["message"]) == recorder.MESSAGE_LIMIT
    assert len(event["metadata"]["name"]) <= 253


async def test_a_hiccup_is_waited_out() -> None:
    client = testing.MemoryClient()
    client.fail_next(errors.Unavailable("starting"), times=3)
    async with recording(client) as found:
        found.record(POD, "Normal", "Started", "x")
        await found.flush(60)
    assert len(client.all(resources.EVENT)) == 1
    assert found.dropped == 0


async def test_an_answer_that_was_lost_makes_no_second_event() -> None:
    class Lossy(testing.MemoryClient):
        async def create(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
            made = await super().create(kind, obj)
            if len(self.wrote("create")) == 1:
                raise errors.Unreachable("the answer is lost")
            return made

    client = Lossy()
    async with recording(client) as found:
        for _ in range(2):
            found.record(POD, "Normal", "Started", "x")
            await found.flush(5)
    (event,) = client.all(resources.EVENT)
    assert (event["count"], found.dropped) == (2, 0)


@pytest.mark.parametrize("error", [errors.Forbidden("no"), errors.NotFound("no namespace")])
async def test_a_refusal_loses_one_event_only(error: errors.KubeError) -> None:
    client = testing.MemoryClient()
    client.fail_next(error, verb="create")
    async with recording(client) as found:
        found.record(POD, "Normal", "First", "x")
        found.record(POD, "Normal", "Second", "x")
        await found.flush(1)
    assert [each["reason"] for each in client.all(resources.EVENT)] == ["Second"]
    assert found.dropped == 1


async def test_when_the_api_is_away_recording_still_never_waits() -> None:
    client = testing.MemoryClient()
    client.fail_next(errors.Unreachable("away"), times=1_000_000)
    async with recording(client) as found:
        for number in range(recorder.QUEUE + 50):
            found.record({**POD, "metadata": {"name": str(number)}}, "Normal", "Started", "x")
        assert found.dropped == 50
        with pytest.raises(TimeoutError):
            await found.flush(1)


async def test_who_talks_too_much_is_dropped() -> None:
    client = testing.MemoryClient()
    async with recording(client) as found:
        for number in range(60):
            found.record(POD, "Normal", "Noise", str(number))
        await found.flush(5)
    assert len(client.all(resources.EVENT)) + found.dropped == 60
    assert len(client.all(resources.EVENT)) == 25
