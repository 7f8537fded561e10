"""Clients and adapters before a real vLLM: what libraries ask arrives and is understood, and an adapter is routed to while it is loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from tests.e2e import yard as yards

VLLM = yards.ROOT / ".venv-vllm" / "bin" / "vllm"
FLAGS = ("--max-model-len", "2048", "--dtype", "bfloat16", "--enforce-eager", "--enable-lora", "--max-lora-rank", "8")
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True",
}
START_WITHIN = 300.0
HELLO: Any = [{"role": "user", "content": "Say hello."}]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not VLLM.exists(), reason="vLLM is not installed here: make vllm"),
]


@dataclasses.dataclass(frozen=True)
class Served:
    """A gateway at ``url`` before one engine at ``engine``, and the folder of the model and its adapter."""

    url: str
    engine: str
    folder: pathlib.Path

    def load(self, name: str) -> None:
        body = {"lora_name": name, "lora_path": str(self.folder / "adapter")}
        httpx2.post(f"{self.engine}/v1/load_lora_adapter", json=body, trust_env=False, timeout=60).raise_for_status()

    def unload(self, name: str) -> None:
        address = f"{self.engine}/v1/unload_lora_adapter"
        httpx2.post(address, json={"lora_name": name}, trust_env=False, timeout=60).raise_for_status()

    def models(self) -> dict[str, dict[str, Any]]:
        rows = httpx2.get(f"{self.url}/v1/models", trust_env=False).json()["data"]
        return {row["id"]: row for row in rows}


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, timeout=2.0).status_code == 200
    except httpx2.HTTPError:
        return False


@contextlib.contextmanager
def program(log: pathlib.Path, *words: str, **environ: str) -> Iterator[None]:
    """A program and all that it starts, until the end of the context."""
    with log.open("wb") as out:
        started = subprocess.Popen(
            words, env={**os.environ, **environ}, stdout=out, stderr=out, start_new_session=True, cwd=log.parent
        )
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(started.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("vllm")
    python, tool = str(VLLM.parent / "python"), str(yards.ROOT / "tools" / "make_tiny_llama.py")
    subprocess.run([python, tool, str(folder)], check=True, capture_output=True, timeout=120)
    port, own = yards.free_port(), yards.free_port()
    engine = f"http://127.0.0.1:{port}"
    words = (str(VLLM), "serve", str(folder / "model"), "--served-model-name", "tiny", "--host", "127.0.0.1")
    file = folder / "endpoints.yaml"
    file.write_text(json.dumps({"models": [{"name": "tiny", "engine": "vllm", "endpoints": [f"127.0.0.1:{port}"]}]}))
    gateway = (str(yards.BIN / "brickyard"), "gateway", "--endpoints-config", str(file), "--port", str(own))
    with (
        program(folder / "engine.log", *words, "--port", str(port), *FLAGS, **ENVIRONMENT),
        program(folder / "gateway.log", *gateway, BRICKYARD_GATEWAY_MODELS_INTERVAL="1"),
    ):
        yards.until(lambda: answers(f"{engine}/health"), within=START_WITHIN, what=str(folder / "engine.log"))
        yards.until(lambda: answers(f"http://127.0.0.1:{own}/readyz"), what=str(folder / "gateway.log"))
        yield Served(f"http://127.0.0.1:{own}", engine, folder)


@pytest.fixture
def ai(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture
def claude(served: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=served.url, api_key="unused", max_retries=0, timeout=60) as client:
        yield client


def test_an_adapter_is_routed_to_while_it_is_loaded(served: Served, ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        ai.chat.completions.create(model="tone", messages=HELLO)
    served.load("tone")
    try:
        listed = yards.until(lambda: served.models().get("tone"), within=20, what="the gateway lists the adapter")
        assert listed["parent"] == "tiny"
        assert listed["root"] == str(served.folder / "adapter")
        assert listed["max_model_len"] == served.models()["tiny"]["max_model_len"] == 2048
        asked: Any = {"prompt": "A brick", "max_tokens": 12, "temperature": 0, "extra_body": {"ignore_eos": True}}
        said = {name: ai.completions.create(model=name, **asked) for name in ("tiny", "tone")}
        assert said["tone"].model == "tone"
        assert said["tone"].choices[0].text != said["tiny"].choices[0].text, "the adapter is heard"
        affine = ai.with_options(default_headers={"routing-strategy": "lora-affinity"})
        assert affine.chat.completions.create(model="tone", messages=HELLO, max_tokens=2).choices
    finally:
        served.unload("tone")
    yards.until(lambda: "tone" not in served.models(), within=20, what="the gateway forgets the adapter")
    with pytest.raises(openai.NotFoundError):
        ai.chat.completions.create(model="tone", messages=HELLO)


def test_completions(ai: openai.OpenAI) -> None:
    whole = ai.completions.create(model="tiny", prompt="A brick", max_tokens=4, logprobs=1)
    assert whole.usage is not None
    assert whole.usage.completion_tokens <= 4
    assert whole.choices[0].logprobs is not None
    chunks = list(ai.completions.create(model="tiny", prompt="A brick", max_tokens=4, stream=True))
    assert chunks[-1].choices[0].finish_reason


def test_chat_streams_with_usage(ai: openai.OpenAI) -> None:
    stream = ai.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=6, stream=True,
        stream_options={"include_usage": True}, extra_body={"ignore_eos": True},
    )  # fmt: skip
    chunks = list(stream)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 6


def test_responses(ai: openai.OpenAI) -> None:
    whole = ai.responses.create(model="tiny", input="Say hello.", max_output_tokens=8)
    assert whole.usage is not None
    assert 0 < whole.usage.output_tokens <= 8
    kinds = [each.type for each in ai.responses.create(model="tiny", input="Hi.", max_output_tokens=8, stream=True)]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_messages(claude: anthropic.Anthropic) -> None:
    whole = claude.messages.create(model="tiny", max_tokens=6, messages=HELLO)
    assert 0 < whole.usage.output_tokens <= 6
    with claude.messages.stream(model="tiny", max_tokens=6, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert 0 < final.usage.output_tokens <= 6
    assert claude.messages.count_tokens(model="tiny", messages=HELLO).input_tokens > 0
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="nowhere", max_tokens=6, messages=HELLO)


def test_tokens_there_and_back(served: Served) -> None:
    with httpx2.Client(base_url=served.url, trust_env=False, timeout=30) as asking:
        there = asking.post("/tokenize", json={"model": "tiny", "prompt": "A brick"}).json()
        assert there["count"] == len(there["tokens"]) > 0
        back = asking.post("/detokenize", json={"model": "tiny", "tokens": there["tokens"]}).json()
    assert "A brick" in back["prompt"]


def test_what_the_engine_does_not_do_is_said_by_the_engine(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        ai.embeddings.create(model="tiny", input="a brick")
    assert 400 <= caught.value.status_code < 500
    with pytest.raises(openai.BadRequestError, match="2048"):
        ai.completions.create(model="tiny", prompt="brick " * 4000, max_tokens=8)


def test_curl(served: Served) -> None:
    body = json.dumps({"model": "tiny", "messages": HELLO, "max_tokens": 3, "stream": True})
    words = ("curl", "-sSN", "--fail", "--max-time", "60", f"{served.url}/v1/chat/completions")
    done = subprocess.run(
        [*words, "-H", "content-type: application/json", "-d", body],
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    events = [line for line in done.stdout.splitlines() if line.startswith("data: ")]
    assert events[-1] == "data: [DONE]"
    assert json.loads(events[0].removeprefix("data: "))["model"] == "tiny"
