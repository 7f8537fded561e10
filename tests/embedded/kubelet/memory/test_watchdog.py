"""Who is over the limit, how often it is looked, and a real process that is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.memory import watchdog
from brickyard.embedded.kubelet.usage import meter, survey

MEBI = 2**20


def run(limit: int, name: str = "web") -> meter.Run:
    return meter.Run("default", "a", "u1", name, f"u1/{name}/0", 0.0, limit)


@pytest.mark.parametrize(
    ("container", "limit"),
    [
        ({}, 0),
        ({"resources": None}, 0),
        ({"resources": {"requests": {"memory": "1Gi"}}}, 0),
        ({"resources": {"limits": {"cpu": "1"}}}, 0),
        ({"resources": {"limits": {"memory": "1Gi"}}}, 2**30),
        ({"resources": {"limits": {"memory": "1500M"}}}, 1_500_000_000),
        ({"resources": {"limits": {"memory": "0.5"}}}, 0),
    ],
)
def test_the_limit(container: dict[str, Any], limit: int) -> None:
    assert watchdog.limit(container) == limit


# Limit, use → over?
@pytest.mark.parametrize(
    ("limit", "used", "over"),
    [(100, 99, False), (100, 100, False), (100, 101, True), (0, 10**15, False), (100, None, False)],
)
def test_over(limit: int, used: int | None, over: bool) -> None:
    runs = [run(limit)]
    found = watchdog.excesses(runs, {} if used is None else {"u1/web/0": used})
    assert [each.run for each in found] == (runs if over else [])


def test_the_message_says_how_much() -> None:
    assert watchdog.Excess(run(64 * MEBI), 80 * MEBI).message == "it used 80 MiB of memory, its limit is 64 MiB"


# Use of each container, in per cent of its limit → seconds until the next look.
@pytest.mark.parametrize(
    ("shares", "pause"),
    [
        ((), 2.0),
        ((0,), 2.0),
        ((49,), 2.0),
        ((50,), 0.5),
        ((89, 10), 0.5),
        ((90,), 0.1),
        ((10, 200), 0.1),
    ],
)
def test_the_nearer_the_sooner(shares: tuple[int, ...], pause: float) -> None:
    runs = [run(100, f"c{index}") for index in range(len(shares))]
    used = {each.mark: share for each, share in zip(runs, shares, strict=True)}
    assert watchdog.pause([*runs, run(0, "free")], {**used, "u1/free/0": 10**9}) == pause


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 200))))
def test_every_excess_is_seen_and_watched_closely(sizes: list[tuple[int, int]]) -> None:
    runs = [run(limit, f"c{index}") for index, (limit, _) in enumerate(sizes)]
    used = {each.mark: size for each, (_, size) in zip(runs, sizes, strict=True)}
    found = watchdog.excesses(runs, used)
    assert len(found) == sum(0 < limit < size for limit, size in sizes)
    if found:
        assert watchdog.pause(runs, used) == watchdog.CLOSE


async def test_only_who_has_a_limit_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: survey.Survey) -> dict[str, survey.Family]:
        raise AssertionError("nobody has a limit")

    monkeypatch.setattr(survey.Survey, "take", never)
    one = watchdog.Watchdog(lambda: [run(0)], lambda *_: None)
    assert await one.look() == watchdog.IDLE


async def test_it_looks_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fat(survey.Family):
        def unreclaimable(self, limit: int) -> int:
            return limit + 1

    monkeypatch.setattr(survey.Survey, "take", lambda _: {"u1/web/0": Fat([])})
    told: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    one = watchdog.Watchdog(lambda: [run(100 * MEBI), run(0, "free")], lambda each, how: told.append(each.container))
    with pytest.raises(asyncio.CancelledError):
        await one.run()
    assert (told, pauses) == (["web"] * 3, [watchdog.CLOSE] * 3)
