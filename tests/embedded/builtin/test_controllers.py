"""The controllers together, on an API in memory with a node that starts nothing, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.embedded.builtin.deployment import revisions
from brickyard.kube.client import contract, errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, meta, owners
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WEB = ("default", "web")


@dataclasses.dataclass
class World:
    """The API, its node and short ways to look at it."""

    client: clients.MemoryClient
    node: testing.FakeKubelet

    async def deploy(self, **spec: Any) -> None:
        await self.client.create(resources.DEPLOYMENT, testing.unstored(testing.deployment(**spec)))

    async def change(self, **spec: Any) -> None:
        await self.client.patch(resources.DEPLOYMENT, WEB, {"spec": spec})

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    async def rolled_out(self, seconds: float = 60.0) -> None:
        """What ``kubectl rollout status`` waits for."""
        await self.until(self._is_rolled_out, seconds)

    def _is_rolled_out(self) -> bool:
        found, told = self.deployment, self.deployment.get("status", {})
        goal = found["spec"]["replicas"]
        return bool(
            told.get("observedGeneration", 0) >= meta.generation(found)
            and all(told.get(key, 0) == goal for key in ("updatedReplicas", "replicas", "availableReplicas"))
        )

    def shows(self, image: str, count: int) -> Callable[[], bool]:
        """Whether there are ``count`` pods and all run ``image``."""
        return lambda: self.images == [image] * count

    @property
    def deployment(self) -> dict[str, Any]:
        return self.client.all(resources.DEPLOYMENT)[0]

    @property
    def pods(self) -> list[dict[str, Any]]:
        return self.client.all(resources.POD)

    @property
    def images(self) -> list[str]:
        return sorted(str(pod["spec"]["containers"][0]["image"]) for pod in self.pods)

    def sizes(self) -> dict[str, int]:
        """Replicas asked for, by image."""
        return {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
            for each in self.client.all(resources.REPLICA_SET)
        }

    def condition(self, kind: str) -> str:
        found = conditions.find(self.deployment.get("status", {}).get("conditions"), kind) or {}
        return f"{found.get('status')} {found.get('reason')}"

    def messages(self) -> set[str]:
        return {str(each["message"]) for each in self.client.all(resources.EVENT)}


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock())
    node = testing.FakeKubelet(client, testing.LoopClock())
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        yield World(client, node)


def template(image: str) -> dict[str, Any]:
    return testing.template(image)


# ---------------------------------------------------------------------------------------------------------- deployments


async def test_a_deployment_becomes_pods() -> None:
    async with world() as it:
        await it.deploy(replicas=3)
        await it.rolled_out()
        assert it.images == ["web:1"] * 3
        assert it.condition("Progressing") == "True NewReplicaSetAvailable"
        assert it.condition("Available") == "True MinimumReplicasAvailable"
        (replica_set,) = it.client.all(resources.REPLICA_SET)
        assert owners.is_controlled_by(replica_set, it.deployment)
        assert all(owners.is_controlled_by(pod, replica_set) for pod in it.pods)
        assert revisions.annotation(it.deployment, revisions.REVISION) == "1"
        assert f"Scaled up replica set {meta.name(replica_set)} from 0 to 3" in it.messages()


async def test_at_rest_nothing_is_written() -> None:
    async with world() as it:
        await it.deploy(replicas=3)
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.rolled_out()
        await asyncio.sleep(10)
        it.client.calls.clear()
        await asyncio.sleep(3600)
        assert it.client.wrote() == []


@pytest.mark.parametrize(
    ("surge", "unavailable", "most", "fewest"),
    [(1, 0, 5, 4), (0, 1, 4, 3), ("50%", "50%", 6, 2), ("100%", 0, 8, 4)],
)
async def test_a_rolling_update_stays_within_its_limits(surge: Any, unavailable: Any, most: int, fewest: int) -> None:
    async with world() as it:
        limits = {"maxSurge": surge, "maxUnavailable": unavailable}
        await it.deploy(replicas=4, strategy={"type": "RollingUpdate", "rollingUpdate": limits})
        await it.rolled_out()
        await it.change(template=template("web:2"))
        told: list[int] = []

        def look() -> bool:
            alive = [pod for pod in it.pods if not meta.is_deleting(pod)]
            told.append(sum(map(is_ready, alive)))
            assert len(alive) <= most
            assert told[-1] >= fewest
            return it.images == ["web:2"] * 4 and told[-1] == 4

        await it.until(look)
        await it.rolled_out()
        assert it.sizes() == {"web:1": 0, "web:2": 4}


def is_ready(pod: dict[str, Any]) -> bool:
    return conditions.is_true(pod.get("status", {}).get("conditions"), "Ready")


async def test_going_back_and_forth_keeps_the_revisions() -> None:
    async with world() as it:
        await it.deploy(replicas=2)
        for image in ("web:2", "web:1"):
            await it.rolled_out()
            await it.change(template=template(image))
            await it.until(it.shows(image, 2))
        await it.rolled_out()
        numbers = {
            each["spec"]["template"]["spec"]["containers"][0]["image"]: (
                revisions.number(each),
                revisions.annotation(each, revisions.HISTORY),
            )
            for each in it.client.all(resources.REPLICA_SET)
        }
        assert numbers == {"web:1": (3, "1"), "web:2": (2, "")}
        assert revisions.annotation(it.deployment, revisions.REVISION) == "3"


async def test_a_change_cause_is_kept_with_its_revision() -> None:
    async with world() as it:
        await it.deploy(replicas=1)
        await it.rolled_out()
        cause = {"kubernetes.io/change-cause": "kubectl set image"}
        patch = {"metadata": {"annotations": cause}, "spec": {"template": template("web:2")}}
        await it.client.patch(resources.DEPLOYMENT, WEB, patch)
        await it.until(it.shows("web:2", 1))
        await it.rolled_out()
        causes = {
            revisions.number(each): revisions.annotation(each, "kubernetes.io/change-cause")
            for each in it.client.all(resources.REPLICA_SET)
        }
        assert causes == {1: "", 2: "kubectl set image"}


async def test_history_is_bounded() -> None:
    async with world() as it:
        await it.deploy(replicas=1, revisionHistoryLimit=2)
        for number in range(2, 7):
            await it.rolled_out()
            await it.change(template=template(f"web:{number}"))
            await it.until(it.shows(f"web:{number}", 1))
        await it.until(lambda: set(it.sizes()) == {"web:4", "web:5", "web:6"})


async def test_a_pause_holds_the_rollout_and_a_resume_lets_it_go() -> None:
    async with world() as it:
        await it.deploy(replicas=2)
        await it.rolled_out()
        await it.change(paused=True, template=template("web:2"))
        await it.until(lambda: it.condition("Progressing") == "Unknown DeploymentPaused")
        await it.change(replicas=3)
        await it.until(it.shows("web:1", 3))
        await it.change(paused=None)
        await it.until(it.shows("web:2", 3))
        await it.rolled_out()


async def test_recreate_never_runs_two_versions_at_once() -> None:
    async with world() as it:
        it.node.behaviour.stop = 5.0
        await it.deploy(replicas=2, strategy={"type": "Recreate"})
        await it.rolled_out()
        await it.change(template=template("web:2"))

        def look() -> bool:
            assert len(set(it.images)) <= 1
            return it.images == ["web:2"] * 2

        await it.until(look)
        await it.rolled_out()


async def test_a_rollout_that_does_not_move_is_told_after_its_deadline_and_heals() -> None:
    async with world() as it:
        it.node.behaviour.broken.add("web:2")
        await it.deploy(replicas=2, progressDeadlineSeconds=100)
        await it.rolled_out()
        await it.change(template=template("web:2"))
        await asyncio.sleep(95)
        assert it.condition("Progressing") == "True ReplicaSetUpdated"
        await asyncio.sleep(10)
        assert it.condition("Progressing") == "False ProgressDeadlineExceeded"
        assert it.condition("Available") == "True MinimumReplicasAvailable"
        await it.change(template=template("web:3"))
        await it.until(it.shows("web:3", 2))
        await it.rolled_out()
        assert it.condition("Progressing") == "True NewReplicaSetAvailable"


async def test_min_ready_seconds_slow_a_rollout_down() -> None:
    async with world() as it:
        await it.deploy(replicas=2, minReadySeconds=20)
        await it.rolled_out(seconds=30)
        began = asyncio.get_running_loop().time()
        await it.change(template=template("web:2"))
        await it.until(it.shows("web:2", 2))
        assert asyncio.get_running_loop().time() - began > 20


async def test_a_lost_pod_is_replaced() -> None:
    async with world() as it:
        await it.deploy(replicas=3)
        await it.rolled_out()
        lost = meta.uid(it.pods[0])
        await it.client.delete(resources.POD, meta.key(it.pods[0]))
        await it.until(lambda: len(it.pods) == 3 and lost not in {meta.uid(pod) for pod in it.pods})
        await it.rolled_out()


async def test_scaling_by_the_subresource() -> None:
    async with world() as it:
        await it.deploy(replicas=1)
        await it.rolled_out()
        for size in (4, 0, 2):
            await it.client.patch(resources.DEPLOYMENT, WEB, {"spec": {"replicas": size}}, subresource="scale")
            await it.until(it.shows("web:1", size))
            await it.rolled_out()


async def test_a_hash_that_is_taken_makes_another_one() -> None:
    async with world() as it:
        taken = revisions.build(testing.deployment(), 0, {})
        stranger = testing.replica_set(meta.name(taken), 0, selector={"matchLabels": {"app": "other"}})
        stranger["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
        await it.client.create(resources.REPLICA_SET, testing.unstored(stranger))
        await it.deploy(replicas=1)
        await it.rolled_out()
        assert it.deployment["status"]["collisionCount"] == 1
        assert len(it.client.all(resources.REPLICA_SET)) == 2


async def test_a_refused_replica_set_is_told() -> None:
    async with world() as it:
        refusal = errors.Forbidden("exceeded quota", reason="Forbidden")
        it.client.fail_next(refusal, verb="create", kind=resources.REPLICA_SET, times=8)
        await it.deploy(replicas=1)
        await it.until(lambda: it.condition("Progressing") == "False ReplicaSetCreateError")
        await it.rolled_out()
        assert any("exceeded quota" in message for message in it.messages())


async def test_an_orphaned_replica_set_is_taken_in() -> None:
    async with world() as it:
        await it.deploy(replicas=2)
        await it.rolled_out()
        before = {meta.uid(pod) for pod in it.pods}
        replica_set = meta.key(it.client.all(resources.REPLICA_SET)[0])
        await it.client.delete(resources.DEPLOYMENT, WEB)
        await it.client.patch(resources.REPLICA_SET, replica_set, {"metadata": {"ownerReferences": None}})
        await it.deploy(replicas=2)
        await it.rolled_out()
        assert {meta.uid(pod) for pod in it.pods} == before
        assert owners.is_controlled_by(it.client.all(resources.REPLICA_SET)[0], it.deployment)


async def test_an_api_that_fails_now_and_then_delays_and_breaks_nothing() -> None:
    async with world() as it:
        await it.deploy(replicas=3)
        await it.rolled_out()
        it.client.break_watches(errors.Unreachable("connection reset"))
        for verb in ("patch", "create", "update", "delete"):
            it.client.fail_next(errors.Unavailable("starting"), verb=verb, times=3)
        await it.client.get(resources.DEPLOYMENT, "web", "default")
        for _ in range(4):
            with contextlib.suppress(errors.Unavailable):
                await it.change(template=template("web:2"))
        await it.until(it.shows("web:2", 3), seconds=200)
        await it.rolled_out()
        assert it.sizes() == {"web:1": 0, "web:2": 3}


# ------------------------------------------------------------------------------------------------------------- services


def ready_addresses(it: World) -> list[str]:
    return sorted(
        str(endpoint["addresses"][0])
        for each in it.client.all(resources.ENDPOINT_SLICE)
        for endpoint in each["endpoints"]
        if endpoint["conditions"]["ready"]
    )


async def test_a_service_follows_its_pods() -> None:
    async with world() as it:
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.until(lambda: it.client.all(resources.ENDPOINT_SLICE))
        assert ready_addresses(it) == []
        await it.deploy(replicas=3)
        await it.until(lambda: len(ready_addresses(it)) == 3)
        first = it.pods[0]
        await it.node.set_ready(meta.key(first), ready=False, ip=first["status"]["podIP"])
        await it.until(lambda: len(ready_addresses(it)) == 2)
        assert first["status"]["podIP"] not in ready_addresses(it)
        await it.change(replicas=0)
        await it.until(lambda: ready_addresses(it) == [])
        await it.until(lambda: it.client.all(resources.ENDPOINT_SLICE)[0]["endpoints"] == [])


async def test_a_pod_whose_labels_change_leaves_the_service() -> None:
    async with world() as it:
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.deploy(replicas=2)
        await it.until(lambda: len(ready_addresses(it)) == 2)
        gone = it.pods[0]
        await it.client.patch(resources.POD, meta.key(gone), {"metadata": {"labels": {"app": "aside"}}})
        await it.until(lambda: len(ready_addresses(it)) == 2 and gone["status"]["podIP"] not in ready_addresses(it))


async def test_a_slice_that_somebody_deletes_comes_back() -> None:
    async with world() as it:
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.deploy(replicas=1)
        await it.until(lambda: len(ready_addresses(it)) == 1)
        await it.client.delete(resources.ENDPOINT_SLICE, meta.key(it.client.all(resources.ENDPOINT_SLICE)[0]))
        await it.until(lambda: len(ready_addresses(it)) == 1)


async def test_a_refused_slice_is_told_and_made_later() -> None:
    async with world() as it:
        refusal = errors.Invalid("no good", reason="Invalid")
        it.client.fail_next(refusal, verb="create", kind=resources.ENDPOINT_SLICE)
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.until(lambda: it.client.all(resources.ENDPOINT_SLICE))
        await it.until(lambda: "Error updating Endpoint Slices for Service default/web: no good" in it.messages())


async def test_a_service_of_the_same_name_made_anew_gets_slices_of_its_own() -> None:
    async with world() as it:
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        await it.until(lambda: it.client.all(resources.ENDPOINT_SLICE))
        await it.client.delete(resources.SERVICE, WEB, contract.DeleteOptions())
        await it.client.create(resources.SERVICE, testing.unstored(testing.service()))
        (service,) = it.client.all(resources.SERVICE)

        def only_its_own() -> bool:
            slices = it.client.all(resources.ENDPOINT_SLICE)
            return len(slices) == 1 and owners.is_controlled_by(slices[0], service)

        await it.until(only_its_own)
