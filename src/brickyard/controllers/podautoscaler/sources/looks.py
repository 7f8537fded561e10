"""What is looked for on a page, and how it is found there. Pure.

A metric's name is looked for in this order, and the first that the page has is taken:

    at a pod        AIBrix' name, by the reader of the pod's engine      ``num_requests_waiting``, also with an engine's prefix
                    a series of that very name                          ``vllm:num_requests_waiting``, ``my_queue_length``
    elsewhere       a series of that very name, then AIBrix' name by every engine's reader

What a series is, its ``# TYPE`` says, else the end of its name: ``_total`` counts. A distribution's name alone means its mean;
``_p50``, ``_p90``, ``_p95`` and ``_p99`` behind it mean its quantiles.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from brickyard.controllers.podautoscaler.sources import families, found, units
from brickyard.engines import contract as engines
from brickyard.engines import series

_QUANTILE: Final = re.compile(r"(.+)_p(50|90|95|99)")
_COUNTED: Final = ("_total", "_sum", "_count", "_bucket")
_RUNNING: Final = "num_requests_running"
_WAITING: Final = "num_requests_waiting"
STALE: Final = 120.0
"""Seconds after which a sample that carries a time is no longer believed."""

Attempt = Callable[[bytes, float], found.Found | None]


class Look(Protocol):
    """Something to find on a page."""

    @property
    def key(self) -> str:
        """Tells one look from all others at the same page."""
        ...

    def read(self, page: bytes, now: float) -> found.Found:
        """What the page says at ``now``, Unix time. Never raises."""
        ...

    def refused(self, status: int, body: bytes) -> str:
        """What an answer with another status than 200 says, if this look understands it; else ""."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class PageLook:
    """A metric on a metrics page; made by ``Looks``."""

    key: str
    name: str
    attempts: tuple[Attempt, ...]

    def read(self, page: bytes, now: float) -> found.Found:
        for attempt in self.attempts:
            answer = attempt(page, now)
            if answer is not None:
                return answer
        return found.Absent(_nowhere(self.name, page))

    def refused(self, status: int, body: bytes) -> str:
        return ""


class Looks:
    """Makes looks. There are as many as there are names and engines in use, so each is made once."""

    def __init__(self, readers: Mapping[str, engines.SeriesReader]) -> None:
        """``readers`` by engine's name."""
        self._readers = dict(readers)
        self.at_pod = functools.lru_cache(maxsize=4096)(self._at_pod)
        self.elsewhere = functools.lru_cache(maxsize=4096)(self._elsewhere)

    def _at_pod(self, name: str, engine: str) -> PageLook:
        """``name`` on a page of ``engine``."""
        reader = self._readers.get(engine)
        attempts = [] if reader is None else _canonical(self._bare(name), reader)
        return PageLook(f"{engine}/{name}", name, (*attempts, *_raw(name)))

    def _elsewhere(self, name: str) -> PageLook:
        """``name`` on the page of who knows what."""
        attempts = [each for reader in self._readers.values() for each in _canonical(self._bare(name), reader)]
        return PageLook(f"/{name}", name, (*_raw(name), *attempts))

    def _bare(self, name: str) -> str:
        """Without an engine's prefix, which is no part of AIBrix' names."""
        prefix, _, bare = name.rpartition(":")
        return bare if prefix in self._readers else name


def _split(name: str) -> tuple[str, float | None]:
    match = _QUANTILE.fullmatch(name)
    return (name, None) if match is None else (match[1], int(match[2]) / 100)


# By AIBrix' names.


def _canonical(name: str, reader: engines.SeriesReader) -> list[Attempt]:
    attempts: list[Attempt] = []
    if name in reader.names:
        attempts.append(functools.partial(_by_reader, name, None, _less(reader, name)))
    base, quantile = _split(name)
    if quantile is not None and base in reader.names:
        attempts.append(functools.partial(_by_reader, base, quantile, _less(reader, base)))
    return attempts


