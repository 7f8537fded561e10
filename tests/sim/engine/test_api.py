import array
import base64
from typing import Any

import pytest

from brickyard.sim.engine import testing
from brickyard.sim.engine.core import params

FORM = b'--x\r\ncontent-disposition: form-data; name="%b"; filename="a"\r\n\r\n%b\r\n--x--\r\n'
MULTIPART = {"content_type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/health", 200, {"status": "ok"}),
        ("/ready", 200, {"status": "ready"}),
        ("/version", 200, {"version": "0.13.0-mock"}),
        ("/load", 200, {"server_load": 0}),
        ("/is_sleeping", 200, {"is_sleeping": False}),
        ("/get_model_info", 200, {"model_path": "tiny", "tokenizer_path": "tiny", "is_generation": True}),
    ],
)
async def test_pages(path: str, status: int, body: Any) -> None:
    async with testing.running() as engine:
        reply = await engine.get(path)
        assert (reply.status, reply.json()) == (status, body)


@pytest.mark.parametrize("path", ["/ping", "/health_generate"])
async def test_empty_pages(path: str) -> None:
    async with testing.running() as engine:
        reply = await engine.get(path)
        assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/completions", 405), ("POST", "/v1/models", 405)],
)
async def test_no_pages(method: str, path: str, status: int) -> None:
    async with testing.running() as engine:
        reply = await (engine.get(path) if method == "GET" else engine.post(path))
        assert reply.status == status


async def test_models() -> None:
    async with testing.running(models=("tiny", "alias"), adapters=(("a", "/loras/a"),)) as engine:
        rows = {row["id"]: row for row in (await engine.get("/v1/models")).json()["data"]}
        assert list(rows) == ["tiny", "alias", "a"]
        assert (rows["tiny"]["parent"], rows["tiny"]["max_model_len"]) == (None, 16384)
        assert (rows["a"]["parent"], rows["a"]["root"]) == ("tiny", "/loras/a")


async def test_the_key() -> None:
    async with testing.running(api_key="secret") as engine:
        for path in ("/health", "/ready", "/ping", "/version", "/load", "/metrics"):
            assert (await engine.get(path)).status == 200
        refused = await engine.get("/v1/models")
        assert refused.status == 401
        assert (refused.json()["error"]["type"], refused.json()["error"]["code"]) == (
            "authentication_error",
            "invalid_api_key",
        )
        assert (await engine.get("/v1/models", authorization="Bearer wrong")).status == 401
        assert (await engine.get("/v1/models", authorization="Bearer secret")).status == 200
        assert (await engine.post("/set_metrics", {"running": 1})).status == 200


