from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import ssl
from collections.abc import AsyncIterator

import orjson
import pytest
import trustme
from starlette import responses
from tests.kube.client import fakeapi

from brickyard.api.kinds import resources
from brickyard.kube.client import bucket, contract, errors, kubeconfig, rest

CONFIG_MAP: resources.Object = {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "v"}}


@pytest.fixture
async def api(tmp_path: pathlib.Path) -> AsyncIterator[fakeapi.FakeApi]:
    async with fakeapi.serving(tmp_path) as found:
        yield found


@pytest.fixture
async def client(api: fakeapi.FakeApi) -> AsyncIterator[rest.RestClient]:
    async with rest.RestClient.from_kubeconfig(api.kubeconfig) as found:
        yield found


def plain(url: str) -> kubeconfig.Access:
    return kubeconfig.Access(url, ssl.create_default_context(), None, "default")


@contextlib.asynccontextmanager
async def raw_server(*replies: bytes) -> AsyncIterator[str]:
    """A server that gives one reply a request and closes the connection after an empty one; after the last it is silent."""
    left = list(replies)
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                if not left:
                    await reader.read()
                    break
                reply = left.pop(0)
                if not reply:
                    break
                writer.write(reply)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*talks)


def reply(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def test_who_asks_is_told(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    await client.create(resources.CONFIG_MAP, CONFIG_MAP)
    await client.get(resources.CONFIG_MAP, "a", "default")
    created, read = api.seen
    assert created.query_params["fieldManager"] == "brickyard"
    assert created.headers["content-type"] == "application/json"
    assert read.headers["user-agent"].startswith("brickyard/")
    assert "content-type" not in read.headers
    assert client.namespace == "mine"


async def test_a_name_leads_nowhere_else(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    with pytest.raises(errors.NotFound):
        await client.get(resources.CONFIG_MAP, "../../secrets/x?y#z", "default")
    assert api.seen[0].scope["raw_path"] == b"/api/v1/namespaces/default/configmaps/..%2F..%2Fsecrets%2Fx%3Fy%23z"
    assert api.seen[0].url.query == ""


async def test_deletion_says_how(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(fakeapi.reply({"kind": "Status", "status": "Success"}))
    options = contract.DeleteOptions(grace_period_seconds=0, propagation_policy="Foreground", uid="u")
    assert (await client.delete(resources.CONFIG_MAP, ("default", "a"), options))["kind"] == "Status"
    assert api.seen[0].method == "DELETE"


async def test_an_apply_patch_owns_its_fields(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    await client.patch(resources.CONFIG_MAP, ("default", "a"), CONFIG_MAP, contract.PatchKind.APPLY)
    assert dict(api.seen[0].query_params) == {"fieldManager": "brickyard", "force": "true"}


async def test_who_applies_and_whether_by_force_is_said(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    await client.apply(resources.CONFIG_MAP, CONFIG_MAP)
    with pytest.raises(errors.NotFound, match="no status"):
        await client.apply(
            resources.CONFIG_MAP, CONFIG_MAP, contract.ApplyOptions("me", force=True, subresource="status")
        )
    first, second = api.seen
    assert dict(first.query_params) == {"fieldManager": "brickyard", "force": "false"}
    assert dict(second.query_params) == {"fieldManager": "me", "force": "true"}
    assert first.headers["content-type"] == "application/apply-patch+yaml"
    assert second.url.path.endswith("/configmaps/a/status")


async def test_a_conflict_of_managers_names_the_fields(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    causes = [{"reason": "FieldManagerConflict", "message": 'conflict with "x"', "field": ".data.k"}]
    conflict = errors.Conflict("Apply failed with 1 conflict", reason="Conflict", details={"causes": causes})
    api.answers.append(fakeapi.refusal(conflict))
    with pytest.raises(errors.Conflict, match="1 conflict") as refused:
        await client.apply(resources.CONFIG_MAP, CONFIG_MAP)
    assert refused.value.causes == causes


async def test_invalid_credentials(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.token = "another"
    with pytest.raises(errors.Unauthorized):
        await client.get(resources.CONFIG_MAP, "a", "default")


async def test_faults_are_told_one_by_one(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    causes = [{"reason": "FieldValueRequired", "field": "spec.x", "message": "Required value"}]
    invalid = {"kind": "Status", "message": "it is invalid", "reason": "Invalid", "details": {"causes": causes}}
    api.answers.append(fakeapi.reply(invalid, 422))
    with pytest.raises(errors.Invalid, match="it is invalid") as refused:
        await client.create(resources.CONFIG_MAP, CONFIG_MAP)
    assert refused.value.causes == causes


async def test_patience_is_obeyed(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    await client.create(resources.CONFIG_MAP, CONFIG_MAP)
    api.answers.append(fakeapi.refusal(errors.TooManyRequests("busy", reason="TooManyRequests", retry_after=0.0)))
    api.answers[0].headers["Retry-After"] = "0"
    assert (await client.get(resources.CONFIG_MAP, "a", "default"))["data"] == {"k": "v"}
    assert len(api.seen) == 3


async def test_an_api_that_starts_is_waited_for_as_it_asks(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    away = errors.Unavailable("starting", reason="ServiceUnavailable", details={"retryAfterSeconds": 0.001})
    api.answers += [fakeapi.refusal(away) for _ in range(3)]
    assert (await client.create(resources.CONFIG_MAP, CONFIG_MAP))["data"] == {"k": "v"}
    assert len(api.seen) == 4


async def test_patience_ends(api: fakeapi.FakeApi, client: rest.RestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "_PAUSE", 0.001)
    busy = errors.TooManyRequests("busy", reason="TooManyRequests", details={"retryAfterSeconds": 0.001})
    api.answers += [fakeapi.refusal(busy) for _ in range(20)]
    with pytest.raises(errors.TooManyRequests):
        await client.get(resources.CONFIG_MAP, "a", "default")
    assert len(api.seen) == 10


async def test_a_wait_beyond_the_deadline_is_told_at_once(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.answers.append(fakeapi.refusal(errors.TooManyRequests("busy", reason="TooManyRequests", retry_after=3600)))
    with pytest.raises(errors.TooManyRequests) as refused:
        await client.get(resources.CONFIG_MAP, "a", "default")
    assert refused.value.retry_after == 3600
    assert len(api.seen) == 1


async def test_calls_wait_for_their_turn(api: fakeapi.FakeApi) -> None:
    rate = bucket.Bucket(rate=50, burst=1)
    loop = asyncio.get_running_loop()
    async with rest.RestClient(kubeconfig.load(api.kubeconfig), rate=rate) as client:
        began = loop.time()
        for _ in range(4):
            await client.list(resources.CONFIG_MAP)
        assert loop.time() - began >= 0.06


async def test_whom_to_act_as_is_said(api: fakeapi.FakeApi) -> None:
    access = kubeconfig.load(api.kubeconfig)
    acting = dataclasses.replace(
        access, headers=(("Impersonate-User", "jane"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
    )
    async with rest.RestClient(acting) as client:
        await client.list(resources.CONFIG_MAP)
    headers = api.seen[0].headers
    assert headers["impersonate-user"] == "jane"
    assert headers.getlist("impersonate-group") == ["a", "b"]


async def test_a_certificate_for_another_name_is_accepted_when_that_name_is_told(tmp_path: pathlib.Path) -> None:
    async with fakeapi.serving(tmp_path, "inner.example") as api:
        access = kubeconfig.load(api.kubeconfig)
        async with rest.RestClient(access) as client:
            with pytest.raises(errors.Unreachable, match="certificate"):
                await client.list(resources.CONFIG_MAP)
        async with rest.RestClient(dataclasses.replace(access, server_name="inner.example")) as client:
            assert not (await client.list(resources.CONFIG_MAP)).items


async def test_a_proxy_is_gone_through() -> None:
    async with raw_server(b"HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n") as proxy:
        access = dataclasses.replace(plain("https://cluster.example"), proxy=proxy)
        async with rest.RestClient(access) as client:
            with pytest.raises(errors.Unreachable, match="403"):
                await client.list(resources.CONFIG_MAP)


async def test_too_many_requests_without_a_time_is_for_the_caller(
    api: fakeapi.FakeApi, client: rest.RestClient
) -> None:
    api.answers.append(fakeapi.refusal(errors.TooManyRequests("busy", reason="TooManyRequests")))
    with pytest.raises(errors.TooManyRequests) as refused:
        await client.get(resources.CONFIG_MAP, "a", "default")
    assert refused.value.retryable


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (responses.PlainTextResponse("upstream is away", 502), errors.InternalError, "upstream is away"),
        (responses.PlainTextResponse("", 503), errors.Unavailable, "503"),
        (responses.HTMLResponse("<html>hello</html>"), errors.InternalError, "no Kubernetes object"),
        (fakeapi.reply([1]), errors.InternalError, "no Kubernetes object"),
        (fakeapi.reply(["x"], 418), errors.KubeError, "418"),
    ],
)
async def test_answers_of_something_in_between(
    api: fakeapi.FakeApi,
    client: rest.RestClient,
    answer: responses.Response,
    error: type[errors.KubeError],
    text: str,
) -> None:
    api.answers.append(answer)
    with pytest.raises(error, match=text):
        await client.get(resources.CONFIG_MAP, "a", "default")


async def test_nobody_listens() -> None:
    async with raw_server() as url:
        pass
    async with rest.RestClient(plain(url)) as client:
        with pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1.*check that it runs") as failed:
            await client.get(resources.CONFIG_MAP, "a", "default")
    assert (failed.value.status, failed.value.retryable) == (0, True)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async with raw_server() as url, rest.RestClient(plain(url), deadline=0.05) as client:
        with pytest.raises(errors.Unreachable, match="in time"):
            await client.get(resources.CONFIG_MAP, "a", "default")


async def test_a_server_that_somebody_else_signed_for_is_not_trusted(
    api: fakeapi.FakeApi, tmp_path: pathlib.Path
) -> None:
    path = fakeapi.write_kubeconfig(tmp_path, api.url, trustme.CA().cert_pem.bytes())
    async with rest.RestClient.from_kubeconfig(path) as client:
        with pytest.raises(errors.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(resources.CONFIG_MAP, "a", "default")


async def test_a_read_on_a_connection_that_was_just_closed_is_repeated() -> None:
    found = reply(b'{"kind":"ConfigMap"}')
    async with raw_server(found, b"", found) as url, rest.RestClient(plain(url)) as client:
        await client.get(resources.CONFIG_MAP, "a", "default")
        assert await client.get(resources.CONFIG_MAP, "a", "default") == {"kind": "ConfigMap"}


async def test_a_write_is_not_repeated() -> None:
    async with raw_server(b"", reply(b"{}")) as url, rest.RestClient(plain(url)) as client:
        with pytest.raises(errors.Unreachable):
            await client.create(resources.CONFIG_MAP, CONFIG_MAP)


async def test_many_watches_leave_calls_unhindered(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    await client.create(resources.CONFIG_MAP, CONFIG_MAP)
    query = contract.Query(namespace="default", resource_version="1")

    async def follow() -> None:
        async for _ in client.watch(resources.CONFIG_MAP, query):
            pass

    tasks = [asyncio.create_task(follow()) for _ in range(80)]
    while sum(each.verb == "watch" for each in api.client.calls) < len(tasks):
        await asyncio.sleep(0.005)
    assert await client.get(resources.CONFIG_MAP, "a", "default")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_closed_client_ends_its_watches_and_refuses_calls(api: fakeapi.FakeApi) -> None:
    client = rest.RestClient.from_kubeconfig(api.kubeconfig)
    query = contract.Query(namespace="default", resource_version="1")

    async def follow() -> None:
        async for _ in client.watch(resources.CONFIG_MAP, query):
            pass

    task = asyncio.create_task(follow())
    while not any(each.verb == "watch" for each in api.client.calls):
        await asyncio.sleep(0.005)
    await client.aclose()
    with pytest.raises(errors.Unreachable, match="closed on this side"):
        await asyncio.wait_for(task, 5)
    with pytest.raises(errors.Unreachable, match="closed on this side"):
        await client.list(resources.CONFIG_MAP)


LOG = "/api/v1/namespaces/default/pods/p/log"


async def test_a_stream_comes_in_chunks(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.client.streams[LOG] = [b"one\n", b"two\n"]
    chunks = await client.stream(LOG, {"follow": "true"})
    assert b"".join([each async for each in chunks]) == b"one\ntwo\n"
    assert api.seen[0].query_params["follow"] == "true"


async def test_a_stream_can_be_left_early(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    api.client.streams[LOG] = [b"x" * 1000] * 1000
    chunks = await client.stream(LOG, {})
    async for chunk in chunks:
        assert chunk
        break
    await chunks.aclose()  # type: ignore[attr-defined]  # a generator, as documented
    await client.list(resources.CONFIG_MAP)


async def test_a_stream_that_breaks_off_is_unreachable() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"
    async with raw_server(head, b"") as url, rest.RestClient(plain(url)) as client:
        chunks = await client.stream(LOG, {})
        task = asyncio.create_task(anext_all(chunks))
        await asyncio.sleep(0)
    with pytest.raises(errors.Unreachable):
        await task


async def anext_all(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([each async for each in chunks])


async def test_the_wire_holds_plain_json(api: fakeapi.FakeApi, client: rest.RestClient) -> None:
    text = "ä\u2028\x00"
    made = await client.create(resources.CONFIG_MAP, {**CONFIG_MAP, "data": {"k": text}})
    assert made["data"] == {"k": text}
    assert orjson.loads(orjson.dumps(made)) == made
    assert len(api.seen) == 1


async def test_warnings_are_told_one_by_one() -> None:
    heads = (
        b'warning: 299 - "old \\"form\\", mend it", 299 host "another"\r\n'
        b'warning: 299 - "c:\\\\d"\r\nwarning: not one\r\n'
    )
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + heads + b"content-length: 2\r\n\r\n{}"
    told: list[str] = []
    async with raw_server(reply, b"") as url, rest.RestClient(plain(url), warn=told.append) as client:
        await client.read("/version")
    assert told == ['old "form", mend it', "another", "c:\\d"]
