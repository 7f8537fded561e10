import asyncio
from typing import Any

import pytest

from brickyard.sim.engine import rooms, testing
from brickyard.sim.engine.core import disagg, errors

PROMPT = "word" * 100
ASK = {"do_remote_decode": True, "do_remote_prefill": False, "remote_block_ids": None, "remote_host": None}


def cached(reply: testing.Reply) -> int:
    found: int = reply.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
    return found


@pytest.mark.parametrize("stream", [False, True])
async def test_vllm(stream: bool) -> None:
    async with testing.running(reachable="127.0.0.9") as prefill, testing.running() as decode:
        half = (await prefill.chat(PROMPT, max_tokens=1, kv_transfer_params=ASK)).json()
        handed = half["kv_transfer_params"]
        assert (handed["do_remote_prefill"], handed["remote_host"]) == (True, "127.0.0.9")
        reply = await decode.chat(PROMPT, max_tokens=5, kv_transfer_params=handed, stream=stream)
        assert reply.status == 200
        engine = decode.server.driver.scheduler
        assert (engine.remote_queries, engine.remote_hits) == (104, 103)
        if not stream:
            assert cached(reply) == 103
            assert "kv_transfer_params" not in reply.json()
            whole = await prefill.chat(PROMPT, max_tokens=5)
            assert reply.json()["choices"] == whole.json()["choices"]


async def test_trtllm() -> None:
    async with testing.running(engine="trtllm") as prefill, testing.running(engine="trtllm") as decode:
        asked = {"request_type": "context_only", "disagg_request_id": 2**62}
        half = (await prefill.chat(PROMPT, max_tokens=1, disaggregated_params=asked)).json()
        handed: dict[str, Any] = half["choices"][0]["disaggregated_params"]
        assert handed["disagg_request_id"] == 2**62
        reply = await decode.chat(
            "",
            max_tokens=5,
            prompt_token_ids=half["prompt_token_ids"],
            disaggregated_params={**handed, "request_type": "generation_only"},
        )
        assert cached(reply) == 103
        assert reply.json()["choices"] == (await prefill.chat(PROMPT, max_tokens=5)).json()["choices"]


async def test_sglang() -> None:
    async with (
        testing.running(engine="sglang", role="prefill") as prefill,
        testing.running(engine="sglang", role="decode") as decode,
    ):
        place: dict[str, Any] = {
            "bootstrap_host": "127.0.0.1",
            "bootstrap_port": prefill.server.bootstrap_port,
            "bootstrap_room": 2**62 + 1,
        }
        waiting = asyncio.create_task(decode.chat(PROMPT, max_tokens=5, **place))
        await asyncio.sleep(0)
        half = await prefill.chat(PROMPT, max_tokens=1, **place)
        assert half.status == 200
        reply = await waiting
        assert (reply.status, cached(reply)) == (200, 103)
        assert prefill.server.driver.statistics.generated_tokens == 1


async def test_sglang_prefill_first() -> None:
    async with testing.running(role="prefill") as prefill, testing.running(role="decode") as decode:
        place: dict[str, Any] = {
            "bootstrap_host": "127.0.0.1",
            "bootstrap_port": prefill.server.bootstrap_port,
            "bootstrap_room": 1,
        }
        await prefill.chat(PROMPT, max_tokens=1, **place)
        assert cached(await decode.chat(PROMPT, max_tokens=5, **place)) == 103


async def test_a_prefill_engine_that_is_not_there() -> None:
    async with testing.running(role="decode") as decode:
        async with testing.running(role="prefill") as prefill:
            port = prefill.server.bootstrap_port
        place: dict[str, Any] = {"bootstrap_host": "127.0.0.1", "bootstrap_port": port, "bootstrap_room": 1}
        reply = await decode.chat(PROMPT, **place)
        assert (reply.status, reply.json()["error"]["type"]) == (500, "KVTransferError")


async def test_a_prefill_engine_that_does_not_deliver() -> None:
    async with rooms.Rooms("127.0.0.1", 0) as kept:
        with pytest.raises(errors.TransferError, match="in time"):
            await rooms.wait_for(disagg.Room("127.0.0.1", kept.port, 1), deadline=0.02)


async def test_a_prefill_engine_that_goes_away() -> None:
    async with testing.running(role="decode") as decode:
        async with rooms.Rooms("127.0.0.1", 0) as kept:
            place: dict[str, Any] = {"bootstrap_host": "127.0.0.1", "bootstrap_port": kept.port, "bootstrap_room": 1}
            waiting = asyncio.create_task(decode.chat(PROMPT, **place))
            async with asyncio.timeout(5):
                while not kept._rooms:
                    await asyncio.sleep(0.001)
        assert (await waiting).status == 500


async def test_who_leaves_while_waiting() -> None:
    async with testing.running(role="decode") as decode, rooms.Rooms("127.0.0.1", 0) as kept:
        async with decode.connect() as (_, writer):
            writer.write(testing.stream_request(bootstrap_host="127.0.0.1", bootstrap_port=kept.port, bootstrap_room=1))
            async with asyncio.timeout(5):
                while not kept._rooms:
                    await asyncio.sleep(0.001)
        kept.computed(1, 6)
        assert (await decode.chat(max_tokens=1)).status == 200
        assert decode.server.driver.statistics.generated_tokens == 1


async def test_rooms_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "KEPT", 3)
    async with rooms.Rooms("127.0.0.1", 0) as kept:
        for number in range(10):
            kept.computed(number, 5)
        assert sorted(kept._rooms) == [7, 8, 9]
        assert await rooms.wait_for(disagg.Room("127.0.0.1", kept.port, 9)) == 5
        async with asyncio.timeout(5):
            while 9 in kept._rooms:
                await asyncio.sleep(0.001)


async def test_a_port_that_is_taken() -> None:
    async with rooms.Rooms("127.0.0.1", 0) as kept:
        with pytest.raises(errors.ListenError, match="bootstrap"):
            async with rooms.Rooms("127.0.0.1", kept.port):
                pass
