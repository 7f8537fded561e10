"""Quantities: ``500m`` cores, ``1Gi`` bytes, ``2e3`` anything.

Exact throughout: values are ``Decimal``, and arithmetic on them is the caller's.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal

from brickyard.kube.objects import errors

_BINARY = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5, "Ei": 1024**6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}

# A bounded number of digits and of exponent: text from a client must not make Decimal compute for minutes.
_QUANTITY = re.compile(
    r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40}))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{1,2})?", re.ASCII
)
_NANO = Decimal(1).scaleb(-9)
_CONTEXT = decimal.Context(prec=150, rounding=decimal.ROUND_UP)


def parse(value: str | int | float) -> Decimal:
    """The number that ``value`` stands for; finer than a nano is rounded away from zero, as Kubernetes does.

    Raises:
        QuantityError: it stands for none.
    """
    match = _QUANTITY.fullmatch(str(value)) if not isinstance(value, bool) else None
    if match is None:
        raise errors.QuantityError(
            f"{value!r} is no quantity: write a number with a suffix such as 500m, 2, 1Gi or 1e3"
        )
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        number = _CONTEXT.multiply(number, Decimal(_BINARY[suffix]))
    else:
        number = number.scaleb(_DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:]), _CONTEXT)
    exponent = number.as_tuple().exponent
    return number.quantize(_NANO, context=_CONTEXT) if isinstance(exponent, int) and exponent < -9 else number


def is_quantity(value: object) -> bool:
    """Whether ``parse`` would take it."""
    if not isinstance(value, str | int | float):
        return False
    try:
        parse(value)
    except errors.QuantityError:
        return False
    return True


def format_decimal(value: Decimal) -> str:
    """Canonical text with a decimal suffix: the largest one that leaves an integer. ``Decimal("0.5")`` → ``500m``."""
    for suffix, exponent in reversed(_DECIMAL.items()):
        scaled = value.scaleb(-exponent, _CONTEXT)
        if scaled == scaled.to_integral_value(context=_CONTEXT) and (scaled != 0 or not suffix):
            return f"{int(scaled)}{suffix}"
    return format_decimal(value.quantize(_NANO, context=_CONTEXT))


def format_binary(value: Decimal) -> str:
    """Canonical text with a binary suffix where one fits: ``Decimal(1 << 30)`` → ``1Gi``; else as ``format_decimal``."""
    if value != value.to_integral_value(context=_CONTEXT) or abs(value) < 1024:
        return format_decimal(value)
    for suffix, unit in reversed(_BINARY.items()):
        if int(value) % unit == 0:
            return f"{int(value) // unit}{suffix}"
    return str(int(value))


def canonical(value: str | int | float) -> str:
    """The one text of a quantity, in the notation of ``value``: ``0.5`` → ``500m``, ``1024Mi`` → ``1Gi``, ``1e4`` → ``10e3``.

    Raises:
        QuantityError: it is none.
    """
    number = parse(value)
    if isinstance(value, str) and value.endswith("i"):
        return format_binary(number)
    # An E that ends the text is a suffix of its own.
    if isinstance(value, str) and "e" in value[:-1].lower():
        return _format_exponent(number)
    return format_decimal(number)


def _format_exponent(value: Decimal) -> str:
    """Canonical text with an exponent that is a multiple of three."""
    if not value:
        return "0"
    exponent = value.normalize(_CONTEXT).as_tuple().exponent
    thousands = exponent // 3 * 3 if isinstance(exponent, int) else 0
    digits = int(value.scaleb(-thousands, _CONTEXT))
    return f"{digits}e{thousands}" if thousands else str(digits)
