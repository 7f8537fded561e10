"""What arrives when."""

from __future__ import annotations

import pytest

from brickyard.sim.scaling import errors, workload

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109

2023-11-16 18:15:48.0000000,10,0
"""


def load(text: str) -> workload.Load:
    return workload.read(text.splitlines(keepends=True), "a file")


def test_azure() -> None:
    read = load(AZURE)
    assert read.start == pytest.approx(1700158546.68059)
    assert [each.at for each in read.arrivals] == pytest.approx([0.0, 1.31941, 4.314579], abs=1e-5)
    assert [(each.prompt, each.output) for each in read.arrivals] == [(374, 44), (10, 1), (396, 109)]
    assert read.seconds == read.arrivals[-1].at


def test_mooncake_and_aibrix() -> None:
    mooncake = load('{"timestamp": 2000, "input_length": 7, "output_length": 3, "hash_ids": [1]}\n')
    assert mooncake.arrivals == [workload.Arrival(0.0, 7, 3)]
    assert mooncake.start == 2.0
    told = '{"timestamp": 1000, "requests": [{"prompt_length": 7, "output_length": 3}, {"prompt_length": 8, "output_length": 4}]}'
    aibrix = load(told + '\n{"timestamp": 3000, "requests": []}\n')
    assert aibrix.arrivals == [workload.Arrival(0.0, 7, 3), workload.Arrival(0.0, 8, 4)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with ''"),
        ("a,b\n1,2\n", "begins with 'a,b'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "has no request"),
        ("TIMESTAMP,Tokens\n2023-11-16 18:15:46,1\n", "line 2 is no request"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,1\n", "line 2 is no request"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,0,1\n", "line 2 has 0 tokens"),
        ('{"timestamp": 1}\n', "line 1 is no request"),
        ('{"timestamp": 0, "input_length": 1, "output_length": 1}\n{"timestamp"\n', "line 2 is no request"),
        ('{"timestamp": NaN, "input_length": 1, "output_length": 1}\n', "at nan s"),
    ],
)
def test_what_is_no_trace(text: str, said: str) -> None:
    with pytest.raises(errors.ReplayError, match=said):
        load(text)


def test_times_more_and_fewer() -> None:
    once = workload.make("constant:10", workload.Shape(seconds=300))
    thrice, third = once.times(3.0), once.times(1 / 3)
    assert len(thrice.arrivals) == 3 * len(once.arrivals)
    assert len(third.arrivals) == pytest.approx(len(once.arrivals) / 3, rel=0.1)
    assert list(thrice.arrivals) == sorted(thrice.arrivals)
    assert thrice.arrivals[-1].at <= once.seconds
    assert once.times(3.0) == thrice != once.times(3.0, seed=1)
    assert once.times(1) is once


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_factors_that_cannot_be(factor: float) -> None:
    with pytest.raises(errors.ReplayError):
        workload.make("constant:10", workload.Shape(seconds=60)).times(factor)


def test_another_day_like_it() -> None:
    day = workload.make("constant:10", workload.Shape(seconds=300))
    other = day.shaken(1)
    assert day.shaken(0) is day
    assert other == day.shaken(1) != day.shaken(2)
    assert list(other.arrivals) == sorted(other.arrivals)
    assert sorted(each[1:] for each in other.arrivals) == sorted(each[1:] for each in day.arrivals)
    # Each by the same up to ten seconds, and by less than three more or less.
    moved = sorted(each.at for each in other.arrivals)[len(day.arrivals) // 2] - day.arrivals[len(day.arrivals) // 2].at
    assert -2.6 < moved < 12.6
    assert other.arrivals[-1].at <= other.seconds


def rate(made: workload.Load, begin: float, end: float) -> float:
    return sum(begin <= each.at < end for each in made.arrivals) / (end - begin)


def test_rates_are_as_told() -> None:
    shape = workload.Shape(seconds=2000, prompt=300, output=50)
    constant = workload.make("constant:5", shape)
    assert rate(constant, 0, 2000) == pytest.approx(5, rel=0.05)
    assert sum(each.prompt for each in constant.arrivals) / len(constant.arrivals) == pytest.approx(300, rel=0.05)
    step = workload.make("step:2,8,1000", shape)
    assert [rate(step, 0, 1000), rate(step, 1000, 2000)] == pytest.approx([2, 8], rel=0.1)
    sine = workload.make("sine:1,9,2000", shape)
    assert rate(sine, 800, 1200) > 8
    assert rate(sine, 0, 200) < 2
    assert workload.make("constant:5", shape) == constant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "constant",
        "constant:",
        "constant:0",
        "constant:-1",
        "constant:nan",
        "step:1,2",
        "sine:3,2,100",
        "sine:1,2,0",
        "square:1",
    ],
)
def test_loads_that_are_none(text: str) -> None:
    with pytest.raises(errors.ReplayError, match="is no load"):
        workload.make(text, workload.Shape())


def test_a_mistyped_rate_is_not_waited_for() -> None:
    with pytest.raises(errors.ReplayError, match="lower the rate"):
        workload.make("constant:1e7", workload.Shape())
    with pytest.raises(errors.ReplayError, match="over 0 s"):
        workload.make("constant:1", workload.Shape(seconds=0))
