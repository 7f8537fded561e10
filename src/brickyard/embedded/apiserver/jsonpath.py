"""The subset of JSONPath that CustomResourceDefinitions use for printer columns.

Keys (``.spec.a``, ``['a.b']``, ``.labels.a\\.b``), indexes (``[0]``, ``[-1]``, ``[0,2]``), slices (``[-1:]``, ``[0:2]``),
everything (``[*]``) and filters (``[?(@.type=="Ready")]``, ``!=`` and orders too, and mere presence ``[?(@.ready)]``).
"""

from __future__ import annotations

import dataclasses
import operator as operators
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_KEY = re.compile(r"\.?((?:[^.\[\]\\\s]|\\.)+)")
_QUOTED = re.compile(r"""\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]""")
_INDEXES = re.compile(r"\[\s*(-?\d{1,9}(?:\s*,\s*-?\d{1,9})*)\s*\]", re.ASCII)
_SLICE = re.compile(r"\[\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*(?::\s*(\d{1,9})?\s*)?\]", re.ASCII)
_ALL = re.compile(r"\[\s*\*\s*\]|\.\*")
_FILTER = re.compile(
    r"""\[\s*\?\(\s*@((?:\.(?:[^.\[\]\\\s=!<>()]|\\.)+)+)\s*(?:(==|!=|<=?|>=?)\s*(?:'([^']*)'|"([^"]*)"|(true|false|-?\d+(?:\.\d+)?)))?\s*\)\s*\]"""
)
_LIMIT = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """A parsed path."""

    text: str
    steps: tuple[Step, ...]

    def find(self, obj: Any) -> list[Any]:
        """Every value the path leads to, in order; empty where a step leads nowhere."""
        found = [obj]
        for step in self.steps:
            found = [value for each in found for value in step(each)]
        return found


def parse(text: str) -> Path:
    """The path that ``text`` says.

    Raises:
        ValueError: it says none, or uses what this subset does not have.
    """
    if len(text) > _LIMIT or not text.startswith((".", "[", "$")):
        raise ValueError(f"{text[:80]!r} is no JSON path: it starts with a dot and has at most {_LIMIT} characters")
    steps: list[Step] = []
    at = 1 if text.startswith("$") else 0
    if text == ".":
        return Path(text, ())
    while at < len(text):
        step, at = _step(text, at)
        steps.append(step)
    return Path(text, tuple(steps))


def _step(text: str, at: int) -> tuple[Step, int]:
    for pattern, make in _MAKERS:
        match = pattern.match(text, at)
        if match is not None:
            return make(match), match.end()
    raise ValueError(f"{text!r} is no JSON path that is understood here: look at {text[at:]!r}")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _key(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _indexes(positions: Sequence[int]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        for position in positions if isinstance(value, list) else ():
            if -len(value) <= position < len(value):
                yield value[position]

    return step


def _slice(match: re.Match[str]) -> Step:
    start, stop, stride = (int(each) if each else None for each in match.groups())

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[start : stop : stride or 1]

    return step


def _everything(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def _filter(match: re.Match[str]) -> Step:
    below = Path("", tuple(_key(_unescaped(each)) for each in re.findall(r"\.((?:[^.\\]|\\.)+)", match[1])))
    operator, wanted = match[2], _literal(match)

    def keeps(item: Any) -> bool:
        found = below.find(item)
        return _compares(found[0], operator, wanted) if operator and found else bool(found)

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (item for item in value if keeps(item))

    return step


def _compares(found: Any, operator: str, wanted: object) -> bool:
    if operator not in _ORDERS:
        return bool(found == wanted) == (operator == "==")
    both = (found, wanted)
    alike = all(isinstance(each, str) for each in both) or all(type(each) in (int, float) for each in both)
    return alike and bool(_ORDERS[operator](found, wanted))


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


def _literal(match: re.Match[str]) -> object:
    single, double, bare = match[3], match[4], match[5]
    if bare in ("true", "false"):
        return bare == "true"
    if bare is not None:
        return float(bare)
    return single if single is not None else double


_MAKERS: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]]] = (
    (_ALL, lambda _: _everything),
    (_FILTER, _filter),
    (_INDEXES, lambda match: _indexes([int(each) for each in match[1].split(",")])),
    (_SLICE, _slice),
    (_QUOTED, lambda match: _key(_unescaped(match[1] if match[1] is not None else match[2]))),
    (_KEY, lambda match: _key(_unescaped(match[1]))),
)
