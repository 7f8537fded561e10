"""The rules of every kind that has some, in one list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from brickyard.api.kinds import contract

_NONE: Final = contract.NoRules()

RULES: Final[Mapping[tuple[str, str], contract.KindRules]] = {}
"""By (group, kind): the rules of a kind hold for all its versions."""


def of(group: str, kind: str) -> contract.KindRules:
    """The rules of a kind; ``NoRules`` where its schema says everything."""
    return RULES.get((group, kind), _NONE)
