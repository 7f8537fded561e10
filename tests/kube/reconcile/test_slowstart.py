from __future__ import annotations

import asyncio
import itertools

import pytest

from brickyard.kube.client import errors
from brickyard.kube.reconcile import slowstart

pytestmark = pytest.mark.looptime


class Action:
    """Fails for the items in ``broken``; ``batches`` groups items by the moment they were tried."""

    def __init__(self, broken: dict[int, Exception] | None = None) -> None:
        self.broken = broken or {}
        self.batches: dict[float, list[int]] = {}

    async def __call__(self, item: int) -> None:
        self.batches.setdefault(asyncio.get_running_loop().time(), []).append(item)
        await asyncio.sleep(1)
        if item in self.broken:
            raise self.broken[item]


async def test_batches_grow() -> None:
    action = Action()
    assert await slowstart.run(range(10), action) == slowstart.Outcome(10)
    assert [len(batch) for batch in action.batches.values()] == [1, 2, 4, 3]
    assert sorted(itertools.chain(*action.batches.values())) == list(range(10))


async def test_nothing_to_do() -> None:
    assert await slowstart.run([], Action()) == slowstart.Outcome(0)


async def test_when_the_first_fails_no_other_is_tried() -> None:
    error = errors.Forbidden("quota")
    action = Action({0: error})
    assert await slowstart.run(range(100), action) == slowstart.Outcome(0, error)
    assert action.batches == {0.0: [0]}


async def test_a_batch_with_a_failure_is_finished_and_is_the_last() -> None:
    error = errors.Unavailable("x")
    action = Action({4: error})
    assert await slowstart.run(range(100), action) == slowstart.Outcome(6, error)
    assert sum(len(batch) for batch in action.batches.values()) == 7


async def test_the_first_batch_can_be_larger() -> None:
    action = Action()
    await slowstart.run(range(9), action, first=3)
    assert [len(batch) for batch in action.batches.values()] == [3, 6]


async def test_a_bug_is_raised_after_its_batch() -> None:
    action = Action({1: errors.Invalid("x"), 2: ValueError("bug")})
    with pytest.raises(ValueError, match="bug"):
        await slowstart.run(range(9), action)
    assert sum(len(batch) for batch in action.batches.values()) == 3
