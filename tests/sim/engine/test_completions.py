import asyncio
import dataclasses
from typing import Any

import pytest

from brickyard.sim.engine import testing
from brickyard.sim.engine.core import params, presets, tokens

SLOW = dataclasses.replace(presets.NAMED["instant"], timing=params.Timing(step=30.0))
SMALL = params.Params(max_model_len=64, blocks=64)


def said(reply: testing.Reply) -> str:
    """The text of a stream's first choice."""
    parts = [event["choices"][0] for event in reply.events() if event["choices"]]
    return "".join(part["delta"].get("content", "") if "delta" in part else part["text"] for part in parts)


async def idle(engine: testing.Engine) -> None:
    async with asyncio.timeout(5):
        while engine.server.driver.load:
            await asyncio.sleep(0.001)


async def test_a_chat() -> None:
    async with testing.running(pod="pod-1") as engine:
        reply = await engine.chat(max_tokens=5)
        made = reply.json()
        assert (reply.status, made["object"], made["model"]) == (200, "chat.completion", "tiny")
        (choice,) = made["choices"]
        assert choice["finish_reason"] == "length"
        assert choice["message"]["role"] == "assistant"
        assert tokens.count(tokens.encode(choice["message"]["content"])) == 5
        assert made["usage"] == {
            "prompt_tokens": 6,
            "completion_tokens": 5,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 0},
        }
        assert made["metrics"]["mock_pod"] == "pod-1"
        assert made["metrics"]["mock_request_index"] == 1


async def test_a_stream_says_what_the_whole_says() -> None:
    async with testing.running() as engine:
        whole = (await engine.chat(max_tokens=20)).json()
        reply = await engine.chat(max_tokens=20, stream=True)
        events = reply.events()
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert said(reply) == whole["choices"][0]["message"]["content"]
        assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert [event["choices"][0]["finish_reason"] for event in events] == [None] * 21 + ["length"]
        assert {event["object"] for event in events} == {"chat.completion.chunk"}
        assert len({event["id"] for event in events}) == 1


async def test_usage_at_the_end_of_a_stream() -> None:
    async with testing.running() as engine:
        events = (await engine.chat(max_tokens=3, stream=True, stream_options={"include_usage": True})).events()
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["completion_tokens"] == 3
        assert all("usage" not in event for event in events[:-1])


async def test_a_text_completion() -> None:
    async with testing.running() as engine:
        made = (await engine.complete("once upon", max_tokens=4)).json()
        assert made["object"] == "text_completion"
        assert made["usage"]["prompt_tokens"] == 4  # nine bytes and the token that begins
        reply = await engine.complete("once upon", max_tokens=4, stream=True)
        assert said(reply) == made["choices"][0]["text"]


async def test_an_answer_has_a_length_of_its_own() -> None:
    async with testing.running() as engine:
        made = (await engine.chat()).json()
        assert made["choices"][0]["finish_reason"] == "stop"
        assert 10 <= made["usage"]["completion_tokens"] <= 500


@pytest.mark.parametrize("stream", [False, True])
async def test_stop_texts(stream: bool) -> None:
    async with testing.running() as engine:
        full = (await engine.chat(max_tokens=12)).json()["choices"][0]["message"]["content"]
        stop = full[18:23]
        reply = await engine.chat(max_tokens=12, stop=[stop, "never"], stream=stream)
        if stream:
            assert said(reply) == full[: full.index(stop)]
            assert reply.events()[-1]["choices"][0]["finish_reason"] == "stop"
        else:
            (choice,) = reply.json()["choices"]
            assert (choice["message"]["content"], choice["finish_reason"]) == (full[: full.index(stop)], "stop")


async def test_several_answers() -> None:
    async with testing.running() as engine:
        made = (await engine.chat(max_tokens=6, n=3)).json()
        assert [choice["index"] for choice in made["choices"]] == [0, 1, 2]
        assert len({choice["message"]["content"] for choice in made["choices"]}) == 3
        assert (made["usage"]["prompt_tokens"], made["usage"]["completion_tokens"]) == (6, 18)
        events = (await engine.chat(max_tokens=6, n=3, stream=True)).events()
        ends = [event["choices"][0]["index"] for event in events if event["choices"][0]["finish_reason"]]
        assert sorted(ends) == [0, 1, 2]


