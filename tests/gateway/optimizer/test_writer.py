"""Records on the grid, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from brickyard.gateway.optimizer import contract, traces, writer

START = 1_700_000_003.5


class LoopClock:
    """Wall time that follows the loop's virtual clock; ``skew`` is what somebody set it off by."""

    def __init__(self) -> None:
        self.skew = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return START + self.monotonic() + self.skew


class FakeRecords:
    """Keeps what it is given; ``away``: does not."""

    def __init__(self) -> None:
        self.written: dict[str, contract.Record] = {}
        self.away = False
        self.asked = 0

    async def add(self, records: Mapping[str, contract.Record]) -> None:
        self.asked += 1
        if self.away:
            raise contract.RecordsAwayError("gone for lunch", hint="wait")
        self.written |= records


class Run:
    """A writer under way."""

    def __init__(self) -> None:
        self.arrived = 0
        self.counted = traces.Traces()
        self.counted.standings = lambda: {"m": contract.Standing(self.arrived, 0)}
        self.records, self.time = FakeRecords(), LoopClock()
        self.task = asyncio.ensure_future(writer.run(self.counted, self.records, self.time))

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def totals(self) -> dict[int, int]:
        return {
            int(key.rsplit("_", 1)[1]) - 1_700_000_000: each["meta_total_reqs"]
            for key, each in self.records.written.items()
        }


@pytest.mark.looptime
async def test_a_record_for_every_whole_window_in_which_something_happened() -> None:
    run = Run()
    await asyncio.sleep(1)
    run.arrived += 100  # before the first border: in no whole window
    await asyncio.sleep(9)
    run.arrived += 2
    await asyncio.sleep(10)
    await asyncio.sleep(10)
    run.arrived += 3
    await asyncio.sleep(10)
    await run.end()
    assert run.totals() == {20: 2, 40: 3}


@pytest.mark.looptime
async def test_counts_of_a_window_that_was_slept_through_go_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    await asyncio.sleep(7)
    run.arrived += 2
    run.time.skew = 11.0  # at what is 16.5 s by the loop, the clock says 27.5
    await asyncio.sleep(10)
    assert run.totals() == {}
    run.arrived += 1
    await asyncio.sleep(10)
    await run.end()
    assert list(run.totals().values()) == [3]


@pytest.mark.looptime
async def test_a_store_that_is_away_costs_its_records_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run = Run()
    run.records.away = True
    for _ in range(4):
        await asyncio.sleep(10)
        run.arrived += 1
    run.records.away = False
    await asyncio.sleep(10)
    await run.end()
    assert run.records.asked >= 4
    assert caplog.text.count("are lost") == 1
    assert caplog.text.count("are written again") == 1
    assert list(run.totals().values()) == [1]
