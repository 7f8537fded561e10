"""How many GPUs the engine of a ModelClaim is told to use, from its flags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.api.kinds import shapes

TENSOR: Final = "--tensor-parallel-size"
PIPELINE: Final = "--pipeline-parallel-size"
DATA: Final = "--data-parallel-size"

_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def faults(args: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the flags ``args``: (flag as written, text)."""
    for flag, size, given in _sizes(args):
        if size is None or size < 1:
            yield given, "must be a positive integer"
        elif flag == DATA and size != 1:
            yield given, "must be 1: an engine of a pool has no replicas of its own"


def gpus(args: Any) -> int:
    """GPUs that an engine with the flags ``args`` needs in its pod.

    Raises:
        ValueError: the flags break a rule.
    """
    for given, text in faults(args):
        raise ValueError(f"{given} {text}")
    sizes = {flag: size for flag, size, _ in _sizes(args) if size is not None}
    return sizes.get(TENSOR, 1) * sizes.get(PIPELINE, 1)


def canonical(flag: str) -> str:
    """A flag as the engine's manual spells it: the engine takes underscores for dashes."""
    return flag.replace("_", "-")


def _sizes(args: Any) -> Iterator[tuple[str, int | None, str]]:
    """(flag, its size or None where it is no integer, flag as written). An empty text means 1."""
    flags: Mapping[str, Any] = args if isinstance(args, dict) else {}
    for given in flags:
        flag, text = canonical(given), shapes.text(flags, given)
        if flag in (TENSOR, PIPELINE, DATA) and text is not None:
            text = text.strip() or "1"
            yield flag, int(text) if _WHOLE.fullmatch(text) else None, given
