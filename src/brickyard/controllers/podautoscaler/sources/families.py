"""One family of samples on a metrics page, by the name that stands there: values as written, NaN and infinities included. Pure.

``engines.exposition`` reads what an engine's load is made of and passes over what is no number. Here a user named the series, and is to
be told why it cannot be scaled by.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from brickyard.engines import exposition

_LABELS: Final = rb'(\{(?:[^"}\n]|"(?:[^"\\\n]|\\.)*")*\})?'
_REST: Final = rb"[ \t]+([^\s#]+)(?:[ \t]+(-?[0-9.eE+]+))?[ \t]*(?:#[^\n]*)?\r?$"
"""The value, a time, an exemplar."""
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MILLISECONDS: Final = 1e11
"""Times above are in milliseconds, as in Prometheus' own text; below in seconds, as in OpenMetrics. 1e11 s are in the year 5138."""


class Sample(NamedTuple):
    """One line. ``labels`` as written, with their braces; ``at``: Unix time, None when the line does not say."""

    labels: str
    value: float
    at: float | None = None


def is_name(text: str) -> bool:
    """Whether a series can be called so."""
    return _NAME.fullmatch(text) is not None


class Family:
    """The samples called ``name``, exactly."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._head = b"\n" + self._name
        self._sample = re.compile(re.escape(self._head) + _LABELS + _REST, re.MULTILINE)

    def read(self, page: bytes) -> list[Sample]:
        """In the page's order. A line whose value is no number counts as NaN."""
        return [
            Sample(labels.decode(errors="replace"), _number(value), _time(at))
            for labels, value, at in exposition.found_at(self._head, self._sample, b"\n" + page)
        ]

    def type(self, page: bytes) -> str:
        """``counter``, ``gauge``, ``histogram``, ``summary``; "" when the page does not say or does not know."""
        for name in (self._name, self._name.removesuffix(b"_total")):
            begin = page.find(b"# TYPE " + name + b" ")
            if begin >= 0:
                word = page[begin : begin + len(name) + 64].split(b"\n", 1)[0].split()[-1]
                return "" if word in (b"untyped", b"unknown") else word.decode(errors="replace")
        return ""


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _time(text: bytes) -> float | None:
    try:
        at = float(text)
    except ValueError:
        return None
    return at / 1000 if at > _MILLISECONDS else at
