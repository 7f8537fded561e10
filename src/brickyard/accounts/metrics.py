"""Prometheus series of a gateway's accounts. The hot path adds to plain numbers; series are made when somebody scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import core, registry


class AccountMetrics(registry.Collector):
    """What a directory and a limiter did. Each number has one owner, named in its comment."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}  # limiter: admitted, rpm, tpm, rps, away
        self.exchanges = 0  # limiter: batches that the store answered
        self.asks = 0  # limiter: requests in them
        self.seconds = 0.0  # limiter: spent waiting for them
        self.failures = 0  # limiter: batches that it did not answer
        self.lost_charges = 0  # limiter: settlements whose window ended before the store could be told
        self.alone = 0  # limiter: requests that were counted without the store
        self.lookups = 0  # directory: users and keys read from the store
        self.stale = 0  # directory: answers from before the store went away
        self.away: Callable[[], bool] = bool  # set by the limiter
        self.unsettled: Callable[[], int] = int  # set by the limiter

    def outcome(self, name: str) -> None:
        """Count a request by what became of it."""
        self.outcomes[name] = self.outcomes.get(name, 0) + 1

    def collect(self) -> Iterator[core.Metric]:
        requests = core.CounterMetricFamily(
            "gateway_limited_requests",
            "Requests that limits were asked about, by what became of them",
            labels=("outcome",),
        )
        for name, count in sorted(self.outcomes.items()):
            requests.add_metric((name,), count)
        yield requests
        counters = (
            ("gateway_limit_exchanges", "Batches that the store of limits answered", self.exchanges),
            ("gateway_limit_asks", "Requests in these batches", self.asks),
            ("gateway_limit_exchange_seconds", "Time spent waiting for these batches", self.seconds),
            ("gateway_limit_store_failures", "Batches that the store of limits did not answer", self.failures),
            ("gateway_limit_lost_charges", "Settlements that came too late for their window", self.lost_charges),
            ("gateway_limit_counted_alone", "Requests counted while the store was away", self.alone),
            ("gateway_account_lookups", "Users and API keys read from the store", self.lookups),
            ("gateway_account_stale", "Users and API keys answered from memory while the store was away", self.stale),
        )
        for name, text, value in counters:
            yield core.CounterMetricFamily(name, text, value=value)
        yield core.GaugeMetricFamily("gateway_limit_store_up", "1 while the store answers", value=int(not self.away()))
        yield core.GaugeMetricFamily("gateway_limit_unsettled", "Settlements on their way", value=self.unsettled())
