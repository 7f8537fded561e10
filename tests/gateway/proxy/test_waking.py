"""Requests for a model that sleeps, on real sockets: held, let go when it is awake, and never kept for nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import orjson
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.api.kinds import resources
from brickyard.gateway import testing
from brickyard.gateway.endpoints import testing as endpoint_testing
from brickyard.gateway.waking import settings, waking
from brickyard.gateway.waking import testing as waking_testing

MODEL = "sleepy"


def hub(**knobs: float) -> waking.Waking:
    """One that knows ``MODEL``, and wakes it."""
    made = waking.Waking(settings.WakingSettings(**knobs))  # type: ignore[arg-type]  # numbers of either kind
    made.book.target_changed(resources.DEPLOYMENT, None, waking_testing.deployment(model=MODEL))
    made.book.autoscaler_changed(None, waking_testing.autoscaler())
    return made


def sleeping(house: House) -> None:
    house.director.unready[MODEL] = "asleep"


def wake(house: House, alarm: waking.Waking) -> None:
    """The model's first endpoint is ready, and the watch says so."""
    house.director.endpoints[MODEL] = [testing.endpoint(house.engine.port, "z", MODEL)]
    alarm.pod_changed(None, endpoint_testing.FakePod(model=MODEL).object())


def asking(path: str = "/v1/chat/completions", headers: str = "", words: str = "hello") -> bytes:
    body = {"model": MODEL, "messages": [{"role": "user", "content": words}], "max_tokens": 5}
    return testing.post(body, headers=headers, path=path)


def holding(house: House, count: int) -> bool:
    return [held for _, held, _ in house.plane.queue.asleep()] == ([count] if count else [])


@contextlib.asynccontextmanager
async def held(house: House, question: bytes = b"") -> AsyncIterator[testing.RawClient]:
    """A client whose request waits for the model."""
    async with testing.connect(house.port) as client:
        client.send(question or asking())
        await until(lambda: holding(house, 1))
        yield client


async def test_held_until_the_first_endpoint_is_ready(start: Start) -> None:
    alarm = hub()
    house = await start(waking=alarm)
    sleeping(house)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(testing.connect(house.port)) for _ in range(3)]
        for each in clients:
            each.send(asking())
        await until(lambda: holding(house, 3))
        assert alarm.called.is_set(), "somebody is to be told"
        assert await house.metric('gateway_waking_held{model="sleepy"}') == 0.0, "its collector is not on this page"
        wake(house, alarm)
        answers = [await each.read() for each in clients]
    assert [each.status for each in answers] == [200, 200, 200]
    assert len(house.engine.requests) == 3
    courses = [outcome.course for _, outcome in house.director.records]
    assert len(courses) == 3
    assert all(each and each.waking and each.queue and 0 <= each.queue - each.waking < 0.1 for each in courses)


async def test_a_pod_that_is_not_ready_lets_nobody_go(start: Start) -> None:
    alarm = hub()
    house = await start(waking=alarm)
    sleeping(house)
    async with held(house) as client:
        alarm.pod_changed(None, endpoint_testing.FakePod(model=MODEL, ready=False).object())
        alarm.pod_changed(None, endpoint_testing.FakePod(model="other").object())
        alarm.pod_changed(endpoint_testing.FakePod(model=MODEL).object(), None)
        await asyncio.sleep(0)
        assert holding(house, 1)
        wake(house, alarm)
        assert (await client.read()).status == 200


async def test_held_in_vain(start: Start) -> None:
    alarm = hub(timeout=0.05)
    house = await start(waking=alarm, head_timeout=0.1)
    sleeping(house)
    alarm.pods = lambda _model: "default/demo-1 not ready (ImagePullBackOff)"
    answer = await house.ask(asking())
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    error = answer.error()
    assert (error["code"], error["type"]) == ("model_not_ready", "overloaded_error")
    message = str(error["message"])
    assert "was asked to wake up and had no endpoint that is ready within 0.05 s" in message
    assert "ImagePullBackOff" in message
    assert "PodAutoscaler default/demo has said nothing: is its controller running?" in message


async def test_clients_of_anthropic_s_api_hear_it_in_its_shape(start: Start) -> None:
    house = await start(waking=hub(timeout=0.05), head_timeout=0.1)
    sleeping(house)
    answer = await house.ask(asking("/v1/messages"))
    assert answer.status == 503
    assert orjson.loads(answer.body)["type"] == "error"


async def test_one_too_many(start: Start) -> None:
    alarm = hub(length=1)
    house = await start(waking=alarm)
    sleeping(house)
    async with held(house) as client:
        refused = await house.ask(asking())
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        assert "as many requests as may wait for it already" in str(refused.error()["message"])
        wake(house, alarm)
        assert (await client.read()).status == 200


async def test_bodies_that_are_held_are_bounded(start: Start) -> None:
    alarm = hub(max_bytes=1000)
    house = await start(waking=alarm)
    sleeping(house)
    assert (await house.ask(asking(words="x" * 2000))).status == 503
    async with held(house) as client:
        assert 0 < alarm.metrics.bytes() < 1000
        wake(house, alarm)
        assert (await client.read()).status == 200
    assert alarm.metrics.bytes() == 0


async def test_a_client_that_leaves_takes_its_ticket_along(start: Start) -> None:
    alarm = hub()
    house = await start(waking=alarm)
    sleeping(house)
    async with held(house) as client:
        client.reset()
    await until(lambda: holding(house, 0))
    assert alarm.metrics.bytes() == 0
    assert {end.value: count for end, count in alarm.metrics.ends.items() if count} == {"gone": 1}


async def test_limits_are_charged_once_and_given_back_when_it_was_in_vain(start: Start) -> None:
    gate, alarm = testing.FakeGate(), hub()
    house = await start(gate=gate, waking=alarm)
    sleeping(house)
    async with held(house, asking(headers="user: ann")) as client:
        wake(house, alarm)
        assert (await client.read()).status == 200
    assert len(gate.asked) == 1
    assert (len(gate.reservation.settled), gate.reservation.cancels) == (1, 0)

    impatient = await start(gate=gate, waking=hub(timeout=0.05), head_timeout=0.1)
    sleeping(impatient)
    assert (await impatient.ask(asking(headers="user: ann"))).status == 503
    assert (len(gate.reservation.settled), gate.reservation.cancels) == (1, 1)


async def test_a_gateway_that_stops_says_so_to_who_waits(start: Start) -> None:
    alarm = hub()
    house = await start(waking=alarm)
    sleeping(house)
    async with held(house) as client:
        await house.running.__aexit__(None, None, None)
        answer = await client.read()
    assert answer.status == 503
    assert answer.error()["code"] == "gateway_stopping"
    assert alarm.metrics.bytes() == 0


async def test_a_model_that_nobody_wakes_is_refused_at_once(start: Start) -> None:
    alarm = hub()
    alarm.book.autoscaler_changed(waking_testing.autoscaler(), waking_testing.autoscaler(minReplicas=1))
    house = await start(waking=alarm)
    house.director.unready[MODEL] = alarm.absence(MODEL)
    answer = await house.ask(asking())
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "whoever scaled its target to 0 has to scale it up again" in str(answer.error()["message"])
