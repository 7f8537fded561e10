"""Everything on a metrics page that AIBrix has a name for, from a table per engine.

A row says what AIBrix calls a series, what kind it is and which of the engine's families tell it. Families are tried in their order,
newest name first. Samples are told apart by their label ``model_name``; those without one, or with ``undefined``, belong to the pod's
own model and stand under "". (AIBrix drops such samples, so that an engine which writes no such label is never heard.)
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from brickyard.engines import contract, exposition

_MODEL: Final = "model_name"
_UNDEFINED: Final = "undefined"
_PARTS: Final = ("_bucket", "_sum", "_count")

Found = Mapping[str, Sequence[exposition.Sample]]


class Kind(enum.Enum):
    """What a series is. A label series is the value of its label on the newest sample, whose number is the time it was made."""

    NUMBER = enum.auto()
    HISTOGRAM = enum.auto()
    LABEL = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """One row of an engine's table.

    Attributes:
        name: what AIBrix calls it.
        reading: the families, and how samples of one model become one number. Distributions are always added up.
        kind: number, histogram or label.
        where: only samples with this label value count; ("", "") for all.
    """

    name: str
    reading: exposition.Reading
    kind: Kind = Kind.NUMBER
    where: tuple[str, str] = ("", "")

    def families(self) -> Iterable[str]:
        """Every name that must be looked for on the page."""
        for names in self.reading.alternatives:
            for name in names:
                yield from (name + part for part in _PARTS) if self.kind is Kind.HISTOGRAM else (name,)


def number(name: str, *families: str) -> Series:
    """A gauge or counter that is the sum of its samples."""
    return Series(name, exposition.Reading.of(*families))


def share(name: str, *families: str) -> Series:
    """A gauge between 0 and 1: the fullest rank's."""
    return Series(name, exposition.Reading.of(*families, combine=max))


def histogram(name: str, *families: str) -> Series:
    """A distribution."""
    return Series(name, exposition.Reading.of(*families), Kind.HISTOGRAM)


def label(name: str, family: str) -> Series:
    """The value of the label ``name`` of ``family``."""
    return Series(name, exposition.Reading.of(family), Kind.LABEL)


@runtime_checkable
class Narrowing(Protocol):
    """A reader that can be made to look for less: a page of hundreds of kilobytes costs by what is looked for."""

    def only(self, names: frozenset[str]) -> contract.SeriesReader:
        """A reader of those of ``names`` that this one knows.

        Raises:
            ValueError: it knows none of them.
        """
        ...


class Page:
    """Fills ``engines.contract.SeriesReader`` from a table."""

    def __init__(self, table: Iterable[Series]) -> None:
        """
        Raises:
            ValueError: two rows have one name.
        """
        self._table = tuple(table)
        self._names = frozenset(row.name for row in self._table)
        if len(self._names) < len(self._table):
            raise ValueError("a name stands in two rows of the table")
        self._families = exposition.Families(name for row in self._table for name in row.families())

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def only(self, names: frozenset[str]) -> Page:
        """Fills ``Narrowing``."""
        rows = [row for row in self._table if row.name in names]
        if not rows:
            raise ValueError(f"none of {', '.join(sorted(names))} is on this page")
        return Page(rows)

    def read(self, page: bytes) -> dict[str, dict[str, contract.Value]]:
        found = self._families.read(page)
        read = {row.name: _values(row, found) for row in self._table}
        return {name: values for name, values in read.items() if values}


def _values(row: Series, found: Found) -> dict[str, contract.Value]:
    models: dict[str, dict[str, list[exposition.Sample]]] = {}
    for family in dict.fromkeys(row.families()):
        for sample in found.get(family, ()):
            if not row.where[0] or sample.label(row.where[0]) == row.where[1]:
                models.setdefault(_model(sample), {}).setdefault(family, []).append(sample)
    values = {model: _value(row, samples) for model, samples in models.items()}
    return {model: value for model, value in values.items() if value is not None}


def _model(sample: exposition.Sample) -> str:
    name = sample.label(_MODEL)
    return "" if name == _UNDEFINED else name


def _value(row: Series, found: Found) -> contract.Value | None:
    if row.kind is Kind.NUMBER:
        return row.reading.value(found)
    names = [name for names in row.reading.alternatives for name in names]
    if row.kind is Kind.HISTOGRAM:
        told = next((name for name in names if f"{name}_bucket" in found), None)
        return None if told is None else _histogram(*(found.get(told + part, ()) for part in _PARTS))
    newest = max((sample for name in names for sample in found.get(name, ())), key=lambda sample: sample.value)
    return newest.label(row.name)


def _histogram(
    buckets: Sequence[exposition.Sample], sums: Sequence[exposition.Sample], counts: Sequence[exposition.Sample]
) -> contract.Histogram:
    """Samples of every rank added up. Ranks of one server have the same bounds."""
    at: dict[float, float] = {}
    for sample in buckets:
        bound = _bound(sample.label("le"))
        if bound is not None:
            at[bound] = at.get(bound, 0.0) + sample.value
    total = max((*at.values(), math.fsum(sample.value for sample in counts)), default=0.0)
    finite = sorted(bound for bound in at if math.isfinite(bound))
    return contract.Histogram(
        bounds=tuple(finite),
        counts=tuple(at[bound] for bound in finite),
        total=total,
        sum=math.fsum(sample.value for sample in sums),
    )


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if math.isnan(bound) else bound
