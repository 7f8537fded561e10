"""The subset of JSONPath that CustomResourceDefinitions use for printer columns.

Keys (``.spec.a``, ``['a.b']``, ``.labels.a\\.b``), indexes (``[0]``, ``[-1]``), everything (``[*]``) and filters on equality
(``[?(@.type=="Ready")]``, ``!=`` too, and mere presence ``[?(@.ready)]``).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_KEY = re.compile(r"\.?((?:[^.\[\]\\\s]|\\.)+)")
_QUOTED = re.compile(r"""\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]""")
_INDEX = re.compile(r"\[\s*(-?\d+)\s*\]")
_ALL = re.compile(r"\[\s*\*\s*\]|\.\*")
_FILTER = re.compile(
    r"""\[\s*\?\(\s*@((?:\.(?:[^.\[\]\\\s=!<>()]|\\.)+)+)\s*(?:(==|!=)\s*(?:'([^']*)'|"([^"]*)"|(true|false|-?\d+(?:\.\d+)?)))?\s*\)\s*\]"""
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


def _index(position: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= position < len(value):
            yield value[position]

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
        if not operator or not found:
            return bool(found)
        return bool(found[0] == wanted) == (operator == "==")

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (item for item in value if keeps(item))

    return step


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
    (_INDEX, lambda match: _index(int(match[1]))),
    (_QUOTED, lambda match: _key(_unescaped(match[1] if match[1] is not None else match[2]))),
    (_KEY, lambda match: _key(_unescaped(match[1]))),
)
