"""Functions and operators by signature: what the compiler looks names up in.

A function is declared by one line, ``"string.(string, int) -> bool"`` for a method, ``"(A, list(A)) -> bool"`` for a plain function,
together with what it costs and how large its answer can be. The same two rules are asked twice: with the limits of types before a
rule is accepted, with real sizes before the function is called.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from brickyard.embedded.apiserver.cel import types, values

Sizes = Sequence[int]
TRAVERSAL = 0.1
"""Cost of looking at a character or an item; a step costs 1."""


def free(sizes: Sizes) -> float:
    """Costs no more than the call."""
    del sizes
    return 0


def walk(sizes: Sizes) -> float:
    """Every argument is looked at once."""
    return TRAVERSAL * sum(sizes)


def search(sizes: Sizes) -> float:
    """The first argument is looked at for each part of the second, in small steps."""
    return TRAVERSAL * sizes[0] * max(1.0, TRAVERSAL * sizes[1])


def match(sizes: Sizes) -> float:
    """A regular expression: what RE2 needs is the product of the lengths of text and pattern.

    A third size is that of the program which RE2 has to make of a pattern that is not known beforehand.
    """
    made = sizes[2] if len(sizes) > 2 else 0
    return TRAVERSAL * (sizes[0] + 1) * max(1.0, 0.25 * sizes[1]) + made / 3


def one(sizes: Sizes) -> int:
    """The answer is a single value."""
    del sizes
    return 1


def first(sizes: Sizes) -> int:
    """The answer is as large as the first argument at most."""
    return sizes[0] + 1


def total(sizes: Sizes) -> int:
    """The answer is as large as all arguments together at most."""
    return sum(sizes)


def growth(sizes: Sizes, result: Any) -> float:
    """An answer that is larger than what it was made from has to be paid for as well."""
    return TRAVERSAL * max(0, values.size_of(result) - sum(sizes))


def plain_sizes(given: Sequence[Any]) -> Sizes:
    """Characters, bytes or items of each argument."""
    return [values.size_of(each) for each in given]


@dataclasses.dataclass(frozen=True, slots=True)
class Overload:
    """A function for certain arguments.

    ``weigh`` gives the sizes of actual ones, by which ``cost`` is reckoned; ``toll`` is what the answer costs on top once it is known.
    ``literal`` is what the last argument has to survive where it is written out, so that a mistake in it is found beforehand.
    """

    method: bool
    arguments: tuple[types.Type, ...]
    result: types.Type
    run: Callable[..., Any]
    cost: Callable[[Sizes], float] = free
    size: Callable[[Sizes], int] = one
    weigh: Callable[[Sequence[Any]], Sizes] = plain_sizes
    toll: Callable[[Sizes, Any], float] = growth
    literal: Callable[[Any], object] | None = None

    @property
    def heavy(self) -> bool:
        """Whether its cost depends on its arguments."""
        return self.cost is not free

    def charge(self, sizes: Sizes) -> int:
        """What a call costs."""
        return 1 + math.ceil(min(self.cost(sizes), 1e15))


_SIGNATURE = re.compile(r"(?:(.+)\.)?\((.*)\) -> (.+)")


def overload(
    signature: str,
    run: Callable[..., Any],
    cost: Callable[[Sizes], float] = free,
    size: Callable[[Sizes], int] = one,
    weigh: Callable[[Sequence[Any]], Sizes] = plain_sizes,
    toll: Callable[[Sizes, Any], float] = growth,
) -> Overload:
    """An overload from its signature. ``run`` gets the arguments, the receiver first."""
    found = _SIGNATURE.fullmatch(signature)
    if found is None:
        raise ValueError(f"{signature!r} is no signature")
    receiver, inner, result = found.groups()
    arguments = [types.parsed(each.strip()) for each in _split(inner)]
    if receiver is not None:
        arguments.insert(0, types.parsed(receiver))
    return Overload(receiver is not None, tuple(arguments), types.parsed(result), run, cost, size, weigh, toll)


def _split(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            yield text[start:at]
            start = at + 1
    if text[start:].strip():
        yield text[start:]


Table = dict[str, list[Overload]]


def merged(*tables: Table) -> Table:
    """Several tables as one."""
    result: Table = {}
    for table in tables:
        for name, overloads in table.items():
            result.setdefault(name, []).extend(overloads)
    return result
