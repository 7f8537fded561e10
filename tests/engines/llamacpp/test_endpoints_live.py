"""What llama.cpp's own server offers, through our process: every interface that the gateway passes on, adapters, keys, embeddings."""

import asyncio
import base64
import contextlib
import math
import os
import pathlib
import socket
import struct
import tempfile
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import orjson
import pytest

from brickyard.assembly import engines
from brickyard.engines.llamacpp import launch, testing
from brickyard.sidecar.downloads import cache

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not launch.installed(), reason=f"llama.cpp is not installed: {launch.INSTALL}"),
]

ADDRESS = "127.64.201.4"
KEY = "s3cr3t-of-tests"
HEADERS = {"authorization": f"Bearer {KEY}"}
QUESTION = {"messages": [{"role": "user", "content": "Name a colour."}]}


@contextlib.contextmanager
def serving(model: str, *args: str) -> Iterator[testing.Replica]:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port = probe.getsockname()[1]
    with testing.ended(testing.spawn(model, ADDRESS, port, "--threads", "2", *args)) as replica:
        assert replica.ready.wait(60)
        assert httpx2.get(f"{replica.url}/health", timeout=5).status_code == 200, "".join(replica.lines)
        yield replica


@pytest.fixture(scope="module")
def model() -> str:
    return str(asyncio.run(cache.ModelCache.configured(os.environ).fetch(testing.MODEL)))


@pytest.fixture(scope="module")
def replica(model: str) -> Iterator[testing.Replica]:
    """With two adapters and a key."""
    with tempfile.TemporaryDirectory(prefix="brickyard-lora-") as name:
        first, second = pathlib.Path(name, "first.gguf"), pathlib.Path(name, "second.gguf")
        testing.build_adapter(first)
        testing.build_adapter(second, seed=8)
        scaled = ("--lora", str(first), "--lora-scaled", f"{second}:0")
        with serving(model, "--ctx-size", "4096", "--api-key", KEY, *scaled, "--slots", "--props") as started:
            yield started


@pytest.fixture(scope="module")
def embedder(model: str) -> Iterator[testing.Replica]:
    with serving(model, "--embeddings", "--pooling", "mean", "--ctx-size", "1024") as started:
        yield started


