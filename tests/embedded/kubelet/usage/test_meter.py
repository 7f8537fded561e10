"""The meter: when it reads, what it tells of whom. Readings are given, time is virtual."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

import pytest

from brickyard.embedded.kubelet.usage import meter, survey
from brickyard.lib import process

START = 1_700_000_000.0


def run(container: str = "web", uid: str = "u1", born: float = START - 30) -> meter.Run:
    return meter.Run("default", f"pod-{uid}", uid, container, f"{uid}/{container}/0", born)


def family(cpu: float, resident: int) -> survey.Family:
    return survey.Family([survey.Member(process.Identity(1, 1), 0, 1, cpu, resident)])


class Given:
    """A process table by plain fields: ``families`` is what the next readings see, ``taken`` counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.families: dict[str, survey.Family] = {}
        self.runs: list[meter.Run] = []
        self.now = START
        self.taken = 0
        monkeypatch.setattr(survey.Survey, "take", lambda _: self.take())

    def take(self) -> dict[str, survey.Family]:
        self.taken += 1
        return self.families

    def meter(self) -> meter.Meter:
        return meter.Meter("here", lambda: self.runs, lambda: self.now)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    return Given(monkeypatch)


async def names(one: meter.Meter) -> list[str]:
    return [each.name for each in await one.pods()]


async def test_what_a_pod_uses(given: Given) -> None:
    given.runs = [run(), run("side")]
    given.families = {"u1/web/0": family(3.0, 1000), "u1/side/0": family(0.3, 10)}
    one = given.meter()
    await one.pods()
    given.now += 20
    given.families = {"u1/web/0": family(13.0, 2000), "u1/side/0": family(0.3, 10)}
    (found,) = await one.pods()
    assert (found.namespace, found.name, found.uid) == ("default", "pod-u1", "u1")
    assert (found.at, found.window) == (START + 20, 20)
    assert {name: (each.cpu, each.memory) for name, each in found.containers.items()} == {
        "web": (0.5, 2000),
        "side": (0.0, 10),
    }


async def test_a_young_container_is_measured_from_its_start(given: Given) -> None:
    given.runs, given.families = [run(born=START - 10)], {"u1/web/0": family(5.0, 7)}
    (found,) = await given.meter().pods()
    assert (found.window, found.containers["web"].cpu) == (10, 0.5)


async def test_a_pod_is_told_of_as_a_whole(given: Given) -> None:
    """One of its containers has not been measured yet."""
    given.runs, given.families = [run(), run("side", born=START - 0.1)], {"u1/web/0": family(1.0, 1)}
    one = given.meter()
    assert await names(one) == []
    given.now += 20
    given.families["u1/side/0"] = family(1.0, 1)
    assert await names(one) == ["pod-u1"]


async def test_what_ended_is_not_told_of(given: Given) -> None:
    given.runs = [run(), run(uid="u2")]
    given.families = {"u1/web/0": family(1.0, 1), "u2/web/0": family(1.0, 1)}
    one = given.meter()
    assert await names(one) == ["pod-u1", "pod-u2"]
    given.runs = [run(uid="u2")]
    assert await names(one) == ["pod-u2"]
    given.now += 100
    await one.pods()
    # It runs again: of its old readings nothing is left.
    given.runs = [run(born=START + 99.9)]
    given.families = {"u1/web/0": family(50.0, 1)}
    assert await names(one) == []


async def test_a_reading_is_answer_enough_for_five_seconds(given: Given) -> None:
    given.runs, given.families = [run()], {"u1/web/0": family(1.0, 1)}
    one = given.meter()
    for _ in range(3):
        await one.pods()
        await one.nodes()
    assert given.taken == 1
    given.now += meter.FRESH
    await asyncio.gather(*(one.pods() for _ in range(5)))
    assert given.taken == 2


async def test_it_reads_four_times_a_minute_by_itself(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    given.runs = [run()]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        given.now += seconds
        if len(pauses) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await given.meter().run()
    assert (pauses, given.taken) == ([15.0] * 4, 4)


async def test_where_nothing_runs_no_process_is_looked_at(given: Given) -> None:
    assert await given.meter().pods() == []
    assert given.taken == 0


async def test_the_machine(given: Given) -> None:
    one = given.meter()
    assert await one.nodes() == []
    given.now += 20
    found: Sequence[object] = await one.nodes()
    (node,) = await one.nodes()
    assert found == [node]
    assert (node.name, node.window) == ("here", 20)
    assert 0.0 <= node.amount.cpu <= (os.cpu_count() or 1)
    assert node.amount.memory > 2**20


def test_the_attempt_is_in_the_mark() -> None:
    assert meter.Run("n", "p", "u", "c", "u/c/12", 0.0).attempt == 12
