"""What is written down of a request's course, and where it is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import orjson
import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import contract, testing
from brickyard.gateway.queueing import settings as queueing

CHAT = {"model": testing.MODEL, "messages": [{"role": "user", "content": "hello"}]}
STREAM = CHAT | {"stream": True}
TOLD = {"prompt_tokens": 300, "completion_tokens": 5, "total_tokens": 305}
USAGE = b"data: " + orjson.dumps({"choices": [], "usage": TOLD}) + b"\n\n"


def stream(*holds: asyncio.Event) -> testing.Script:
    """A head, then for each of ``holds`` an event once it is set, then what was used."""

    def script(_: testing.Received) -> Iterable[testing.Step]:
        yield testing.EVENTS
        for event in holds:
            yield testing.Hold(event)
            yield testing.chunk(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
        yield testing.chunk(USAGE)
        yield testing.LAST_CHUNK

    return script


def course(house: House) -> contract.Course:
    found = house.director.records[-1][1].course
    assert found is not None
    return found


async def test_the_first_token_is_the_body_and_not_the_head(start: Start) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    house = await start(stream(first, second))
    async with testing.connect(house.port) as client:
        client.send(testing.post(STREAM))
        await client.reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.03)
        first.set()
        await client.reader.readuntil(b'"a"')
        await asyncio.sleep(0.03)
        second.set()
        await until(lambda: bool(house.director.records))
    outcome = house.director.records[-1][1]
    assert outcome.first_byte is not None
    token = course(house).first_token
    assert token is not None
    assert outcome.first_byte + 0.02 < token < outcome.duration - 0.02
    model = 'model="tiny"'
    assert await house.metric(f"gateway_time_to_first_token_seconds_count{{{model}}}") == 1
    assert await house.metric(f"gateway_time_to_first_token_seconds_sum{{{model}}}") == pytest.approx(token)
    gap = await house.metric(f"gateway_inter_token_seconds_sum{{{model}}}")
    assert gap == pytest.approx((outcome.duration - token) / 4)


async def test_a_whole_answer_has_no_first_token(start: Start) -> None:
    house = await start()
    await house.ask()
    assert course(house).first_token is None
    assert await house.metric('gateway_time_to_first_token_seconds_count{model="tiny"}') == 0


async def test_a_stream_whose_usage_is_not_read_has_no_first_token(start: Start) -> None:
    house = await start(stream(), usage=False)
    await house.ask(testing.post(STREAM))
    assert course(house).first_token is None


async def test_only_a_fresh_connection_takes_time(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        for _ in range(2):
            client.send(testing.post())
            await client.read()
    fresh, kept = (outcome.course for _, outcome in house.director.records)
    assert fresh is not None
    assert kept is not None
    assert fresh.connect is not None
    assert 0 < fresh.connect < 1
    assert kept.connect is None
    assert await house.metric("gateway_upstream_connect_seconds_count") == 1


async def test_admission_and_its_limits(start: Start) -> None:
    house = await start(gate=testing.FakeGate(headers=b"x-ratelimit-limit-requests: 60\r\n"))
    await house.ask(testing.post(headers="user: ann"))
    assert course(house).admission is not None
    assert course(house).limits == b"x-ratelimit-limit-requests: 60\r\n"
    await house.ask()
    assert course(house) == contract.Course(connect=course(house).connect)


async def test_a_pods_requests_and_tokens(start: Start) -> None:
    house = await start(stream(), pod="gw-0")
    await house.ask(testing.post(STREAM))
    page = (await house.ask(testing.get("/metrics"))).body.decode().splitlines()
    who = 'engine_type="sim",gateway_pod="gw-0",model="tiny",namespace="default",pod="a"'
    rest = 'role="",role_replica_index="",roleset=""'
    assert f"gateway_input_tokens_total{{{who},{rest}}} 300.0" in page
    assert f"gateway_output_tokens_total{{{who},{rest}}} 5.0" in page
    assert 'gateway_request_total{gateway_pod="gw-0",model="tiny",pod_name=""} 1.0' in page
    assert 'gateway_in_flight_requests{gateway_pod="gw-0"} 0.0' in page


async def test_how_each_request_ended_is_counted_once_and_in_one_place(start: Start) -> None:
    broken: list[testing.Step] = [testing.EVENTS, testing.chunk(b"data: {}\n\n"), testing.Reset()]
    scripts: list[list[testing.Step]] = [
        [testing.reply()],
        [testing.reply(status="400 Bad Request")],
        broken,
        [testing.Reset()],
    ]
    house = await start(lambda _request: scripts.pop(0), max_attempts=1)
    for _ in range(4):
        await house.ask(testing.post(STREAM))
    await house.ask(testing.post(CHAT | {"model": "nobody"}))
    page = (await house.ask(testing.get("/metrics"))).body.decode().splitlines()
    told = sorted(line for line in page if line.startswith("gateway_request_model_") and "_created" not in line)

    def line(outcome: str, model: str, pod: str, word: str, code: int) -> str:
        labels = f'gateway_pod="",model="{model}",pod_name="{pod}",status="{word}",status_code="{code}"'
        return f"gateway_request_model_{outcome}_total{{{labels}}} 1.0"

    assert told == sorted(
        (
            line("success", "tiny", "a", "gateway_rsp_body_success", 200),
            line("fail", "tiny", "a", "gateway_rsp_headers_fail", 400),
            line("fail", "tiny", "a", "gateway_rsp_body_fail", 200),
            line("fail", "tiny", "a", "gateway_rsp_headers_fail", 502),
            line("fail", "unknown", "", "gateway_req_body_fail", 404),
        )
    )


async def test_the_page_has_the_process_and_no_family_twice(start: Start) -> None:
    house = await start(queue=queueing.QueueSettings())
    await house.ask()
    page = (await house.ask(testing.get("/metrics"))).body.decode()
    heads = [line.split()[2] for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(heads) == len(set(heads))
    assert "process_resident_memory_bytes" in heads
