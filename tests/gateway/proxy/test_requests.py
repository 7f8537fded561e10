"""The happy paths, and what the client and the endpoint see of each other."""

from __future__ import annotations

import asyncio
import dataclasses
import re

import orjson
import pytest
from tests.gateway.proxy.conftest import Start, until

from brickyard.gateway import testing
from brickyard.gateway.proxy import client as proxy_client
from brickyard.routing import contract as routing


async def test_a_request_reaches_the_endpoint_and_its_answer_the_client(start: Start) -> None:
    house = await start()
    answer = await house.ask()
    assert (answer.status, answer.body) == (200, b'{"ok":true}')
    request = house.engine.requests[0]
    assert request.head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert orjson.loads(request.body)["model"] == testing.MODEL
    assert request.headers["host"] == f"127.0.0.1:{house.engine.port}"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "tiny", "messages": [{"role": "user", "content": "a"}]}),
        ("/v1/completions", {"model": "tiny", "prompt": "a"}),
        ("/v1/embeddings", {"model": "tiny", "input": "a"}),
    ],
)
async def test_every_dialect_is_served_and_the_query_string_travels(
    start: Start, path: str, body: dict[str, object]
) -> None:
    house = await start()
    assert (await house.ask(testing.post(body, path=f"{path}?a=1&b"))).status == 200
    assert house.engine.requests[0].head.startswith(f"POST {path}?a=1&b HTTP/1.1\r\n".encode())
    assert house.director.records[0][0].request.path == path


async def test_the_answer_names_the_profile_that_the_request_got(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await start()
    assert "x-aibrix-config-profile" not in (await house.ask()).headers
    choose = house.director.choose

    def by_profile(request: routing.Request) -> routing.Decision:
        made = choose(request)
        assert isinstance(made, routing.Decision)
        return dataclasses.replace(made, config_profile="long")

    monkeypatch.setattr(house.director, "choose", by_profile)
    assert (await house.ask()).headers["x-aibrix-config-profile"] == "long"


async def test_the_body_travels_byte_for_byte(start: Start) -> None:
    house = await start()
    body = b'{ "model" :"tiny",\n"messages":[{"role":"user","content":"\\u00e9\xc3\xa9"}] , "x": 1e3}'
    await house.ask(testing.post(body))
    assert house.engine.requests[0].body == body


async def test_a_chunked_upload_arrives_with_a_length(start: Start) -> None:
    house = await start()
    body = orjson.dumps({"model": "tiny", "messages": [{"role": "user", "content": "x" * 3000}]})
    pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
    answer = await house.ask(head + b"".join(map(testing.chunk, pieces)) + b"0\r\nx-trailer: 1\r\n\r\n")
    assert answer.status == 200
    request = house.engine.requests[0]
    assert request.body == body
    assert "transfer-encoding" not in request.headers
    assert "x-trailer" not in request.headers


async def test_a_large_prompt_arrives_whole(start: Start) -> None:
    house = await start()
    body = {"model": "tiny", "messages": [{"role": "user", "content": "lorem " * 200_000}]}
    assert (await house.ask(testing.post(body))).status == 200
    assert orjson.loads(house.engine.requests[0].body) == body


async def test_headers_pass_and_those_of_the_hop_do_not(start: Start) -> None:
    house = await start()
    sent = (
        "authorization: Bearer secret\r\nx-mine: 1\r\nconnection: keep-alive, x-private\r\nx-private: 2\r\nkeep-alive: timeout=5\r\n"
        "proxy-authorization: x\r\nte: trailers\r\ntarget-pod: elsewhere\r\ntraceparent: 00-"
        + "a" * 32
        + "-"
        + "b" * 16
        + "-01"
    )
    await house.ask(testing.post(headers=sent))
    seen = house.engine.requests[0].headers
    assert seen["authorization"] == "Bearer secret"
    assert seen["x-mine"] == "1"
    assert seen["traceparent"].startswith("00-aaaa")
    assert not {"connection", "x-private", "keep-alive", "proxy-authorization", "te", "target-pod"} & set(seen)


async def test_the_response_says_who_answered(start: Start) -> None:
    house = await start(
        lambda _request: [testing.reply(headers="server: engine\r\nkeep-alive: timeout=5\r\nx-request-id: theirs")]
    )
    answer = await house.ask(testing.post(headers="x-request-id: mine-1"))
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == "mine-1"
    assert answer.headers["target-pod"] == "a"
    assert answer.headers["target-pod-ip"] == f"127.0.0.1:{house.engine.port}"
    assert answer.headers["routing-strategy"] == "fake"
    assert answer.headers["server"] == "engine"
    assert not {"keep-alive", "connection", "x-brickyard-explain"} & set(answer.headers)


async def test_the_explanation_comes_on_request(start: Start) -> None:
    house = await start()
    answer = await house.ask(testing.post(headers="x-brickyard-explain: 1"))
    assert answer.headers["x-brickyard-explain"] == "a chosen by fake: the only endpoint of tiny"


@pytest.mark.parametrize(
    ("headers", "pattern"),
    [
        ("x-request-id: abc-1.2", "abc-1\\.2"),
        ("x-request-id: no blanks please", "[0-9a-f]{32}"),
        (f"x-request-id: {'a' * 129}", "[0-9a-f]{32}"),
        (f"traceparent: 00-{'a' * 32}-{'b' * 16}-01", "a{32}"),
        (f"traceparent: 00-{'0' * 32}-{'b' * 16}-01", "(?!0{32})[0-9a-f]{32}"),
        (f"traceparent: 00-{'a' * 32}-{'b' * 16}-01\r\nx-request-id: first", "first"),
        ("", "[0-9a-f]{32}"),
    ],
)
async def test_the_request_id_is_the_clients_or_its_traces_or_new(start: Start, headers: str, pattern: str) -> None:
    house = await start()
    answer = await house.ask(testing.post(headers=headers))
    assert re.fullmatch(pattern, answer.headers["x-request-id"])
    assert house.engine.requests[0].headers["x-request-id"] == answer.headers["x-request-id"]
    assert house.director.records[0][0].request.id == answer.headers["x-request-id"]


async def test_routing_is_told_what_the_headers_and_the_body_say(start: Start) -> None:
    house = await start()
    await house.ask(testing.post(headers="user: ann\r\nrouting-strategy: fake\r\nexternal-filter: zone=a"))
    request = house.director.records[0][0].request
    assert (request.model, request.user, request.strategy, request.label_filter) == ("tiny", "ann", "fake", "zone=a")
    body = {"model": "tiny", "messages": [{"role": "user", "content": "a"}], "user": "body"}
    await house.ask(testing.post(body))
    assert house.director.records[1][0].request.user == "body"


async def test_one_connection_serves_many_requests_and_so_does_one_to_the_endpoint(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        for _ in range(5):
            client.send(testing.post())
            assert (await client.read()).status == 200
    assert house.engine.connections == 1
    assert house.plane.metrics.reused == 4
    assert len(house.director.leases) == 5


async def test_pipelined_requests_are_answered_in_order(start: Start) -> None:
    house = await start(lambda request: [testing.reply(request.headers["x-n"].encode())])
    async with testing.connect(house.port) as client:
        client.send(b"".join(testing.post(headers=f"x-n: {n}") for n in range(100)) + testing.get("/healthz"))
        assert [(await client.read()).body for _ in range(100)] == [str(n).encode() for n in range(100)]
        assert (await client.read()).body == b"ok\n"


async def test_pipelining_is_bounded(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate), testing.reply()], max_pipelined=4)
    async with testing.connect(house.port) as client:
        client.send(b"".join(testing.get("/v1/models") + testing.post() for _ in range(20_000)))
        await until(lambda: len(house.engine.requests) == 1)
        connection = next(iter(house.plane.clients))
        assert isinstance(connection, proxy_client.ClientConnection)
        # One read of the loop is parsed in slices: what waits as requests is a slice's worth at most, the rest stays bytes.
        assert len(connection._queue) < 400
        gate.set()
        for _ in range(2000):
            assert (await client.read()).status == 200
            assert len(connection._queue) < 400


