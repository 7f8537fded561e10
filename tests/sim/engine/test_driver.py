import asyncio
import dataclasses
from typing import Any

import pytest

from brickyard.sim.engine import driver
from brickyard.sim.engine.core import blocks, errors, params, speech, work

pytestmark = pytest.mark.looptime
TIMING = params.Timing(step=1.0, prefill_token=0.1, transfer_token=0.5)
PARAMS = params.Params(timing=TIMING, block_size=4)


class LoopClock:
    """The loop's own time, which is virtual here."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return self.monotonic()


class Heard:
    """Writes down when tokens came."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.ended = asyncio.Event()

    def token(self, output: work.Output) -> None:
        self.times.append(round(asyncio.get_running_loop().time(), 6))
        if output.finish:
            self.ended.set()


def make(**fields: Any) -> driver.Driver:
    return driver.Driver(PARAMS, time=LoopClock(), **fields)


def job(name: str, owner: Heard, prompt: int = 10, output: int = 3, **fields: Any) -> work.Job:
    return work.Job(name, name.encode() * 4 * prompt, speech.say(0, output), owner=owner, **fields)


async def test_tokens_come_when_the_model_says() -> None:
    one, heard = make(), Heard()
    one.submit(job("a", heard))
    await heard.ended.wait()
    assert heard.times == [2.0, 3.0, 4.0]
    assert one.load == 0 or one.scheduler.running == 1
    assert one.statistics.generated_tokens == 3
    one.close()


async def test_who_comes_later_waits_for_the_step() -> None:
    one, first, second = make(), Heard(), Heard()
    one.submit(job("a", first))
    await asyncio.sleep(2.5)
    one.submit(job("b", second))
    await second.ended.wait()
    assert first.times == [2.0, 3.0, 5.0]  # the third step also computes ten tokens of the other's prompt
    assert second.times == [5.0, 6.0, 7.0]
    one.close()


async def test_an_engine_begins_anew_after_idling() -> None:
    one, first, second = make(), Heard(), Heard()
    one.submit(job("a", first, output=1))
    await asyncio.sleep(100.0)
    one.submit(job("b", second, output=1))
    await second.ended.wait()
    assert second.times == [102.0]
    one.close()


async def test_a_step_begins_when_the_last_one_ended_not_when_its_timer_fired() -> None:
    one, heard = make(), Heard()
    real = one._end
    loop = asyncio.get_running_loop()

    def late() -> None:
        loop.call_later(0.01, real)

    one._end = late  # type: ignore[method-assign]
    one.submit(job("a", heard, output=5))
    await heard.ended.wait()
    assert heard.times == [2.01, 3.01, 4.01, 5.01, 6.01]
    one.close()


async def test_who_is_far_behind_does_not_catch_up() -> None:
    one, heard = make(), Heard()
    real = one._end
    loop = asyncio.get_running_loop()
    one._end = lambda: loop.call_later(0.5, real)  # type: ignore[method-assign,assignment]
    one.submit(job("a", heard))
    await heard.ended.wait()
    assert heard.times == [2.5, 4.0, 5.5]
    one.close()


async def test_a_cancelled_job_is_silent() -> None:
    one, gone, stays = make(), Heard(), Heard()
    one.submit(job("a", gone))
    one.submit(job("b", stays))
    await asyncio.sleep(3.5)
    one.cancel("a")
    one.cancel("a")
    await stays.ended.wait()
    assert len(stays.times) == 3
    assert one.statistics.finished["abort"] == 1
    one.close()


async def test_a_job_waits_for_its_cache() -> None:
    one, heard = make(), Heard()
    one.submit(job("a", heard, remote=10, ready_at=one.now + 5.0, output=1))
    await heard.ended.wait()
    assert heard.times == [6.1]
    one.close()


async def test_sleep() -> None:
    told: list[blocks.Event] = []
    one, heard = make(publish=told.extend), Heard()
    one.submit(job("a", heard))
    await asyncio.sleep(2.5)
    one.sleep()
    await asyncio.sleep(100.0)
    assert len(heard.times) <= 2
    assert told[-1] == blocks.Cleared()
    one.wake()
    await heard.ended.wait()
    assert len(heard.times) == 3
    one.close()


async def test_events_are_published_at_the_end_of_their_step() -> None:
    told: list[tuple[float, int]] = []
    one = driver.Driver(
        PARAMS, time=LoopClock(), publish=lambda events: told.append((asyncio.get_running_loop().time(), len(events)))
    )
    heard = Heard()
    one.submit(job("a", heard))
    await heard.ended.wait()
    assert told[0] == (2.0, 1)
    one.clear_cache()
    assert len(told) > 1
    one.close()


async def test_closed() -> None:
    one, heard = make(), Heard()
    one.submit(job("a", heard))
    one.close()
    await asyncio.sleep(100.0)
    assert heard.times == []


async def test_refusals_reach_the_caller() -> None:
    one = make()
    with pytest.raises(errors.RejectedError):
        one.submit(dataclasses.replace(job("a", Heard()), prompt=b""))
    assert one.load == 0
    one.close()


async def test_who_leaves_during_the_last_step_is_counted_once() -> None:
    one, heard = make(), Heard()
    one.submit(job("a", heard, output=1))
    await asyncio.sleep(1.0)
    one.cancel("a")
    await asyncio.sleep(10.0)
    assert heard.times == []
    assert one.statistics.finished["abort"] == 1
    one.close()


async def test_a_job_of_the_same_name_hears_its_own_tokens_only() -> None:
    one, gone, stays = make(), Heard(), Heard()
    one.submit(job("a", gone))
    await asyncio.sleep(1.0)
    one.cancel("a")
    one.submit(job("a", stays))
    await stays.ended.wait()
    assert gone.times == []
    assert len(stays.times) == 3
    one.close()


async def test_a_token_that_ends_another_job() -> None:
    one, victim = make(), Heard()

    class Ender(Heard):
        def token(self, output: work.Output) -> None:
            super().token(output)
            one.cancel("b")

    ender = Ender()
    one.submit(job("a", ender))
    one.submit(job("b", victim))
    await ender.ended.wait()
    assert victim.times == []
    assert one.statistics.finished["abort"] == 1
    one.close()


async def test_an_owner_that_fails_does_not_stop_the_engine() -> None:
    one, heard = make(), Heard()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    class Faulty(Heard):
        def token(self, output: work.Output) -> None:
            raise RuntimeError("no")

    one.submit(job("a", Faulty(), output=1))
    one.submit(job("b", heard))
    await asyncio.sleep(100.0)
    assert len(told) == 1
    assert one.load == 0
    assert len(heard.times) == 2  # what was said in the failing step is lost to it
    one.close()


@pytest.mark.parametrize("act", ["sleep", "clear_cache"])
async def test_events_keep_their_order(act: str) -> None:
    """What a step under way stores is told before it is cleared, not after."""
    told: list[blocks.Event] = []
    one = make(publish=told.extend)
    one.submit(job("a", Heard()))
    await asyncio.sleep(1.0)
    getattr(one, act)()
    assert [type(event) for event in told] == [blocks.Stored, blocks.Cleared]
    await asyncio.sleep(1.5)
    assert len(told) == 2
    one.close()