def post(replica: testing.Replica, path: str, **body: Any) -> Any:
    answer = httpx2.post(f"{replica.url}{path}", json=body, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def get(replica: testing.Replica, path: str) -> Any:
    answer = httpx2.get(f"{replica.url}{path}", headers=HEADERS, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestInterfaces:
    def test_the_clients_library(self, replica: testing.Replica) -> None:
        with openai.OpenAI(base_url=f"{replica.url}/v1", api_key=KEY, max_retries=0) as client:
            said = client.chat.completions.create(
                model=testing.NAME, messages=[{"role": "user", "content": "Hi."}], max_tokens=4
            )
            assert said.choices[0].message.content
            answered = client.responses.create(model=testing.NAME, input="Hi.", max_output_tokens=16)
            assert answered.output_text
            assert answered.usage is not None
            assert answered.usage.output_tokens >= 1
            completed = client.completions.create(model=testing.NAME, prompt="Red, green and", max_tokens=4, logprobs=2)
            assert completed.choices[0].text

    def test_messages_as_anthropic_has_them(self, replica: testing.Replica) -> None:
        answer = post(replica, "/v1/messages", **QUESTION, max_tokens=4)
        assert answer["type"] == "message"
        assert answer["content"][0]["text"]
        counted = post(replica, "/v1/messages/count_tokens", **QUESTION)["input_tokens"]
        usage = answer["usage"]
        assert counted == usage["input_tokens"] + usage["cache_read_input_tokens"]

    def test_streamed_messages(self, replica: testing.Replica) -> None:
        body = {**QUESTION, "max_tokens": 4, "stream": True}
        answer = httpx2.post(f"{replica.url}/v1/messages", json=body, headers=HEADERS, timeout=60)
        kinds = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
        assert kinds[0] == "message_start"
        assert kinds[-1] == "message_stop"

    def test_tokens_there_and_back(self, replica: testing.Replica) -> None:
        tokens = post(replica, "/tokenize", content="Red, green", add_special=False)["tokens"]
        assert len(tokens) >= 3
        assert post(replica, "/detokenize", tokens=tokens)["content"] == "Red, green"

    def test_a_template_that_is_only_filled(self, replica: testing.Replica) -> None:
        assert "Name a colour." in post(replica, "/apply-template", **QUESTION)["prompt"]

    def test_an_answer_of_a_given_form(self, replica: testing.Replica) -> None:
        schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        answer = post(replica, "/v1/chat/completions", **QUESTION, response_format=form, max_tokens=40)
        assert orjson.loads(answer["choices"][0]["message"]["content"])["colour"] in {"red", "blue"}

    def test_slots_and_properties_when_asked_for(self, replica: testing.Replica) -> None:
        assert len(get(replica, "/slots")) == 4
        assert get(replica, "/props")["default_generation_settings"]["n_ctx"] == 4096


def test_a_prompt_that_came_before_is_not_computed_again(replica: testing.Replica) -> None:
    reader = engines.readers()["llamacpp"]

    def hits() -> float:
        page = httpx2.get(f"{replica.url}{reader.path}", headers=HEADERS, timeout=10).content
        return reader.parse(page).prefix_cache_hits_total or 0.0

    text = "Every brick carries the ones above it. " * 20
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 2, "id_slot": 0}
    post(replica, "/v1/chat/completions", **body)
    before = hits()
    usage = post(replica, "/v1/chat/completions", **body)["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    assert usage["prompt_tokens"] > 100
    assert cached == usage["prompt_tokens"] - 1
    assert hits() - before == cached


class TestAdapters:
    def say(self, replica: testing.Replica, **body: Any) -> str:
        fixed = {"prompt": "Red, green and", "max_tokens": 12, "temperature": 0, "cache_prompt": False}
        text: str = post(replica, "/v1/completions", **fixed, **body)["choices"][0]["text"]
        return text

    def test_they_are_listed_with_their_scale(self, replica: testing.Replica) -> None:
        listed = get(replica, "/lora-adapters")
        assert [(each["id"], pathlib.Path(each["path"]).name, each["scale"]) for each in listed] == [
            (0, "first.gguf", 1.0),
            (1, "second.gguf", 0.0),
        ]

    def test_a_request_chooses(self, replica: testing.Replica) -> None:
        without = self.say(replica, lora=[{"id": 0, "scale": 0}, {"id": 1, "scale": 0}])
        assert self.say(replica) == self.say(replica, lora=[{"id": 0, "scale": 1}, {"id": 1, "scale": 0}]) != without
        assert self.say(replica, lora=[{"id": 0, "scale": 0}, {"id": 1, "scale": 1}]) != without

    def test_the_server_is_told_for_all(self, replica: testing.Replica) -> None:
        before = self.say(replica)
        post_all = [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 0.0}]
        try:
            done = httpx2.post(f"{replica.url}/lora-adapters", json=post_all, headers=HEADERS, timeout=10)
            assert done.status_code == 200
            assert self.say(replica) != before
        finally:
            httpx2.post(f"{replica.url}/lora-adapters", json=[{"id": 0, "scale": 1.0}], headers=HEADERS, timeout=10)
        assert self.say(replica) == before


class TestKeys:
    @pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/slots", "/props", "/lora-adapters"])
    def test_without_a_key_nothing_is_told(self, replica: testing.Replica, path: str) -> None:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            assert httpx2.get(f"{replica.url}{path}", headers=headers, timeout=10).status_code == 401

    def test_health_is_for_everybody(self, replica: testing.Replica) -> None:
        assert httpx2.get(f"{replica.url}/health", timeout=10).status_code == 200

    def test_the_key_is_in_no_command_line_and_no_log(self, replica: testing.Replica) -> None:
        assert KEY not in pathlib.Path(f"/proc/{replica.process.pid}/cmdline").read_text()
        assert KEY not in "".join(replica.lines)


class TestEmbeddings:
    def test_a_vector_for_each_text(self, embedder: testing.Replica) -> None:
        answer = post(embedder, "/v1/embeddings", input=["a red brick", "a red brick", "the stock exchange"])
        first, same, other = (each["embedding"] for each in answer["data"])
        assert len(first) == testing.HIDDEN
        assert math.isclose(sum(number * number for number in first), 1, rel_tol=1e-3)
        assert sum(a * b for a, b in zip(first, same, strict=True)) > 0.999
        assert sum(a * b for a, b in zip(first, other, strict=True)) < 0.999
        assert answer["usage"]["prompt_tokens"] >= 6

    def test_vectors_in_base64(self, embedder: testing.Replica) -> None:
        plain = post(embedder, "/v1/embeddings", input="brick")["data"][0]["embedding"]
        coded = post(embedder, "/v1/embeddings", input="brick", encoding_format="base64")["data"][0]["embedding"]
        assert struct.unpack(f"<{testing.HIDDEN}f", base64.b64decode(coded)) == pytest.approx(plain, abs=1e-3)


def test_documents_are_ranked(model: str) -> None:
    with serving(model, "--reranking", "--ctx-size", "1024") as replica:
        answer = post(replica, "/v1/rerank", query="colour", documents=["red", "seven o'clock"], top_n=2)
        scores = [each["relevance_score"] for each in answer["results"]]
        assert sorted(each["index"] for each in answer["results"]) == [0, 1]
        assert scores == sorted(scores, reverse=True)


def test_ranking_is_refused_as_the_engine_says(embedder: testing.Replica) -> None:
    answer = httpx2.post(f"{embedder.url}/v1/rerank", json={"query": "a", "documents": ["b"]}, timeout=10)
    assert answer.status_code == 501
    assert "--reranking" in answer.json()["error"]["message"]
