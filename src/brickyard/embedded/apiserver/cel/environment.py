"""Compile an expression in Kubernetes' environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from brickyard.embedded.apiserver.cel import (
    compiler,
    errors,
    kubernetes,
    library,
    macros,
    programs,
    standard,
    strings,
    syntax,
    times,
    types,
    values,
)

FUNCTIONS: Final = library.merged(standard.TABLE, times.TABLE, strings.TABLE, kubernetes.TABLE)


def compile(text: str, variables: Mapping[str, types.Type]) -> programs.Program:  # noqa: A001 - it is what it does
    """The program of ``text``, in which ``variables`` are known.

    Raises:
        CompileError: it is no expression, or its types do not fit; every fault is told.
    """
    tree = syntax.parse(text)
    work = compiler.Compiler(text, dict(variables), FUNCTIONS, macros.ALL)
    part = work.part(tree)
    if work.faults:
        raise errors.CompileError("\n".join(work.faults))
    return programs.Program(part.type, part.cost, frozenset(work.uses & variables.keys()), part.run)


def optional(value: object, present: bool) -> values.Optional:
    """``value`` as one that may be missing."""
    return values.Optional(True, value) if present else values.NOTHING
