"""The knobs of the fake; that it keeps Kubernetes' rules is test_contract's."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, testing
from brickyard.kube.objects import meta
from brickyard.lib import clock

OBJ: resources.Object = {"metadata": {"name": "a", "namespace": "d"}, "data": {"k": "v"}}


def data(value: str) -> resources.Object:
    return {**OBJ, "data": {"k": value}}


async def test_what_is_seeded_is_there_as_it_was_given() -> None:
    client = testing.MemoryClient(clock.ManualClock())
    pod = {"metadata": {"name": "p", "namespace": "d", "uid": "mine"}, "status": {"phase": "Running"}}
    (seeded,) = client.seed(resources.POD, pod)
    assert seeded["status"] == {"phase": "Running"}
    assert (meta.uid(seeded), seeded["metadata"]["creationTimestamp"]) == ("mine", "2023-11-14T22:13:20Z")
    assert (seeded["kind"], client.all(resources.POD)) == ("Pod", [seeded])
    assert client.calls == []


async def test_answers_are_copies() -> None:
    client = testing.MemoryClient()
    given_ = data("1")
    made = await client.create(resources.CONFIG_MAP, given_)
    made["data"]["k"] = given_["data"]["k"] = "changed"
    page = await client.list(resources.CONFIG_MAP)
    page.items[0]["data"]["k"] = "changed"
    assert client.all(resources.CONFIG_MAP)[0]["data"] == {"k": "1"}


async def test_what_is_no_json_is_refused_here_too() -> None:
    with pytest.raises(TypeError):
        await testing.MemoryClient().create(resources.CONFIG_MAP, {**OBJ, "data": {1, 2}})


async def test_calls_are_kept() -> None:
    client = testing.MemoryClient()
    await client.create(resources.CONFIG_MAP, OBJ)
    await client.get(resources.CONFIG_MAP, "a", "d")
    await client.patch(resources.CONFIG_MAP, ("d", "a"), {"data": {}})
    assert [(each.verb, each.name) for each in client.calls] == [("create", "a"), ("get", "a"), ("patch", "a")]
    assert [each.verb for each in client.wrote()] == ["create", "patch"]
    assert [each.body for each in client.wrote("patch", resources.CONFIG_MAP)] == [{"data": {}}]
    assert client.wrote("patch", resources.POD) == []


async def test_a_failure_strikes_what_it_is_meant_for_and_changes_nothing() -> None:
    client = testing.MemoryClient()
    client.fail_next(errors.Unavailable("x"), verb="create", kind=resources.CONFIG_MAP, times=2)
    await client.create(resources.SECRET, OBJ)
    for _ in range(2):
        with pytest.raises(errors.Unavailable):
            await client.create(resources.CONFIG_MAP, OBJ)
    assert client.all(resources.CONFIG_MAP) == []
    await client.create(resources.CONFIG_MAP, OBJ)


async def test_a_broken_watch_and_one_opened_later() -> None:
    client = testing.MemoryClient()
    query = contract.Query(resource_version="1")

    async def first() -> str:
        return meta.name((await anext(aiter(client.watch(resources.CONFIG_MAP, query)))).object)

    task = asyncio.create_task(first())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    client.break_watches(errors.Gone("cut"))
    with pytest.raises(errors.Gone, match="cut"):
        await task
    client.seed(resources.CONFIG_MAP, OBJ)
    assert await first() == "a"


async def test_forgotten_history_is_gone() -> None:
    client = testing.MemoryClient()
    client.seed(resources.CONFIG_MAP, OBJ)
    page = await client.list(resources.CONFIG_MAP, contract.Query(limit=1))
    assert page.continue_token == ""
    client.expire()
    with pytest.raises(errors.Gone):
        await anext(aiter(client.watch(resources.CONFIG_MAP, contract.Query(resource_version="1"))))


async def test_a_page_of_forgotten_history_is_gone() -> None:
    client = testing.MemoryClient()
    client.seed(resources.CONFIG_MAP, OBJ, {"metadata": {"name": "b", "namespace": "d"}})
    page = await client.list(resources.CONFIG_MAP, contract.Query(limit=1))
    client.seed(resources.CONFIG_MAP, data("2"))
    client.expire()
    with pytest.raises(errors.Gone):
        await client.list(resources.CONFIG_MAP, contract.Query(limit=1, continue_token=page.continue_token))


async def test_a_watch_that_falls_far_behind_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "HISTORY", 5)
    client = testing.MemoryClient()
    (first,) = client.seed(resources.CONFIG_MAP, OBJ)
    for number in range(10):
        client.seed(resources.CONFIG_MAP, data(str(number)))
    with pytest.raises(errors.Gone):
        await anext(
            aiter(client.watch(resources.CONFIG_MAP, contract.Query(resource_version=meta.resource_version(first))))
        )


async def test_server_side_apply_is_not_pretended() -> None:
    client = testing.MemoryClient()
    client.seed(resources.CONFIG_MAP, OBJ)
    with pytest.raises(errors.UnsupportedMediaType):
        await client.patch(resources.CONFIG_MAP, ("d", "a"), OBJ, contract.PatchKind.APPLY)
    with pytest.raises(errors.NotFound):
        await client.update(resources.CONFIG_MAP, OBJ, "status")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_needs_no_grace(phase: str) -> None:
    client = testing.MemoryClient()
    client.seed(
        resources.POD,
        {"metadata": {"name": "p", "namespace": "d"}, "spec": {"nodeName": "n"}, "status": {"phase": phase}},
    )
    await client.delete(resources.POD, ("d", "p"))
    assert client.all(resources.POD) == []


STEPS = st.lists(st.tuples(st.sampled_from("cud"), st.sampled_from("ab"), st.sampled_from("123")), max_size=25)


@given(steps=STEPS, start=st.integers(0, 25))
def test_list_and_watch_agree_with_the_store(steps: list[tuple[str, str, str]], start: int) -> None:
    """Whoever lists at any moment and follows from there ends with what is stored."""

    async def scenario() -> None:
        client = testing.MemoryClient()
        seen: dict[str, str] = {}
        version = "1"
        for number, (verb, name, value) in enumerate(steps):
            if number == start:
                page = await client.list(resources.CONFIG_MAP)
                version = page.resource_version
                seen = {meta.name(each): each["data"]["k"] for each in page.items}
            await step(client, verb, name, value)
        client.seed(resources.CONFIG_MAP, {"metadata": {"name": "end"}, "data": {"k": ""}})
        async for event in client.watch(resources.CONFIG_MAP, contract.Query(resource_version=version)):
            name = meta.name(event.object)
            if name == "end":
                break
            if event.type is contract.EventType.DELETED:
                del seen[name]
            else:
                assert (name in seen) == (event.type is contract.EventType.MODIFIED)
                seen[name] = event.object["data"]["k"]
        stored = {meta.name(each): each["data"]["k"] for each in client.all(resources.CONFIG_MAP)}
        assert {**seen, "end": ""} == stored

    asyncio.run(scenario())


async def step(client: testing.MemoryClient, verb: str, name: str, value: str) -> None:
    obj = {"metadata": {"name": name, "namespace": "d"}, "data": {"k": value}}
    try:
        if verb == "c":
            await client.create(resources.CONFIG_MAP, obj)
        elif verb == "u":
            await client.update(resources.CONFIG_MAP, obj)
        else:
            await client.delete(resources.CONFIG_MAP, ("d", name))
    except (errors.NotFound, errors.AlreadyExists):
        return
