"""What engines say of themselves, told again under AIBrix' names: ``GET /metrics/engines``.

Nobody pays for this page before somebody asks for it. While it is asked for (at least every ``WANTED`` seconds), one of each engine's pages
is read every ``FRESH`` seconds as they come, one endpoint at a time, and only the lines made of them are kept; so the page costs no more
than joining them, however many engines there are. The first answer is empty for that reason, and the next one is not. (To read a page in
full takes one to two milliseconds, in which no request moves: a hundred engines' pages of every second would be a fifth of a core.)

Numbers are told as they stand: a counter is the engine's own. (AIBrix adds the engine's total to its own counter at every look.) Histograms
are told as their quantiles. Endpoints that share a metrics page are told once; ``port`` is the page's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from brickyard.api import names
from brickyard.engines import contract as engines
from brickyard.gateway import traffic
from brickyard.gateway.endpoints import pods
from brickyard.lib import logs
from brickyard.routing import contract as routing

log = logs.get(__name__)

WANTED: Final = 150.0
"""Seconds for which one question keeps the page alive: more than twice Prometheus' slowest usual pace."""
FRESH: Final = 5.0
"""Seconds for which what was read of an engine is told: as old as what an idle gateway knows of it anyway."""
MODELS: Final = 64
"""Models and adapters told of one engine; those beyond are left out."""
QUANTILES: Final = (("_p50", 0.5), ("_p90", 0.9), ("_p99", 0.99))
EMPTY: Final = "# Engines are read from now on: ask again in a few seconds.\n"

_NOT_OF_PREFILL: Final = frozenset(
    {
        "time_per_output_token_seconds",
        "inter_token_latency_seconds",
        "request_time_per_output_token_seconds",
        "request_decode_time_seconds",
        "iteration_tokens_total",
        "generation_tokens_total",
        "request_generation_tokens",
        "request_max_num_generation_tokens",
    }
)
_NOT_OF_DECODE: Final = frozenset(
    {"time_to_first_token_seconds", "request_prefill_time_seconds", "prompt_tokens_total", "request_prompt_tokens"}
)
_LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {"prefill": _NOT_OF_PREFILL, "decode": _NOT_OF_DECODE}
"""By role: what an engine of a divided pair has no part in."""

Lines = dict[str, list[str]]
"""By family: its samples."""


class EngineSeries:
    """The lines of every endpoint. ``present`` says which endpoints there are, by key; ``gateway`` is the label ``gateway_pod``."""

    def __init__(
        self,
        readers: Mapping[str, engines.SeriesReader],
        present: Callable[[], Mapping[str, routing.Endpoint]],
        now: Callable[[], float],
        gateway: str = "",
    ) -> None:
        self._readers = readers
        self._present = present
        self._now = now
        self._gateway = gateway
        self._asked_at: float | None = None
        self._told: dict[str, tuple[float, Lines]] = {}

    @property
    def wanted(self) -> bool:
        """Somebody asked lately."""
        return self._asked_at is not None and self._now() - self._asked_at < WANTED

    def heard(self, endpoint: routing.Endpoint, page: bytes) -> None:
        """``endpoint`` showed its metrics page."""
        if self._asked_at is None:
            return
        if not self.wanted:
            self._asked_at = None
            self._told = {}
            return
        reader, now = self._readers.get(endpoint.engine), self._now()
        known = self._told.get(endpoint.key)
        if reader is not None and (known is None or now - known[0] >= FRESH):
            self._told[endpoint.key] = now, self._read(reader, endpoint, page)

    def _read(self, reader: engines.SeriesReader, endpoint: routing.Endpoint, page: bytes) -> Lines:
        try:
            return _lines(endpoint, reader.read(page), self._gateway)
        except Exception as error:  # noqa: BLE001 - an adapter's border: what it fails at costs its own lines
            log.warning("metrics page cannot be told again", endpoint=endpoint.key, error=error)
            return {}

    def page(self, _rest: str) -> bytes:
        """Prometheus' text format; a comment where nothing has been read yet."""
        self._asked_at = self._now()
        present = self._present()
        self._told = {key: told for key, told in self._told.items() if key in present}
        families: Lines = {}
        for key in _one_a_page(present, self._told):
            for family, lines in self._told[key][1].items():
                families.setdefault(family, []).extend(lines)
        parts = [line for name, lines in sorted(families.items()) for line in (*_head(name), *lines)]
        return ("\n".join(parts) + "\n" if parts else EMPTY).encode()


def _one_a_page(present: Mapping[str, routing.Endpoint], told: Collection[str]) -> Iterator[str]:
    """Keys of endpoints, the first of each metrics page."""
    seen: set[str] = set()
    for key in sorted(told):
        authority = pods.metrics_authority(present[key])
        if authority not in seen:
            seen.add(authority)
            yield key


def _head(name: str) -> tuple[str, str]:
    kind = "counter" if name.endswith("_total") else "gauge"
    return f"# HELP {name} As the engine tells it", f"# TYPE {name} {kind}"


def _lines(endpoint: routing.Endpoint, read: Mapping[str, Mapping[str, engines.Value]], gateway: str) -> Lines:
    values = dict(zip((*traffic.POD_LABELS, "gateway_pod"), (*traffic.pod_labels(endpoint), gateway), strict=True))
    values["port"] = pods.metrics_authority(endpoint).rpartition(":")[2]
    left_out = _LEFT_OUT.get(endpoint.labels.get(names.ROLE_NAME, ""), frozenset())
    lines: Lines = {}
    for name, by_model in read.items():
        if name in left_out:
            continue
        for model, value in sorted(by_model.items())[:MODELS]:
            labels = ",".join(
                f'{key}="{_escaped(text)}"' for key, text in (values | {"model": model or endpoint.model}).items()
            )
            for family, number in _numbers(name, value):
                lines.setdefault(family, []).append(f"{family}{{{labels}}} {number!r}")
    return lines


def _numbers(name: str, value: engines.Value) -> Iterator[tuple[str, float]]:
    """A number by its name, a distribution by its quantiles; words are no numbers, unless they are."""
    if isinstance(value, engines.Histogram):
        for suffix, share in QUANTILES:
            quantile = value.quantile(share)
            if quantile is not None:
                yield name + suffix, quantile
    elif isinstance(value, str):
        if value.isascii() and value.isdecimal():
            yield name, float(value)
    else:
        yield name, float(value)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
