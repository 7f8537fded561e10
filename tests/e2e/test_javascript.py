"""OpenAI's JavaScript library against the gateway, before llama.cpp and before engine doubles."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.e2e import yard as yards

from brickyard.assembly import gateway
from brickyard.gateway import settings as proxy_settings
from brickyard.lib import tasks
from brickyard.sim.engine import options
from brickyard.sim.engine import server as sim

FOLDER = pathlib.Path(__file__).parent / "javascript"
NODE = shutil.which("node") or shutil.which("node", path=yards.BIN)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(NODE is None, reason="there is no node here"),
    pytest.mark.skipif(not (FOLDER / "node_modules" / "openai").exists(), reason="not installed here: make javascript"),
]

WITHIN = 60.0


def command(url: str, model: str, *flags: str) -> list[str]:
    return [NODE or "node", str(FOLDER / "client.mjs"), url, model, *flags]


def check(told: dict[str, Any], model: str) -> None:
    """What holds before any engine."""
    assert told["models"] == {"ids": [model], "one": model, "owner": "aibrix"}
    assert told["whole"]["content"]
    assert told["whole"]["id"]
    assert 0 < told["whole"]["usage"]["completion_tokens"] <= 4
    streamed = told["streamed"]
    assert streamed["content"]
    assert streamed["chunks"] > 2
    assert streamed["finish"] == "length"
    assert streamed["usage"]["completion_tokens"] == 4
    assert (told["at_once"], told["completion"]) == (8, 1)
    assert told["left"] == {"chunks": 2, "aborted": True}
    for name, error, status in (
        ("unknown_model", "NotFoundError", 404),
        ("no_messages", "BadRequestError", 400),
        ("no_input", "BadRequestError", 400),
        ("unknown_path", "NotFoundError", 404),
    ):
        assert (told[name]["name"], told[name]["status"]) == (error, status), name
    assert told["unknown_model"]["code"] == "model_not_found"
    assert told["unknown_model"]["id"]
    assert "messages is empty" in told["no_messages"]["message"]
    assert "input is missing" in told["no_input"]["message"]


def idle(page: dict[str, Any]) -> bool:
    return not any(each["in_flight"] for model in page["models"] for each in model["endpoints"])


def test_before_llama_cpp(shared: yards.Yard) -> None:
    done = subprocess.run(
        command(shared.gateway, "smollm2"), capture_output=True, text=True, timeout=WITHIN, check=False
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout), "smollm2")
    pages = f"{shared.gateway}/debug/models"
    yards.until(lambda: idle(httpx2.get(pages, trust_env=False).json()), within=10, what="who left costs nothing")


@contextlib.asynccontextmanager
async def doubles(folder: pathlib.Path) -> AsyncIterator[str]:
    """The URL of a gateway before two engine doubles."""
    async with contextlib.AsyncExitStack() as stack:
        chosen = options.Options(port=0, models=("demo",))
        made = [await stack.enter_async_context(sim.Server(chosen, drain=0.1)) for _ in range(2)]
        file = folder / "endpoints.yaml"
        file.write_text(json.dumps({"models": [{"name": "demo", "endpoints": [f"127.0.0.1:{e.port}" for e in made]}]}))
        given = gateway.Settings(proxy_settings.GatewaySettings(port=0, drain_timeout=1.0), endpoints_file=file)
        stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
        scope = await stack.enter_async_context(tasks.Scope("test"))
        served = scope.start(gateway.serve(given, stop, ready=port.set_result), name="gateway")
        yield f"http://127.0.0.1:{await port}"
        stop.set()
        await served


async def test_before_doubles_that_break(tmp_path: pathlib.Path) -> None:
    async with doubles(tmp_path) as url:
        program = await asyncio.create_subprocess_exec(
            *command(url, "demo", "--faulty"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(WITHIN):
                out, said = await program.communicate()
        except TimeoutError:
            program.kill()
            await program.wait()
            raise
        assert program.returncode == 0, said.decode()
        told = json.loads(out)
        check(told, "demo")
        assert told["broken"]["chunks"] > 0
        error = told["broken"]["error"]
        assert (error["name"], error["code"]) == ("APIError", "upstream_closed")
        assert "before the end of its response" in error["message"]
        async with httpx2.AsyncClient(trust_env=False) as asking, asyncio.timeout(10):
            while not idle((await asking.get(f"{url}/debug/models")).json()):
                await asyncio.sleep(0.05)
