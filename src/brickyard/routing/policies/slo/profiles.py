"""What a deployment's engines can do, as the optimizer measured it: a table by length of prompt and answer.

    {"gpu": "qwen-l4", "cost": 1.2, "created": 1760000000, "indexes": [[4, 8, 16], [128, 512]],
     "tputs": [[rps, …], …], "e2e": [[s]], "ttft": [[s]], "tpot": [[s]],
     "slos": {"percentile": 99, "ttft": 1.0, "tpot": 0.05, "tpat": 0, "e2e": 0}}

Rows go by generated tokens, columns by prompt tokens. A length between two of the axis goes to the lower one when it is less than half-way
to the upper one, in logarithms; beyond the ends to the end.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Sequence

import msgspec

from brickyard.routing import errors

Grid = tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Objectives:
    """What is promised, in seconds; 0 where nothing is: to the first token, per generated token, per token, for the whole."""

    ttft: float = 0.0
    tpot: float = 0.0
    tpat: float = 0.0
    e2e: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """What is to be expected of one request: requests per second that an engine of the kind sustains, and seconds. None: not measured."""

    throughput: float | None
    e2e: float | None
    ttft: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class GpuProfile:
    """One deployment's table; ``created`` is Unix seconds."""

    deployment: str
    created: float
    outputs: tuple[float, ...]
    prompts: tuple[float, ...]
    throughputs: Grid
    e2e: Grid
    ttft: Grid
    objectives: Objectives

    def cell(self, output_tokens: int, prompt_tokens: int) -> Cell:
        """What to expect of a request of these lengths."""
        row, column = place(self.outputs, output_tokens), place(self.prompts, prompt_tokens)
        return Cell(
            _entry(self.throughputs, row, column), _entry(self.e2e, row, column), _entry(self.ttft, row, column)
        )


def place(axis: Sequence[float], tokens: int) -> int:
    """The index of ``tokens`` on an axis of ascending logarithms to base 2."""
    if tokens <= 0 or len(axis) == 1:
        return 0
    value = math.log2(tokens)
    upper = bisect.bisect_left(axis, value)
    if upper == 0:
        return 0
    if upper == len(axis):
        return upper - 1
    left, right = axis[upper - 1], axis[upper]
    return upper - 1 if value < left + 0.5 * (right - left) else upper


def parse(text: str | bytes) -> GpuProfile:
    """A profile as the optimizer writes it.

    Raises:
        GpuProfileError: it has another shape; the message says where.
    """
    try:
        read = msgspec.json.decode(text, type=_Profile)
    except msgspec.MsgspecError as error:
        raise errors.GpuProfileError(f"GPU profile cannot be read: {error}") from error
    if len(read.indexes) != 2 or not all(read.indexes):
        raise errors.GpuProfileError("GPU profile cannot be read: indexes must be two lists of token counts")
    axes = [_axis(each) for each in read.indexes]
    promised = Objectives(read.slos.ttft or 0.0, read.slos.tpot or 0.0, read.slos.tpat or 0.0, read.slos.e2e or 0.0)
    return GpuProfile(read.gpu, read.created, axes[0], axes[1], read.tputs, read.e2e, read.ttft, promised)


def _axis(tokens: Sequence[float]) -> tuple[float, ...]:
    if min(tokens) <= 0 or list(tokens) != sorted(set(tokens)):
        raise errors.GpuProfileError("GPU profile cannot be read: token counts of an axis must ascend from above 0")
    return tuple(math.log2(each) for each in tokens)


def _entry(grid: Grid, row: int, column: int) -> float | None:
    return grid[row][column] if row < len(grid) and column < len(grid[row]) else None


class _Objectives(msgspec.Struct):
    ttft: float | None = None
    tpot: float | None = None
    tpat: float | None = None
    e2e: float | None = None


class _Profile(msgspec.Struct):
    gpu: str
    indexes: list[list[float]]
    created: float = 0.0
    tputs: Grid = ()
    e2e: Grid = ()
    ttft: Grid = ()
    slos: _Objectives = msgspec.field(default_factory=_Objectives)
