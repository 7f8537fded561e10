"""Reservations and settlements in virtual time, over a store that fails on demand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import prometheus_client
import pytest

from brickyard.accounts import contract, errors, limiter, metrics, testing
from brickyard.accounts.stores import memory

pytestmark = pytest.mark.looptime

START = 1_700_000_010.0  # 30 s into a minute
ADA = contract.User("ada", 3, 1000)


class LoopClock:
    """The loop's own time; ``offset`` is where the wall clock stands at its beginning, and may jump."""

    def __init__(self) -> None:
        self.offset = START

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.offset + self.monotonic()


class Bench:
    """A limiter and everything around it."""

    def __init__(self, *, count_alone: bool = False) -> None:
        self.store = testing.FlakyStore()
        self.clock = LoopClock()
        self.metrics = metrics.AccountMetrics()
        self.limiter = limiter.Limiter(
            self.store,
            batch_ids=map(str, itertools.count(1)).__next__,
            time=self.clock,
            count_alone=count_alone,
            counted=self.metrics,
        )

    async def reserve(self, user: contract.User | None = ADA, **more: int) -> contract.Reservation | contract.Refusal:
        return await self.limiter.reserve(contract.Demand(user, "m", more.get("rps"), more.get("tokens", 0)))

    async def granted(self, user: contract.User | None = ADA, **more: int) -> contract.Reservation:
        given = await self.reserve(user, **more)
        assert not isinstance(given, contract.Refusal), given
        return given

    async def refused(self, user: contract.User | None = ADA, **more: int) -> contract.Refusal:
        given = await self.reserve(user, **more)
        assert isinstance(given, contract.Refusal)
        return given

    def count(self, user: str, kind: str, minutes: int = 0) -> int:
        window = int(self.clock.wall() // 60) + minutes
        key = f"aibrix:{user}_{kind}_CURRENT:{window % 64}"
        look = contract.Claim(contract.Kind.RPM, key, window, 60, 0, None)
        return memory.MemoryCounters.apply(self.store, contract.Batch("", (), ((look,),)), self.clock.wall())[0].counts[
            0
        ]


@contextlib.asynccontextmanager
async def bench(*, count_alone: bool = False) -> AsyncIterator[Bench]:
    made = Bench(count_alone=count_alone)
    async with made.limiter:
        yield made


def series(counted: metrics.AccountMetrics) -> dict[str, float]:
    registry = prometheus_client.CollectorRegistry()
    registry.register(counted)
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


async def test_requests_are_let_in_up_to_the_limit_and_again_in_the_next_minute() -> None:
    async with bench() as b:
        for used in (1, 2, 3):
            assert (await b.granted()).standings[0].used == used
        refusal = await b.refused()
        assert refusal.message.startswith("user: ada has exceeded RPM: 3")
        assert refusal.retry_after == 30
        await asyncio.sleep(refusal.retry_after)
        assert (await b.granted()).standings[0].used == 1
    assert b.metrics.outcomes == {"admitted": 4, "rpm": 1}


async def test_a_refused_request_has_used_nothing() -> None:
    async with bench() as b:
        heavy = contract.User("ada", 10, 100)
        (await b.granted(heavy)).settle(100)
        for _ in range(3):
            assert (await b.refused(heavy)).kind is contract.Kind.TPM
        assert (b.count("ada", "RPM"), b.count("ada", "TPM")) == (1, 100)


async def test_models_have_limits_of_their_own() -> None:
    async with bench() as b:
        await b.granted(None, rps=1)
        assert (await b.refused(None, rps=1)).error_header == "x-error-model-rps-exceeded"
        await asyncio.sleep(1)
        await b.granted(None, rps=1)


async def test_what_nothing_limits_asks_nobody() -> None:
    async with bench() as b:
        b.store.weather.away = True
        free = await b.granted(None)
        assert list(free.standings) == []
        free.settle(7)
        free.cancel()
        await asyncio.sleep(1)
    assert b.store.batches == []


async def test_settling_counts_what_was_used_once() -> None:
    async with bench() as b:
        given = await b.granted(tokens=100)
        assert b.count("ada", "TPM") == 100
        given.settle(70)
        given.settle(500)
        given.cancel()
        await asyncio.sleep(0.2)
        assert (b.count("ada", "RPM"), b.count("ada", "TPM")) == (1, 70)


async def test_cancelling_gives_everything_back_once() -> None:
    async with bench() as b:
        given = await b.granted(tokens=100, rps=1)
        given.cancel()
        given.cancel()
        given.settle(500)
        again = await b.granted(tokens=0, rps=1)
        assert [standing.used for standing in again.standings] == [1, 0, 1]


async def test_a_settlement_counts_for_the_very_next_request() -> None:
    async with bench() as b:
        (await b.granted()).settle(1000)
        assert (await b.refused()).kind is contract.Kind.TPM


async def test_a_lost_settlement_ends_with_its_window() -> None:
    async with bench() as b:
        await b.granted(tokens=1000)
        await b.refused()
        await asyncio.sleep(30)
        assert (await b.granted()).standings[1].used == 0


async def test_a_long_answer_is_charged_to_the_minute_in_which_it_ends() -> None:
    async with bench() as b:
        given = await b.granted(tokens=100)
        await asyncio.sleep(90)
        given.settle(1100)
        await asyncio.sleep(0.2)
        assert b.count("ada", "TPM") == 1000
        assert (await b.refused()).kind is contract.Kind.TPM


async def test_settlements_gather() -> None:
    async with bench() as b:
        wide = contract.User("ada", 1000, 10**6)
        given = await asyncio.gather(*(b.granted(wide) for _ in range(100)))
        before = len(b.store.batches)
        for each in given:
            each.settle(3)
        await asyncio.sleep(0.2)
        assert len(b.store.batches) == before + 1
        assert [charge.amount for charge in b.store.batches[-1].charges] == [300]
        assert b.count("ada", "TPM") == 300


async def test_reservations_gather_while_one_is_with_the_store() -> None:
    async with bench() as b:
        b.store.weather.delay = 0.1
        first = asyncio.create_task(b.reserve())
        await asyncio.sleep(0.05)
        rest = await asyncio.gather(*(b.reserve() for _ in range(10)))
        await first
        assert [len(batch.asks) for batch in b.store.batches] == [1, 10]
        assert sum(isinstance(each, contract.Refusal) for each in rest) == 8


async def test_leaving_sends_what_is_unsettled() -> None:
    async with bench() as b:
        (await b.granted()).settle(7)
    assert b.count("ada", "TPM") == 7


async def test_leaving_in_the_middle_of_an_exchange_charges_once() -> None:
    async with bench() as b:
        given = await b.granted()
        b.store.weather.delay = 0.1
        given.settle(7)
        await asyncio.sleep(limiter.LINGER + 0.05)
    assert b.count("ada", "TPM") == 7


class TestAway:
    async def test_requests_are_refused_at_once_until_the_store_is_back(self) -> None:
        async with bench() as b:
            b.store.weather.away = True
            for _ in range(20):
                with pytest.raises(errors.StoreAwayError):
                    await b.reserve()
            assert series(b.metrics)["gateway_limit_store_up"] == 0
            assert b.metrics.failures == 1  # the others did not wait for it
            b.store.weather.away = False
            await asyncio.sleep(limiter.RETRY.cap)
            await b.granted()
            assert not b.limiter.away
        assert b.metrics.outcomes == {"away": 20, "admitted": 1}

    async def test_a_store_that_never_answers_is_away(self) -> None:
        async with bench() as b:
            b.store.weather.delay = 1e6
            began = b.clock.monotonic()
            with pytest.raises(errors.StoreAwayError, match="did not answer"):
                await b.reserve()
            assert b.clock.monotonic() - began == pytest.approx(limiter.DEADLINE, abs=0.1)
            b.store.weather.delay = 0.0

    async def test_settlements_wait_for_it(self) -> None:
        async with bench() as b:
            given = await b.granted()
            b.store.weather.away = True
            given.settle(70)
            await asyncio.sleep(5)
            assert series(b.metrics)["gateway_limit_unsettled"] == 1
            assert series(b.metrics)["gateway_limit_store_up"] == 0
            b.store.weather.away = False
            await asyncio.sleep(limiter.RETRY.cap + 0.2)
            assert b.count("ada", "TPM") == 70
            assert series(b.metrics)["gateway_limit_store_up"] == 1

    async def test_a_settlement_whose_answer_was_lost_is_charged_once(self) -> None:
        async with bench() as b:
            given, other = await b.granted(), await b.granted()
            b.store.weather.deaf = True
            given.settle(70)
            await asyncio.sleep(1)
            other.settle(5)  # comes later and goes later
            await asyncio.sleep(3)
            b.store.weather.deaf = False
            await asyncio.sleep(limiter.RETRY.cap + 0.2)
            assert len(b.store.batches) > 4
            assert b.count("ada", "TPM") == 75

    async def test_what_comes_too_late_for_its_window_is_dropped_and_counted(self) -> None:
        async with bench() as b:
            given = await b.granted()
            b.store.weather.away = True
            given.settle(70)
            await asyncio.sleep(40)
            b.store.weather.away = False
            await asyncio.sleep(5)
            assert b.count("ada", "TPM") == 0
            assert series(b.metrics)["gateway_limit_lost_charges_total"] == 1
            assert series(b.metrics)["gateway_limit_unsettled"] == 0

    async def test_counting_alone_holds_the_limits_and_tells_the_store_later(self) -> None:
        async with bench(count_alone=True) as b:
            b.store.weather.away = True
            given = [await b.granted(tokens=10) for _ in range(3)]
            assert (await b.refused()).kind is contract.Kind.RPM
            given[0].settle(25)
            given[1].cancel()
            given.append(await b.granted())
            assert b.count("ada", "RPM") == 0
            b.store.weather.away = False
            await asyncio.sleep(limiter.RETRY.cap + 0.2)
            assert (b.count("ada", "RPM"), b.count("ada", "TPM")) == (3, 35)
            assert (await b.refused()).kind is contract.Kind.RPM
        assert b.metrics.alone == 4

    async def test_too_many_at_once_are_told_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limiter, "MOST_WAITING", 2)
        async with bench() as b:
            b.store.weather.delay = 1
            first = asyncio.create_task(b.reserve())
            await asyncio.sleep(0.1)
            waiting = [asyncio.create_task(b.reserve()) for _ in range(3)]
            done = await asyncio.gather(first, *waiting, return_exceptions=True)
            assert [isinstance(each, errors.StoreAwayError) for each in done] == [False, False, False, True]


