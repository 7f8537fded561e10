"""What is kept of an autoscaler grows to its bound and stays there."""

from __future__ import annotations

import gc
import sys
import types
from typing import Any

import pytest

from brickyard.controllers.podautoscaler import history
from brickyard.scaling import contract, testing

_SHARED = (type, types.ModuleType, types.FunctionType, types.MethodType, types.BuiltinFunctionType)


def size(*roots: Any) -> int:
    """Bytes of all that hangs on ``roots``."""
    seen: dict[int, Any] = {}
    left = list(roots)
    while left:
        found = left.pop()
        if id(found) not in seen and not isinstance(found, _SHARED):
            seen[id(found)] = found
            left += gc.get_referents(found)
    return sum(map(sys.getsizeof, seen.values()))


@pytest.mark.parametrize("strategy", [contract.Strategy.KPA, contract.Strategy.APA])
def test_nothing_grows_after_the_rings_are_full(strategy: contract.Strategy) -> None:
    load, kept = testing.Workload(testing.settings(strategy, bounds=(1, 30)), 20), history.History()

    def look(count: int) -> int:
        for index in range(count):
            made = load.step(testing.shared(150 + 40 * (index // 60 % 2), load.replicas))
            kept.add(history.point(made))
            load.made.clear()
        return size(load.memory, kept, made)

    full = look(history.POINTS + 60)
    assert abs(look(history.POINTS) - full) < 8192
    assert full < 128 * 1024, "of 500 autoscalers 64 MB"
