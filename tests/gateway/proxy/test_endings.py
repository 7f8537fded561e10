"""How streams that break end, as bytes and as the clients of each API hear of it."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import openai
import orjson
import pytest
from tests.gateway.proxy.conftest import House, Start

from brickyard.gateway import errors, testing
from brickyard.gateway.proxy import endings

HELLO: Any = [{"role": "user", "content": "hello"}]
BROKEN = errors.BrokenConnectionError("the endpoint is gone")


def told(event: bytes) -> tuple[str, dict[str, Any]]:
    """The event's name, "" for none, and its data."""
    assert event.startswith(b"\n\n")
    assert event.endswith(b"\n\n")
    lines = event.decode().strip().split("\n")
    name = lines[0].removeprefix("event: ") if len(lines) == 2 else ""
    data: dict[str, Any] = orjson.loads(lines[-1].removeprefix("data: "))
    return name, data


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (BROKEN, "api_error", "upstream_closed"),
        (errors.DeadlineError("too slow"), "api_error", "upstream_timeout"),
        (errors.StoppingError("bye"), "overloaded_error", "gateway_stopping"),
    ],
)
@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/completions", b"/v1/images/generations", b""])
def test_openai_s_object(error: errors.UpstreamError, kind: str, code: str, path: bytes) -> None:
    name, data = told(endings.event(error, path))
    assert (name, data) == ("", {"error": {"message": str(error), "type": kind, "code": code, "param": None}})


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (b"", 0),
        (b"data: [DONE]", 0),
        (b'data: {"sequence_number":3}\n\ndata: {"sequence_number": 41, "delta":"a"}\n\n', 42),
        (b'"sequence_number":999999999999999999999999', 0),
    ],
)
def test_responses_events_are_numbered(said: bytes, number: int) -> None:
    name, data = told(endings.event(BROKEN, b"/v1/responses", said))
    assert (name, data["type"], data["sequence_number"]) == ("error", "error", number)
    assert (data["code"], data["message"], data["param"]) == ("upstream_closed", str(BROKEN), None)
    assert data["error"] == {"message": str(BROKEN), "type": "api_error", "code": "upstream_closed", "param": None}


def test_anthropic_s_object() -> None:
    name, data = told(endings.event(BROKEN, b"/v1/messages"))
    assert (name, data["type"], data["error"]["type"]) == ("error", "error", "api_error")


# As libraries hear of it.


def breaks_after(*events: tuple[str, dict[str, Any]]) -> testing.Script:
    pieces = [f"event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n" for name, data in events if name]
    pieces += [b"data: " + orjson.dumps(data) + b"\n\n" for name, data in events if not name]
    return lambda _: [testing.EVENTS, *map(testing.chunk, pieces), testing.Reset()]


def client(house: House) -> openai.AsyncOpenAI:
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{house.port}/v1", api_key="unused", max_retries=0, http_client=http
    )


CHUNK = {
    "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "tiny",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "he"}, "finish_reason": None}],
}  # fmt: skip
DELTA = {
    "type": "response.output_text.delta", "sequence_number": 7, "delta": "he",
    "item_id": "1", "output_index": 0, "content_index": 0, "logprobs": [],
}  # fmt: skip
STARTED = {
    "type": "message_start",
    "message": {"id": "1", "type": "message", "role": "assistant", "model": "tiny", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}},
}  # fmt: skip


async def test_the_openai_library_raises_in_a_chat(start: Start) -> None:
    house = await start(breaks_after(("", CHUNK)))
    async with client(house) as ai:
        stream = await ai.chat.completions.create(model=testing.MODEL, messages=HELLO, stream=True)
        first = await anext(stream)
        assert first.choices[0].delta.content == "he"
        with pytest.raises(openai.APIError, match="before the end of its response") as caught:
            await anext(stream)
    assert caught.value.code == "upstream_closed"


async def test_the_openai_library_raises_in_a_response(start: Start) -> None:
    house = await start(breaks_after(("response.output_text.delta", DELTA)))
    async with client(house) as ai:
        stream = await ai.responses.create(model=testing.MODEL, input="hello", stream=True)
        assert (await anext(stream)).type == "response.output_text.delta"
        with pytest.raises(openai.APIError, match="before the end of its response") as caught:
            await anext(stream)
    assert caught.value.code == "upstream_closed"


async def test_the_number_follows_the_engine_s_last_one(start: Start) -> None:
    house = await start(breaks_after(("response.output_text.delta", DELTA)))
    asked = {"model": testing.MODEL, "input": "hello", "stream": True}
    answer = await house.ask(testing.post(asked, path="/v1/responses"))
    name, data = told(b"\n\n" + answer.body.rpartition(b"\n\n\n\n")[2])
    assert (name, data["sequence_number"]) == ("error", 8)


async def test_the_anthropic_library_raises(start: Start) -> None:
    house = await start(breaks_after(("message_start", STARTED)))
    http = httpx2.AsyncClient(trust_env=False)
    url = f"http://127.0.0.1:{house.port}"
    async with anthropic.AsyncAnthropic(base_url=url, api_key="unused", max_retries=0, http_client=http) as claude:
        stream = await claude.messages.create(model=testing.MODEL, max_tokens=5, messages=HELLO, stream=True)
        assert (await anext(stream)).type == "message_start"
        with pytest.raises(anthropic.APIStatusError, match="before the end of its response"):
            await anext(stream)
