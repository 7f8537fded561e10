"""Figures as one HTML file that needs nothing else: tables, and bars drawn as SVG."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence

WIDTH, ROW, LEFT, RIGHT = 860, 24, 260, 90
STYLE = """
:root { color-scheme: light dark; --ours: #b4532a; --other: #8a94a0; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; } svg text { fill: currentColor; font-size: 13px; }
.ours { fill: var(--ours); } .other { fill: var(--other); } tr.ours { font-weight: 600; } .note { opacity: .75; }
"""

ALONE = """
.ours { fill: #b4532a; } .other { fill: #8a94a0; } text { fill: #24292f; font: 13px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de; } }
"""
"""Of a picture that stands in a document of somebody else's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``shown`` stands at its end. ``ours`` is drawn in the other colour."""

    label: str
    value: float
    shown: str
    ours: bool = False


def bars(title: str, rows: Sequence[Bar], *, logarithmic: bool = False) -> str:
    """Horizontal bars from 0; ``logarithmic`` where the largest would leave nothing of the others to see, from half the least."""
    drawn = [row for row in rows if math.isfinite(row.value) and row.value >= 0]
    scale = _Scale([row.value for row in drawn], logarithmic)
    height = ROW * len(drawn) + 34
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(title)}">']
    note = " (logarithmic)" if logarithmic else ""
    parts.append(f'<text x="0" y="16" font-weight="600">{html.escape(title + note)}</text>')
    for place, row in enumerate(drawn):
        y, length = 28 + place * ROW, scale.length(row.value)
        kind = "ours" if row.ours else "other"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{html.escape(row.label)}</text>')
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 8}" rx="2"/>')
        parts.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 15}">{html.escape(row.shown)}</text>')
    return "".join(parts) + "</svg>"


def picture(drawn: str) -> str:
    """What ``bars`` drew as a file of its own, for documents that show pictures."""
    head, _, rest = drawn.partition(">")
    alone = head.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return f"{alone}><style>{ALONE}</style>{rest}\n"


class _Scale:
    def __init__(self, values: Sequence[float], logarithmic: bool) -> None:
        positive = [value for value in values if value > 0]
        self._most = max(positive, default=1.0)
        self._least = min(positive, default=1.0) / 2 if logarithmic else 0.0

    def length(self, value: float) -> float:
        room = WIDTH - LEFT - RIGHT
        if not self._least:
            return room * value / self._most
        return room * max(0.0, math.log(max(value, self._least) / self._least) / math.log(self._most / self._least))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], ours: str = "") -> str:
    """The row whose first cell is ``ours`` stands out."""
    first = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    lines = [f"<tr>{first}</tr>"]
    for row in rows:
        kind = ' class="ours"' if row[0] == ours else ""
        lines.append(f"<tr{kind}>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def note(text: str) -> str:
    """A paragraph."""
    return f'<p class="note">{html.escape(text)}</p>'


def document(title: str, sections: Iterable[tuple[str, Sequence[str]]], where: str) -> str:
    """Sections are a heading and what stands under it, made by the functions above."""
    body = "".join(f"<h2>{html.escape(heading)}</h2>{''.join(parts)}" for heading, parts in sections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
        f'<body><h1>{html.escape(title)}</h1><p class="note">{html.escape(where)}</p>{body}</body></html>\n'
    )
