"""Curves as a picture, SVG or PNG. Needs matplotlib: ``pip install brickyard[plot]``."""

from __future__ import annotations

import importlib.util
import pathlib
from typing import TYPE_CHECKING, Any, Final

from brickyard.cli import curves
from brickyard.lib import errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".svg", ".png")
_STYLES: Final[dict[curves.Kind, dict[str, Any]]] = {
    curves.Kind.DEMAND: {"color": "#d9902f", "linewidth": 1.0, "zorder": 2},
    curves.Kind.DESIRED: {"color": "#3b6fb6", "linewidth": 1.4, "linestyle": (0, (4, 2)), "zorder": 4},
    curves.Kind.ACTUAL: {"color": "#2d7d46", "linewidth": 2.2, "zorder": 3},
    curves.Kind.BOUND: {"color": "#8a94a0", "linewidth": 0.9, "linestyle": (0, (1, 2)), "zorder": 1},
    curves.Kind.QUEUE: {"color": "#9b4f96", "linewidth": 1.0, "zorder": 2},
}
_SHADE: Final = "#d9534f"
_WIDTH, _HEIGHT = 10.0, 1.35
"""Inches: of the picture, and of a panel for each unit of its weight."""
_AROUND: Final = 0.9
_HEADROOM: Final = 1.04
"""What a line at the very top needs to be seen whole."""


class NoPictures(errors.UsageError):
    """What draws pictures is not installed, or the file's name asks for another form."""


def check(path: pathlib.Path) -> None:
    """Before anything is computed: whether a picture can be written as ``path``.

    Raises:
        NoPictures: it cannot; the message says what to do.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise NoPictures(
            f"{path.name} names no kind of picture that is drawn here", hint=f"end it in {' or '.join(SUFFIXES)}"
        )
    if not path.absolute().parent.is_dir():
        raise NoPictures(f"there is no folder {path.absolute().parent}", hint="make it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise NoPictures("pictures need matplotlib", hint="pip install 'brickyard[plot]'")


def write(chart: curves.Chart, path: pathlib.Path) -> None:
    """Draw ``chart`` into ``path``; its suffix says as what. Equal charts give equal files.

    Raises:
        NoPictures: as ``check``.
        UsageError: the file cannot be written.
    """
    check(path)
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "brickyard", "svg.fonttype": "none", "font.size": 9.0}):
        heights = [panel.weight for panel in chart.panels]
        figure = Figure(figsize=(_WIDTH, _HEIGHT * sum(heights) + _AROUND), layout="constrained")
        FigureCanvasAgg(figure)
        made = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)
        figure.suptitle(chart.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        for axes, panel in zip(made[:, 0], chart.panels, strict=True):
            _panel(axes, panel, chart.most(panel))
        figure.align_ylabels()
        marks = list(curves.moments(chart, 10))
        made[-1, 0].set_xlim(*chart.span)
        made[-1, 0].set_xticks([at for at, _ in marks], [name for _, name in marks])
        try:
            figure.savefig(
                path, dpi=144, metadata={"Date": None} if path.suffix.lower() == ".svg" else {"Software": None}
            )
        except OSError as error:
            raise errors.UsageError(f"{path} cannot be written: {error.strerror}") from error


def _panel(axes: Axes, panel: curves.Panel, most: float) -> None:
    for line in panel.lines:
        how = "steps-post" if line.steps else "default"
        axes.plot(panel.times, line.values, label=line.name or None, drawstyle=how, **_STYLES[line.kind])
    for place, (begin, end) in enumerate(panel.shaded):
        axes.axvspan(begin, end, color=_SHADE, alpha=0.13, linewidth=0, label=panel.shade if place == 0 else None)
    marks = curves.ticks(most, 5)
    axes.set_ylim(0, marks[-1] * _HEADROOM)
    axes.set_yticks(marks)
    axes.set_ylabel(panel.unit)
    axes.set_title(panel.title, loc="left", fontsize=9.5, fontweight="bold")
    if panel.note:
        axes.set_title(panel.note, loc="right", fontsize=8.5, color="#555555")
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if any(line.name for line in panel.lines):
        axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, fontsize=8.5, borderaxespad=0.0)
