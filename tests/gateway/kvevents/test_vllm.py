"""A real vLLM with little memory behind the gateway: what it evicts, the index forgets. One minute, two to three gigabytes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import httpx2
import orjson
import pytest

from brickyard.api import names
from brickyard.assembly import routing_policies
from brickyard.engines.vllm import launch
from brickyard.gateway import settings
from brickyard.gateway import testing as gateway
from brickyard.gateway.kvevents import testing as ears
from brickyard.gateway.proxy import server
from brickyard.routing import contract as routing

INSTALLED = launch.INSTALLATION.find()
ROOT = pathlib.Path(__file__).parents[3]
HOST = "127.64.203.1"
READY = 400.0
BLOCKS = 80
"""Of 32 tokens: three prompts and a bit."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(INSTALLED is None, reason="vLLM is not installed here: run `make vllm`"),
]


@dataclasses.dataclass(frozen=True)
class Engine:
    """Where it listens, publishes and tells again."""

    http: int
    events: int
    replay: int

    def endpoint(self) -> routing.Endpoint:
        labels = {
            names.KV_EVENTS_ENABLED: "true",
            names.MODEL_PORT: str(self.http),
            names.KV_EVENTS_PORT: str(self.events),
            names.KV_REPLAY_PORT: str(self.replay),
        }
        made = gateway.endpoint(self.http)
        return dataclasses.replace(made, address=HOST, labels=labels, engine="vllm")


def free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number


def command(engine: Engine, model: pathlib.Path) -> list[str]:
    publish = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": f"tcp://[::ffff:{HOST}]:{engine.events}",
        "replay_endpoint": f"tcp://[::ffff:{HOST}]:{engine.replay}",
        "topic": "kv",
    }
    flags = ("--dtype", "bfloat16", "--max-model-len", "2048", "--enforce-eager", "--enable-prompt-tokens-details")
    memory = ("--block-size", "32", "--num-gpu-blocks-override", str(BLOCKS), "--enable-prefix-caching")
    where = ("--host", HOST, "--port", str(engine.http), "--served-model-name", gateway.MODEL)
    events = ("--kv-events-config", orjson.dumps(publish).decode())
    return [str(INSTALLED), "serve", str(model), *flags, *memory, *where, *events]


@contextlib.contextmanager
def running(engine: Engine, folder: pathlib.Path) -> Iterator[None]:
    told = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "HOME": str(folder)}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(engine, folder / "model"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **told},
            start_new_session=True,
        )
    with process:
        try:
            ready(process, f"http://{HOST}:{engine.http}/health", log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its engine is a process of its own


def ready(process: subprocess.Popen[bytes], url: str, log: pathlib.Path) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url, timeout=5).status_code == 200:
                return
        time.sleep(0.5)
    pytest.fail(f"not ready within {READY} s: {log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    assert INSTALLED is not None
    with tempfile.TemporaryDirectory(prefix="brickyard-kv-") as name:
        folder, python = pathlib.Path(name), INSTALLED.with_name("python")
        make = [python, ROOT / "tools" / "make_tiny_llama.py", folder]
        subprocess.run(make, check=True, capture_output=True, timeout=120)
        made = Engine(free(), free(), free())
        with running(made, folder):
            yield made


def story(number: int) -> str:
    return "".join(
        f"Wall {number} has {line} bricks, and every brick carries the ones above it. " for line in range(28)
    )


async def ask(port: int, text: str, tokens: int = 8) -> None:
    body = {"model": gateway.MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": tokens}
    async with gateway.connect(port) as client:
        client.send(gateway.post({**body, "ignore_eos": True}, "content-type: application/json"))
        answer = await client.read()
    assert answer.status == 200, answer.body


async def rounds(engine: Engine, first: int, *, listen: bool) -> ears.Ears:
    """Six prompts in turns, each twice in a row: the second time it is there, when its turn comes again it is gone."""
    async with (
        ears.listening(routing_policies.make(), "prefix-cache", [engine.endpoint()], listen=listen) as heard,
        server.DataPlane(heard.director, settings.GatewaySettings(port=0)) as plane,
    ):
        for turn in range(18):
            for _ in range(2):
                await ask(plane.port, story(first + turn % 6))
                if listen:
                    await asyncio.sleep(
                        0.3
                    )  # vLLM publishes from a thread of its own, which nobody can ask how far it is
                    await heard.pass_time()
        return heard


async def test_what_vllm_evicts_is_not_foreseen(engine: Engine) -> None:
    guessed = (await rounds(engine, 100, listen=False)).director.prefixes.accuracy
    heard = await rounds(engine, 200, listen=True)
    told = heard.director.prefixes.accuracy
    print(guessed, guessed.precision, told, told.precision, told.recall)
    assert guessed.precision is not None
    assert guessed.precision < 0.75
    assert told.precision is not None
    assert told.precision > 0.9
    assert told.recall is not None
    assert told.recall > 0.9