async def test_several_prompts() -> None:
    async with testing.running() as engine:
        made = (await engine.complete(["a", "bcd"], max_tokens=2, n=2)).json()
        assert [choice["index"] for choice in made["choices"]] == [0, 1, 2, 3]
        assert made["usage"]["completion_tokens"] == 8


async def test_prompts_as_tokens() -> None:
    async with testing.running() as engine:
        as_text = (await engine.complete("hello there", max_tokens=5)).json()
        listed = (await engine.post("/tokenize", {"prompt": "hello there"})).json()["tokens"]
        as_tokens = (await engine.complete(listed, max_tokens=5)).json()
        assert as_tokens["choices"] == as_text["choices"]
        in_chat = await engine.chat(prompt_token_ids=listed, max_tokens=5)
        assert in_chat.json()["choices"][0]["message"]["content"] == as_text["choices"][0]["text"]


async def test_a_seed_changes_the_answer() -> None:
    async with testing.running() as engine:
        answers = [(await engine.chat(max_tokens=8, seed=seed)).json()["choices"][0] for seed in (1, 2, 1)]
        assert answers[0] == answers[2] != answers[1]


async def test_cached_tokens() -> None:
    async with testing.running() as engine:
        for cached in (0, 256):
            made = (await engine.chat("word" * 265, max_tokens=1)).json()
            assert made["usage"]["prompt_tokens_details"]["cached_tokens"] == cached
        salted = (await engine.chat("word" * 265, max_tokens=1, cache_salt="mine")).json()
        assert salted["usage"]["prompt_tokens_details"]["cached_tokens"] == 0


async def test_the_next_turn_of_a_conversation_is_cached() -> None:
    async with testing.running() as engine:
        asked = [{"role": "user", "content": "x" * 200}]
        first = (
            await engine.post("/v1/chat/completions", {"model": "tiny", "messages": asked, "max_tokens": 61})
        ).json()
        follow_up = [*asked, first["choices"][0]["message"], {"role": "user", "content": "and?"}]
        second = (
            await engine.post("/v1/chat/completions", {"model": "tiny", "messages": follow_up, "max_tokens": 1})
        ).json()
        known = first["usage"]["prompt_tokens"] + 60
        assert second["usage"]["prompt_tokens_details"]["cached_tokens"] == known // 16 * 16


