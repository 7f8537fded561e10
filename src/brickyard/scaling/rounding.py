"""Comparing and rounding where binary fractions would tip the balance: 33 is not above 30 * 1.1, and 3.3 / 1.1 is 3. Pure.

Two numbers that differ by less than a billionth of them are the same. Every comparison at the edge of a band and every rounding to
replicas goes through here.
"""

from __future__ import annotations

import math
from typing import Final

GRAIN: Final = 1e-9
MOST: Final = 2**31 - 1
"""Kubernetes counts replicas in 32 bits."""


def above(value: float, edge: float) -> bool:
    """Whether ``value`` is above ``edge`` by more than rounding explains. Neither is negative."""
    return value > edge * (1 + GRAIN)


def below(value: float, edge: float) -> bool:
    """Whether ``value`` is below ``edge`` by more than rounding explains. Neither is negative."""
    return value < edge * (1 - GRAIN)


def up(value: float) -> int:
    """The least number of replicas that is not below ``value``: 0 for 0 alone, at most ``MOST``."""
    return math.ceil(min(value * (1 - GRAIN), MOST))


def down(value: float) -> int:
    """The greatest number of replicas that is not above ``value``, at most ``MOST``."""
    return math.floor(min(value * (1 + GRAIN), MOST))
