"""The HTTP shell: who may call, how much may be sent, how it starts and stops; logs and health."""

import asyncio
import pathlib
import socket
import stat
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from brickyard.api.kinds import podlogs
from brickyard.embedded.apiserver import catalog, errors, server, settings, testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


class TestAuthentication:
    @pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer", "bearer \u00e9"])
    async def test_without_the_token_nothing_is_told(self, running: testing.RunningServer, header: str) -> None:
        async with httpx2.AsyncClient(base_url=running.url, verify=running.ssl_context()) as client:
            headers = [(b"authorization", header.encode("latin-1"))] if header else []
            for path in ("/api/v1/pods", "/api", "/openapi/v2", "/nonsense"):
                reply = await client.get(path, headers=headers)
                assert reply.status_code == 401
                assert reply.json()["reason"] == "Unauthorized"
                assert reply.headers["www-authenticate"] == "Bearer"

    async def test_health_and_version_are_open(self, running: testing.RunningServer) -> None:
        async with httpx2.AsyncClient(base_url=running.url, verify=running.ssl_context()) as client:
            for path in ("/healthz", "/livez", "/readyz", "/readyz?verbose"):
                reply = await client.get(path)
                assert (reply.status_code, reply.text) == (200, "ok")
            assert (await client.get("/version")).json()["gitVersion"].endswith("+brickyard")

    async def test_nobody_is_somebody_else(self, api: testing.Api) -> None:
        for header in ("Impersonate-User", "impersonate-group", "Impersonate-Extra-scopes", "Impersonate-Uid"):
            reply = await api.get(CONFIG_MAPS, **{header: "bob"})
            assert (reply.code, reply.body["reason"]) == (403, "Forbidden")
            assert "without --as" in reply.body["message"]

    async def test_the_token_outlives_a_restart_and_is_private(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path) as first:
            for name in ("token", "kubeconfig", "store.db"):
                assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600, name
        async with testing.running(tmp_path) as second:
            assert second.token == first.token
            assert f"server: {second.url}" in second.kubeconfig.read_text()


@pytest.fixture
async def running(tmp_path: pathlib.Path) -> AsyncIterator[testing.RunningServer]:
    async with testing.running(tmp_path) as started:
        yield started


class TestBodies:
    async def test_a_body_over_the_limit_is_refused(self, tmp_path: pathlib.Path) -> None:
        tuned = settings.ApiServerSettings(max_body=10_000)
        async with testing.running(tmp_path, settings=tuned) as started, testing.connect(started) as api:
            large = {"metadata": {"name": "a"}, "data": {"k": "x" * 10_000}}
            reply = await api.post(CONFIG_MAPS, large)
            assert (reply.code, reply.body["reason"]) == (413, "RequestEntityTooLarge")

            async def pieces() -> AsyncIterator[bytes]:
                for _ in range(20):
                    yield b" " * 1000

            chunked = await api.client.post(CONFIG_MAPS, content=pieces())
            assert chunked.status_code == 413
            assert (await api.get(CONFIG_MAPS)).code == 200

    async def test_queries_beyond_reason_are_refused(self, api: testing.Api) -> None:
        assert (await api.get(f"{CONFIG_MAPS}?{'&'.join(f'a{n}=1' for n in range(300))}")).code == 400


class Logs:
    """A node agent with one container's log."""

    def __init__(self) -> None:
        self.asked: list[podlogs.PodLogQuery] = []
        self.closed = asyncio.Event()

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        self.asked.append(query)
        if query.container == "waiting":
            raise podlogs.LogsUnavailable('container "waiting" in pod "p" is waiting to start: ContainerCreating')
        return self._lines(follow=query.follow)

    async def _lines(self, *, follow: bool) -> AsyncIterator[bytes]:
        try:
            yield b"one\n"
            yield b"two\n"
            if follow:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


