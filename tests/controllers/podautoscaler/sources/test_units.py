"""Shares and percent: the rows of the module's table, and what makes a series percent."""

from __future__ import annotations

import math

import pytest

from brickyard.controllers.podautoscaler.sources import units


@pytest.mark.parametrize(
    ("name", "target", "values", "factor"),
    [
        ("gpu_cache_usage_perc", 0.5, [0.3], 1.0),
        ("gpu_cache_usage_perc", 1.0, [0.3], 1.0),
        ("gpu_cache_usage_perc", 50.0, [0.3], 100.0),
        ("vllm:kv_cache_usage_perc", 80.0, [0.9, 1.0], 100.0),
        ("sglang:token_usage", 80.0, [0.9], 100.0),
        ("kv_cache_utilization", 80.0, [], 100.0),
        ("disk_ratio", 1.2, [1.3], 100.0),
        ("disk_used_percent", 80.0, [41.0], 1.0),
        ("disk_used_percent", 0.8, [41.0], 0.01),
        ("gpu_utilization", 0.8, [41.0], 0.01),
        ("gpu_utilization", 80.0, [41.0], 1.0),
        ("num_requests_waiting", 0.5, [41.0], 1.0),
        ("num_requests_waiting", 50.0, [0.5], 1.0),
        ("memory_usage_bytes", 50.0, [0.5], 1.0),
    ],
)
def test_the_table(name: str, target: float, values: list[float], factor: float) -> None:
    unit = units.Units().judge(name, target, values)
    assert unit.factor == factor
    assert bool(unit.note) == (factor != 1.0)


def test_the_note_names_the_series_and_the_target() -> None:
    assert units.Units().judge("gpu_cache_usage_perc", 50.0, [0.2]).note == (
        "gpu_cache_usage_perc is a share of 1 and its target 50 percent: values are multiplied by 100"
    )


def test_a_series_once_seen_in_percent_stays_so_on_a_quiet_day() -> None:
    known = units.Units()
    assert known.judge("gpu_utilization", 80.0, [0.7]).factor == 100.0
    assert known.judge("gpu_utilization", 80.0, [0.7, 12.0]).factor == 1.0
    assert known.judge("gpu_utilization", 80.0, [0.7]).factor == 1.0
    assert known.judge("gpu_utilization", 0.8, [0.7]).factor == 0.01
    assert known.judge("other_utilization", 80.0, [0.7]).factor == 100.0


def test_an_overfull_share_is_still_one() -> None:
    assert units.Units().judge("a_ratio", 0.9, [1.4]).factor == 1.0


def test_infinite_values_prove_nothing() -> None:
    assert units.Units().judge("a_ratio", 0.9, [math.inf, math.nan]).factor == 1.0
