"""Numbers over time, as they are drawn: on a terminal by ``curvescreen``, as a file by ``curvefile``. Data only."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from collections.abc import Iterator, Sequence


class Kind(enum.Enum):
    """What a line stands for; each is drawn alike everywhere."""

    DEMAND = "demand"
    DESIRED = "desired"
    ACTUAL = "actual"
    BOUND = "bound"
    QUEUE = "queue"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One value for each of its panel's times; NaN leaves a gap. ``steps``: a value holds until the next one."""

    name: str
    kind: Kind
    values: Sequence[float]
    steps: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """Lines over the same times.

    Attributes:
        title: what it shows.
        unit: of the values.
        times: in seconds, increasing.
        lines: drawn in this order.
        shaded: spans of time that stand out, such as panic; ``shade`` says what they are.
        note: a line of figures, "" for none.
        weight: its height in proportion to the others'.
    """

    title: str
    unit: str
    times: Sequence[float]
    lines: Sequence[Line]
    shaded: Sequence[tuple[float, float]] = ()
    shade: str = "panic"
    note: str = ""
    weight: int = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """Panels, one below the other, over the same span of time.

    Attributes:
        title: of all.
        panels: at least one.
        start: Unix time of second 0, to name times of the day (in UTC); None names minutes since the beginning.
    """

    title: str
    panels: Sequence[Panel]
    start: float | None = None

    def most(self, panel: Panel) -> float:
        """The top of ``panel``: the largest value, at least 1, of all panels of its unit, so that they can be compared."""
        alike = [each for each in self.panels if each.unit == panel.unit]
        values = (value for each in alike for line in each.lines for value in line.values)
        return max([1.0, *(value for value in values if math.isfinite(value))])

    @property
    def span(self) -> tuple[float, float]:
        """From when to when, in seconds."""
        times = [at for panel in self.panels for at in (*panel.times[:1], *panel.times[-1:])]
        first, last = min(times, default=0.0), max(times, default=0.0)
        return first, max(last, first + 1.0)


def spans(times: Sequence[float], marked: Sequence[bool]) -> list[tuple[float, float]]:
    """The stretches of ``times`` that are marked; each lasts until the next time that is not."""
    found: list[tuple[float, float]] = []
    begun: float | None = None
    for at, mark in zip(times, marked, strict=True):
        if mark and begun is None:
            begun = at
        elif not mark and begun is not None:
            found.append((begun, at))
            begun = None
    if begun is not None:
        found.append((begun, times[-1]))
    return found


def ticks(most: float, number: int) -> list[float]:
    """From 0 to at least ``most`` in at most ``number`` equal steps of 1, 2 or 5 times a power of ten."""
    least = most / max(1, number)
    power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= least * (1 - 1e-9))
    return [step * place for place in range(math.ceil(most / step - 1e-9) + 1)]


_SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


def moments(chart: Chart, number: int) -> Iterator[tuple[float, str]]:
    """Times to name on the axis, at most about ``number``, each with its name: of the day, or minutes since the beginning."""
    first, last = chart.span
    step = next(
        (each for each in _SPANS if (last - first) / each <= number),
        86400.0 * math.ceil((last - first) / 86400 / number),
    )
    start = chart.start or 0.0
    at = math.ceil((start + first) / step) * step - start
    for each in itertools.takewhile(lambda each: each <= last, itertools.count(at, step)):
        yield each, _moment(chart.start, each, step)


def _moment(start: float | None, at: float, step: float) -> str:
    if start is None:
        return f"{at:.0f} s" if step < 60 else f"{at / 60:g} min" if step < 7200 else f"{at / 3600:g} h"
    day = round(start + at) % 86400
    clock = f"{day // 3600:02d}:{day // 60 % 60:02d}"
    return clock if step >= 60 else f"{clock}:{day % 60:02d}"