async def test_adapters() -> None:
    async with testing.running() as engine:
        loaded = await engine.post("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
        assert (loaded.status, loaded.json()["status"]) == (200, "success")
        again = await engine.post("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
        assert (again.status, again.json()["error"]["type"]) == (400, "InvalidUserInput")
        assert (await engine.chat(model="a", max_tokens=1)).json()["model"] == "a"
        absent = await engine.post("/v1/load_lora_adapter", {"lora_name": "b", "lora_path": "/nonexistent"})
        assert (absent.status, absent.json()["error"]["type"]) == (404, "NotFoundError")
        assert (await engine.post("/v1/unload_lora_adapter", {"lora_name": "a"})).status == 200
        assert (await engine.post("/v1/unload_lora_adapter", {"lora_name": "a"})).status == 400
        assert (await engine.chat(model="a", max_tokens=1)).status == 404


async def test_adapters_in_sglangs_words() -> None:
    async with testing.running(engine="sglang") as engine:
        loaded = (await engine.post("/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})).json()
        assert loaded == {"success": True, "error_message": "", "loaded_adapters": {"a": "/a"}}
        again = await engine.post("/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
        assert (again.status, again.json()["success"]) == (400, False)
        gone = (await engine.post("/unload_lora_adapter", {"lora_name": "a"})).json()
        assert gone["loaded_adapters"] == {}


async def test_an_engine_without_adapters() -> None:
    async with testing.running(params=params.Params(max_loras=0)) as engine:
        await engine.post("/v1/load_lora_adapter", {"lora_name": "a", "lora_path": "/a"})
        assert (await engine.chat(model="a")).status == 400


async def test_tokens_there_and_back() -> None:
    async with testing.running() as engine:
        made = (await engine.post("/tokenize", {"prompt": "grüße", "return_token_strs": True})).json()
        assert (made["count"], made["max_model_len"]) == (3, 16384)
        assert made["token_strs"][0] == "<|begin|>"
        back = (await engine.post("/detokenize", {"tokens": made["tokens"]})).json()
        assert back == {"prompt": "grüße"}
        bare = (await engine.post("/tokenize", {"prompt": "grüße", "add_special_tokens": False})).json()
        assert (bare["tokens"], bare["token_strs"]) == (made["tokens"][1:], None)


async def test_the_template_counts_what_a_chat_counts() -> None:
    async with testing.running() as engine:
        messages = [{"role": "user", "content": "hello"}]
        made = (await engine.post("/tokenize", {"messages": messages})).json()
        assert made["count"] == (await engine.chat(max_tokens=1)).json()["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {}),
        ("/tokenize", {"prompt": 7}),
        ("/detokenize", {}),
        ("/detokenize", {"tokens": ["a"]}),
        ("/sleep?level=9", None),
        ("/set_metrics", {"nothing": 1}),
        ("/set_metrics", {"running": "many"}),
        ("/v1/embeddings", {}),
        ("/v1/embeddings", {"input": []}),
        ("/v1/embeddings", {"input": "x", "dimensions": 0}),
        ("/v1/embeddings", {"input": "x", "encoding_format": "int8"}),
        ("/v1/embeddings", {"input": ["x"] * 2049}),
        ("/v1/embeddings", {"input": "x" * 40_000}),
        ("/v1/rerank", {"documents": ["a"]}),
        ("/v1/rerank", {"query": "a"}),
        ("/v1/rerank", {"query": "a", "documents": [7]}),
        ("/v1/images/generations", {}),
        ("/v1/images/generations", {"prompt": "a", "n": 11}),
        ("/v1/video/generations", {}),
        ("/v1/videos", {"prompt": "a"}),
        ("/v1/audio/speech", {"input": "a", "voice": "nobody"}),
        ("/v1/audio/transcriptions", b""),
    ],
)
async def test_refusals(path: str, body: object) -> None:
    async with testing.running() as engine:
        reply = await engine.post(path, body)
        assert reply.status == 400, reply.body
        assert reply.json()["error"]["message"]
        assert engine.server.driver.load == 0


async def test_sleep() -> None:
    async with testing.running() as engine:
        assert (await engine.post("/sleep?level=2")).status == 200
        assert (await engine.get("/is_sleeping")).json() == {"is_sleeping": True}
        assert b'sleep_state="discard_all"} 1' in (await engine.get("/metrics")).body
        async with engine.connect() as (reader, writer):
            writer.write(testing.stream_request(max_tokens=2))
            assert (await engine.post("/wake_up")).status == 200
            assert (await testing.read(reader)).status == 200
        assert b'sleep_state="awake"} 1' in (await engine.get("/metrics")).body


@pytest.mark.parametrize("path", ["/reset_prefix_cache", "/flush_cache"])
async def test_the_cache_is_cleared(path: str) -> None:
    async with testing.running() as engine:
        await engine.chat("word" * 100, max_tokens=1)
        await engine.post(path)
        again = (await engine.chat("word" * 100, max_tokens=1)).json()
        assert again["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


# Canned answers.


async def test_vectors_as_base64_are_the_same() -> None:
    async with testing.running() as engine:
        body = {"model": "tiny", "input": "x", "dimensions": 8}
        plain = (await engine.post("/v1/embeddings", body)).json()["data"][0]["embedding"]
        packed = (await engine.post("/v1/embeddings", {**body, "encoding_format": "base64"})).json()["data"][0]
        assert array.array("f", base64.b64decode(packed["embedding"])).tolist() == plain
        assert len(plain) == 8


async def test_ranks() -> None:
    async with testing.running() as engine:
        documents = ["paris is a city", {"text": "the capital of france is paris"}, "bread"]
        body = {"query": "capital of france", "documents": documents, "top_n": 2}
        rows = (await engine.post("/v1/rerank", body)).json()["results"]
        assert [row["index"] for row in rows] == [1, 0]
        assert rows[0]["relevance_score"] > rows[1]["relevance_score"]


async def test_pictures() -> None:
    async with testing.running() as engine:
        made = (await engine.post("/v1/images/generations", {"prompt": "a cat", "n": 2})).json()
        pictures = [base64.b64decode(row["b64_json"]) for row in made["data"]]
        assert len(set(pictures)) == 2
        assert all(each.startswith(b"\x89PNG\r\n\x1a\n") for each in pictures)


async def test_speech() -> None:
    async with testing.running() as engine:
        reply = await engine.post("/v1/audio/speech", {"input": "hello", "voice": "nova"})
        assert reply.headers["content-type"] == "audio/wav"
        assert (reply.body[:4], reply.body[8:12]) == (b"RIFF", b"WAVE")
        assert len(reply.body) == 44 + 2 * int(8000 * 0.06 * 5)
        assert "nova" in (await engine.get("/v1/audio/voices")).json()["voices"]


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
async def test_transcription(path: str) -> None:
    async with testing.running() as engine:
        made = await engine.post(path, FORM % (b"file", b"\0\1\2\r\n\3"), **MULTIPART)
        assert made.json() == {"text": "6 bytes of audio"}


async def test_videos() -> None:
    async with testing.running() as engine:
        one = (await engine.post("/v1/videos", FORM % (b"prompt", b"a cat"), **MULTIPART)).json()
        other = (await engine.post("/v1/video/generations", {"prompt": "a cat"})).json()
        assert one["id"] == other["id"]
        assert (one["status"], one["prompt"]) == ("completed", "a cat")
