"""Where prompts went, for policies that ask: the index of ``kvindex`` at the service of routing.

Nothing is allocated before the first policy asks. How good the guesses are shows in ``accuracy``: engines that report their cached tokens
are compared with what the index foresaw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from prometheus_client import core, registry

from brickyard.gateway import metrics
from brickyard.kvindex import accuracy, blocks, prefix, settings
from brickyard.routing import contract as routing
from brickyard.routing.ledgers import prefixes

NAME: Final = prefixes.NAME
MATCHED: Final = ("0", "1-25", "26-50", "51-75", "76-99", "100")
"""Ranges of percents."""

Tell = Callable[[str, Sequence[int], float], None]
"""Endpoint's key, hashes of blocks that it was not sent lately, time."""


class Witness(Protocol):
    """Somebody who hears from engines what they hold, and learns from requests what that means for prompts."""

    def follows(self, endpoint: str) -> bool:
        """Whether the engine behind an endpoint tells."""
        ...

    def finished(self, event: routing.Finished) -> None:
        """A request ended."""
        ...

    def gone(self, endpoint: str) -> None:
        """The endpoint of this key is no more."""
        ...


class _Told:
    """An index that tells somebody what is new."""

    def __init__(self, index: prefix.PrefixIndex, tell: Tell) -> None:
        self._index = index
        self._tell = tell

    def match(self, hashes: Sequence[int], endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        return self._index.match(hashes, endpoints, now)

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        known = self._index.renew(hashes, endpoint, now)
        if known < len(hashes):
            self._tell(endpoint, hashes[known:], now)


class Prefixes:
    """The index of one gateway, as a ledger of routing.

    Raises:
        SizeError: the settings leave no room for an index.
    """

    hears_answers = False

    def __init__(self, given: settings.PrefixSettings) -> None:
        self.accuracy = accuracy.Accuracy()
        self.matched: dict[str, list[int]] = {}
        """By model: decisions by how much of the prompt the chosen endpoint held, as ``MATCHED`` has it."""
        self.witnessed: dict[str, list[int]] = {}
        """The same of endpoints whose engines tell what they hold."""
        self._given = given
        self._hasher = blocks.Hasher(given.block_size, given.hash_seed)
        self._index: prefix.PrefixIndex | None = None
        self._ledger: prefixes.PrefixLedger | None = None
        self._tell: Tell | None = None
        self.witness: Witness | None = None
        """Who corrects the index by what engines tell; None: nobody does."""
        prefix.check(given)

    @property
    def scheme(self) -> str:
        """How prompts are hashed: hashes of two gateways mean the same where their schemes are equal."""
        return f"xxh3-63/{blocks.FINE}/{self._given.block_size}/{self._given.hash_seed}"

    def share(self, tell: Tell) -> None:
        """``tell`` hears from now on what endpoints are sent. To be called before the first request."""
        self._tell = tell

    def heard(self, hashes: Sequence[int], endpoint: str, now: float, age: float) -> None:
        """Another gateway sent these blocks to an endpoint, ``age`` seconds ago."""
        self.made().absorb(hashes, endpoint, now, age)

    def recent(self, since: float, now: float) -> Iterator[list[prefix.Holding]]:
        """What endpoints were sent by any gateway within ``since`` seconds, in pieces."""
        return iter(()) if self._index is None else self._index.recent(since, now)

    @property
    def index(self) -> prefix.PrefixIndex | None:
        """The index; None before anybody asked."""
        return self._index

    def facts(self, request: routing.Request, snapshot: routing.EndpointSnapshot, now: float) -> prefixes.Matches:
        return (self._ledger or self._asked()).facts(request, snapshot, now)

    def observe(self, event: routing.Event) -> None:
        (self._ledger or self._asked()).observe(event)
        if isinstance(event, routing.Finished):
            self._compare(event)
            if self.witness is not None:
                self.witness.finished(event)
        elif isinstance(event, routing.Chosen):
            self._count(event.decision)

    def gone(self, endpoint: str) -> None:
        """The endpoint of this key is no more, and its cache with it."""
        if self._index is not None:
            self._index.remove(endpoint)
        if self.witness is not None:
            self.witness.gone(endpoint)

    def hashes(self, request: routing.Request) -> Sequence[int]:
        """Those of a prompt's full blocks."""
        return self._hasher.hashes(request.model, request.prompt)

    def ends(self, blocks: int) -> Sequence[int]:
        """Where the first ``blocks`` blocks of any prompt end, in bytes."""
        return self._hasher.ends[:blocks]

    def _asked(self) -> prefixes.PrefixLedger:
        if self._ledger is None:
            index = self.made()
            self._ledger = prefixes.PrefixLedger(self._hasher, _Told(index, self._tell) if self._tell else index)
        return self._ledger

    def made(self) -> prefix.PrefixIndex:
        """The index, made if need be."""
        if self._index is None:
            self._index = prefix.PrefixIndex(self._given)
        return self._index

    def _count(self, decision: routing.Decision) -> None:
        matches = decision.snapshot.data.get(NAME)
        if isinstance(matches, prefixes.Matches) and decision.row >= 0:
            model = decision.request.model
            told = self.witness is not None and self.witness.follows(decision.endpoint.key)
            matched = self.witnessed if told else self.matched
            if model not in matched and len(matched) >= metrics.MAX_MODELS:
                model = metrics.OTHER
            counts = matched.get(model)
            if counts is None:
                counts = matched[model] = [0] * len(MATCHED)
            percent = matches.percent(decision.row)
            counts[-(-percent // 25) + (percent == 100)] += 1

    def _compare(self, event: routing.Finished) -> None:
        usage, decision = event.usage, event.decision
        matches = decision.snapshot.data.get(NAME)
        if usage is None or usage.cached_tokens is None or not usage.prompt_tokens or decision.row < 0:
            return
        if isinstance(matches, prefixes.Matches):
            share = matches.held[decision.row] / max(1, len(decision.request.prompt))
            self.accuracy.note(round(share * usage.prompt_tokens), usage.cached_tokens)


class PrefixMetrics(registry.Collector):
    """The index on the metrics page."""

    def __init__(self, shown: Prefixes) -> None:
        self._shown = shown

    def collect(self) -> Iterator[core.Metric]:
        index, seen = self._shown.index, self._shown.accuracy
        if index is not None:
            size = index.size()
            gauges = (
                ("gateway_prefix_index_entries", "Blocks of prompts that the index holds", size.used),
                ("gateway_prefix_index_room", "Blocks of prompts that the index can hold", size.entries),
                ("gateway_prefix_index_endpoints", "Endpoints that the index knows", size.endpoints),
                ("gateway_prefix_index_bytes", "Memory of the index", size.bytes),
            )
            for name, text, value in gauges:
                yield core.GaugeMetricFamily(name, text, value=value)
        yield from self._matched()
        for name, text, share in (
            ("gateway_prefix_index_precision", "Share of the cached tokens foreseen that engines told", seen.precision),
            (
                "gateway_prefix_index_recall",
                "Share of the cached tokens that engines told that was foreseen",
                seen.recall,
            ),
        ):
            if share is not None:
                yield core.GaugeMetricFamily(name, text, value=share)
        counters = (
            (
                "gateway_cached_tokens_predicted",
                "Cached tokens that the index foresaw, of prompts whose engines told",
                seen.predicted,
            ),
            ("gateway_cached_tokens_actual", "Cached tokens that engines told", seen.actual),
            ("gateway_cached_tokens_agreed", "Cached tokens both foreseen and told, request by request", seen.agreed),
        )
        for name, text, value in counters:
            yield core.CounterMetricFamily(name, text, value=value)

    def _matched(self) -> Iterator[core.Metric]:
        """Under AIBrix' name."""
        decisions = core.CounterMetricFamily(
            "aibrix_prefix_cache_routing_decisions",
            "Decisions of prefix strategies by how much of the prompt the chosen endpoint held",
            labels=("model", "match_percent_bucket", "using_kv_sync"),
        )
        for told, matched in (("false", self._shown.matched), ("true", self._shown.witnessed)):
            for model, counts in matched.items():
                for name, count in zip(MATCHED, counts, strict=True):
                    decisions.add_metric((model, name, told), count)
        yield decisions
