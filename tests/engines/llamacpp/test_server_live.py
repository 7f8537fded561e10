"""The real engine with the real model, started as the node agent starts it."""

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import time
from collections.abc import Iterator

import httpx2
import orjson
import psutil
import pytest

from brickyard.assembly import engines
from brickyard.engines.llamacpp import launch, testing
from brickyard.sidecar.downloads import cache

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not launch.installed(), reason=f"llama.cpp is not installed: {launch.INSTALL}"),
]

MODEL, NAME, spawn, ended = testing.MODEL, testing.NAME, testing.spawn, testing.ended
FIRST, SECOND, OTHER = "127.64.201.1", "127.64.201.2", "127.64.201.3"


@pytest.fixture(scope="module")
def model() -> str:
    return str(asyncio.run(cache.ModelCache.configured(os.environ).fetch(MODEL)))


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as probe:
        probe.bind((FIRST, 0))
        number: int = probe.getsockname()[1]
        return number


@contextlib.contextmanager
def running(replica: testing.Replica) -> Iterator[testing.Replica]:
    with ended(replica):
        assert replica.ready.wait(60)
        assert httpx2.get(f"{replica.url}/health", timeout=5).status_code == 200, "".join(replica.lines)
        yield replica


@pytest.fixture(scope="module")
def replicas(model: str, port: int) -> Iterator[tuple[testing.Replica, testing.Replica]]:
    """Two replicas on the same port of two addresses, at once."""
    args = ("--ctx-size", "4096", "--parallel", "2")
    with (
        running(spawn(model, FIRST, port, *args)) as first,
        running(spawn(model, SECOND, port, *args)) as second,
    ):
        yield first, second


def ask(replica: testing.Replica, **body: object) -> httpx2.Response:
    question = {"model": NAME, "messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8, **body}
    return httpx2.post(f"{replica.url}/v1/chat/completions", json=question, timeout=60)


def test_both_answer(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    for replica in replicas:
        answer = ask(replica).json()
        assert answer["choices"][0]["message"]["content"]
        assert answer["model"] == NAME
        assert 1 <= answer["usage"]["completion_tokens"] <= 8


def test_a_streamed_answer(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    answer = ask(replicas[0], stream=True, stream_options={"include_usage": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks = [orjson.loads(event) for event in events[:-1]]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert chunks[-1]["usage"]["completion_tokens"] >= 1


def test_plain_completions(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    body = {"model": NAME, "prompt": "Red, green and", "max_tokens": 4}
    answer = httpx2.post(f"{replicas[0].url}/v1/completions", json=body, timeout=60)
    assert answer.json()["choices"][0]["text"]


def test_the_model_goes_by_its_alias(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    listed = httpx2.get(f"{replicas[0].url}/v1/models", timeout=10).json()
    assert [each["id"] for each in listed["data"]] == [NAME]


def test_embeddings_are_refused_as_the_engine_says(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    answer = httpx2.post(f"{replicas[0].url}/v1/embeddings", json={"model": NAME, "input": "a"}, timeout=10)
    assert answer.status_code == 501
    assert "--embeddings" in answer.json()["error"]["message"]


def test_other_web_pages_cannot_read_answers(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    answer = httpx2.get(f"{replicas[0].url}/health", headers={"origin": "http://evil.example"}, timeout=10)
    assert answer.headers.get("access-control-allow-origin", "") == ""


def test_the_metrics_page_counts(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    reader = engines.readers()["llamacpp"]
    page = f"{replicas[1].url}{reader.path}"
    before = reader.parse(httpx2.get(page, timeout=10).content)
    usage = ask(replicas[1]).json()["usage"]
    after = reader.parse(httpx2.get(page, timeout=10).content)
    assert (after.running, after.waiting) == (0.0, 0.0)
    assert after.prompt_tokens_total is not None
    assert after.generation_tokens_total is not None
    assert after.prompt_tokens_total - (before.prompt_tokens_total or 0.0) == usage["prompt_tokens"]
    assert after.generation_tokens_total - (before.generation_tokens_total or 0.0) == usage["completion_tokens"]


def test_a_replica_is_small(replicas: tuple[testing.Replica, testing.Replica]) -> None:
    for replica in replicas:
        assert psutil.Process(replica.process.pid).memory_info().rss < 600 * 2**20


def test_a_taken_port_is_one_clear_line(
    replicas: tuple[testing.Replica, testing.Replica], model: str, port: int
) -> None:
    assert replicas[0].process.poll() is None
    with ended(spawn(model, FIRST, port)) as replica:
        assert replica.ended() == 1
        taken = f"cannot listen on {FIRST}:{port}: Address already in use."
        assert replica.lines == [f"llamacpp: {taken} Stop what listens there or choose another --port\n"]


def test_a_model_that_llama_cpp_refuses(tmp_path: pathlib.Path, port: int) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 64)
    with ended(spawn(str(broken), OTHER, port)) as replica:
        assert replica.ended() == 1
        assert replica.lines[-1].startswith("llamacpp: llama.cpp could not start")


def test_it_starts_quickly_and_an_idle_one_stops_at_once(model: str, port: int) -> None:
    started = time.monotonic()
    with running(spawn(model, OTHER, port, "--ctx-size", "512")) as replica:
        assert time.monotonic() - started < 10  # alone on the machine 0.7 s
        stopping = time.monotonic()
        assert replica.stop() == 0
        assert time.monotonic() - stopping < 10
        assert replica.lines[-1] == "llamacpp: stopped\n"


def test_a_signal_while_loading_ends_it(model: str, port: int) -> None:
    with ended(spawn(model, OTHER, port)) as replica:
        assert replica.loading.wait(30)
        assert replica.stop() == -signal.SIGTERM


LONG = {"max_tokens": 2000, "ignore_eos": True, "stream": True}


def streaming(
    replica: testing.Replica, client: httpx2.Client, **body: object
) -> contextlib.AbstractContextManager[httpx2.Response]:
    question = {"model": NAME, "messages": [{"role": "user", "content": "Tell a long story."}], **LONG, **body}
    return client.stream("POST", f"{replica.url}/v1/chat/completions", json=question)


def test_an_open_stream_does_not_keep_it_alive(model: str, port: int) -> None:
    with (
        running(spawn(model, OTHER, port, "--ctx-size", "4096", drain="0.3")) as replica,
        httpx2.Client(timeout=30) as client,
        streaming(replica, client) as answer,
    ):
        next(answer.iter_raw())
        stopping = time.monotonic()
        assert replica.stop() == 0
        assert time.monotonic() - stopping < 10


def test_a_stream_that_ends_in_time_is_whole(model: str, port: int) -> None:
    with (
        running(spawn(model, OTHER, port, "--ctx-size", "4096", drain="30")) as replica,
        httpx2.Client(timeout=60) as client,
        streaming(replica, client, max_tokens=30) as answer,
    ):
        chunks = answer.iter_raw()
        text = next(chunks)
        replica.process.send_signal(signal.SIGTERM)
        text += b"".join(chunks)
        assert text.endswith(b"data: [DONE]\n\n")
        assert replica.ended() == 0
