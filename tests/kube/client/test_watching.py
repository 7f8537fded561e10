from __future__ import annotations

import asyncio
import itertools
import pathlib
from collections.abc import AsyncIterator, Sequence

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette import responses
from tests.kube.client import fakeapi

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors, rest, watching
from brickyard.kube.objects import meta
from brickyard.lib import backoff

QUERY = contract.Query(namespace="default", resource_version="1")


@pytest.fixture
async def api(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[fakeapi.FakeApi]:
    monkeypatch.setattr(watching, "RETRY", backoff.Backoff(0.01, 1.0, 0.01))
    async with fakeapi.serving(tmp_path) as found:
        yield found


@pytest.fixture
async def client(api: fakeapi.FakeApi) -> AsyncIterator[rest.RestClient]:
    async with rest.RestClient.from_kubeconfig(api.kubeconfig) as found:
        yield found


def config_map(name: str) -> resources.Object:
    return {"metadata": {"name": name, "namespace": "default"}}


def event(news: str, **obj: object) -> bytes:
    return orjson.dumps({"type": news, "object": obj}) + b"\n"


def canned(*lines: bytes) -> responses.Response:
    return responses.Response(b"".join(lines), media_type="application/json")


async def take(client: rest.RestClient, count: int, query: contract.Query = QUERY) -> list[contract.WatchEvent]:
    events = client.watch(resources.CONFIG_MAP, query)
    found = []
    async with asyncio.timeout(5):
        async for each in events:
            found.append(each)
            if len(found) == count:
                break
    await events.aclose()  # type: ignore[attr-defined]  # a generator
    return found


async def test_a_watch_goes_on_where_its_connection_ended(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    task = asyncio.create_task(take(client, 2))
    first = await api.client.create(resources.CONFIG_MAP, config_map("a"))
    while not any(each.verb == "watch" for each in api.client.calls):
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    api.client.break_watches(errors.Unreachable("cut"))
    await api.client.create(resources.CONFIG_MAP, config_map("b"))
    assert [meta.name(each.object) for each in await task] == ["a", "b"]
    versions = [each.query_params["resourceVersion"] for each in api.seen]
    assert versions == ["1", meta.resource_version(first)]


async def test_a_bookmark_moves_the_place_to_go_on_from(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    mark = event("BOOKMARK", kind="ConfigMap", metadata={"resourceVersion": "41"})
    api.answers += [canned(mark), canned(event("ADDED", metadata={"name": "x", "resourceVersion": "42"}))]
    kinds = [each.type for each in await take(client, 2)]
    assert kinds == [contract.EventType.BOOKMARK, contract.EventType.ADDED]
    assert api.seen[0].query_params["allowWatchBookmarks"] == "true"
    assert api.seen[1].query_params["resourceVersion"] == "41"


async def test_connections_are_asked_to_end(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(canned(event("ADDED", metadata={"name": "x", "resourceVersion": "2"})))
    await take(client, 1)
    low, high = watching.SERVER_TIMEOUT
    assert low <= int(api.seen[0].query_params["timeoutSeconds"]) <= high


async def test_what_it_selects_is_asked_for(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(canned(event("ADDED", metadata={"name": "x", "resourceVersion": "2"})))
    await take(client, 1, contract.Query(namespace="d", label_selector="a in (b)", field_selector="metadata.name=x"))
    params = api.seen[0].query_params
    assert (params["labelSelector"], params["fieldSelector"]) == ("a in (b)", "metadata.name=x")
    assert "resourceVersion" not in params
    assert api.seen[0].url.path == "/api/v1/namespaces/d/configmaps"


GONE = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version"}


async def test_a_version_that_is_gone_is_told_by_an_event(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(canned(event("ERROR", **GONE)))
    with pytest.raises(errors.Gone, match="too old"):
        await take(client, 1)


async def test_a_version_that_is_gone_is_told_by_the_answer(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(fakeapi.reply(GONE, 410))
    with pytest.raises(errors.Gone):
        await take(client, 1)


async def test_a_refusal_that_time_does_not_mend_is_raised(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(fakeapi.refusal(errors.Forbidden("no", reason="Forbidden")))
    with pytest.raises(errors.Forbidden):
        await take(client, 1)


@pytest.mark.parametrize(
    "trouble",
    [
        [responses.PlainTextResponse("away", 503)],
        [canned(b"this is no event\n")],
        [canned(b'{"type":"NEWS","object":{}}\n')],
        [canned(b'{"type":"ADDED"}\n')],
        [canned(b"[]\n")],
        [canned(event("ERROR", code=500, message="etcd is tired"))],
        [canned(b'{"type":"ERROR","object":7}\n')],
        [canned()] * 5,
        [canned(b'{"type":"ADDED","object":{"metadata":{"na')],
    ],
)
async def test_trouble_that_passes_is_waited_out(
    api: fakeapi.FakeApi, client: rest.RestClient, trouble: list[responses.Response]
) -> None:
    api.answers += trouble
    await api.client.create(resources.CONFIG_MAP, config_map("a"))
    assert [meta.name(each.object) for each in await take(client, 1)] == ["a"]
    assert len(api.seen) == len(trouble) + 1


async def test_a_watch_that_is_cancelled_leaves_no_connection(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    task = asyncio.create_task(take(client, 1))
    while not any(each.verb == "watch" for each in api.client.calls):
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await client.list(resources.CONFIG_MAP)


async def feed(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for each in chunks:
        yield each


@given(
    parts=st.lists(st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"x")), max_size=6),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_lines_do_not_depend_on_how_bytes_arrive(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(each + b"\n" for each in parts)
    edges = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]

    async def read() -> list[bytes]:
        return [each async for each in watching.lines(feed(chunks))]

    assert asyncio.run(read()) == [each for each in parts if each.strip()]


async def test_a_line_has_a_limit() -> None:
    with pytest.raises(errors.Unreachable, match="larger"):
        async for _ in watching.lines(feed([b"x" * 10] * 20), limit=100):
            pass


END = {"metadata": {"resourceVersion": "7", "annotations": {contract.INITIAL_EVENTS_END: "true"}}}
STREAMING = contract.Query(namespace="default", initial_events=True)


async def test_a_streaming_list_is_asked_for_until_it_has_ended(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers += [
        canned(event("ADDED", metadata={"name": "a", "resourceVersion": "5"}), event("BOOKMARK", **END)),
        canned(event("ADDED", metadata={"name": "b", "resourceVersion": "8"})),
    ]
    found = await take(client, 3, STREAMING)
    assert [each.ends_initial for each in found] == [False, True, False]
    first, second = (dict(each.query_params) for each in api.seen[:2])
    assert (first["sendInitialEvents"], first["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert "resourceVersion" not in first
    assert (second["resourceVersion"], "sendInitialEvents" in second) == ("7", False)


async def test_a_streaming_list_that_breaks_off_is_the_callers_to_begin_anew(
    api: fakeapi.FakeApi, client: rest.RestClient
) -> None:
    api.answers.append(canned(event("ADDED", metadata={"name": "a", "resourceVersion": "5"})))
    with pytest.raises(errors.Unreachable, match="before it had told everything"):
        await take(client, 2, STREAMING)
    api.answers.append(fakeapi.refusal(errors.Unavailable("starting", reason="ServiceUnavailable")))
    with pytest.raises(errors.Unavailable):
        await take(client, 1, STREAMING)
