"""LoRA adapters from engines' lists to clients: the whole gateway over engine doubles on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from brickyard.assembly import gateway
from brickyard.gateway import settings as proxy_settings
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.lib import tasks
from brickyard.sim.engine import options
from brickyard.sim.engine import server as sim

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "hello"}]


@dataclasses.dataclass
class Yard:
    """A gateway over engines that serve ``demo``; ``asking`` is a client of the gateway, ``engines`` one of each engine."""

    asking: httpx2.AsyncClient
    engines: list[httpx2.AsyncClient]

    async def load(self, engine: int, adapter: str) -> None:
        body = {"lora_name": adapter, "lora_path": f"/loras/{adapter}"}
        (await self.engines[engine].post("/v1/load_lora_adapter", json=body)).raise_for_status()

    async def unload(self, engine: int, adapter: str) -> None:
        (await self.engines[engine].post("/v1/unload_lora_adapter", json={"lora_name": adapter})).raise_for_status()

    async def models(self) -> dict[str, dict[str, object]]:
        return {row["id"]: row for row in (await self.asking.get("/v1/models")).json()["data"]}

    async def until_ready(self, model: str, count: int) -> None:
        """Wait until so many endpoints can answer for ``model``; 0: until it is not there."""
        async with asyncio.timeout(10):
            while (await self.models()).get(model, {"ready_endpoints": 0})["ready_endpoints"] != count:
                await asyncio.sleep(0.02)

    async def ask(self, model: str, **headers: str) -> httpx2.Response:
        body = {"model": model, "messages": HELLO, "max_tokens": 2}
        return await self.asking.post("/v1/chat/completions", json=body, headers=headers)

    async def where(self, model: str, **headers: str) -> str:
        """The port of the engine that answered."""
        answer = await self.ask(model, **headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == model
        decision = (await self.asking.get("/debug/requests/last")).json()
        return str(decision["endpoint"]["authority"]).rpartition(":")[2]

    @property
    def ports(self) -> list[str]:
        return [str(engine.base_url.port) for engine in self.engines]


@contextlib.asynccontextmanager
async def yard(folder: pathlib.Path, count: int = 2) -> AsyncIterator[Yard]:
    async with contextlib.AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            engine = await stack.enter_async_context(sim.Server(options.Options(port=0, models=("demo",)), drain=0.1))
            url = f"http://127.0.0.1:{engine.port}"
            made.append(
                await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False, verify=False))
            )
        file = folder / "endpoints.yaml"
        addresses = [f"127.0.0.1:{each.base_url.port}" for each in made]
        file.write_text(json.dumps({"models": [{"name": "demo", "endpoints": addresses}]}))
        given = gateway.Settings(
            proxy_settings.GatewaySettings(port=0, drain_timeout=1.0),
            endpoint_settings.EndpointSettings(scrape_interval=0.1, models_interval=0.2),
            endpoints_file=file,
        )
        stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
        scope = await stack.enter_async_context(tasks.Scope("test"))
        served = scope.start(gateway.serve(given, stop, ready=port.set_result), name="gateway")
        url = f"http://127.0.0.1:{await port}"
        asking = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False, verify=False))
        yield Yard(asking, made)
        stop.set()
        await served


async def test_an_adapter_comes_is_routed_to_and_goes(tmp_path: pathlib.Path) -> None:
    async with yard(tmp_path) as there:
        await there.until_ready("demo", 2)
        answer = await there.ask("tone")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")

        await there.load(1, "tone")
        await there.until_ready("tone", 1)
        listed = await there.models()
        assert list(listed) == ["demo", "tone"]
        assert listed["tone"]["parent"] == "demo"
        assert listed["tone"]["root"] == "/loras/tone"
        assert listed["tone"]["owned_by"] == listed["demo"]["owned_by"] == "aibrix"
        assert listed["tone"]["max_model_len"] == listed["demo"]["max_model_len"]
        assert "parent" not in listed["demo"]
        assert (await there.asking.get("/v1/models/tone")).json() == listed["tone"]
        for strategy in ("least-request", "random", "prefix-cache", "lora-affinity"):
            for _ in range(3):
                assert await there.where("tone", **{"routing-strategy": strategy}) == there.ports[1]

        await there.load(0, "tone")
        await there.until_ready("tone", 2)
        assert {await there.where("tone") for _ in range(12)} == set(there.ports)

        await there.unload(0, "tone")
        await there.until_ready("tone", 1)
        await there.unload(1, "tone")
        await there.until_ready("tone", 0)
        answer = await there.ask("tone")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert list(await there.models()) == ["demo"]


async def test_operators_see_adapters_beside_their_model(tmp_path: pathlib.Path) -> None:
    async with yard(tmp_path) as there:
        await there.load(0, "tone")
        await there.until_ready("tone", 1)
        await there.where("tone")
        (row,) = (await there.asking.get("/debug/models")).json()["models"]
        assert row["adapters"]["tone"]["ready"] == 1
        assert row["adapters"]["tone"]["requests_per_second"] > 0
        page = (await there.asking.get("/metrics")).text
        assert 'gateway_adapter_endpoints{adapter="tone",model="demo"} 1.0' in page
        assert 'gateway_responses_total{model="tone",status="200"} 1.0' in page


@pytest.mark.parametrize("stream", [False, True])
async def test_lora_affinity_goes_where_the_adapter_is_at_work(tmp_path: pathlib.Path, stream: bool) -> None:
    async with yard(tmp_path) as there:
        for engine in (0, 1):
            await there.load(engine, "tone")
        await there.until_ready("tone", 2)
        body = {"model": "tone", "messages": HELLO, "max_tokens": 400, "ignore_eos": True, "stream": stream}
        at_work = asyncio.create_task(there.engines[1].post("/v1/chat/completions", json=body, timeout=60))
        async with asyncio.timeout(10):
            while (
                "tone" not in (await there.engines[1].get("/metrics")).text.partition("running_lora_adapters")[2][:40]
            ):
                await asyncio.sleep(0.01)
            # The gateway's next look finds it; until then both engines are alike.
            while await there.where("tone", **{"routing-strategy": "lora-affinity"}) != there.ports[1]:
                await asyncio.sleep(0.02)
        said = (await there.asking.get("/debug/requests/last")).json()["sentence"]
        at_work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await at_work
        assert "lora-affinity" in said
