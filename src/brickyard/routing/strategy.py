"""The text of a strategy: one policy's name, or a mix of several with weights.

    least-request               one policy, with its own filters, scorers and picker
    prefix-cache:2,least-request   both policies' scorers, the first counting twice; the best total wins

``name[:weight]``, separated by commas; the weight is a whole number 0..1 000 000, 1 when absent, and 0 takes the item out.
"""

from __future__ import annotations

import dataclasses

from brickyard.routing import errors

HEAVIEST = 1_000_000
"""The largest weight of one item."""
LONGEST = 1000
"""Characters of a strategy; parsed ones are kept and clients write them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """A policy's name and how much it counts (at least 1)."""

    name: str
    weight: int = 1


def parse(text: str) -> tuple[Item, ...]:
    """The items of ``text`` that count, in order; never empty.

    Raises:
        BadStrategyError: an item has no name, more than one colon or no proper weight; a name stands twice; nothing is left; or
            the text is too long.
    """
    if len(text) > LONGEST:
        raise errors.BadStrategyError(f"a strategy of {len(text)} characters is too long: at most {LONGEST}")
    items = [item for item in (_item(part.strip(), text) for part in text.split(",")) if item.weight]
    if not items:
        raise errors.BadStrategyError(f"strategy {text!r} leaves nothing to choose by: give one item a weight above 0")
    if len({item.name for item in items}) < len(items):
        raise errors.BadStrategyError(f"strategy {text!r} names a policy twice: add the weights up and name it once")
    return tuple(items)


def _item(part: str, text: str) -> Item:
    name, colon, weight = (piece.strip() for piece in part.partition(":"))
    if not name:
        raise errors.BadStrategyError(
            f"strategy {text!r} has an item without a name: write name:weight, separated by commas"
        )
    if not colon:
        return Item(name)
    # isdecimal alone would let other scripts' digits through; the length keeps int() from chewing on a long header.
    if not (weight.isascii() and weight.isdecimal() and len(weight) <= len(str(HEAVIEST)) and int(weight) <= HEAVIEST):
        raise errors.BadStrategyError(f"strategy {text!r}: the weight of {name!r} must be a whole number 0..{HEAVIEST}")
    return Item(name, int(weight))
