"""Curves on a terminal: each character is a grid of two by four dots (braille), and has the colour of what was drawn there last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from brickyard.cli import curves

STYLES: Final = {
    curves.Kind.DEMAND: "yellow",
    curves.Kind.DESIRED: "blue",
    curves.Kind.ACTUAL: "bold green",
    curves.Kind.BOUND: "bright_black",
    curves.Kind.QUEUE: "magenta",
}
SHADE: Final = "on grey23"
"""Behind what is shaded; where there are no colours, ``▒`` below the axis says it."""
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE: Final = 0x2800
_LEAST: Final = 20


class _Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._dots = [[0] * width for _ in range(height)]
        self._styles = [[""] * width for _ in range(height)]

    def dot(self, x: int, y: int, style: str) -> None:
        """``y`` grows upwards."""
        if 0 <= x < self.width * 2 and 0 <= y < self.height * 4:
            row, line = divmod(self.height * 4 - 1 - y, 4)
            self._dots[row][x // 2] |= _DOTS[line][x % 2]
            self._styles[row][x // 2] = style

    def stroke(self, first: tuple[int, int], last: tuple[int, int], style: str) -> None:
        """A straight line."""
        (x, y), (right, top) = first, last
        number = max(abs(right - x), abs(top - y), 1)
        for place in range(number + 1):
            self.dot(round(x + (right - x) * place / number), round(y + (top - y) * place / number), style)

    def rows(self, shaded: set[int]) -> Iterator[Text]:
        for dots, styles in zip(self._dots, self._styles, strict=True):
            made = Text()
            for column, (bits, style) in enumerate(zip(dots, styles, strict=True)):
                behind = SHADE if column in shaded else ""
                made.append(chr(_BRAILLE + bits) if bits else " ", f"{style} {behind}".strip())
            yield made


def draw(chart: curves.Chart, width: int = 100, height: int = 12) -> RenderableType:
    """``chart`` in ``width`` columns; ``height`` rows for the panel of most weight."""
    heaviest = max(panel.weight for panel in chart.panels)
    parts: list[RenderableType] = [Text(chart.title, "bold")] if chart.title else []
    scales = [
        curves.ticks(chart.most(panel), min(5, max(2, height * panel.weight // heaviest - 1))) for panel in chart.panels
    ]
    margin = 1 + max(len(f"{mark:g}") for marks in scales for mark in marks)
    for panel, marks in zip(chart.panels, scales, strict=True):
        canvas = _Canvas(max(_LEAST, width - margin - 1), max(3, height * panel.weight // heaviest))
        parts += _panel(chart, panel, canvas, marks, margin)
    return Group(*parts)


def _panel(
    chart: curves.Chart, panel: curves.Panel, canvas: _Canvas, marks: Sequence[float], margin: int
) -> list[RenderableType]:
    first, last = chart.span
    across = (canvas.width * 2 - 1) / (last - first)
    up = (canvas.height * 4 - 1) / marks[-1]
    for line in panel.lines:
        _line(canvas, panel.times, line, (first, across, up))
    shaded = {
        column
        for begin, end in panel.shaded
        for column in range(int((begin - first) * across / 2), int((end - first) * across / 2) + 1)
    }
    labels = {canvas.height - 1 - round(mark * up) // 4: f"{mark:g}" for mark in marks}
    rows = [
        Text.assemble((labels.get(place, "").rjust(margin), "dim"), ("┤" if place in labels else "│", "dim"), row)
        for place, row in enumerate(canvas.rows(shaded))
    ]
    return [
        _heading(panel),
        *rows,
        *_axis(chart, canvas.width, margin, shaded),
        *([Text(panel.note, "dim")] * bool(panel.note)),
    ]


def _line(canvas: _Canvas, times: Sequence[float], line: curves.Line, scale: tuple[float, float, float]) -> None:
    first, across, up = scale
    style = STYLES[line.kind]
    before: tuple[int, int] | None = None
    for at, value in zip(times, line.values, strict=True):
        if not math.isfinite(value):
            before = None
            continue
        here = (round((at - first) * across), round(value * up))
        if line.kind is curves.Kind.BOUND:
            for x in range((before or here)[0], here[0] + 1):
                if x % 4 == 0:
                    canvas.dot(x, here[1], style)
        elif before is None:
            canvas.dot(*here, style)
        elif line.steps:
            canvas.stroke(before, (here[0], before[1]), style)
            canvas.stroke((here[0], before[1]), here, style)
        else:
            canvas.stroke(before, here, style)
        before = here


def _heading(panel: curves.Panel) -> Text:
    unit = "" if panel.unit == panel.title else f"  {panel.unit}"
    made = Text.assemble((panel.title, "bold"), f"{unit}   ")
    for line in panel.lines:
        if line.name:
            made.append("━━ " if line.kind is not curves.Kind.BOUND else "┄┄ ", STYLES[line.kind])
            made.append(f"{line.name}   ")
    if panel.shaded:
        made.append("▒▒ ", "dim")
        made.append(panel.shade)
    return made


def _axis(chart: curves.Chart, width: int, margin: int, shaded: set[int]) -> Iterator[Text]:
    first, last = chart.span
    rule = ["─"] * width
    names = [" "] * width
    free = 0
    for at, name in curves.moments(chart, max(2, width // 12)):
        column = min(width - 1, round((at - first) / (last - first) * (width - 1)))
        begin = max(0, min(column - len(name) // 2, width - len(name)))
        if begin >= free:
            rule[column] = "┴"
            names[begin : begin + len(name)] = name
            free = begin + len(name) + 1
    for column in shaded:
        if 0 <= column < width and rule[column] == "─":
            rule[column] = "▒"
    yield Text(" " * margin + "└" + "".join(rule), "dim")
    yield Text(" " * (margin + 1) + "".join(names).rstrip(), "dim")
