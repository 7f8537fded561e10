"""Clients of Anthropic's API hear of errors in its shape, whoever makes them."""

from __future__ import annotations

import orjson
import pytest
from tests.gateway.proxy.conftest import Start

from brickyard.api.anthropic import errors as anthropic
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors, testing

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
ASKED = {"model": testing.MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]}


def shape(answer: testing.Response) -> tuple[int, str]:
    told = orjson.loads(answer.body)
    assert told.keys() == {"type", "error"}
    assert told["type"] == "error"
    assert told["error"].keys() == {"type", "message"}
    assert told["error"]["message"]
    return answer.status, told["error"]["type"]


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
async def test_what_the_gateway_refuses(start: Start, path: str) -> None:
    house = await start()
    asked = testing.post({**ASKED, "model": "other"}, path=path)
    assert shape(await house.ask(asked)) == (404, "not_found_error")
    assert shape(await house.ask(testing.post(b"{", path=path))) == (400, "invalid_request_error")
    house.director.unready[testing.MODEL] = "nobody is there"
    del house.director.endpoints[testing.MODEL]
    assert shape(await house.ask(testing.post(ASKED, path=path))) == (503, "overloaded_error")


async def test_the_wrong_method_and_too_long_a_body(start: Start) -> None:
    house = await start(max_body_bytes=100)
    assert shape(await house.ask(testing.get(MESSAGES))) == (405, "invalid_request_error")
    body = b"40\r\n" + b"x" * 64 + b"\r\n"
    head = b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    assert shape(await house.ask(head + body + body)) == (413, "request_too_large")


async def test_what_the_gate_refuses(start: Start) -> None:
    gate = testing.FakeGate()
    gate.refusal = errors.RefusedError(openai.ApiError(401, "who are you?"))
    house = await start(gate=gate)
    asked = testing.post(ASKED, headers="user: ann", path=MESSAGES)
    assert shape(await house.ask(asked)) == (401, "authentication_error")


async def test_an_endpoint_that_breaks(start: Start) -> None:
    house = await start(lambda _: [testing.Close()])
    assert shape(await house.ask(testing.post(ASKED, path=MESSAGES))) == (502, "api_error")


async def test_a_stream_that_breaks_ends_with_an_event_of_its_kind(start: Start) -> None:
    house = await start(lambda _: [testing.EVENTS, testing.chunk(b"event: ping\ndata: {}\n\n"), testing.Close()])
    answer = await house.ask(testing.post({**ASKED, "stream": True}, path=MESSAGES))
    kind, data = answer.body.decode().strip().split("\n\n")[-1].strip().split("\n")
    assert kind == "event: error"
    told = orjson.loads(data.removeprefix("data: "))
    assert (told["type"], told["error"]["type"]) == ("error", "api_error")


async def test_what_an_engine_says_passes_as_it_is(start: Start) -> None:
    house = await start(lambda _: [testing.reply(b'{"input_tokens":7}')])
    answer = await house.ask(testing.post(ASKED, path=COUNT))
    assert (answer.status, answer.body) == (200, b'{"input_tokens":7}')
    assert house.engine.requests[0].head.startswith(b"POST /v1/messages/count_tokens HTTP/1.1\r\n")


async def test_a_count_is_no_stream(start: Start) -> None:
    house = await start()
    answer = await house.ask(testing.post({**ASKED, "stream": True}, path=COUNT))
    assert shape(answer) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (418, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
    ],
)
def test_types_follow_from_statuses(status: int, kind: str) -> None:
    assert orjson.loads(anthropic.body(status, "m")) == {"type": "error", "error": {"type": kind, "message": "m"}}
