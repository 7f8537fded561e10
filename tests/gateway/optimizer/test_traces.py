"""Counts of one window."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.optimizer import contract, traces


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [(-1, 0), (0, 0), (1, 0), (2, 10), (3, 16), (7, 28), (100, 66), (1000, 100), (1024, 100), (4096, 120)],
)
def test_buckets_are_tenths_of_a_doubling(tokens: int, expected: int) -> None:
    assert traces.bucket(tokens) == expected


@given(st.integers(1, 2**40))
def test_a_bucket_stands_within_half_a_step_of_its_tokens(tokens: int) -> None:
    assert abs(traces.bucket(tokens) / contract.PRECISION - math.log2(tokens)) <= 0.5 / contract.PRECISION + 1e-9


def test_keys_are_aibrixs() -> None:
    assert traces.key("org/model-7b", 1_700_000_010) == "aibrix:org/model-7b_request_trace_1700000010"


class World:
    """How models stand, as the data plane would tell."""

    def __init__(self) -> None:
        self.models: dict[str, contract.Standing] = {}
        self.counted = traces.Traces()
        self.counted.standings = lambda: self.models

    def stands(self, arrived: int, pending: int = 0, queueing: int = 0, model: str = "m") -> None:
        self.models[model] = contract.Standing(arrived, pending, queueing)


def test_a_record_counts_what_ended_and_what_arrived_since_the_last_one() -> None:
    world = World()
    world.stands(5, 2)
    world.counted.begin()
    world.counted.note("m", 1000, 100)
    world.counted.note("m", 1000, 100)
    world.counted.note("m", 7, 0)
    world.stands(9, 3, 1)
    meta = {"meta_v": 4, "meta_interval_sec": 10, "meta_precision": 10}
    assert world.counted.take() == {
        "m": {"100:66": 2, "28:0": 1, "meta_total_reqs": 4, "meta_pending_reqs": 3, "meta_queueing_reqs": 1, **meta}
    }
    assert world.counted.take() == {
        "m": {"meta_total_reqs": 0, "meta_pending_reqs": 3, "meta_queueing_reqs": 1, **meta}
    }


def test_what_was_before_the_first_window_is_not_in_it() -> None:
    world = World()
    world.counted.note("m", 10, 10)
    world.stands(7)
    world.counted.begin()
    assert world.counted.take() == {}


def test_a_model_that_comes_up_within_a_window_is_in_its_record() -> None:
    world = World()
    world.counted.begin()
    world.stands(3, model="new")
    world.stands(0, model="idle")
    record = world.counted.take()
    assert list(record) == ["new"]
    assert record["new"]["meta_total_reqs"] == 3


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=50), st.integers(1, 5))
def test_every_request_is_in_one_record(requests: list[tuple[int, int]], every: int) -> None:
    world = World()
    world.stands(0)
    world.counted.begin()
    ended = arrived = 0
    for number, (prompt, completion) in enumerate(requests):
        world.stands(number + 1)
        world.counted.note("m", prompt, completion)
        if number % every == 0 or number == len(requests) - 1:
            record = world.counted.take()["m"]
            ended += sum(count for name, count in record.items() if ":" in name)
            arrived += record["meta_total_reqs"]
    assert (ended, arrived) == (len(requests), len(requests))