class TestCallersWhoLeave:
    async def test_while_waiting_take_nothing(self) -> None:
        async with bench() as b:
            b.store.weather.delay = 0.1
            first = asyncio.create_task(b.reserve())
            await asyncio.sleep(0.05)
            second = asyncio.create_task(b.reserve())
            await asyncio.sleep(0.01)
            second.cancel()
            await first
            await asyncio.sleep(0.5)
            assert b.count("ada", "RPM") == 1

    async def test_while_they_are_answered_get_it_back(self) -> None:
        async with bench() as b:
            b.store.weather.delay = 0.1
            task = asyncio.create_task(b.reserve(tokens=10))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.5)
            assert (b.count("ada", "RPM"), b.count("ada", "TPM")) == (0, 0)

    async def test_in_the_turn_of_the_answer_get_it_back(self) -> None:
        async with bench() as b:
            task = asyncio.create_task(b.reserve(tokens=10))
            while b.count("ada", "RPM") == 0:
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.sleep(0.5)
            assert (b.count("ada", "RPM"), b.count("ada", "TPM")) == (0, 0)

    async def test_at_the_end_are_cancelled(self) -> None:
        async with bench() as b:
            b.store.weather.delay = 1e6
            task = asyncio.create_task(b.reserve())
            await asyncio.sleep(0.1)
            b.store.weather.delay = 0.0
        with pytest.raises(asyncio.CancelledError):
            await task


JUMPS = [3600, -3600, 86400 * 365, -86400, 61, 64 * 60]


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_opens_other_windows_and_nothing_else(jump: float) -> None:
    async with bench() as b:
        held = [await b.granted(tokens=10) for _ in range(3)]
        b.clock.offset += jump
        for used in (1, 2, 3):
            assert (await b.granted()).standings[0].used == used
        await b.refused()
        for each in held:
            each.settle(12)
        await asyncio.sleep(0.2)
        assert b.count("ada", "TPM") == 6
        b.clock.offset -= jump
        assert not b.limiter.away


async def test_a_clock_that_goes_back_within_the_minute_goes_on_counting() -> None:
    async with bench() as b:
        for _ in range(2):
            await b.granted()
        b.clock.offset -= 20
        await b.granted()
        assert (await b.refused()).retry_after == 50
