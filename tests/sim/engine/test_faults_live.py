import asyncio

import pytest

from brickyard.sim.engine import testing
from brickyard.sim.engine.core import faults


async def events_until_silence(engine: testing.Engine, fault: str, count: int) -> list[bytes]:
    """Read ``count`` events of a stream; whatever comes after them must not come."""
    async with engine.connect() as (reader, writer):
        request = testing.stream_request(max_tokens=20).replace(
            b"\r\n\r\n", f"\r\nx-sim-fault: {fault}\r\n\r\n".encode(), 1
        )
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        events: list[bytes] = []
        for _ in range(count):
            size = int(await reader.readuntil(b"\r\n"), 16)
            events.append((await reader.readexactly(size + 2))[:-2])
        while engine.server.driver.scheduler.running or engine.server.driver.scheduler.waiting:
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.02)
        return events


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error(stream: bool) -> None:
    async with testing.running() as engine:
        reply = await engine.chat(fault="error;status=503", stream=stream)
        assert (reply.status, reply.json()["error"]["type"]) == (503, "InjectedFault")
        assert engine.server.driver.load == 0


async def test_a_delay_and_then_an_error() -> None:
    async with testing.running() as engine:
        assert (await engine.chat(fault="latency;seconds=0.001,error")).status == 500


async def test_a_delay() -> None:
    async with testing.running() as engine:
        before = asyncio.get_running_loop().time()
        assert (await engine.chat(fault="latency;seconds=0.05", max_tokens=2)).status == 200
        assert asyncio.get_running_loop().time() - before >= 0.05


async def test_a_stream_that_stands_still() -> None:
    async with testing.running() as engine:
        events = await events_until_silence(engine, "stall;after=3", 4)  # the role, then three words
        assert b'"role"' in events[0]
        assert all(b'"content":" ' in event for event in events[1:])


async def test_a_stream_that_goes_on() -> None:
    async with testing.running() as engine:
        reply = await engine.chat(fault="stall;after=3;seconds=0.02", max_tokens=9, stream=True)
        assert len(reply.events()) >= 3
        assert reply.events()[-1]["choices"][0]["finish_reason"] == "length"


async def test_a_whole_answer_that_comes_late() -> None:
    async with testing.running() as engine:
        reply = await engine.chat(fault="stall;seconds=0.01", max_tokens=9)
        assert reply.json()["usage"]["completion_tokens"] == 9


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reset(stream: bool) -> None:
    async with testing.running() as engine:
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await engine.chat(fault="reset;after=2", max_tokens=20, stream=stream)
        assert engine.server.driver.statistics.finished["abort"] == 1
        assert (await engine.chat(max_tokens=1)).status == 200


@pytest.mark.parametrize(("fault", "status"), [("crash", 1), ("crash;after=2;status=137", 137)])
async def test_a_crash(fault: str, status: int) -> None:
    async with testing.running() as engine:
        await engine.chat(fault=fault, max_tokens=5, stream=True)
        assert engine.crashes == [status]


async def test_a_header_that_makes_no_sense() -> None:
    async with testing.running() as engine:
        reply = await engine.chat(fault="explode")
        assert (reply.status, "no fault 'explode'" in reply.json()["error"]["message"]) == (400, True)


async def test_rules_by_the_administrator() -> None:
    async with testing.running(faults=(faults.Rule("error", status=502, times=1),)) as engine:
        assert [(await engine.chat(max_tokens=1)).status for _ in range(2)] == [502, 200]
        added = await engine.post("/admin/faults", {"kind": "error", "path": "/v1/completions"})
        assert added.json()["faults"][-1] == {"kind": "error", "path": "/v1/completions"}
        assert (await engine.complete(max_tokens=1)).status == 500
        assert (await engine.chat(max_tokens=1)).status == 200
        assert (await engine.post("/admin/faults", {"kind": "x"})).status == 400
        assert (await engine.post("/admin/faults", {"faults": 7})).status == 400
        assert len((await engine.get("/admin/faults")).json()["faults"]) == 2
        await engine.delete("/admin/faults")
        assert (await engine.complete(max_tokens=1)).status == 200
