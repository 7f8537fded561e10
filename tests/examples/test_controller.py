"""The teaching example: its plan as a table, and the whole of it on the embedded API server."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from examples.controller import main, plan

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import testing as apiservers
from brickyard.kube.client import contract, errors, rest
from brickyard.kube.objects import meta

NOW = "2026-01-02T03:04:05Z"


def alias(*publish_to: str, **metadata: Any) -> resources.Object:
    spec: dict[str, Any] = {"model": "m", **({"publishTo": list(publish_to)} if publish_to else {})}
    given = {"name": "chat", "namespace": "a", "uid": "u", "generation": 3, **metadata}
    return {"apiVersion": "examples.brickyard.dev/v1", "kind": "ModelAlias", "metadata": given, "spec": spec}


def pod(name: str, *, ready: bool = True, **metadata: Any) -> resources.Object:
    status = {"podIP": f"10.0.0.{len(name)}", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, "namespace": "a", **metadata}, "status": status}


# The plan.


def test_it_publishes_what_is_ready() -> None:
    pods = [pod("bb"), pod("a"), pod("c", ready=False), pod("d", deletionTimestamp=NOW)]
    decided = plan.plan(alias(), pods, [], NOW)
    (made,) = decided.apply
    assert meta.key(made) == meta.Key("a", "chat")
    assert orjson.loads(made["data"]["pods.json"]) == {"a": "10.0.0.1", "bb": "10.0.0.2"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert decided.mark is plan.Mark.KEEP
    assert decided.status is not None
    assert (decided.status["readyPods"], decided.status["observedGeneration"]) == (2, 3)
    assert decided.status["conditions"][0]["status"] == "True"
    assert [each.reason for each in decided.events] == ["Published"]


def test_what_is_as_it_should_be_is_left_alone() -> None:
    first = plan.plan(alias(), [pod("a")], [], NOW)
    settled = {**alias(), "status": dict(first.status or {})}
    second = plan.plan(settled, [pod("a")], first.apply, "2027-01-01T00:00:00Z")
    assert second == plan.Plan(status=first.status)


@pytest.mark.parametrize(
    "harm",
    [
        {"data": {}},
        {"metadata": {"labels": {}}},
        {"metadata": {"annotations": {}}},
        {"metadata": {"ownerReferences": []}},
    ],
)
def test_what_was_harmed_is_applied_again(harm: dict[str, Any]) -> None:
    (made,) = plan.plan(alias(), [], [], NOW).apply
    harmed = {**made, **harm, "metadata": {**made["metadata"], **harm.get("metadata", {})}}
    assert plan.plan(alias(), [], [harmed], NOW).apply == (made,)


def test_what_others_wrote_beside_it_is_theirs() -> None:
    (made,) = plan.plan(alias(), [], [], NOW).apply
    more = {**made, "metadata": {**made["metadata"], "labels": {**meta.labels(made), "team": "x"}}}
    assert not plan.plan(alias(), [], [more], NOW).apply


def test_no_ready_pod_is_told_once() -> None:
    ready = {**alias(), "status": {"readyPods": 1}}
    assert [each.severity for each in plan.plan(ready, [], [], NOW).events] == ["Warning"]
    assert not plan.plan({**alias(), "status": {"readyPods": 0}}, [], [], NOW).events


def test_the_mark_comes_before_what_no_owner_reference_reaches() -> None:
    assert plan.plan(alias("a", "b"), [pod("a")], [], NOW) == plan.Plan(mark=plan.Mark.ADD)
    marked = alias("a", "b", finalizers=[plan.FINALIZER])
    decided = plan.plan(marked, [pod("a")], [], NOW)
    assert [meta.namespace(each) for each in decided.apply] == ["a", "b"]
    assert ["ownerReferences" in each["metadata"] for each in decided.apply] == [True, False]


def test_a_namespace_that_is_named_no_longer_is_cleared_before_the_mark_goes() -> None:
    marked = alias("a", "b", finalizers=[plan.FINALIZER])
    held = plan.plan(marked, [], [], NOW).apply
    narrowed = alias(finalizers=[plan.FINALIZER])
    first = plan.plan(narrowed, [], held, NOW)
    assert (first.delete, first.mark) == ((meta.Key("b", "chat"),), plan.Mark.KEEP)
    assert plan.plan(narrowed, [], held[:1], NOW).mark is plan.Mark.REMOVE


def test_the_end_undoes_first_and_then_removes_the_mark() -> None:
    marked = alias("b", finalizers=[plan.FINALIZER])
    held = plan.plan(marked, [], [], NOW).apply
    dying = alias("b", finalizers=[plan.FINALIZER], deletionTimestamp=NOW)
    assert plan.plan(dying, [], held, NOW) == plan.Plan(delete=(meta.Key("b", "chat"),))
    assert plan.plan(dying, [], [], NOW) == plan.Plan(mark=plan.Mark.REMOVE)
    assert plan.plan(alias(deletionTimestamp=NOW), [], held, NOW) == plan.Plan()


# The whole of it.


@contextlib.asynccontextmanager
async def running(client: contract.Client) -> AsyncIterator[None]:
    await main.defined(client)
    task = asyncio.create_task(main.assembled(client, "me").run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def published(client: contract.Client, namespace: str) -> dict[str, str] | None:
    with contextlib.suppress(errors.NotFound):
        found = await client.get(resources.CONFIG_MAP, "chat", namespace)
        return dict(orjson.loads(found["data"]["pods.json"]))
    return None


async def until(client: contract.Client, namespace: str, expected: dict[str, str] | None) -> None:
    async with asyncio.timeout(10):
        while await published(client, namespace) != expected:
            await asyncio.sleep(0.01)


async def made_ready(client: contract.Client, name: str) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    metadata = {"name": name, "namespace": "a", "labels": {names.MODEL_NAME: "m"}}
    created = await client.create(resources.POD, {"metadata": metadata, "spec": spec})
    status = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}
    await client.update(resources.POD, {**created, "status": status}, "status")


async def test_on_a_real_api(tmp_path: pathlib.Path) -> None:
    async with (
        apiservers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
        running(client),
    ):
        for name in ("a", "b"):
            await client.create(resources.NAMESPACE, {"metadata": {"name": name}})
        spec = {"model": "m", "publishTo": ["a", "b"]}
        await client.create(plan.MODEL_ALIAS, {"metadata": {"name": "chat", "namespace": "a"}, "spec": spec})
        await until(client, "b", {})
        await made_ready(client, "p")
        for namespace in ("a", "b"):
            await until(client, namespace, {"p": "10.0.0.1"})

        # What is broken from outside is put right.
        await client.patch(resources.CONFIG_MAP, ("b", "chat"), {"data": {"pods.json": "{}"}})
        await until(client, "b", {"p": "10.0.0.1"})
        await client.delete(resources.CONFIG_MAP, ("a", "chat"))
        await until(client, "a", {"p": "10.0.0.1"})

        await client.delete(resources.POD, ("a", "p"))
        await until(client, "a", {})
        async with asyncio.timeout(10):
            while True:
                found = await client.get(plan.MODEL_ALIAS, "chat", "a")
                if found["status"]["readyPods"] == 0:
                    break
                await asyncio.sleep(0.01)
        assert found["status"]["conditions"][0]["reason"] == "NoReadyPods"
        async with asyncio.timeout(10):
            while {each["reason"] for each in (await client.list(resources.EVENT)).items} < {
                "Published",
                "NoReadyPods",
            }:
                await asyncio.sleep(0.01)

        # The end: nothing is left, in either namespace.
        await client.delete(plan.MODEL_ALIAS, ("a", "chat"))
        for namespace in ("a", "b"):
            await until(client, namespace, None)
        async with asyncio.timeout(10):
            while (await client.list(plan.MODEL_ALIAS)).items:
                await asyncio.sleep(0.01)
