"""Reads Prometheus text pages, as far as an engine's load needs it.

Pages are scraped many times a second from every engine and reach hundreds of kilobytes of histogram lines, of which a handful
matter. One compiled pattern finds those lines and skips the rest at C speed: 0.15 ms for 270 kB where a general parser spends
55 ms. The price is that nothing else is checked: a malformed line, a comment or a family that nobody asked for is passed over.

An engine describes its page as a table, ``{EngineLoad field: Reading}``, and ``TextPage`` fills the contract from it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from brickyard.api import serving

_NUMBER = rb"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_TAIL = rb"(\{[^\n]*\})?[ \t]+(" + _NUMBER + rb")(?:[ \t]+-?[0-9]+)?[ \t]*\r?$"
"""Labels, the value, a timestamp in milliseconds. NaN and Inf are no numbers here: such a sample says nothing of a load."""

_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return b"\n" if found[1] == b"n" else found[1]


# Engines write the same few hundred sets of labels on page after page, and replicas of a model the same as each other.
@functools.lru_cache(maxsize=16384)
def _label(labels: bytes, name: str) -> str:
    # Quotes inside a value are escaped, so a name between a comma or brace and =" begins a label wherever it stands.
    found = re.search(rb"[{,][ \t]*" + re.escape(name.encode()) + rb'[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"', labels)
    return _ESCAPE.sub(_unescaped, found[1]).decode(errors="replace") if found else ""


class Sample(NamedTuple):
    """One line of a page. ``labels`` as written, with their braces, or empty."""

    labels: bytes
    value: float

    def label(self, name: str) -> str:
        """The value of label ``name``, escapes undone; "" when it is absent, which Prometheus holds to be the same."""
        return _label(self.labels, name)


def found_at(head: bytes, line: re.Pattern[bytes], page: bytes) -> list[tuple[bytes, ...]]:
    """What ``line.findall(page)`` gives, for a ``line`` that begins with ``head``, a line break and a name, and ends before the next break.

    Twice as fast as that where few lines of ``page`` begin so, and slower where many do: a whole name is searched for as a string.
    """
    found, at = [], page.find(head)
    while at >= 0:
        if match := line.match(page, at):
            found.append(match.groups(b""))
        at = page.find(head, at + len(head))
    return found


class Families:
    """The samples of a few metric families, found by exact name."""

    def __init__(self, names: Iterable[str]) -> None:
        known = sorted(set(names))
        # Of sorted texts, what the first and the last share is shared by all.
        shared = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(known[0], known[-1], strict=False))
        self._prefix = "".join(character for character, _ in shared)
        choices = b"|".join(re.escape(name.removeprefix(self._prefix).encode()) for name in known)
        # A pattern that begins with a literal is searched for like a string: hence the newline instead of ^, and the names'
        # common beginning written once.
        self._head = b"\n" + self._prefix.encode()
        self._sample = re.compile(re.escape(self._head) + rb"(" + choices + rb")" + _TAIL, re.MULTILINE)
        self._alone = len(known) == 1

    def read(self, page: bytes) -> dict[str, list[Sample]]:
        """Every sample by family name, in the page's order; a family without samples has no entry."""
        found: dict[str, list[Sample]] = {}
        page = b"\n" + page
        lines = found_at(self._head, self._sample, page) if self._alone else self._sample.findall(page)
        for rest, labels, text in lines:
            value = float(text)
            if math.isfinite(value):  # 1e999 is written like a number and is none
                found.setdefault(self._prefix + rest.decode(), []).append(Sample(labels, value))
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How one number comes out of a page.

    Attributes:
        alternatives: the first whose families are all on the page is taken, which is how an engine's old and new names live side
            by side. Its families are added up.
        combine: one family's samples (one per label set) to one number.
        rank: the label that tells apart what is counted apart; of samples that share its value the largest counts once. "" when
            every sample is a count of its own.
    """

    alternatives: tuple[tuple[str, ...], ...]
    combine: Callable[[Sequence[float]], float] = math.fsum
    rank: str = ""

    @classmethod
    def of(cls, *names: str, combine: Callable[[Sequence[float]], float] = math.fsum, rank: str = "") -> Reading:
        """One family, under the first of ``names`` that the page uses."""
        return cls(tuple((name,) for name in names), combine, rank)

    def value(self, found: Mapping[str, Sequence[Sample]]) -> float | None:
        """The number, or None when the page holds no alternative completely."""
        for names in self.alternatives:
            if all(name in found for name in names):
                return math.fsum(self.combine(self._counts(found[name])) for name in names)
        return None

    def _counts(self, samples: Sequence[Sample]) -> Sequence[float]:
        if not self.rank:
            return [sample.value for sample in samples]
        largest: dict[str, float] = {}
        for sample in samples:
            rank = sample.label(self.rank)
            largest[rank] = max(sample.value, largest.get(rank, sample.value))
        return list(largest.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """Words in a label, set apart by commas. Of several samples the newest counts: each says the time as its value."""

    family: str
    label: str

    def words(self, found: Mapping[str, Sequence[Sample]]) -> tuple[str, ...] | None:
        """The words, or None when the page has no such family."""
        samples = found.get(self.family)
        if not samples:
            return None
        text = max(samples, key=lambda sample: sample.value).label(self.label)
        return tuple(word.strip() for word in text.split(",") if word.strip())

    def number(self, found: Mapping[str, Sequence[Sample]]) -> float | None:
        """The label's first word as a number, or None when it is none."""
        words = self.words(found)
        try:
            return float(words[0]) if words else None
        except ValueError:
            return None


class TextPage:
    """Fills ``engines.contract.MetricsReader`` from a table of readings."""

    def __init__(
        self,
        readings: Mapping[str, Reading],
        *,
        path: str = "/metrics",
        words: Mapping[str, Listing] = types.MappingProxyType({}),
        numbers: Mapping[str, Listing] = types.MappingProxyType({}),
    ) -> None:
        """``readings`` by field name of ``serving.EngineLoad``; ``words`` and ``numbers`` of fields that stand in labels.

        Raises:
            ValueError: a key is no field of ``EngineLoad``.
        """
        fields = {field.name for field in dataclasses.fields(serving.EngineLoad)}
        if unknown := {*readings, *words, *numbers} - fields:
            raise ValueError(
                f"EngineLoad has no field {', '.join(sorted(unknown))}: it has {', '.join(sorted(fields))}"
            )
        self._readings = dict(readings)
        self._words = dict(words)
        self._numbers = dict(numbers)
        labels = [each.family for each in (*words.values(), *numbers.values())]
        values = [name for each in readings.values() for names in each.alternatives for name in names]
        self._families = Families([*values, *labels])
        self._path = path

    @property
    def path(self) -> str:
        return self._path

    def parse(self, page: bytes) -> serving.EngineLoad:
        found = self._families.read(page)
        filled: dict[str, Any] = {field: reading.value(found) for field, reading in self._readings.items()}
        filled.update((field, each.words(found)) for field, each in self._words.items())
        filled.update((field, each.number(found)) for field, each in self._numbers.items())
        return serving.EngineLoad(**filled)
