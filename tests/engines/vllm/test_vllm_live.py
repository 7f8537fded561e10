"""Real vLLM on the CPU, started as the node agent starts it, with two million random weights. One server for all tests.

``make vllm`` installs it. Ready in about a minute, in two to three gigabytes.
"""

import asyncio
import contextlib
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
import zmq

from brickyard.assembly import engines
from brickyard.engines import contract, errors
from brickyard.engines.vllm import kvevents, launch
from brickyard.lib import backoff
from brickyard.sidecar.downloads import cache, fetching, hub, testing_server, transfer

INSTALLED = launch.INSTALLATION.find()
ROOT = pathlib.Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(INSTALLED is None, reason="vLLM is not installed here: run `make vllm`"),
]

ADDRESS = "127.64.202.1"
MODEL = "hf://brickyard/tiny-llama"
NAME = "brickyard/tiny-llama"
READY = 400
LONG = "The wall is made of bricks, and every brick carries the ones above it. " * 40
SWITCHES = ("--dtype", "bfloat16", "--max-model-len", "2048", "--enforce-eager", "--enable-prefix-caching")
LORA = ("--enable-lora", "--max-lora-rank", "8", "--max-loras", "2")
VLLM = engines.engines()["vllm"]


class Server:
    """A running vLLM: its address, what it says of KV blocks, and where its adapter lies."""

    def __init__(self, url: str, events: str, adapter: pathlib.Path) -> None:
        self.url = url
        self.events = events
        self.adapter = adapter

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", timeout=60)

    def post(self, path: str, **body: object) -> httpx2.Response:
        return httpx2.post(f"{self.url}{path}", json=body, timeout=120)

    def chat(self, text: str, **body: object) -> httpx2.Response:
        message = {"role": "user", "content": text}
        return self.post("/v1/chat/completions", **{"model": NAME, "messages": [message], "max_tokens": 8, **body})

    def call(self, call: contract.Call) -> tuple[int, bytes]:
        answer = httpx2.request(call.method, f"{self.url}{call.path}", json=call.body, timeout=120)
        return answer.status_code, answer.content


def port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        number: int = probe.getsockname()[1]
        return number


