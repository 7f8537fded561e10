"""A checked program: what it gives, what it may cost, and its run on a budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from brickyard.embedded.apiserver.cel import errors, types


class Frame:
    """One run: the names in scope, and what may still be spent."""

    __slots__ = ("left", "names")

    def __init__(self, names: dict[str, Any], budget: int) -> None:
        self.names = names
        self.left = budget

    def spend(self, cost: int) -> None:
        """Pay for a step.

        Raises:
            BudgetError: there is not enough left.
        """
        self.left -= cost
        if self.left < 0:
            raise errors.BudgetError("operation cancelled: actual cost limit exceeded")


Run = Callable[[Frame], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A compiled part of an expression. ``cost`` is the most that it can cost, by the limits of the types in it."""

    type: types.Type
    run: Run
    cost: float = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a run gave, and what it cost."""

    value: Any
    cost: int


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression. ``uses`` are the variables it refers to."""

    type: types.Type
    cost: float
    uses: frozenset[str]
    _run: Run

    def run(self, names: Mapping[str, Any], budget: int) -> Result:
        """Evaluate with ``names`` for at most ``budget``.

        Raises:
            EvaluationError: there is no answer.
            BudgetError: the budget did not suffice.
        """
        frame = Frame(dict(names), budget)
        try:
            value = self._run(frame)
        except errors.CelError as error:
            error.cost = budget - max(0, frame.left)
            raise
        except RecursionError as error:
            deep = errors.BudgetError("operation cancelled: the value is nested too deeply")
            deep.cost = budget
            raise deep from error
        return Result(value, budget - frame.left)
