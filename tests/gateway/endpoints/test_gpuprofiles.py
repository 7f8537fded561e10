"""Profiles reach the slo strategies, bad ones are left aside, and a store that is away changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
import redis.asyncio
from tests import redisserver

from brickyard.assembly import gpu_profiles
from brickyard.gateway.endpoints import gpuprofiles, redisprofiles
from brickyard.routing import errors, testing
from brickyard.routing.policies.slo import objectives

KEY = "aibrix:profile_demo_qwen-l4"


def written(**changes: Any) -> bytes:
    table = {"indexes": [[8], [16]], "tputs": [[2.0]], "e2e": [[4.0]], "ttft": [[1.0]], "slos": {"e2e": 10.0}}
    return orjson.dumps({"gpu": "qwen-l4", "created": 100.0, **table, **changes})


@dataclasses.dataclass
class Store:
    """Holds ``found``, or is away."""

    found: dict[str, bytes] = dataclasses.field(default_factory=dict)
    away: bool = False
    asked: int = 0

    async def texts(self) -> Mapping[str, bytes]:
        self.asked += 1
        if self.away:
            raise gpuprofiles.ProfilesAwayError("away")
        return dict(self.found)


def urgency(known: objectives.SloLedger) -> float | None:
    """Seconds to spare, below zero; None without a profile."""
    endpoint = dataclasses.replace(testing.endpoint("p"), labels={"app.kubernetes.io/name": "qwen-l4"})
    return known.facts(testing.request(), testing.snapshot(0, endpoints=[endpoint]), 0.0).urgency


async def test_they_come_change_and_go() -> None:
    store, known = Store(), objectives.SloLedger()
    follower = gpuprofiles.GpuProfiles(store, known)
    await follower.look()
    assert urgency(known) is None
    store.found[KEY] = written()
    await follower.look()
    assert urgency(known) == pytest.approx(-6.0)
    store.found[KEY] = written(created=200.0, slos={"e2e": 5.0})
    await follower.look()
    assert urgency(known) == pytest.approx(-1.0)
    store.found.clear()
    await follower.look()
    assert urgency(known) is None


async def test_while_the_store_is_away_what_was_read_holds() -> None:
    store, known = Store({KEY: written()}), objectives.SloLedger()
    follower = gpuprofiles.GpuProfiles(store, known)
    await follower.look()
    store.away = True
    await follower.look()
    assert urgency(known) == pytest.approx(-6.0)


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"nonsense", written(gpu="other"), written(indexes=[[8], [0]]), b" " * 2**21]
)
async def test_a_bad_one_is_left_aside_and_the_one_before_it_holds(text: bytes) -> None:
    store, known = Store({KEY: written(), "aibrix:profile_demo_bad": text}), objectives.SloLedger()
    follower = gpuprofiles.GpuProfiles(store, known)
    await follower.look()
    store.found[KEY] = text
    await follower.look()
    assert urgency(known) == pytest.approx(-6.0)
    store.found.clear()
    await follower.look()
    assert urgency(known) is None


@pytest.mark.parametrize(
    ("key", "gpu", "model"),
    [
        ("aibrix:profile_a_b", "b", "a"),
        ("aibrix:profile_org/a_1_b_2", "b_2", "org/a_1"),
        ("aibrix:profile_a_b_b", "b", "a_b"),
        ("aibrix:profile__b", "b", None),
        ("aibrix:profile_a_bc", "b", None),
        ("aibrix:profile_b", "b", None),
    ],
)
def test_where_the_models_name_ends(key: str, gpu: str, model: str | None) -> None:
    if model is None:
        with pytest.raises(errors.GpuProfileError, match="its key"):
            gpuprofiles.read(key, written(gpu=gpu))
    else:
        assert gpuprofiles.read(key, written(gpu=gpu))[0] == model


@pytest.mark.looptime
async def test_it_looks_every_ten_seconds() -> None:
    store = Store()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(35):
            await gpuprofiles.GpuProfiles(store, objectives.SloLedger()).follow()
    assert store.asked == 4


@pytest.fixture
def url(tmp_path: pathlib.Path) -> Iterator[str]:
    server = redisserver.Redis(tmp_path)
    server.start()
    yield server.url
    server.stop()


async def test_redis_holds_them(url: str) -> None:
    known = objectives.SloLedger()
    async with contextlib.aclosing(redis.asyncio.Redis.from_url(url)) as client:
        await client.set(KEY, written())
        await client.set("aibrix:other", b"x")
        await client.hset("aibrix:profile_no_text", "a", "b")
        await client.mset({f"aibrix:profile_demo_d{at}": written(gpu=f"d{at}") for at in range(120)})
    async with contextlib.aclosing(redisprofiles.RedisProfiles(url)) as source:
        assert len(await source.texts()) == 121
    async with gpu_profiles.followed(url, known, wanted=True), asyncio.timeout(5):
        while urgency(known) is None:
            await asyncio.sleep(0.01)


async def test_redis_that_is_not_there_is_away(tmp_path: pathlib.Path) -> None:
    async with contextlib.aclosing(redisprofiles.RedisProfiles(f"unix://{tmp_path}/nobody")) as source:
        with pytest.raises(gpuprofiles.ProfilesAwayError, match="Redis does not serve"):
            await source.texts()


@pytest.mark.parametrize(
    ("store", "wanted"), [("memory:", True), ("sqlite:////tmp/x", True), ("redis://127.0.0.1:1", False)]
)
async def test_elsewhere_nothing_is_read(store: str, wanted: bool) -> None:
    async with gpu_profiles.followed(store, objectives.SloLedger(), wanted=wanted):
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("profiles/")]