async def fetched(made: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The model as a user gets it: a repository of a hub, fetched into the cache."""
    files = {path.name: path.read_bytes() for path in (made / "model").iterdir()}
    async with testing_server.Server(testing_server.FakeHub({NAME: files})) as server:
        server.faults.append(testing_server.Fault(cut=1_000_000, path=".safetensors"))
        patience = transfer.Patience(pause=backoff.Backoff(0.01, 1, 0.01))
        remotes = fetching.Remotes(hub=hub.Access(server.url), patience=patience)
        return await cache.ModelCache(folder, remotes=remotes).fetch(MODEL)


def spawn(model: pathlib.Path, http: int, bus: int, log: pathlib.Path) -> subprocess.Popen[bytes]:
    publish = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{bus}", "topic": "kv"}
    events = ("--kv-events-config", orjson.dumps(publish).decode())
    container = contract.ContainerSpec(
        "vllm/vllm-openai:v0.32.0", (), ("--model", MODEL, *SWITCHES, *LORA, *events), {}, ADDRESS, http
    )
    assert VLLM.launcher is not None
    made = VLLM.launcher.launch(container)
    assert made.models == (MODEL,)
    told = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    environ = {"PATH": os.environ["PATH"], "HOME": str(log.parent), **told, **made.env}
    with log.open("wb") as output:
        return subprocess.Popen(
            [str(model) if item in made.models else item for item in made.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"},
            start_new_session=True,
        )


def ready(process: subprocess.Popen[bytes], url: str, log: pathlib.Path) -> None:
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(f"{url}/health", timeout=5).status_code == 200:
                return
        time.sleep(0.5)
    pytest.fail(f"not ready within {READY} s: {log.read_text(errors='replace')[-4000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its engine is a process of its own
    process.wait(20)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    assert INSTALLED is not None
    with tempfile.TemporaryDirectory(prefix="brickyard-vllm-") as name:
        folder = pathlib.Path(name)
        python = INSTALLED.with_name("python")
        subprocess.run(
            [python, ROOT / "tools" / "make_tiny_llama.py", folder], check=True, capture_output=True, timeout=120
        )
        model = asyncio.run(fetched(folder, folder / "cache"))
        http, bus = port(), port()
        with spawn(model, http, bus, folder / "log") as process:
            try:
                ready(process, f"http://{ADDRESS}:{http}", folder / "log")
                yield Server(f"http://{ADDRESS}:{http}", f"tcp://{ADDRESS}:{bus}", folder / "adapter")
            finally:
                end(process)


def test_it_answers_under_its_references_name(server: Server) -> None:
    answer = server.chat("Name a colour.").json()
    assert answer["model"] == NAME
    assert 1 <= answer["usage"]["completion_tokens"] <= 8
    assert [each["id"] for each in server.get("/v1/models").json()["data"]] == [NAME]


def test_a_streamed_answer(server: Server) -> None:
    answer = server.chat("Name a colour.", stream=True, stream_options={"include_usage": True}, ignore_eos=True)
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert orjson.loads(events[-2])["usage"]["completion_tokens"] == 8


def test_the_metrics_page_in_our_words(server: Server) -> None:
    def load() -> dict[str, float]:
        parsed = VLLM.metrics.parse(server.get(VLLM.metrics.path).content)
        names = ("prompt_tokens_total", "generation_tokens_total", "prefix_cache_queries_total", "prefix_cache_hits_total",
                 "finished_total", "queue_seconds_total", "prefill_seconds_total", "decode_seconds_total")  # fmt: skip
        assert (parsed.running, parsed.waiting) == (0.0, 0.0)
        assert parsed.kv_cache_usage is not None
        assert 0 <= parsed.kv_cache_usage < 1
        assert parsed.lora_slots in {None, 2.0}
        return {name: getattr(parsed, name) for name in names}

    server.chat(LONG, ignore_eos=True)
    before = load()
    usage = server.chat(LONG, ignore_eos=True).json()["usage"]
    gained = {name: value - before[name] for name, value in load().items()}
    assert gained["generation_tokens_total"] == 8
    assert gained["prompt_tokens_total"] == usage["prompt_tokens"]
    assert gained["prefix_cache_queries_total"] == usage["prompt_tokens"]
    assert gained["prefix_cache_hits_total"] > usage["prompt_tokens"] * 0.8
    assert gained["finished_total"] == 1
    assert all(gained[name] > 0 for name in ("queue_seconds_total", "prefill_seconds_total", "decode_seconds_total"))


def test_everything_that_aibrix_has_a_name_for(server: Server) -> None:
    server.chat("One.")
    assert VLLM.series is not None
    read = VLLM.series.read(server.get("/metrics").content)
    first = read["time_to_first_token_seconds"][NAME]
    assert isinstance(first, contract.Histogram)
    assert first.total >= 1
    assert (first.quantile(0.5) or 0) > 0
    wanted = {
        "num_requests_running",
        "num_requests_waiting",
        "kv_cache_usage_perc",
        "prompt_tokens_total",
        "e2e_request_latency_seconds",
    }
    assert wanted <= read.keys()


@contextlib.contextmanager
def listening(server: Server) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.SUB) as bus:
        bus.setsockopt(zmq.LINGER, 0)
        bus.setsockopt(zmq.RCVTIMEO, 20_000)
        bus.subscribe(b"kv")
        bus.connect(server.events)
        yield bus


def test_blocks_are_told_as_they_are_stored(server: Server) -> None:
    assert VLLM.kv_events is not None
    text = f"{time.time_ns()} {LONG}"  # never seen before
    with listening(server) as bus:
        # A subscription takes a moment, and nothing tells when: ask until something is heard.
        heard = None
        for attempt in range(20):
            prompt = f"{attempt} {text}"
            ids = server.post("/tokenize", model=NAME, prompt=prompt).json()["tokens"]
            server.post("/v1/completions", model=NAME, prompt=prompt, max_tokens=1)
            if bus.poll(500):
                heard = bus.recv_multipart()
                break
        assert heard is not None, "nothing was heard"
    topic, frame, payload = heard
    assert topic == b"kv"
    assert kvevents.sequence(frame) is not None
    found = VLLM.kv_events.decode(payload)
    assert abs(found.at - time.time()) < 60
    (stored,) = [event for event in found.events if isinstance(event, contract.BlocksStored)]
    assert stored.parent is None
    assert len(stored.tokens) == len(stored.hashes) * stored.block_size
    assert stored.tokens == tuple(ids[: len(stored.tokens)])
    assert stored.adapter == ""


def test_adapters_come_and_go(server: Server) -> None:
    lora = VLLM.lora
    assert lora is not None
    body = {"max_tokens": 16, "temperature": 0, "ignore_eos": True}
    plain = server.chat(LONG[:200], **body).json()["choices"][0]["message"]["content"]
    assert lora.listed(*server.call(lora.list())) == {NAME}
    lora.loaded(*server.call(lora.load("sql", str(server.adapter))))
    assert lora.listed(*server.call(lora.list())) == {NAME, "sql"}
    adapted = server.chat(LONG[:200], model="sql", **body).json()
    assert adapted["model"] == "sql"
    assert adapted["choices"][0]["message"]["content"] != plain
    lora.unloaded(*server.call(lora.unload("sql")))
    assert lora.listed(*server.call(lora.list())) == {NAME}
    assert server.chat("x", model="sql").status_code == 404
    lora.unloaded(*server.call(lora.unload("sql")))  # gone is gone


def test_an_adapter_that_is_not_there(server: Server) -> None:
    lora = VLLM.lora
    assert lora is not None
    with pytest.raises(errors.LoraError, match="load the adapter"):
        lora.loaded(*server.call(lora.load("none", "/no/such/adapter")))
    assert lora.listed(*server.call(lora.list())) == {NAME}
