"""A whole gateway before a Kubernetes API in memory: a model without pods is listed, asked for, told of, and answered for."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator

import httpx2
from tests.assembly import test_gateway as gateways

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import demand
from brickyard.assembly import gateway, waking
from brickyard.gateway import settings as proxy_settings
from brickyard.gateway import workers
from brickyard.gateway.waking import settings as waking_settings
from brickyard.gateway.waking import testing as waking_testing
from brickyard.kube.client import errors
from brickyard.kube.client import testing as clients
from brickyard.lib import tasks


@contextlib.asynccontextmanager
async def running(
    client: clients.MemoryClient, timeout: float = 60.0, name: str = "gw"
) -> AsyncIterator[httpx2.AsyncClient]:
    """A gateway called ``name``."""
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    given = gateways.given()
    settings = dataclasses.replace(
        given,
        proxy=dataclasses.replace(given.proxy, pod=name, head_timeout=0.2),
        waking=waking_settings.WakingSettings(timeout=timeout),
    )
    async with tasks.Scope("test") as scope:
        served = scope.start(gateway.serve_with(client, settings, stop, ready=port.set_result), name="gateway")
        url = f"http://127.0.0.1:{await port}"
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=10.0) as asking:
            async with asyncio.timeout(5.0):
                while (await asking.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.005)
            yield asking
        stop.set()
        await served


def api(**spec: object) -> clients.MemoryClient:
    made = clients.MemoryClient()
    made.seed(resources.POD_AUTOSCALER, waking_testing.autoscaler(**spec))  # type: ignore[arg-type]  # fields of a spec
    made.seed(resources.DEPLOYMENT, waking_testing.deployment())
    return made


def words(client: clients.MemoryClient) -> dict[str, demand.Word]:
    (found,) = client.all(resources.POD_AUTOSCALER)
    return dict(demand.read(found["metadata"].get("annotations") or {}))


async def listed(asking: httpx2.AsyncClient) -> dict[str, int]:
    return {each["id"]: each["ready_endpoints"] for each in (await asking.get("/v1/models")).json()["data"]}


async def test_the_whole_way() -> None:
    client = api()
    async with gateways.engines(1) as (engine,), running(client) as asking:
        assert await listed(asking) == {"demo": 0}
        asked = asyncio.create_task(gateways.ask(asking))
        async with asyncio.timeout(5.0):
            while "gw" not in words(client):
                await asyncio.sleep(0.005)
        assert words(client)["gw"].held == 1
        # Whoever scales hears of it; the pod comes, is not ready at first, then is.
        client.seed(resources.POD, engine.pod("a", ready=False))
        await asyncio.sleep(0.05)
        page = (await asking.get("/metrics")).text
        assert 'gateway_waking_held{model="demo"} 1.0' in page
        client.seed(resources.POD, engine.pod("a"))
        answer = await asked
        assert (answer.status_code, answer.headers["target-pod"]) == (200, "a")
        told = (await asking.get("/debug/requests/last")).json()
        assert told["outcome"]["waking"] > 0.05
        assert await listed(asking) == {"demo": 1}
        async with asyncio.timeout(5.0):
            while words(client)["gw"].held:
                await asyncio.sleep(0.05)
        assert words(client)["gw"].open == 1, "that it is in use keeps it awake"
        page = (await asking.get("/metrics")).text
        assert 'gateway_waking_ended_total{how="sent"} 1.0' in page
        assert "gateway_waking_seconds_count 1.0" in page


async def test_two_gateways() -> None:
    """Each holds its own requests and tells of them; one pod is news for both."""
    client = api()
    async with (
        gateways.engines(1) as (engine,),
        running(client, name="east") as east,
        running(client, name="west") as west,
    ):
        asked = [asyncio.create_task(gateways.ask(each)) for each in (east, east, west)]
        async with asyncio.timeout(5.0):
            while words(client).keys() != {"east", "west"}:
                await asyncio.sleep(0.005)
        client.seed(resources.POD, engine.pod("a"))
        assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200, 200, 200]


async def test_an_api_that_takes_no_words_is_named_in_what_the_client_hears() -> None:
    client = api()
    async with running(client, timeout=0.5) as asking:
        client.fail_next(errors.Forbidden("gateways may not patch podautoscalers"), verb="patch", times=50)
        answer = await gateways.ask(asking)
    assert answer.status_code == 503
    message = answer.json()["error"]["message"]
    assert "PodAutoscaler default/demo could not be told: gateways may not patch podautoscalers" in message


async def test_in_vain() -> None:
    client = api()
    async with gateways.engines(1) as (engine,), running(client, timeout=0.3) as asking:
        client.seed(resources.POD, engine.pod("a", ready=False))
        answer = await gateways.ask(asking)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "default/a not ready" in answer.json()["error"]["message"]


async def test_a_model_switched_off_by_hand_is_no_unknown_one() -> None:
    async with running(api(minReplicas=1)) as asking:
        assert await listed(asking) == {}
        answer = await gateways.ask(asking)
        assert answer.status_code == 503
        assert "its minReplicas is not 0" in answer.json()["error"]["message"]


async def test_models_without_an_autoscaler_are_refused_as_ever() -> None:
    client = clients.MemoryClient()
    async with gateways.engines(1) as (engine,), running(client) as asking:
        assert (await gateways.ask(asking)).status_code == 404
        client.seed(resources.POD, engine.pod("a", ready=False))
        async with asyncio.timeout(5.0):
            while "demo" not in await listed(asking):
                await asyncio.sleep(0.005)
        assert (await gateways.ask(asking)).status_code == 503


def test_what_a_gateway_is_called(tmp_path: pathlib.Path) -> None:
    pod = proxy_settings.GatewaySettings(pod="gateway-abc")
    assert waking.name(pod, None) == "gateway-abc"
    seat = workers.Seat(tmp_path, 3, 4)
    assert waking.name(pod, seat) == "gateway-abc-3"
    assert waking.name(proxy_settings.GatewaySettings(port=9999), None).endswith("-9999")
