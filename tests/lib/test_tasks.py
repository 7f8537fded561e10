from __future__ import annotations

import asyncio
import os
import signal

import pytest

from brickyard.lib import tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("seven")


async def test_leaving_the_scope_ends_its_tasks() -> None:
    async with tasks.Scope("s") as scope:
        task = scope.start(forever(), name="f")
        assert task.get_name() == "s/f"
    assert task.cancelled()


async def test_a_failing_task_ends_the_scope_with_its_error() -> None:
    with pytest.raises(ValueError, match="seven"):
        async with tasks.Scope("s") as scope:
            sibling = scope.start(forever(), name="sibling")
            scope.start(fail(), name="fails")
            await forever()
    assert sibling.cancelled()
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0


async def test_an_error_of_the_body_wins() -> None:
    with pytest.raises(KeyError):
        async with tasks.Scope("s") as scope:
            scope.start(forever(), name="f")
            raise KeyError("body")


async def test_cancelling_the_owner_is_not_swallowed() -> None:
    async def owner() -> None:
        async with tasks.Scope("s") as scope:
            scope.start(forever(), name="f")
            await forever()

    task = asyncio.create_task(owner())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_fails_while_the_scope_closes_is_still_told() -> None:
    async def stubborn() -> None:
        try:
            await forever()
        finally:
            raise ValueError("on the way out")

    with pytest.raises(ValueError, match="on the way out"):
        async with tasks.Scope("s") as scope:
            scope.start(stubborn(), name="f")
            await asyncio.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_sets_the_event(number: signal.Signals) -> None:
    async with tasks.stop_signal() as stop:
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 5)
    assert stop.is_set()
