"""The whole gateway over a Kubernetes API in memory and engines on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from brickyard.api.kinds import resources
from brickyard.assembly import gateway
from brickyard.embedded.apiserver import testing as apiserver_testing
from brickyard.gateway import settings as proxy_settings
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.endpoints import testing
from brickyard.kube.client import errors, rest
from brickyard.kube.client import testing as kube_testing
from brickyard.lib import tasks
from brickyard.routing import errors as routing_errors

ANSWER = b'{"object":"chat.completion","choices":[]}'
PAGE = b"vllm:num_requests_running 2.0\n"
ASKED = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}


class EngineTalk(asyncio.Protocol):
    """An engine's end of one connection: a metrics page and chat completions."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.engine.connections.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.engine.connections.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        wanted = b"content-length: %d" % len(body)
        if not end or (head.startswith(b"POST") and wanted not in head.lower()):
            return
        self.received = b""
        answer = PAGE if head.startswith(b"GET /metrics") else ANSWER
        self.engine.answered += answer is ANSWER
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer
        )


class Engine:
    """A listener that answers like an engine; ``close`` ends it like a crash."""

    def __init__(self) -> None:
        self.connections: set[asyncio.Transport] = set()
        self.answered = 0
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: EngineTalk(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for connection in tuple(self.connections):
            connection.abort()
        await self._server.wait_closed()

    def pod(self, name: str, **knobs: Any) -> resources.Object:
        labels = {"model.aibrix.ai/port": str(self.port)}
        return testing.FakePod(name=name, uid=f"uid-{name}", address="127.0.0.1", labels=labels, **knobs).object()


async def until(condition: Callable[[], Any], deadline: float = 5.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.005)


def given(**knobs: Any) -> gateway.Settings:
    return gateway.Settings(
        proxy_settings.GatewaySettings(port=0, drain_timeout=1.0),
        endpoint_settings.EndpointSettings(**{"scrape_interval": 0.05, **knobs}),
    )


@contextlib.asynccontextmanager
async def engines(count: int) -> AsyncIterator[list[Engine]]:
    made = [Engine() for _ in range(count)]
    for engine in made:
        await engine.open()
    try:
        yield made
    finally:
        for engine in made:
            await engine.close()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(
    client: kube_testing.MemoryClient | None, kubeconfig: pathlib.Path | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A running gateway, over ``client`` or else by ``kubeconfig``, and a client of it."""
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = dataclasses.replace(given(), kubeconfig=kubeconfig)
    async with tasks.Scope("test") as scope:
        serving = (
            gateway.serve_with(client, settings, stop, ready=port.set_result)
            if client is not None
            else gateway.serve(settings, stop, ready=port.set_result)
        )
        served = scope.start(serving, name="gateway")
        url = f"http://127.0.0.1:{await port}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=5.0) as asking:
            yield asking
        stop.set()
        await served


async def ready(asking: httpx2.AsyncClient, count: int) -> None:
    """Wait until the gateway knows ``count`` endpoints that can answer."""
    async with asyncio.timeout(5.0):
        while sum(card["ready_endpoints"] for card in (await asking.get("/v1/models")).json()["data"]) != count:
            await asyncio.sleep(0.005)


async def add(client: kube_testing.MemoryClient, asking: httpx2.AsyncClient, *pods: resources.Object) -> None:
    """Put pods in, with their status, and wait until the gateway knows them."""
    client.seed(resources.POD, *pods)
    await ready(asking, sum(pod["status"]["conditions"][0]["status"] == "True" for pod in pods))


async def ask(asking: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
    return await asking.post("/v1/chat/completions", json=ASKED, headers=headers)


async def test_a_request_finds_the_pod_and_the_reason_is_kept() -> None:
    client = kube_testing.MemoryClient()
    async with engines(2) as (first, second), running(client) as asking:
        await add(client, asking, first.pod("a"), second.pod("b", ready=False))
        answer = await ask(asking)
        assert answer.status_code == 200, answer.text
        assert answer.content == ANSWER
        assert answer.headers["target-pod"] == "a"
        told = (await asking.get("/debug/requests/last")).json()
        assert told["sentence"] == "a chosen by least-request: the only endpoint of demo"
        assert told["outcome"]["status"] == 200


async def test_what_engines_say_is_in_the_explanation() -> None:
    client = kube_testing.MemoryClient()
    async with engines(1) as (engine,), running(client) as asking:
        await add(client, asking, engine.pod("a"))
        row: dict[str, Any] = {"load": None}
        async with asyncio.timeout(5.0):
            while row["load"] is None:
                await ask(asking)
                (row,) = (await asking.get("/debug/requests/last")).json()["candidates"]
        assert row["load"]["running"] == 2.0
        assert 0.0 <= row["load_age"] < 1.0


async def test_ready_follows_the_first_reading_of_the_pods() -> None:
    client = kube_testing.MemoryClient()
    client.fail_next(errors.Unreachable("no route"), verb="list", times=2)
    async with running(client) as asking:
        assert (await asking.get("/readyz")).status_code == 503
        early = await ask(asking)
        assert early.status_code == 503
        assert "has not told of its pods yet" in early.text
        async with asyncio.timeout(5.0):
            while (await asking.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.02)
        assert (await ask(asking)).status_code == 404


async def test_it_serves_on_while_the_kubernetes_api_is_away() -> None:
    client = kube_testing.MemoryClient()
    async with engines(1) as (engine,), running(client) as asking:
        await add(client, asking, engine.pod("a"))
        assert (await ask(asking)).status_code == 200
        client.fail_next(errors.Unreachable("gone"), times=100)
        client.break_watches(errors.Unreachable("gone"))
        await asyncio.sleep(0.05)
        assert (await ask(asking)).status_code == 200
        assert (await asking.get("/readyz")).status_code == 200


async def test_a_replica_that_dies_costs_no_request() -> None:
    client = kube_testing.MemoryClient()
    async with engines(2) as (first, second), running(client) as asking:
        await add(client, asking, first.pod("a"), second.pod("b"))
        await until(lambda: first.connections and second.connections)
        await second.close()
        page = ""
        async with asyncio.timeout(5.0):
            while 'gateway_endpoints{model="demo",state="barred"} 1.0' not in page:
                answer = await ask(asking, **{"routing-strategy": "random"})
                assert (answer.status_code, answer.headers["target-pod"]) == (200, "a")
                page = (await asking.get("/metrics")).text
        assert 'gateway_endpoint_in_flight{model="demo",which="busiest"} 0.0' in page


@pytest.mark.slow
async def test_a_real_api_server_feeds_it_and_may_go_away(tmp_path: pathlib.Path) -> None:
    async with engines(1) as (engine,), contextlib.AsyncExitStack() as life:
        api = await life.enter_async_context(apiserver_testing.running(tmp_path))
        wanted = engine.pod("a")
        wanted["spec"]["containers"][0]["image"] = "vllm/vllm-openai:v1"
        async with running(None, api.kubeconfig) as asking:
            async with rest.RestClient.from_kubeconfig(api.kubeconfig) as client:
                await client.create(resources.POD, {key: wanted[key] for key in ("metadata", "spec")})
                await client.patch(resources.POD, ("default", "a"), {"status": wanted["status"]}, subresource="status")
                await ready(asking, 1)
                assert (await ask(asking)).headers["target-pod"] == "a"
            await life.aclose()
            assert (await ask(asking)).status_code == 200
            assert (await asking.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"routing-strategy": "fastest"}, 400, "unknown routing strategy"),
        ({"routing-strategy": "least-request:2"}, 200, "chat.completion"),
        ({"external-filter": "zone in"}, 400, "label selector"),
        ({"external-filter": "zone=south"}, 503, "does not match the label filter"),
    ],
)
async def test_what_headers_may_ask(headers: dict[str, str], status: int, words: str) -> None:
    client = kube_testing.MemoryClient()
    async with engines(1) as (engine,), running(client) as asking:
        await add(client, asking, engine.pod("a"))
        answer = await ask(asking, **headers)
        assert answer.status_code == status
        assert words in answer.text


async def test_a_default_strategy_that_does_not_exist_refuses_to_start() -> None:
    with pytest.raises(routing_errors.PolicyError, match="default strategy"):
        await gateway.serve_with(kube_testing.MemoryClient(), given(strategy="fastest"), asyncio.Event())


def test_settings_come_from_the_command_line_then_the_environment() -> None:
    environ = {"BRICKYARD_GATEWAY_PORT": "1234", "ROUTING_ALGORITHM": "random", "BRICKYARD_GATEWAY_HOST": "::1"}
    made = gateway.load(environ, gateway.Said(port=99, kubeconfig=pathlib.Path("/x")))
    assert (made.proxy.port, made.proxy.host, made.endpoints.strategy) == (99, "::1", "random")
    assert made.kubeconfig == pathlib.Path("/x")


def test_an_empty_routing_algorithm_means_the_default() -> None:
    assert gateway.load({"ROUTING_ALGORITHM": ""}).endpoints.strategy == "least-request"


async def test_without_a_kubeconfig_it_says_so(tmp_path: pathlib.Path) -> None:
    missing = gateway.Settings(kubeconfig=tmp_path / "none")
    with pytest.raises(errors.KubeconfigError, match="none"):
        await gateway.serve(missing, asyncio.Event())


async def test_a_gateway_needs_nothing_but_a_file(tmp_path: pathlib.Path) -> None:
    first, second = Engine(), Engine()
    await first.open()
    await second.open()
    path = tmp_path / "endpoints.yaml"
    path.write_text(f'models: [{{name: demo, endpoints: ["127.0.0.1:{first.port}"]}}]')
    given = gateway.load({}, gateway.Said(port=0, endpoints_file=path, strategy="random"))
    assert given.endpoints.strategy == "random"
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with tasks.Scope("test") as scope, asyncio.timeout(20):
        running = scope.start(gateway.serve(given, stop, ready=port.set_result), name="gateway")
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{await port}", trust_env=False) as client:
            answer = await client.post("/v1/chat/completions?beta=true", json=ASKED)
            assert (answer.status_code, answer.content) == (200, ANSWER)
            path.write_text(f'models: [{{name: demo, endpoints: ["127.0.0.1:{second.port}"]}}]')
            while not second.answered:
                assert (await client.post("/v1/chat/completions", json=ASKED)).status_code == 200
                await asyncio.sleep(0.05)
            assert [card["id"] for card in (await client.get("/v1/models")).json()["data"]] == ["demo"]
        stop.set()
        await running
    await first.close()
    await second.close()


def test_limits_of_endpoints_reach_every_strategy() -> None:
    given = gateway.load({"BRICKYARD_GATEWAY_ENDPOINT_MAX_IN_FLIGHT": "3", "BRICKYARD_GATEWAY_QUEUE_TIMEOUT": "2m"})
    assert given.queue.timeout == 120.0
    policies = given.routing()
    assert all(any(each.name == "has-room" for each in policies.profile(name).filters) for name in policies.names())
    unlimited = gateway.load({}).routing()
    assert not any(each.name == "has-room" for each in unlimited.profile("least-request").filters)
