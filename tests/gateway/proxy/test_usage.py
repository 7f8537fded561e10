"""What requests used reaches records and leases, from streams and whole answers, told or guessed; and nothing of it the client."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Iterable

import orjson
import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import testing
from brickyard.gateway.usage import contract
from brickyard.routing import contract as routing

TOLD = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17, "prompt_tokens_details": {"cached_tokens": 8}}
USED = contract.Usage(12, 5, 17, 8)
CHAT = {"model": testing.MODEL, "messages": [{"role": "user", "content": "hello"}]}
STREAM = CHAT | {"stream": True}


def event(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


WORDS = b"".join(event({"choices": [{"delta": {"content": word}}], "usage": None}) for word in ("a", "b", "c"))
USAGE = event({"choices": [], "usage": TOLD})
DONE = b"data: [DONE]\n\n"
EVENTS_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%b\r\n"


def streaming(*pieces: bytes) -> testing.Script:
    """Chunked events, each piece a chunk."""

    def script(_: testing.Received) -> Iterable[testing.Step]:
        yield EVENTS_HEAD % b"transfer-encoding: chunked\r\n"
        yield from (testing.chunk(piece) for piece in pieces)
        yield b"0\r\n\r\n"

    return script


def until_close(*pieces: bytes) -> testing.Script:
    """Events that end with the connection."""

    def script(_: testing.Received) -> Iterable[testing.Step]:
        yield EVENTS_HEAD % b"connection: close\r\n"
        yield from pieces
        yield testing.Close()

    return script


def outcome(house: House) -> contract.Usage | None:
    return house.director.records[-1][1].usage


@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_what_the_engine_tells_is_recorded(start: Start, body: dict[str, object]) -> None:
    whole = testing.reply(orjson.dumps({"choices": [], "usage": TOLD}))
    house = await start(streaming(WORDS, USAGE, DONE) if "stream" in body else lambda _: [whole])
    await house.ask(testing.post(body))
    assert outcome(house) == USED
    assert house.director.leases[0].usage == routing.Usage(12, 5, 8)


async def test_what_it_does_not_tell_is_guessed_for_texts_and_for_nothing_else(start: Start) -> None:
    house = await start()
    await house.ask(testing.post(CHAT))
    guessed = outcome(house)
    assert guessed is not None
    assert (guessed.estimated, guessed.completion) == (True, 3)
    assert house.director.leases[0].usage is None
    await house.ask(testing.post({"model": testing.MODEL, "prompt": "a"}, path="/tokenize"))
    assert outcome(house) is None


async def test_errors_use_nothing(start: Start) -> None:
    house = await start(lambda _: [testing.reply(orjson.dumps({"usage": TOLD}), "400 Bad Request")])
    await house.ask()
    assert outcome(house) is None


async def test_a_client_that_leaves_has_used_what_came_so_far(start: Start) -> None:
    held = testing.Hold(asyncio.Event())
    house = await start(lambda _: [EVENTS_HEAD % b"transfer-encoding: chunked\r\n", testing.chunk(WORDS), held])
    async with testing.connect(house.port) as client:
        client.send(testing.post(STREAM))
        await client.reader.readuntil(b'"c"')
        client.reset()
    await until(lambda: bool(house.director.records))
    held.event.set()
    used = outcome(house)
    assert used is not None
    assert (used.completion, used.estimated) == (3, True)


async def test_nothing_is_kept_where_nobody_wants_to_know(start: Start) -> None:
    house = await start(lambda _: [testing.reply(orjson.dumps({"usage": TOLD}))], usage=False)
    await house.ask()
    assert outcome(house) is None


# Asked for on behalf of a limit.


@pytest.mark.parametrize("script", [streaming, until_close])
async def test_the_engine_is_asked_and_the_client_sees_nothing_of_it(start: Start, script: object) -> None:
    gate = testing.FakeGate(metered=True)
    house = await start(script(WORDS[:-7], WORDS[-7:] + USAGE[:9], USAGE[9:] + DONE), gate=gate)  # type: ignore[operator]
    answer = await house.ask(testing.post(STREAM, "user: ann"))
    assert (answer.status, answer.body, answer.complete) == (200, WORDS + DONE, True)
    assert orjson.loads(house.engine.requests[0].body)["stream_options"] == {"include_usage": True}
    assert outcome(house) == USED
    assert gate.reservation.settled == [17]


async def test_an_http_1_0_client_gets_it_stripped_and_plain(start: Start) -> None:
    house = await start(streaming(WORDS, USAGE + DONE), gate=testing.FakeGate(metered=True))
    answer = await house.ask(testing.post(STREAM, "user: ann").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.body == WORDS + DONE
    assert "transfer-encoding" not in answer.headers


async def test_who_asks_gets_what_was_asked_for(start: Start) -> None:
    house = await start(streaming(WORDS, USAGE, DONE), gate=testing.FakeGate(metered=True))
    body = STREAM | {"stream_options": {"include_usage": True}}
    assert (await house.ask(testing.post(body, "user: ann"))).body == WORDS + USAGE + DONE
    assert outcome(house) == USED


async def test_an_answer_that_is_no_stream_passes_whole_although_it_was_asked(start: Start) -> None:
    whole = orjson.dumps({"choices": [], "usage": TOLD})
    plain, pieces = testing.reply(whole), [testing.chunk(whole[:10]), testing.chunk(whole[10:]), b"0\r\n\r\n"]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    scripts: list[Iterable[testing.Step]] = [[plain], [head, *pieces]]
    house = await start(lambda _: scripts.pop(0), gate=testing.FakeGate(metered=True))
    for _ in range(2):
        answer = await house.ask(testing.post(STREAM, "user: ann"))
        assert (answer.body, answer.complete) == (whole, True)
        assert outcome(house) == USED


async def test_a_stripped_stream_that_breaks_says_so(start: Start) -> None:
    def script(_: testing.Received) -> Iterable[testing.Step]:
        yield EVENTS_HEAD % b"transfer-encoding: chunked\r\n"
        yield testing.chunk(WORDS)
        yield testing.Reset()

    house = await start(script, gate=testing.FakeGate(metered=True))
    answer = await house.ask(testing.post(STREAM, "user: ann"))
    assert answer.body.startswith(WORDS)
    assert b'"error"' in answer.body[len(WORDS) :]
    assert answer.complete


async def test_nobody_is_asked_without_a_limit(start: Start) -> None:
    house = await start(streaming(WORDS, DONE), gate=testing.FakeGate(metered=False))
    await house.ask(testing.post(STREAM, "user: ann"))
    assert "stream_options" not in orjson.loads(house.engine.requests[0].body)


async def test_the_access_log_tells_tokens_and_user(start: Start, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "access.log"
    house = await start(streaming(WORDS, USAGE, DONE), gate=testing.FakeGate(metered=True), access_log=str(path))
    await house.ask(testing.post(STREAM, "user: ann"))
    await until(path.exists)
    await until(lambda: bool(path.read_text()))
    line = orjson.loads(path.read_text().splitlines()[-1])
    assert (line["user"], line["prompt_tokens"], line["completion_tokens"], line["cached_tokens"]) == ("ann", 12, 5, 8)
    assert line["tokens_estimated"] is False
