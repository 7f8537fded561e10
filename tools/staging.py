"""Source files as mypyc is to see them: the same lines, with what our value classes mean written out.

mypyc makes a C struct of a class that is plain or a dataclass, but it knows a dataclass by the standard library's name alone, and leaves
the ``__init__`` that the library makes to the interpreter. So ``@values.value`` becomes ``@dataclasses.dataclass``, and a dataclass that
is not frozen gets an ``__init__`` of its own, in the blank line below its docstring. No line moves: tracebacks point to the line in the
file that people read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_VALUE: Final = "values.value"
_DATACLASS: Final = "dataclasses.dataclass"
_MADE_HERE: Final = {_VALUE, _DATACLASS, f"{_DATACLASS}(slots=True)"}
_FROM_VALUES: Final = "from brickyard.lib import values"
_INTERPRETED: Final = "@(lambda made: made)"
"""mypyc leaves a class with a decorator that it does not know to the interpreter."""


def staged(source: str) -> str:
    """The text of a module for mypyc; as many lines as before."""
    lines = source.replace(f"{_FROM_VALUES}\n", "import dataclasses\n", 1).split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.decorator_list:
            _stage(node, lines)
    return "\n".join(lines)


def _stage(node: ast.ClassDef, lines: list[str]) -> None:
    decorators = {ast.unparse(each): each.lineno - 1 for each in node.decorator_list}
    first = min(decorators.values())
    if any(ast.unparse(base).startswith("Generic[") for base in node.bases):
        lines[first - 1] = _INTERPRETED  # of a generic dataclass mypyc makes one that cannot be imported
        return
    if _VALUE in decorators:
        lines[decorators[_VALUE]] = f"@{_DATACLASS}"
    room = _room(node, lines)
    if room is not None and not node.bases and not _MADE_HERE.isdisjoint(decorators):
        lines[room] = _constructor(node)


def _room(node: ast.ClassDef, lines: list[str]) -> int | None:
    """The blank line below the docstring."""
    at = node.body[0].end_lineno
    return at if ast.get_docstring(node) and at is not None and at < len(lines) and not lines[at].strip() else None


def _constructor(node: ast.ClassDef) -> str:
    """``__init__`` in one line; "" where the library has to make it."""
    taken, kept = list[str](), list[str]()
    for name, kind, default in _fields(node):
        if default is None or not _is_field(default):
            taken.append(f"{name}: {kind}" if default is None else f"{name}: {kind} = {ast.unparse(default)}")
            kept.append(f"self.{name} = {name}")
            continue
        made = _made(default)
        if not made:
            return ""
        taken.append(f"{name}: {kind} | None = None")
        kept.append(f"self.{name} = {made} if {name} is None else {name}")
    return f"    def __init__(self, {', '.join(taken)}) -> None: {'; '.join(kept)}" if kept else ""


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, ast.expr | None]]:
    for each in node.body:
        if isinstance(each, ast.AnnAssign):
            yield ast.unparse(each.target), ast.unparse(each.annotation), each.value


def _is_field(default: ast.expr) -> bool:
    return isinstance(default, ast.Call) and ast.unparse(default.func) == "dataclasses.field"


def _made(default: ast.expr) -> str:
    """What the field's ``default_factory`` makes; "" where the field says anything else."""
    given = {each.arg: each.value for each in default.keywords} if isinstance(default, ast.Call) else {}
    if given.keys() != {"default_factory"}:
        return ""
    made = given["default_factory"]
    return ast.unparse(made.body) if isinstance(made, ast.Lambda) else f"{ast.unparse(made)}()"
