"""What gateways tell of a workload that may sleep: one annotation of its PodAutoscaler for each gateway. Pure.

    demand.brickyard.dev/<gateway>:
        {"held": 2, "since": "2026-01-02T03:04:05.000000Z", "open": 0, "at": "2026-01-02T03:04:09.000000Z", "for": 30}

A word holds for so many seconds and is then worth nothing, so that a gateway that died is not believed for ever; its successor of the same
name writes over it. Times are the gateway's own. Annotations may be written by anybody: what cannot be read is not there, and nothing is
believed for longer than ``LONGEST``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import shapes
from brickyard.lib import timestamps

LONGEST: Final = 120.0
"""Seconds that one word may hold."""
MOST: Final = 64
"""Gateways that are listened to; of more, the first by name."""
_NAME_LIMIT: Final = 63
_LARGEST: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """What one gateway says of one workload.

    Attributes:
        held: requests that wait for a first endpoint to be ready.
        open: requests that are being answered, the most at once since the word before.
        at: Unix time, by the gateway's clock.
        lasts: seconds that it holds.
        since: Unix time at which holding began; None where nothing is held.
    """

    held: int
    open: int
    at: float
    lasts: float
    since: float | None = None


def key(gateway: str) -> str:
    """The annotation of the gateway of that name; names that are no part of a key are made one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", gateway)[-_NAME_LIMIT:].strip("-_.")
    return names.DEMAND_PREFIX + (plain or "gateway")


def write(word: Word) -> str:
    """The annotation's value."""
    since = {} if word.since is None else {"since": timestamps.rfc3339_micro(word.since)}
    told = {"held": word.held, **since, "open": word.open, "at": timestamps.rfc3339_micro(word.at), "for": word.lasts}
    return json.dumps(told)


def read(annotations: Mapping[str, Any]) -> Mapping[str, Word]:
    """What is told, by gateway."""
    found: dict[str, Word] = {}
    for name in sorted(each for each in annotations if each.startswith(names.DEMAND_PREFIX)):
        word = _word(annotations[name])
        if word is not None and len(found) < MOST:
            found[name.removeprefix(names.DEMAND_PREFIX)] = word
    return found


def holding(annotations: Mapping[str, Any]) -> frozenset[tuple[str, float | None]]:
    """Which gateways hold requests, each with since when: news where it is another set than before."""
    return frozenset((name, word.since) for name, word in read(annotations).items() if word.held)


def without(annotations: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations but for what gateways tell."""
    if not any(name.startswith(names.DEMAND_PREFIX) for name in annotations):
        return annotations
    return {name: value for name, value in annotations.items() if not name.startswith(names.DEMAND_PREFIX)}


def _word(text: Any) -> Word | None:
    try:
        told = json.loads(text) if isinstance(text, str) else None
        at = timestamps.parse_rfc3339(shapes.text(told, "at") or "")
        began = shapes.text(told, "since")
        since = timestamps.parse_rfc3339(began) if began else None
    except (ValueError, OverflowError, RecursionError):
        return None
    held, open_, lasts = shapes.integer(told, "held"), shapes.integer(told, "open"), shapes.at(told, "for")
    if held is None or open_ is None or held < 0 or open_ < 0 or not _is_number(lasts):
        return None
    return Word(min(held, _LARGEST), min(open_, _LARGEST), at, min(float(lasts), LONGEST), since)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0
