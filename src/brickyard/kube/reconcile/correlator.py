"""Which of the things that happen become Event objects. Pure: time is an argument.

The same thing again within ``WINDOW`` counts up the Event that tells it. An object that talks too much is cut short: it may tell ``BURST``
things at once and one more every ``REFILL`` seconds. Memory is bounded: the least recently heard are forgotten.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import NamedTuple, TypeVar

WINDOW = 600.0
BURST = 25
REFILL = 30.0
REMEMBERED = 4096

K = TypeVar("K")
V = TypeVar("V")


class Told(NamedTuple):
    """What makes two occurrences the same."""

    uid: str
    type: str
    reason: str
    message: str
    field_path: str


class Verdict(enum.Enum):
    """What to do with an occurrence."""

    CREATE = "create"
    COUNT = "count"
    DROP = "drop"


@dataclasses.dataclass(slots=True)
class Record:
    """An Event that stands for ``count`` occurrences. ``name`` is set once it is stored."""

    first: float
    last: float
    count: int = 1
    name: str = ""


class Correlator:
    """Remembers what was told."""

    def __init__(self) -> None:
        self._records: collections.OrderedDict[Told, Record] = collections.OrderedDict()
        self._tokens: collections.OrderedDict[str, tuple[float, float]] = collections.OrderedDict()

    def judge(self, told: Told, now: float) -> tuple[Verdict, Record]:
        """What to do about ``told`` happening at ``now``, and the record it is counted in (or would have been)."""
        if not self._allowed(told.uid, now):
            return Verdict.DROP, Record(now, now)
        record = self._records.get(told)
        if record is None or now - record.last > WINDOW:
            record = Record(now, now)
            _remember(self._records, told, record)
            return Verdict.CREATE, record
        record.count += 1
        record.last = now
        self._records.move_to_end(told)
        return (Verdict.COUNT if record.name else Verdict.CREATE), record

    def forget(self, told: Told) -> None:
        """The Event is gone: the next occurrence makes a new one."""
        self._records.pop(told, None)

    def _allowed(self, uid: str, now: float) -> bool:
        tokens, since = self._tokens.get(uid, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - since) / REFILL)
        allowed = tokens >= 1
        _remember(self._tokens, uid, (tokens - 1 if allowed else tokens, now))
        return allowed


def _remember(memory: collections.OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