async def test_a_client_that_says_close_is_closed(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post(headers="connection: close") + testing.post())
        answer = await client.read()
        assert answer.headers["connection"] == "close"
        assert await client.at_end()
    assert len(house.engine.requests) == 1


async def test_http_1_0_gets_a_plain_body_and_a_close(start: Start) -> None:
    house = await start(
        lambda _request: [
            testing.EVENTS,
            testing.chunk(b"data: 1\n\n"),
            testing.chunk(b"data: 2\n\n") + testing.LAST_CHUNK,
        ]
    )
    async with testing.connect(house.port) as client:
        client.send(testing.post().replace(b"HTTP/1.1", b"HTTP/1.0", 1).replace(b"host: gateway\r\n", b""))
        answer = await client.read()
        assert answer.headers["connection"] == "close"
        assert "transfer-encoding" not in answer.headers
        assert answer.body == b"data: 1\n\ndata: 2\n\n"


async def test_expect_continue_is_answered_before_the_body_and_only_then(start: Start) -> None:
    house = await start()
    whole = testing.post(headers="expect: 100-continue")
    head, body = whole.split(b"\r\n\r\n", 1)
    async with testing.connect(house.port) as client:
        client.send(head + b"\r\n\r\n")
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert (await client.read()).status == 200
        client.send(whole)
        assert (await client.reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
    assert "expect" not in house.engine.requests[0].headers


async def test_expect_continue_waits_its_turn_behind_an_answer(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda request: [testing.Hold(gate), testing.reply(request.headers["x-n"].encode())])
    head, body = testing.post(headers="x-n: 2\r\nexpect: 100-continue").split(b"\r\n\r\n", 1)
    async with testing.connect(house.port) as client:
        client.send(testing.post(headers="x-n: 1") + head + b"\r\n\r\n")
        await until(lambda: len(house.engine.requests) == 1)
        gate.set()
        assert (await client.read()).body == b"1"
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert (await client.read()).body == b"2"


async def test_expect_continue_is_spared_a_body_that_nobody_wants(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post(path="/nowhere", headers="expect: 100-continue").split(b"\r\n\r\n")[0] + b"\r\n\r\n")
        assert (await client.read()).status == 404
        assert await client.at_end()


async def test_an_offer_to_upgrade_is_declined_and_the_body_kept(start: Start) -> None:
    """Java's and curl's HTTP clients offer h2c with their first request, body included."""
    house = await start()
    offer = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA"
    chunked = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n{offer}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        + testing.chunk(testing.post().split(b"\r\n\r\n")[1])
        + testing.LAST_CHUNK
    )
    async with testing.connect(house.port) as client:
        client.send(testing.get("/healthz", offer) + testing.post(headers=offer) + chunked + testing.post())
        assert [(await client.read()).status for _ in range(4)] == [200, 200, 200, 200]
    assert len({request.body for request in house.engine.requests}) == 1
    assert not {"upgrade", "http2-settings", "connection"} & set(house.engine.requests[0].headers)