@pytest.mark.parametrize(
    ("fields", "status", "message", "param"),
    [
        ({"messages": []}, 400, "at least one message", "messages"),
        ({"messages": "hi"}, 400, "at least one message", "messages"),
        ({"messages": [7]}, 400, "must be an object", "messages"),
        ({"model": "other"}, 404, "`other` does not exist", None),
        ({"model": 7}, 400, "model is missing", "model"),
        ({"n": 0}, 400, "n must be", "n"),
        ({"n": 129}, 400, "128 at most", "n"),
        ({"max_tokens": 0}, 400, "max_tokens must be", "max_tokens"),
        ({"max_tokens": "5"}, 400, "max_tokens must be", "max_tokens"),
        ({"max_completion_tokens": -1}, 400, "max_completion_tokens must be", "max_completion_tokens"),
        ({"max_tokens": 60}, 400, "maximum context length is 64", "prompt"),
        ({"max_tokens": 10**12}, 400, "maximum context length is 64", "prompt"),
        ({"stop": 7}, 400, "stop must be", "stop"),
        ({"seed": "x"}, 400, "seed must be", "seed"),
        ({"kv_transfer_params": 7}, 400, "must be an object", "kv_transfer_params"),
        ({"prompt_token_ids": [-1]}, 400, "token id", "prompt"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_refusals(fields: dict[str, Any], status: int, message: str, param: str | None, stream: bool) -> None:
    async with testing.running(params=SMALL) as engine:
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": stream, **fields}
        reply = await engine.post("/v1/chat/completions", body)
        assert reply.status == status
        assert message in reply.json()["error"]["message"]
        assert reply.json()["error"]["param"] == param
        assert engine.server.driver.load == 0
        assert (await engine.chat(max_tokens=1)).status == 200


@pytest.mark.parametrize("prompt", [None, 7, [], [[]], [1.5], ["a", 7], ["a"] * 129])
async def test_no_prompts(prompt: object) -> None:
    async with testing.running() as engine:
        assert (await engine.complete(prompt)).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
async def test_no_bodies(body: bytes) -> None:
    async with testing.running() as engine:
        assert (await engine.post("/v1/chat/completions", body)).status == 400


async def test_echo_is_refused() -> None:
    async with testing.running() as engine:
        assert (await engine.complete("x", echo=True)).json()["error"]["param"] == "echo"


async def test_any_model() -> None:
    async with testing.running(any_model=True) as engine:
        assert (await engine.chat(model="whatever", max_tokens=1)).json()["model"] == "whatever"
        assert (await engine.post("/v1/completions", {"prompt": "x"})).status == 400


async def test_a_model_that_nobody_named() -> None:
    async with testing.running() as engine:
        made = await engine.post("/v1/completions", {"prompt": "x", "max_tokens": 1})
        assert made.json()["model"] == "tiny"


@pytest.mark.parametrize("fields", [{}, {"n": 3}])
async def test_who_leaves_is_not_computed_for(fields: dict[str, Any]) -> None:
    async with testing.running(params=SLOW) as engine:
        async with engine.connect() as (_, writer):
            writer.write(testing.stream_request(max_tokens=100, **fields))
            async with asyncio.timeout(5):
                while engine.server.driver.load < fields.get("n", 1):
                    await asyncio.sleep(0.001)
        await idle(engine)
        assert engine.server.driver.statistics.finished["abort"] == fields.get("n", 1)


@pytest.mark.slow
async def test_who_reads_slowly_gets_longer_events() -> None:
    async with testing.running(params=params.Params(max_model_len=200_000)) as engine:
        async with engine.connect() as (reader, writer):
            writer.write(testing.stream_request(max_tokens=150_000))
            await reader.readuntil(b"\r\n\r\n")
            await idle(engine)  # it is done long before anybody has read
            events, text = 0, 0
            while size := int(await reader.readuntil(b"\r\n"), 16):
                part = await reader.readexactly(size + 2)
                events += 1
                text += len(part.partition(b'"content":"')[2].partition(b'"')[0])
        assert text == 4 * 150_000
        assert events < 100_000


async def test_embeddings() -> None:
    async with testing.running() as engine:
        made = (await engine.post("/v1/embeddings", {"model": "tiny", "input": ["a", "b", "a"]})).json()
        vectors = [row["embedding"] for row in made["data"]]
        assert len(vectors[0]) == 1536
        assert vectors[0] == vectors[2] != vectors[1]
        assert sum(value * value for value in vectors[0]) == pytest.approx(1.0, abs=1e-3)
        assert made["usage"] == {"prompt_tokens": 6, "total_tokens": 6}
        assert engine.server.driver.statistics.prompt_tokens == 6


async def test_room_for_an_answer_that_has_not_begun() -> None:
    """A client reads again what was answered before: the answer that is still being prepared must not begin in its middle."""
    async with testing.running() as engine, engine.connect() as (reader, writer):
        delayed = testing.stream_request(max_tokens=2)
        writer.write(delayed.replace(b"host: sim", b"host: sim\r\nx-sim-fault: latency;seconds=0.05", 1))
        async with asyncio.timeout(5):
            while not (open_ := engine.server._connections.open) or next(iter(open_))._current is None:
                await asyncio.sleep(0.001)
        (connection,) = open_
        connection.pause_writing()
        connection.resume_writing()
        assert len((await testing.read(reader)).events()) == 4


@pytest.mark.parametrize("fault", ["", "latency;seconds=0.001"])
async def test_a_full_queue(fault: str) -> None:
    async with testing.running(params=params.Params(max_queued=1)) as engine:
        await engine.post("/sleep")
        async with engine.connect() as (_, writer):
            writer.write(testing.stream_request())
            async with asyncio.timeout(5):
                while not engine.server.driver.load:
                    await asyncio.sleep(0.001)
            refused = await engine.chat(fault=fault)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert engine.server.driver.load == 1


async def test_some_of_several_answers_find_no_room() -> None:
    async with testing.running(params=params.Params(max_queued=2)) as engine:
        await engine.post("/sleep")
        assert (await engine.chat(n=3)).status == 503
        assert engine.server.driver.load == 0
