"""Autoscalers at work on an API in memory, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import testing
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, meta

pytestmark = pytest.mark.looptime

SCALER, DEPLOYMENT = resources.POD_AUTOSCALER, resources.DEPLOYMENT
MATCH = "desired=2, actual=1"


def pods(count: int, **more: Any) -> list[resources.Object]:
    return [testing.pod(f"chat-{index}", **more) for index in range(count)]


@contextlib.asynccontextmanager
async def world(*scalers: resources.Object, replicas: int = 1, each: float = 0.0) -> AsyncIterator[testing.World]:
    """A Deployment ``chat`` with its pods, and what scales it, at rest after its first looks."""
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment(replicas=replicas))
    client.seed(resources.POD, *pods(replicas))
    client.seed(SCALER, *scalers)
    async with testing.running(client, testing.Dials(each=each)) as it:
        await it.until(lambda: all(it.status(meta.name(each)) for each in scalers))
        yield it


async def apply(it: testing.World, patch: dict[str, Any], name: str = "chat") -> None:
    await it.client.patch(SCALER, ("default", name), patch)


async def test_more_demand_than_the_target_takes_is_met() -> None:
    async with world(testing.autoscaler(), each=25.0) as it:
        assert it.replicas() == 2, "25 over 10 asks for 3; one step at most doubles"
        status = it.status()
        assert (status["actualScale"], status["desiredScale"]) == (1, 2)
        assert it.condition("ScalingActive") == "True ReconcilingScaleDiff"
        assert it.condition("AbleToScale") == "True SucceededGetScale"
        assert it.condition("Ready") == "False ReconcilingScaleDiff"
        assert status["scheduledBounds"] == {"effectiveMinReplicas": 1, "effectiveMaxReplicas": 10}
        (entry,) = status["scalingHistory"]
        assert (entry["previousScale"], entry["newScale"], entry["success"]) == (1, 2, True)
        assert status["lastScaleTime"] == entry["timestamp"]
        await it.until(lambda: len(it.events()) == 2, 1)
        assert [reason for reason, _ in it.events()] == ["AlgorithmRun", "SuccessfulRescale"]
        assert dict(it.events())["SuccessfulRescale"].startswith("New size: 2; reason: ")
        await it.until(lambda: it.replicas() == 3, 20)
        await it.until(lambda: it.condition("Ready") == "True AsExpected", 20)


async def test_pa11_a_quiet_autoscaler_has_its_conditions() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        assert it.condition("ValidSpec") == "True AsExpected"
        assert it.condition("ScalingActive") == "False Stable"
        assert it.condition("AbleToScale") == "True SucceededGetScale"
        assert it.condition("Ready") == "True AsExpected"
        messages = {each["type"]: each["message"] for each in it.status()["conditions"]}
        assert messages["ScalingActive"].startswith("desired=1, actual=1: stays at 1")
        assert all(messages.values()), "metav1.Condition wants a message"
        assert "scalingHistory" not in it.status()


async def test_at_rest_nothing_is_written() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        await asyncio.sleep(15)
        writes = len(it.client.wrote())
        looks = len(it.dials.asked)
        await asyncio.sleep(200)
        assert len(it.client.wrote()) == writes
        assert len(it.dials.asked) == looks + 20, "it is looked at every ten seconds all the same"


async def test_the_numbers_of_a_message_are_written_once_in_five_minutes() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        await asyncio.sleep(20)
        writes = len(it.client.wrote("update", SCALER))
        it.dials.each = 10.2
        await asyncio.sleep(200)
        assert len(it.client.wrote("update", SCALER)) == writes
        await asyncio.sleep(120)
        assert len(it.client.wrote("update", SCALER)) == writes + 1


async def test_pa14_a_changed_spec_is_looked_at_at_once_and_history_has_five_entries() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        for size in (2, 3, 4, 5, 6, 7, 8):
            await apply(it, {"spec": {"minReplicas": size}})
            await it.until(lambda size=size: it.replicas() == size, 0.5)  # type: ignore[misc]
            await it.until(lambda size=size: it.status()["desiredScale"] == size, 0.5)  # type: ignore[misc]
        entries = it.status()["scalingHistory"]
        assert [each["newScale"] for each in entries] == [4, 5, 6, 7, 8]
        assert entries[-1]["reason"] == "current replicas below minimum"


async def test_a_burst_of_edits_ends_with_the_last() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        await asyncio.gather(*(apply(it, {"spec": {"minReplicas": size}}) for size in (5, 2, 7, 3)))
        await it.until(lambda: it.replicas() == it.find()["spec"]["minReplicas"])
        await asyncio.sleep(30)
        assert it.replicas() >= it.find()["spec"]["minReplicas"] == 3


async def test_pa7_a_spec_that_cannot_be_worked_with_is_told_and_nothing_done() -> None:
    async with world(testing.autoscaler(minReplicas=5, maxReplicas=2), each=90.0) as it:
        assert it.condition("ValidSpec") == "False InvalidBounds"
        assert it.condition("AbleToScale") == "False InvalidSpec"
        assert it.condition("Ready") == "False InvalidSpec"
        await asyncio.sleep(30)
        assert it.replicas() == 1
        await apply(it, {"spec": {"minReplicas": 2}})
        await it.until(lambda: it.condition("ValidSpec") == "True AsExpected")
        assert it.replicas() == 2


async def test_values_that_are_not_used_are_told_and_the_rest_holds() -> None:
    said = {"max-scale-up-rate": "4", "scale-up-tolerance": "lots"}
    async with world(testing.autoscaler(annotations=said), each=35.0) as it:
        assert it.condition("ValidSettings") == "False InvalidValue"
        (told,) = (each for each in it.status()["conditions"] if each["type"] == "ValidSettings")
        assert "scale-up-tolerance" in told["message"]
        assert it.condition("ValidSpec") == "True AsExpected"
        assert it.replicas() == 4, "the rate that is sound holds"
        await apply(it, {"metadata": {"annotations": {"autoscaling.aibrix.ai/scale-up-tolerance": None}}})
        await it.until(lambda: not it.condition("ValidSettings"))


# Targets.


async def test_pa8_a_target_that_is_not_there_is_told_and_met_when_it_comes() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(SCALER, testing.autoscaler(minReplicas=3))
    async with testing.running(client) as it:
        await it.until(lambda: it.condition("AbleToScale") == "False FailedGetScale")
        assert it.condition("ValidSpec") == "True AsExpected"
        await asyncio.sleep(60)
        assert [reason for reason, _ in it.events()] == ["FailedGetScale"], "told once, not every pass"
        await client.create(DEPLOYMENT, testing.deployment())
        await it.until(lambda: it.replicas() == 3, 0.5)
        await it.until(lambda: it.condition("AbleToScale") == "True SucceededGetScale")


async def test_a_target_that_was_made_anew_is_observed_afresh() -> None:
    async with world(testing.autoscaler(annotations={"scale-down-cooldown-window": "0s"}), replicas=4, each=10.0) as it:
        await asyncio.sleep(190)
        await it.client.delete(DEPLOYMENT, ("default", "chat"))
        await it.until(lambda: it.condition("AbleToScale") == "False FailedGetScale")
        it.dials.each = 1.0
        await it.client.create(DEPLOYMENT, testing.deployment(replicas=4))
        await asyncio.sleep(150)
        assert it.replicas() == 4, "no way down before a stable window was observed"
        await it.until(lambda: it.replicas() < 4, 120)


async def test_somebody_else_s_scaling_is_noticed_at_once() -> None:
    async with world(testing.autoscaler(maxReplicas=5), each=10.0) as it:
        await it.client.patch(DEPLOYMENT, ("default", "chat"), {"spec": {"replicas": 9}})
        await it.until(lambda: it.replicas() == 5, 0.5)


async def test_w2_a_role_alone_is_scaled_in_the_template() -> None:
    storm = testing.storm_service(prefill=(1, 1), decode=(2, 1))
    ref = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
    scaler = testing.autoscaler("pd", scaleTargetRef=ref, subTargetSelector={"roleName": "decode"}, minReplicas=5)
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.STORM_SERVICE, storm)
    client.seed(SCALER, scaler)
    async with testing.running(client) as it:
        await it.until(lambda: it.status("pd"))
        (found,) = client.all(resources.STORM_SERVICE)
        roles = found["spec"]["template"]["spec"]["roles"]
        assert [each["replicas"] for each in roles] == [1, 5]
        assert found["spec"]["replicas"] == 1


async def test_w2_in_mode_replica_the_service_is_scaled() -> None:
    ref = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
    scaler = testing.autoscaler(
        "pd",
        annotations={"storm-service-mode": "replica"},
        scaleTargetRef=ref,
        subTargetSelector={"roleName": "decode"},
        minReplicas=3,
    )
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.STORM_SERVICE, testing.storm_service(prefill=(1, 1), decode=(2, 1)))
    client.seed(SCALER, scaler)
    async with testing.running(client) as it:
        await it.until(lambda: it.replicas("pd", resources.STORM_SERVICE) == 3)
        (found,) = client.all(resources.STORM_SERVICE)
        assert [each["replicas"] for each in found["spec"]["template"]["spec"]["roles"]] == [1, 2]


async def test_a_write_that_is_refused_is_told_and_tried_again() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        it.client.fail_next(errors.Forbidden("no leave to scale"), verb="update", kind=DEPLOYMENT)
        await apply(it, {"spec": {"minReplicas": 3}})
        await it.until(lambda: it.condition("AbleToScale") == "False FailedUpdateScale")
        (entry,) = it.status()["scalingHistory"]
        assert (entry["success"], entry["newScale"]) == (False, 3)
        assert "no leave to scale" in entry["error"]
        assert it.replicas() == 1
        await it.until(lambda: it.replicas() == 3)
        await it.until(lambda: it.condition("AbleToScale") == "True SucceededGetScale")
        assert "FailedRescale" in dict(it.events())


async def test_what_moved_between_deciding_and_writing_is_left_alone() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        it.dials.slow, it.dials.each = 1.0, 25.0
        await apply(it, {"spec": {"maxReplicas": 8}})
        await asyncio.sleep(0.5)
        await it.client.patch(DEPLOYMENT, ("default", "chat"), {"spec": {"replicas": 7}})
        await asyncio.sleep(1.0)
        assert it.replicas() == 7, "2 was decided on 1 replica"
        assert "scalingHistory" not in it.status()


# Metrics.


async def test_without_any_metric_nothing_is_decided() -> None:
    async with world(testing.autoscaler(), replicas=3, each=10.0) as it:
        it.dials.silent = "connection refused"
        await it.until(lambda: it.condition("ScalingActive") == "False FailedComputeScale")
        assert it.condition("Ready") == "False FailedComputeScale"
        await asyncio.sleep(600)
        assert it.replicas() == 3
        assert len(it.status()["scalingHistory"]) == 1, "a failure that goes on is one entry"
        it.dials.silent = ""
        await it.until(lambda: it.condition("ScalingActive") == "False Stable")


@pytest.mark.parametrize("there", [0, 1])
async def test_pods_that_start_are_no_failure(there: int) -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment())
    client.seed(resources.POD, *pods(there, ready=False))
    client.seed(SCALER, testing.autoscaler())
    async with testing.running(client) as it:
        await it.until(lambda: it.condition("ScalingActive") == "False WaitingForPods")
        assert it.events() == []
        assert "scalingHistory" not in it.status()


async def test_a_source_of_the_whole_that_fails_waits_for_no_pods() -> None:
    source = testing.source(metricSourceType="external", endpoint="metrics.example.com:80")
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment())
    client.seed(SCALER, testing.autoscaler(metricsSources=[source]))
    async with testing.running(client, testing.Dials(silent="connection refused")) as it:
        await it.until(lambda: it.condition("ScalingActive") == "False FailedComputeScale")
        await it.until(lambda: dict(it.events()), 1)
        assert "connection refused" in dict(it.events())["FailedComputeScale"]


async def test_pods_that_end_are_not_measured() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment())
    client.seed(resources.POD, *pods(1), testing.pod("old", phase="Failed"), testing.pod("other", app="else"))
    client.seed(SCALER, testing.autoscaler())
    async with testing.running(client) as it:
        await it.until(it.status)
        assert [[meta.name(pod) for pod in each.pods] for each in it.dials.asked] == [["chat-0"]]


async def test_a_slow_source_holds_up_nobody_else() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    for name in ("a", "b", "c"):
        client.seed(DEPLOYMENT, testing.deployment(name))
        client.seed(resources.POD, testing.pod(f"{name}-0", app=name))
        client.seed(SCALER, testing.autoscaler(name, scaleTargetRef=testing.target(name), minReplicas=2))
    async with testing.running(client, testing.Dials(slow=60.0)) as it:
        await it.until(lambda: all(it.replicas(name) == 2 for name in "abc"), 6.5)
        await it.until(lambda: it.condition("ScalingActive", "a") == "False FailedComputeScale", 20)
        assert "within 6 s" in str(it.status("a"))


async def test_sc5_schedules_change_bounds_at_their_edges() -> None:
    # NOW is Tuesday 22:13:20 UTC.
    late = {"name": "late", "startTime": "22:14", "endTime": "22:20", "minReplicas": 4, "maxReplicas": 6}
    async with world(testing.autoscaler(schedules=[late]), each=1.0) as it:
        assert it.replicas() == 1
        await it.until(lambda: it.replicas() == 4, 41)
        assert it.clock.wall() - testing.NOW == pytest.approx(40, abs=0.5)
        await it.until(lambda: "activeSchedule" in it.status()["scheduledBounds"])
        shown = {"activeSchedule": "late", "effectiveMinReplicas": 4, "effectiveMaxReplicas": 6}
        assert it.status()["scheduledBounds"] == shown
        await asyncio.sleep(6 * 60 + 1)
        assert it.status()["scheduledBounds"] == {"effectiveMinReplicas": 1, "effectiveMaxReplicas": 10}


async def test_a_restart_in_a_rush_takes_nothing_away() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(DEPLOYMENT, testing.deployment(replicas=6))
    client.seed(resources.POD, *pods(6))
    client.seed(SCALER, testing.autoscaler(annotations={"scale-down-cooldown-window": "0s"}))
    dials = testing.Dials(each=10.0)
    async with testing.running(client, dials) as it:
        await asyncio.sleep(300)
        history = it.status()
    dials.each = 1.0
    async with testing.running(client, dials) as it:
        await asyncio.sleep(170)
        assert it.replicas() == 6, "within a stable window of its beginning nothing goes down"
        assert it.status().get("scalingHistory") == history.get("scalingHistory")
        await it.until(lambda: it.replicas() == 3, 60)


async def test_a_clock_that_leaps_takes_nothing_away() -> None:
    async with world(testing.autoscaler(annotations={"scale-down-cooldown-window": "0s"}), replicas=4, each=10.0) as it:
        await asyncio.sleep(200)
        it.dials.each = 0.0
        for skew in (86_400.0, -86_400.0):
            it.clock.skew = skew
            await asyncio.sleep(25)
            assert it.replicas() == 4


# Several on one target.


async def test_pa12_the_second_on_one_target_waits_for_the_first_to_go() -> None:
    first, second = testing.autoscaler("first", age=60, minReplicas=2), testing.autoscaler("second", minReplicas=5)
    async with world(first, second) as it:
        assert it.condition("MultiPodAutoscalerConflict", "second") == "False MultiPodAutoscalerConflict"
        assert it.condition("AbleToScale", "second") == "False MultiPodAutoscalerConflict"
        assert it.condition("Ready", "second").startswith("False")
        assert "default/first" in str(it.status("second"))
        assert it.condition("AbleToScale", "first") == "True SucceededGetScale"
        await asyncio.sleep(30)
        assert it.replicas() == 2
        await it.client.delete(SCALER, ("default", "first"))
        await it.until(lambda: it.replicas() == 5, 1)
        await it.until(lambda: not it.condition("MultiPodAutoscalerConflict", "second"))
        assert it.condition("AbleToScale", "second") == "True SucceededGetScale"


async def test_who_names_another_target_lets_go_of_the_first() -> None:
    first, second = testing.autoscaler("first", age=60, minReplicas=2), testing.autoscaler("second", minReplicas=5)
    async with world(first, second) as it:
        await apply(it, {"spec": {"scaleTargetRef": {"name": "else"}}}, "first")
        await it.until(lambda: it.replicas() == 5, 1)


async def test_a_horizontalpodautoscaler_on_the_same_target_stops_ours() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        other = {
            "metadata": {"name": "hand-made", "namespace": "default"},
            "spec": {"scaleTargetRef": testing.target()},
        }
        await it.client.create(resources.HORIZONTAL_POD_AUTOSCALER, other)
        reason = "False HorizontalPodAutoscalerConflict"
        await it.until(lambda: it.condition("MultiPodAutoscalerConflict") == reason, 1)
        it.dials.each = 100.0
        await asyncio.sleep(60)
        assert it.replicas() == 1
        assert [name for name, _ in it.events()] == ["HorizontalPodAutoscalerConflict"]
        await it.client.delete(resources.HORIZONTAL_POD_AUTOSCALER, ("default", "hand-made"))
        await it.until(lambda: it.replicas() == 2, 1)


async def test_what_is_gone_leaves_nothing_behind() -> None:
    async with world(testing.autoscaler(), each=25.0) as it:
        labels = {"namespace": "default", "name": "chat", "algorithm": "kpa", "reason": "kpa above target"}
        assert it.registry.get_sample_value("aibrix_autoscaler_scale_action", labels) == 2, "W3"
        await it.client.delete(SCALER, ("default", "chat"))
        await asyncio.sleep(1)
        assert it.registry.get_sample_value("aibrix_autoscaler_scale_action", labels) is None
        looks = len(it.dials.asked)
        await asyncio.sleep(60)
        assert len(it.dials.asked) == looks


async def test_an_api_that_is_away_for_a_while_is_waited_for() -> None:
    async with world(testing.autoscaler(), each=10.0) as it:
        for _ in range(3):
            it.client.fail_next(errors.Unavailable("starting"), verb="update", kind=SCALER)
        await apply(it, {"spec": {"minReplicas": 2}})
        await it.until(lambda: it.status()["desiredScale"] == 2)
        assert it.replicas() == 2


@pytest.mark.slow
async def test_five_hundred_are_spread_over_the_period() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    for index in range(500):
        client.seed(DEPLOYMENT, testing.deployment(f"d{index}"))
        client.seed(SCALER, testing.autoscaler(f"a{index}", scaleTargetRef=testing.target(f"d{index}")))
        client.seed(resources.POD, testing.pod(f"p{index}", app=f"d{index}"))
    async with testing.running(client, testing.Dials(each=10.0)) as it:
        await it.until(lambda: len(it.dials.asked) == 500)
        await asyncio.sleep(10)
        counts = []
        for _ in range(10):
            before = len(it.dials.asked)
            await asyncio.sleep(1)
            counts.append(len(it.dials.asked) - before)
        assert sum(counts) == 500
        assert max(counts) < 100, "none of the ten seconds is much busier than another"
        assert conditions.is_true(it.status("a7")["conditions"], "Ready")
