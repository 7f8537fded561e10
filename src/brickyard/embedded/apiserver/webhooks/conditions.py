"""``matchConditions`` of a webhook: expressions that must all be true for it to be asked. Pure.

They know ``object``, ``oldObject`` (null where there is none) and ``request`` (the AdmissionRequest); ``authorizer`` is not known,
since nobody's access is limited here.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.embedded.apiserver.cel import environment, errors, programs, types

_VARIABLES: Final = {"object": types.DYN, "oldObject": types.DYN, "request": types.DYN}
_BUDGET: Final = 2_500_000


class ConditionError(ValueError):
    """A condition has no answer for this request, and none of the others is false; the text names it."""


@functools.lru_cache(maxsize=1024)
def _compiled(expression: str) -> programs.Program:
    return environment.compile(expression, _VARIABLES)


def fault(expression: str) -> str:
    """What is wrong with the text of a condition; "" where nothing is."""
    try:
        program = _compiled(expression)
    except errors.CompileError as error:
        return f"compilation failed: {error}"
    return "" if program.type.name in ("bool", "dyn") else "must evaluate to bool"


def hold(conditions: Sequence[tuple[str, str]], request: Mapping[str, Any]) -> bool:
    """Whether every one of the (name, expression) pairs is true of an AdmissionRequest. One that is false outweighs those without answer.

    Raises:
        ConditionError: one has no answer.
    """
    names = {"object": request.get("object"), "oldObject": request.get("oldObject"), "request": request}
    left, failed = _BUDGET, ""
    for name, expression in conditions:
        try:
            result = _compiled(expression).run(names, left)
        except errors.CelError as error:
            failed = failed or f'match condition "{name}": {error}'
            continue
        left -= result.cost
        if result.value is False:
            return False
        if result.value is not True:
            failed = failed or f'match condition "{name}": must evaluate to bool'
    if failed:
        raise ConditionError(failed)
    return True
