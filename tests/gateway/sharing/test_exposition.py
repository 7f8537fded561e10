"""Metrics pages of several workers become one that Prometheus' own parser reads."""

from __future__ import annotations

import prometheus_client
from prometheus_client import parser

from brickyard.gateway.sharing import exposition


def page(count: float) -> bytes:
    registry = prometheus_client.CollectorRegistry()
    counter = prometheus_client.Counter("requests", 'Odd names too: {"x"}', ["model"], registry=registry)
    counter.labels('a "quoted" {brace} and\nbreak, x="y"').inc(count)
    prometheus_client.Gauge("bare", "No labels", registry=registry).set(count)
    prometheus_client.Histogram("took", "Seconds", registry=registry, buckets=(1, 2)).observe(count)
    return prometheus_client.generate_latest(registry)


def test_every_series_of_every_worker_is_there_with_its_number() -> None:
    families = {
        each.name: each
        for each in parser.text_string_to_metric_families(exposition.merged({"0": page(1), "1": page(2)}).decode())
    }
    values = {
        (sample.name, sample.labels.get("worker"), sample.labels.get("le")): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert values["requests_total", "0", None] == 1
    assert values["requests_total", "1", None] == 2
    assert values["bare", "1", None] == 2
    assert values["took_bucket", "0", "1.0"] == 1
    assert values["took_bucket", "1", "1.0"] == 0
    assert values["took_sum", "1", None] == 2
    assert values["gateway_workers", None, None] == 2
    assert families["took"].type == "histogram"
    odd = {sample.labels["model"] for sample in families["requests"].samples if sample.name == "requests_total"}
    assert odd == {'a "quoted" {brace} and\nbreak, x="y"'}


def test_a_family_stands_in_one_place_once() -> None:
    text = exposition.merged({"1": page(1), "0": page(2), "2": page(3)}).decode().splitlines()
    assert [line for line in text if line == "# TYPE bare gauge"] == ["# TYPE bare gauge"]
    assert [line for line in text if line.startswith("bare{")] == [
        'bare{worker="0"} 2.0',
        'bare{worker="1"} 1.0',
        'bare{worker="2"} 3.0',
    ]


def test_a_page_that_did_not_come_is_not_counted_as_series() -> None:
    assert b"gateway_workers 1.0" in exposition.merged({"0": page(1)})
    assert exposition.merged({}).endswith(b"gateway_workers 0.0\n")