def _less(reader: engines.SeriesReader, name: str) -> engines.SeriesReader:
    """A reader for ``name``, and for what tells whether an engine is idle where ``name`` may be a distribution."""
    if not isinstance(reader, series.Narrowing):
        return reader
    alone = name.endswith("_total") or units.is_share(name) or name in (_RUNNING, _WAITING)
    return reader.only(frozenset({name}) if alone else frozenset({name, _RUNNING, _WAITING}))


def _by_reader(
    name: str, quantile: float | None, reader: engines.SeriesReader, page: bytes, now: float
) -> found.Found | None:
    read = reader.read(page)
    models = read.get(name)
    if not models:
        return None
    spreads = {model: value for model, value in models.items() if isinstance(value, engines.Histogram)}
    if spreads:
        return found.Distribution(spreads, quantile, idle=_idle(read))
    numbers = {model: value for model, value in models.items() if isinstance(value, float)}
    if not numbers or quantile is not None:
        return found.Absent(f"{name} is {'a text' if not numbers else 'no distribution'}: it has no such number")
    if name.endswith("_total"):
        return found.Counter(numbers)
    return found.Gauge(tuple(numbers.values()), mean=units.is_share(name))


def _idle(read: Mapping[str, Mapping[str, engines.Value]]) -> bool:
    """Whether the engine says that it has nothing to do; one that does not say is not known to be idle."""
    return all(name in read and not any(read[name].values()) for name in (_RUNNING, _WAITING))


# By the names on the page.


def _raw(name: str) -> list[Attempt]:
    if not families.is_name(name):
        return []
    attempts: list[Attempt] = [functools.partial(_series, name, families.Family(name))]
    for base, quantile in dict.fromkeys([(name, None), _split(name)]):
        parts = tuple(families.Family(base + part) for part in ("_sum", "_count"))
        attempts.append(functools.partial(_spread, quantile, series.Page((series.histogram(base, base),)), parts))
    return attempts


def _series(name: str, family: families.Family, page: bytes, now: float) -> found.Found | None:
    samples = family.read(page)
    if not samples:
        return None
    kind = family.type(page)
    if kind == "summary":
        return None  # its quantiles do not add up; its mean is found as a distribution
    if stale := _stale(samples, now):
        return stale
    if kind == "counter" or (not kind and name.endswith(_COUNTED)):
        counts: dict[str, float] = {}
        for sample in samples:
            counts[sample.labels] = counts.get(sample.labels, 0.0) + sample.value
        return found.Counter(counts)
    return found.Gauge(tuple(sample.value for sample in samples), mean=units.is_share(name))


def _spread(
    quantile: float | None,
    histogram: series.Page,
    parts: tuple[families.Family, ...],
    page: bytes,
    now: float,
) -> found.Found | None:
    read = next(iter(histogram.read(page).values()), {})
    spreads = {model: value for model, value in read.items() if isinstance(value, engines.Histogram)}
    if not spreads:
        sums, counts = (family.read(page) for family in parts)
        if not sums or not counts:
            return None
        total, number = (math.fsum(sample.value for sample in samples) for samples in (sums, counts))
        spreads = {"": engines.Histogram((), (), number, total)}
    return found.Distribution(spreads, quantile)


def _stale(samples: Sequence[families.Sample], now: float) -> found.Absent | None:
    told = [sample.at for sample in samples if sample.at is not None]
    if told and now - max(told) > STALE:
        return found.Absent(f"its newest sample is {now - max(told):.0f} s old: whoever measured it has stopped")
    return None


def _nowhere(name: str, page: bytes) -> str:
    """Why a page does not have ``name``."""
    start = page[:256].lstrip().lower()
    if not start:
        return "the page is empty: its server has no metrics there"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "the page is HTML, no metrics page: correct port or path"
    if start.startswith((b"{", b"[")):
        return "the page is JSON, no Prometheus text: correct port or path"
    alike = rb"(?mi)^[\w:]*" + re.escape(_split(name)[0].encode()) + rb"(?:\{[^\n]*\})?[ \t]+([-+]?(?:nan|inf))"
    broken = re.search(alike, page)
    if broken is not None:
        return f"{name} is {broken[1].decode()}: its source has nothing to tell"
    return f"the page has no {name}: correct targetMetric, or have the engine report it"
