"""Where prompts went, for policies that ask: the index of ``kvindex`` at the service of routing.

Nothing is allocated before the first policy asks. How good the guesses are shows in ``accuracy``: engines that report their cached tokens
are compared with what the index foresaw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import core, registry

from brickyard.kvindex import accuracy, blocks, prefix, settings
from brickyard.routing import contract as routing
from brickyard.routing.ledgers import prefixes

NAME: Final = prefixes.NAME


class Prefixes:
    """The index of one gateway, as a ledger of routing.

    Raises:
        SizeError: the settings leave no room for an index.
    """

    def __init__(self, given: settings.PrefixSettings) -> None:
        self.accuracy = accuracy.Accuracy()
        self._given = given
        self._hasher = blocks.Hasher(given.block_size, given.hash_seed)
        self._index: prefix.PrefixIndex | None = None
        self._ledger: prefixes.PrefixLedger | None = None
        prefix.check(given)

    @property
    def index(self) -> prefix.PrefixIndex | None:
        """The index; None before anybody asked."""
        return self._index

    def facts(self, request: routing.Request, snapshot: routing.EndpointSnapshot, now: float) -> prefixes.Matches:
        return self._asked().facts(request, snapshot, now)

    def observe(self, event: routing.Event) -> None:
        self._asked().observe(event)
        if isinstance(event, routing.Finished):
            self._compare(event)

    def gone(self, endpoint: str) -> None:
        """The endpoint of this key is no more, and its cache with it."""
        if self._index is not None:
            self._index.remove(endpoint)

    def _asked(self) -> prefixes.PrefixLedger:
        if self._ledger is None:
            self._index = prefix.PrefixIndex(self._given)
            self._ledger = prefixes.PrefixLedger(self._hasher, self._index)
        return self._ledger

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
