"""One suite for every client: in memory, over HTTPS, against the embedded API server, and against a real cluster where one is offered.

``BRICKYARD_TEST_KUBECONFIG=FILE`` offers a cluster: the suite makes the namespace ``brickyard-contract`` there and empties it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.kube.client import fakeapi

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import testing as apiservers
from brickyard.kube.client import contract, errors, rest, testing
from brickyard.kube.objects import meta

NOW = contract.DeleteOptions(grace_period_seconds=0)
SPACE = "brickyard-contract"
REAL = os.environ.get("BRICKYARD_TEST_KUBECONFIG", "")
MADE_BY_CLUSTERS = "metadata.name!=kube-root-ca.crt"


@contextlib.asynccontextmanager
async def memory(_folder: pathlib.Path) -> AsyncIterator[contract.Client]:
    yield testing.MemoryClient()


@contextlib.asynccontextmanager
async def over_https(folder: pathlib.Path) -> AsyncIterator[contract.Client]:
    async with fakeapi.serving(folder) as api, rest.RestClient.from_kubeconfig(api.kubeconfig) as client:
        yield client


@contextlib.asynccontextmanager
async def embedded(folder: pathlib.Path) -> AsyncIterator[contract.Client]:
    async with apiservers.running(folder) as server, rest.RestClient.from_kubeconfig(server.kubeconfig) as client:
        await client.create(resources.NAMESPACE, {"metadata": {"name": SPACE}})
        yield client


@contextlib.asynccontextmanager
async def real(_folder: pathlib.Path) -> AsyncIterator[contract.Client]:
    async with rest.RestClient.from_kubeconfig(REAL) as client:
        with contextlib.suppress(errors.AlreadyExists):
            await client.create(resources.NAMESPACE, {"metadata": {"name": SPACE}})
        try:
            yield client
        finally:
            await emptied(client)


async def emptied(client: contract.Client) -> None:
    """Remove what a test left, finalizers and all."""
    query = contract.Query(namespace=SPACE)
    for kind in (resources.CONFIG_MAP, resources.POD, resources.DEPLOYMENT):
        for each in (await client.list(kind, query)).items:
            with contextlib.suppress(errors.NotFound):
                if meta.finalizers(each):
                    await client.patch(kind, meta.key(each), {"metadata": {"finalizers": None}})
                await client.delete(kind, meta.key(each), NOW)


WORLDS = {"memory": memory, "https": over_https, "embedded": embedded, **({"real": real} if REAL else {})}


@pytest.fixture(params=list(WORLDS.values()), ids=list(WORLDS))
async def client(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[contract.Client]:
    async with request.param(tmp_path) as found:
        yield found


def config_map(name: str = "a", namespace: str = SPACE, **labels: str) -> resources.Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"k": "v"},
    }


def pod(name: str = "p", **spec: Any) -> resources.Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


async def named(client: contract.Client, query: contract.Query) -> list[str]:
    return [meta.name(each) for each in (await client.list(resources.CONFIG_MAP, query)).items]


async def test_what_is_created_is_read_back(client: contract.Client) -> None:
    made = await client.create(resources.CONFIG_MAP, config_map(x="1"))
    assert meta.uid(made)
    assert meta.resource_version(made)
    assert made["metadata"]["creationTimestamp"]
    assert await client.get(resources.CONFIG_MAP, "a", SPACE) == made


async def test_names_are_generated(client: contract.Client) -> None:
    wanted = config_map()
    wanted["metadata"] = {"generateName": "web-", "namespace": SPACE}
    names = {meta.name(await client.create(resources.CONFIG_MAP, wanted)) for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


async def test_a_name_is_given_once(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map())
    with pytest.raises(errors.AlreadyExists) as refused:
        await client.create(resources.CONFIG_MAP, config_map())
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")
    assert refused.value.details["name"] == "a"


async def test_what_does_not_exist_is_not_found(client: contract.Client) -> None:
    target = (SPACE, "a")
    with pytest.raises(errors.NotFound) as refused:
        await client.get(resources.CONFIG_MAP, "a", SPACE)
    assert 'configmaps "a" not found' in str(refused.value)
    with pytest.raises(errors.NotFound):
        await client.patch(resources.CONFIG_MAP, target, {"data": {}})
    with pytest.raises(errors.NotFound):
        await client.delete(resources.CONFIG_MAP, target)
    with pytest.raises(errors.NotFound):
        await client.update(resources.CONFIG_MAP, config_map())


async def test_the_faster_writer_wins(client: contract.Client) -> None:
    first = await client.create(resources.CONFIG_MAP, config_map())
    second = await client.update(resources.CONFIG_MAP, {**first, "data": {"k": "2"}})
    assert meta.resource_version(second) != meta.resource_version(first)
    with pytest.raises(errors.Conflict):
        await client.update(resources.CONFIG_MAP, {**first, "data": {"k": "3"}})
    assert (await client.get(resources.CONFIG_MAP, "a", SPACE))["data"] == {"k": "2"}


async def test_without_a_version_a_write_is_unconditional(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map())
    assert (await client.update(resources.CONFIG_MAP, {**config_map(), "data": {"k": "9"}}))["data"] == {"k": "9"}


async def test_a_write_that_changes_nothing_makes_no_new_version(client: contract.Client) -> None:
    made = await client.create(resources.CONFIG_MAP, config_map())
    again = await client.update(resources.CONFIG_MAP, made)
    assert meta.resource_version(again) == meta.resource_version(made)


async def test_patches_of_three_kinds(client: contract.Client) -> None:
    target = (SPACE, "p")
    await client.create(resources.POD, pod())
    merged = await client.patch(resources.POD, target, {"metadata": {"labels": {"a": "1"}}})
    assert meta.labels(merged) == {"a": "1"}
    operations = [{"op": "replace", "path": "/metadata/labels/a", "value": "2"}]
    patched = await client.patch(resources.POD, target, operations, contract.PatchKind.JSON)
    assert meta.labels(patched) == {"a": "2"}
    change = {"spec": {"containers": [{"name": "c", "image": "j"}]}}
    strategic = await client.patch(resources.POD, target, change, contract.PatchKind.STRATEGIC)
    assert strategic["spec"]["containers"][0]["image"] == "j"


async def test_a_patch_that_carries_a_stale_version_conflicts(client: contract.Client) -> None:
    made = await client.create(resources.CONFIG_MAP, config_map())
    await client.patch(resources.CONFIG_MAP, meta.key(made), {"data": {"k": "2"}})
    stale = {"metadata": {"resourceVersion": meta.resource_version(made)}, "data": {"k": "3"}}
    with pytest.raises(errors.Conflict):
        await client.patch(resources.CONFIG_MAP, meta.key(made), stale)


async def test_a_failed_test_operation_is_refused(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map())
    operations = [{"op": "test", "path": "/data/k", "value": "other"}]
    with pytest.raises(errors.Invalid):
        await client.patch(resources.CONFIG_MAP, (SPACE, "a"), operations, contract.PatchKind.JSON)


async def test_status_is_written_apart(client: contract.Client) -> None:
    made = await client.create(resources.POD, {**pod(), "status": {"phase": "Running"}})
    assert made.get("status", {}).get("phase") != "Running"
    told = await client.update(resources.POD, {**made, "status": {"phase": "Running"}}, "status")
    assert told["status"]["phase"] == "Running"
    kept = await client.update(resources.POD, {**told, "status": {"phase": "Failed"}})
    assert kept["status"]["phase"] == "Running"
    patched = await client.patch(
        resources.POD,
        (SPACE, "p"),
        {"status": {"phase": "Succeeded"}, "metadata": {"labels": {"a": "1"}}},
        subresource="status",
    )
    assert patched["status"]["phase"] == "Succeeded"
    assert meta.labels(patched) == {}


async def test_what_is_applied_is_made_and_then_changed(client: contract.Client) -> None:
    how = contract.ApplyOptions("brickyard.test")
    made = await client.apply(resources.CONFIG_MAP, config_map(), how)
    assert made["data"] == {"k": "v"}
    changed = await client.apply(resources.CONFIG_MAP, {**config_map(), "data": {"k": "w"}}, how)
    assert changed["data"]["k"] == "w"
    assert meta.uid(changed) == meta.uid(made)
    again = await client.apply(resources.CONFIG_MAP, {**config_map(), "data": {"k": "w"}}, how)
    assert meta.resource_version(again) == meta.resource_version(changed)


async def test_replicas_are_scaled(client: contract.Client) -> None:
    template = {"metadata": {"labels": {"a": "1"}}, "spec": pod()["spec"]}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "1"}}, "template": template}
    made = await client.create(resources.DEPLOYMENT, {"metadata": {"name": "d", "namespace": SPACE}, "spec": spec})
    scale = await client.patch(resources.DEPLOYMENT, (SPACE, "d"), {"spec": {"replicas": 3}}, subresource="scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 3)
    scaled = await client.get(resources.DEPLOYMENT, "d", SPACE)
    assert scaled["spec"]["replicas"] == 3
    assert meta.generation(scaled) == meta.generation(made) + 1


async def test_collections_are_narrowed(client: contract.Client) -> None:
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        await client.create(resources.CONFIG_MAP, config_map(name, color=color))
    assert await named(client, contract.Query(namespace=SPACE, field_selector=MADE_BY_CLUSTERS)) == ["a", "b", "c"]
    assert await named(client, contract.Query(namespace=SPACE, label_selector="color=red")) == ["a", "c"]
    assert await named(client, contract.Query(label_selector="color in (red,blue)", namespace="kube-public")) == []
    assert await named(client, contract.Query(namespace=SPACE, field_selector="metadata.name=b")) == ["b"]


async def test_items_of_a_list_know_their_kind(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map())
    page = await client.list(resources.CONFIG_MAP, contract.Query(namespace=SPACE, field_selector=MADE_BY_CLUSTERS))
    assert [(each["apiVersion"], each["kind"]) for each in page.items] == [("v1", "ConfigMap")]
    assert int(page.resource_version) > 0


async def test_long_collections_come_in_pages(client: contract.Client) -> None:
    for number in range(5):
        await client.create(resources.CONFIG_MAP, config_map(f"m{number}", paged="yes"))
    first = await client.list(
        resources.CONFIG_MAP, contract.Query(namespace=SPACE, label_selector="paged=yes", limit=2)
    )
    second = await client.list(
        resources.CONFIG_MAP,
        contract.Query(namespace=SPACE, label_selector="paged=yes", limit=2, continue_token=first.continue_token),
    )
    third = await client.list(
        resources.CONFIG_MAP,
        contract.Query(namespace=SPACE, label_selector="paged=yes", limit=2, continue_token=second.continue_token),
    )
    pages = [[meta.name(each) for each in page.items] for page in (first, second, third)]
    assert pages == [["m0", "m1"], ["m2", "m3"], ["m4"]]
    assert not third.continue_token


async def test_a_selector_that_does_not_parse_is_a_bad_request(client: contract.Client) -> None:
    with pytest.raises(errors.BadRequest):
        await client.list(resources.CONFIG_MAP, contract.Query(namespace=SPACE, label_selector="a in"))


async def test_deletion_waits_for_finalizers(client: contract.Client) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["brickyard.test/hold"]
    await client.create(resources.CONFIG_MAP, held)
    await client.delete(resources.CONFIG_MAP, (SPACE, "a"))
    assert meta.is_deleting(await client.get(resources.CONFIG_MAP, "a", SPACE))
    await client.patch(resources.CONFIG_MAP, (SPACE, "a"), {"metadata": {"finalizers": None}})
    with pytest.raises(errors.NotFound):
        await client.get(resources.CONFIG_MAP, "a", SPACE)


async def test_a_pod_on_a_node_is_deleted_in_two_steps(client: contract.Client) -> None:
    await client.create(resources.POD, pod(nodeName="n", terminationGracePeriodSeconds=30))
    await client.delete(resources.POD, (SPACE, "p"))
    dying = await client.get(resources.POD, "p", SPACE)
    assert meta.is_deleting(dying)
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    await client.delete(resources.POD, (SPACE, "p"), NOW)
    with pytest.raises(errors.NotFound):
        await client.get(resources.POD, "p", SPACE)


async def test_a_pod_without_a_node_is_deleted_at_once(client: contract.Client) -> None:
    await client.create(resources.POD, pod())
    await client.delete(resources.POD, (SPACE, "p"))
    with pytest.raises(errors.NotFound):
        await client.get(resources.POD, "p", SPACE)


async def test_only_the_life_that_was_meant_is_deleted(client: contract.Client) -> None:
    made = await client.create(resources.CONFIG_MAP, config_map())
    with pytest.raises(errors.Conflict):
        await client.delete(resources.CONFIG_MAP, (SPACE, "a"), contract.DeleteOptions(uid="another"))
    await client.delete(resources.CONFIG_MAP, (SPACE, "a"), contract.DeleteOptions(uid=meta.uid(made)))


async def collect(events: AsyncIterator[contract.WatchEvent], count: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(5):
        async for event in events:
            if event.type is not contract.EventType.BOOKMARK:
                found.append((event.type.value, meta.name(event.object)))
            if len(found) == count:
                break
    await events.aclose()  # type: ignore[attr-defined]  # every client's watch is a generator
    return found


async def test_a_watch_replays_from_a_version(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map("before"))
    version = (await client.list(resources.CONFIG_MAP, contract.Query(namespace=SPACE))).resource_version
    made = await client.create(resources.CONFIG_MAP, config_map("a"))
    await client.update(resources.CONFIG_MAP, {**made, "data": {}})
    await client.delete(resources.CONFIG_MAP, (SPACE, "a"))
    query = contract.Query(namespace=SPACE, resource_version=version)
    assert await collect(client.watch(resources.CONFIG_MAP, query), 3) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]


async def test_a_watch_tells_what_happens_while_it_is_open(client: contract.Client) -> None:
    version = (await client.list(resources.CONFIG_MAP, contract.Query(namespace=SPACE))).resource_version
    query = contract.Query(namespace=SPACE, resource_version=version)
    told = asyncio.create_task(collect(client.watch(resources.CONFIG_MAP, query), 2))
    await asyncio.sleep(0.01)
    await client.create(resources.CONFIG_MAP, config_map("a"))
    await client.create(resources.CONFIG_MAP, config_map("b"))
    assert await told == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_watch_with_a_selector_sees_objects_come_and_go(client: contract.Client) -> None:
    made = await client.create(resources.CONFIG_MAP, config_map("a"))
    for labels in ({"x": "1"}, {"x": "1", "y": "2"}, {"x": None}):
        await client.patch(resources.CONFIG_MAP, (SPACE, "a"), {"metadata": {"labels": labels}})
    query = contract.Query(namespace=SPACE, label_selector="x=1", resource_version=meta.resource_version(made))
    assert await collect(client.watch(resources.CONFIG_MAP, query), 3) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]


async def test_a_watch_without_a_version_begins_with_what_is(client: contract.Client) -> None:
    await client.create(resources.CONFIG_MAP, config_map("a"))
    assert await collect(
        client.watch(resources.CONFIG_MAP, contract.Query(namespace=SPACE, field_selector=MADE_BY_CLUSTERS)), 1
    ) == [("ADDED", "a")]


async def test_a_streaming_list_tells_all_and_then_that_it_did(client: contract.Client) -> None:
    for name in ("a", "b"):
        await client.create(resources.CONFIG_MAP, config_map(name))
    query = contract.Query(namespace=SPACE, field_selector=MADE_BY_CLUSTERS, initial_events=True)
    events = client.watch(resources.CONFIG_MAP, query)
    names: list[str] = []
    async with asyncio.timeout(5):
        async for event in events:
            if event.ends_initial:
                break
            names.append(meta.name(event.object))
    await events.aclose()  # type: ignore[attr-defined]  # every client's watch is a generator
    assert sorted(names) == ["a", "b"]
    assert meta.resource_version(event.object)


async def test_there_is_no_stream_of_what_does_not_exist(client: contract.Client) -> None:
    with pytest.raises(errors.NotFound):
        await client.stream(f"/api/v1/namespaces/{SPACE}/pods/none/log", {})