async def test_a_client_that_closes_its_sending_side_still_gets_its_answer(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate), testing.reply()])
    async with testing.connect(house.port) as client:
        client.send(testing.post() + testing.post())
        client.writer.write_eof()
        await until(lambda: len(house.engine.requests) == 1)
        await asyncio.sleep(0.15)  # long enough for the look at whether it is still there
        gate.set()
        assert (await client.read()).status == 200
        answer = await client.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.at_end()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_statuses_without_body_end_at_their_head(start: Start, status: str) -> None:
    house = await start(lambda _request: [f"HTTP/1.1 {status}\r\ncontent-length: 5\r\nx-a: b\r\n\r\n".encode()])
    async with testing.connect(house.port) as client:
        for _ in range(2):
            client.send(testing.post())
            answer = await client.read()
            assert (answer.status, answer.headers["x-a"]) == (int(status[:3]), "b")
    assert house.engine.connections == 1


async def test_interim_responses_are_not_passed_on(start: Start) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    house = await start(lambda _request: [interim, interim + testing.reply()])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        assert (await client.reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
        assert b"link" not in await client.reader.readuntil(b"\r\n\r\n")


async def test_an_endpoint_that_closes_after_each_response_is_dialled_anew(start: Start) -> None:
    house = await start(lambda _request: [testing.reply(headers="connection: close"), testing.Close()])
    async with testing.connect(house.port) as client:
        for _ in range(3):
            client.send(testing.post())
            answer = await client.read()
            assert answer.status == 200
            assert "connection" not in answer.headers
    assert house.engine.connections == 3


async def test_a_body_until_the_end_of_the_connection_is_passed_on_as_one(start: Start) -> None:
    house = await start(
        lambda _request: [b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nsome", b" text", testing.Close()]
    )
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        answer = await client.read()
        assert (answer.body, answer.complete, answer.headers["connection"]) == (b"some text", True, "close")


async def test_an_http_1_0_endpoint_is_understood(start: Start) -> None:
    house = await start(lambda _request: [b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", testing.Close()])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        assert (await client.reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"


async def test_a_stream_is_passed_on_as_it_comes(start: Start) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    steps = [step for n, gate in enumerate(gates) for step in (testing.Hold(gate), testing.chunk(b"data: %d\n\n" % n))]
    house = await start(lambda _request: [testing.EVENTS, *steps, testing.LAST_CHUNK])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head
        for n, gate in enumerate(gates):
            gate.set()
            expected = testing.chunk(b"data: %d\n\n" % n)
            assert await client.reader.readexactly(len(expected)) == expected
        assert await client.reader.readexactly(5) == testing.LAST_CHUNK
        client.send(testing.get("/healthz"))
        assert (await client.read()).status == 200
    decision, outcome = house.director.records[0]
    assert (outcome.status, outcome.attempts, outcome.error) == (200, 1, "")
    assert outcome.first_byte is not None
    assert 0 < outcome.first_byte <= outcome.duration
    assert decision.request.model == "tiny"


async def test_error_answers_of_the_engine_pass_as_they_are(start: Start) -> None:
    house = await start(lambda _request: [testing.reply(b'{"error":{"message":"too long"}}', "400 Bad Request")])
    answer = await house.ask()
    assert (answer.status, answer.body) == (400, b'{"error":{"message":"too long"}}')
    assert house.director.failures == []
    assert house.director.records[0][1].status == 400