class TestLogs:
    @pytest.fixture
    def logs(self) -> Logs:
        return Logs()

    @pytest.fixture
    async def api(self, tmp_path: pathlib.Path, logs: Logs) -> AsyncIterator[testing.Api]:
        async with testing.running(tmp_path, logs=logs) as started, testing.connect(started) as api:
            for name, containers in (("p", ["c"]), ("many", ["c", "waiting"])):
                spec = {"containers": [{"name": each, "image": "i"} for each in containers]}
                await api.created(PODS, {"metadata": {"name": name}, "spec": spec})
            yield api

    async def test_the_query_reaches_the_node_agent(self, api: testing.Api, logs: Logs) -> None:
        reply = await api.get(f"{PODS}/p/log?tailLines=5&previous=true&timestamps&limitBytes=5")
        assert (reply.code, reply.body) == (200, "one\nt")
        assert reply.headers["content-type"] == "text/plain"
        assert logs.asked == [
            podlogs.PodLogQuery("default", "p", "c", previous=True, timestamps=True, tail_lines=5, limit_bytes=5)
        ]

    @pytest.mark.parametrize(
        ("asked", "since"), [("sinceTime=2024-05-01T12:00:00%2B02:00", 1714557600.0), ("tailLines=1", None)]
    )
    async def test_times_are_handed_on(self, api: testing.Api, logs: Logs, asked: str, since: float | None) -> None:
        await api.get(f"{PODS}/p/log?{asked}")
        assert logs.asked[0].since == since

    async def test_ages_become_times(self, api: testing.Api, logs: Logs) -> None:
        began = time.time()
        await api.get(f"{PODS}/p/log?sinceSeconds=60")
        since = logs.asked[0].since
        assert since is not None
        assert began - 60 <= since <= time.time() - 60

    @pytest.mark.parametrize(("asked", "stream"), [("Stdout", "Stdout"), ("Stderr", "Stderr"), ("All", "")])
    async def test_one_stream_or_both(self, api: testing.Api, logs: Logs, asked: str, stream: str) -> None:
        await api.get(f"{PODS}/p/log?stream={asked}")
        assert logs.asked[0].stream == stream

    async def test_following_ends_when_the_client_leaves(self, api: testing.Api, logs: Logs) -> None:
        async with api.client.stream("GET", f"{PODS}/p/log?follow=true") as reply:
            lines = reply.aiter_lines()
            assert [await anext(lines), await anext(lines)] == ["one", "two"]
            assert not logs.closed.is_set()
        await asyncio.wait_for(logs.closed.wait(), 5)

    @pytest.mark.parametrize(
        ("path", "code", "message"),
        [
            ("nobody/log", 404, 'pods "nobody" not found'),
            ("many/log", 400, "a container name must be specified for pod many, choose one of: [c waiting]"),
            ("many/log?container=waiting", 400, "is waiting to start: ContainerCreating"),
            ("p/log?tailLines=-1", 400, "tailLines"),
            (
                "p/log?sinceSeconds=0",
                422,
                'PodLogOptions "p" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0',
            ),
            ("p/log?limitBytes=0", 422, "limitBytes: Invalid value: 0"),
            (
                "p/log?sinceSeconds=5&sinceTime=2024-01-01T00:00:00Z",
                422,
                "at most one of `sinceTime` or `sinceSeconds`",
            ),
            ("p/log?sinceTime=yesterday", 400, "write a time as RFC 3339"),
            ("p/log?stream=stdout", 422, 'supported values: "All", "Stderr", "Stdout"'),
            ("p/log?stream=Stdout&tailLines=1", 422, "mutually exclusive"),
        ],
    )
    async def test_refusals(self, api: testing.Api, path: str, code: int, message: str) -> None:
        reply = await api.get(f"{PODS}/{path}")
        assert reply.code == code
        assert message in reply.body["message"]

    async def test_without_a_node_agent(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path / "other") as started, testing.connect(started) as api:
            spec = {"containers": [{"name": "c", "image": "i"}]}
            await api.created(PODS, {"metadata": {"name": "p"}, "spec": spec})
            assert (await api.get(f"{PODS}/p/log")).code == 501


class TestStarting:
    async def test_a_taken_port_is_told_before_anything_is_touched(self, tmp_path: pathlib.Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            tuned = settings.ApiServerSettings(data_dir=tmp_path / "data", port=port)
            with pytest.raises(errors.PortInUseError, match=f"port {port} on 127.0.0.1 is in use") as caught:
                await server.serve(tuned, catalog=catalog.BuiltinCatalog(), agent=server.Agent(), stop=asyncio.Event())
        assert "--port" in caught.value.hint
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])
    def test_only_loopback(self, host: str) -> None:
        with pytest.raises(errors.PortInUseError):
            server.bind(host, 0)

    async def test_a_taken_directory(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path):
            with pytest.raises(errors.DirectoryInUseError):
                async with testing.running(tmp_path):
                    pass

    async def test_stopping_waits_for_writes_under_way(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path) as started, testing.connect(started) as api:
            writes = [
                asyncio.ensure_future(api.post(CONFIG_MAPS, {"metadata": {"name": f"c{number}"}}))
                for number in range(20)
            ]
            await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
            started.stop()
            replies = await asyncio.gather(*writes, return_exceptions=True)
        acknowledged = {
            reply.body["metadata"]["name"]
            for reply in replies
            if isinstance(reply, testing.Reply) and reply.code == 201
        }
        async with testing.running(tmp_path) as started, testing.connect(started) as api:
            kept = {each["metadata"]["name"] for each in (await api.get(CONFIG_MAPS)).body["items"]}
        assert acknowledged
        assert acknowledged <= kept

    @pytest.mark.slow
    async def test_a_client_that_does_not_read_cannot_hold_the_server(self, tmp_path: pathlib.Path) -> None:
        loop = asyncio.get_running_loop()
        async with testing.running(tmp_path) as started, testing.connect(started) as api:
            # With its buffer full the client's side stops reading by itself.
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", started.port, ssl=started.ssl_context(), limit=1024
            )
            head = f"GET {CONFIG_MAPS}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {started.token}\r\n\r\n"
            writer.write(head.encode())
            await reader.readline()
            for number in range(12):
                body = {"metadata": {"name": f"c{number}"}, "data": {"fill": "x" * 900_000}}
                await api.created(CONFIG_MAPS, body)
            assert (await api.get("/healthz")).code == 200
            began = loop.time()
            started.stop()
        assert loop.time() - began < 10
        writer.transport.abort()
