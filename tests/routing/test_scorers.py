"""Numbers to scores: bounds, order, missing numbers, huge numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.routing import contract, pipeline, registry, scorers, testing

NAN, INF = math.nan, math.inf
NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("measured", "lowest", "highest"),
    [
        ([4, 0, 2], [0.0, 1.0, 0.5], [1.0, 0.0, 0.5]),
        ([3, 3], [1.0, 1.0], [1.0, 1.0]),
        ([7], [1.0], [1.0]),
        ([1, NAN, 3], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]),
        ([NAN, 5, NAN], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]),
        ([INF, 1, 2], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
        ([-INF, 1, 2], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),
        ([INF, -INF, 1], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
        ([NAN, NAN], [0.0, 0.0], [0.0, 0.0]),
        ([1.7e308, -1.7e308, 0.0], [0.0, 1.0, 0.5], [1.0, 0.0, 0.5]),
        ([1e308, 1e308], [1.0, 1.0], [1.0, 1.0]),
    ],
)
def test_scores(measured: list[float], lowest: list[float], highest: list[float]) -> None:
    assert scorers.lowest(measured) == lowest
    assert scorers.highest(measured) == highest


@given(NUMBERS)
def test_scores_are_bounded_and_keep_the_order(measured: list[float]) -> None:
    for scores, sign in ((scorers.lowest(measured), -1), (scorers.highest(measured), 1)):
        assert len(scores) == len(measured)
        assert all(0.0 <= score <= 1.0 for score in scores)
        known = [at for at, each in enumerate(measured) if math.isfinite(each)]
        assert all(scores[at] == 0.0 for at in range(len(measured)) if at not in known)
        assert not known or max(scores[at] for at in known) == 1.0
        for one in known:
            for other in known:
                if sign * measured[one] > sign * measured[other]:
                    assert scores[one] >= scores[other]
                elif measured[one] == measured[other]:
                    assert scores[one] == scores[other]


@given(NUMBERS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(measured: list[float], rng: object) -> None:
    order = list(range(len(measured)))
    assert hasattr(rng, "shuffle")
    rng.shuffle(order)
    scores = scorers.lowest(measured)
    assert scorers.lowest([measured[at] for at in order]) == [scores[at] for at in order]


def _ranking(numbers: Sequence[float]) -> scorers.Ranking:
    return scorers.Ranking(
        "numbers",
        lambda request, snapshot, rows: [numbers[row] for row in rows],
        lambda snapshot, row: f"{numbers[row]}",
    )


@pytest.mark.parametrize(("highest", "scores"), [(False, [1.0, 0.5, 0.0]), (True, [0.0, 0.5, 1.0])])
def test_scores_are_made_of_what_is_measured(highest: bool, scores: list[float]) -> None:
    """Asked for by name or in one go: of the rows that are asked about, and nobody else stretches the scale."""
    ranking = dataclasses.replace(_ranking([1.0, 99.0, 2.0, 3.0]), highest=highest)
    rows, asked, there = [0, 2, 3], testing.request(), testing.snapshot(0, 0, 0, 0)
    measured = ranking.measure(asked, there, rows)
    assert list(measured) == [1.0, 2.0, 3.0]
    assert ranking.scores(asked, there, rows) == ranking.normalise(measured) == scores


def test_a_decision_keeps_the_numbers_behind_its_scores() -> None:
    profile = contract.Profile("x", (), ((_ranking([5.0, NAN, 1.0]), 1.0),), testing.FakePicker(row=2))
    made = pipeline.route(testing.request(), testing.snapshot(0, 0, 0), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.scores == ([0.0, 0.0, 1.0],)
    assert made.measures[0] is not None
    assert made.measures[0][0] == 5.0
    assert math.isnan(made.measures[0][1])
    assert (made.row, made.faults) == (2, ())


def test_a_plain_scorer_has_no_numbers() -> None:
    profile = contract.Profile("x", (), ((testing.FakeScorer([0.0, 1.0]), 1.0),), testing.FakePicker(row=1))
    made = pipeline.route(testing.request(), testing.snapshot(0, 0), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.measures == (None,)


def test_when_nothing_is_known_of_anybody_chance_decides() -> None:
    policy = contract.Policy(
        "numbers",
        contract.Stability.ALPHA,
        "",
        frozenset(),
        lambda parameters: contract.Profile("numbers", (), ((_ranking([NAN] * 3), 1.0),), testing.FakePicker(row=0)),
    )
    mixed = registry.Registry([policy]).profile("numbers:2")
    made = pipeline.route(testing.request(), testing.snapshot(0, 0, 0), mixed, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.totals == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("count", "words"), [(0, "0 requests in flight"), (1, "1 request in flight")])
def test_words_of_least_request(count: int, words: str) -> None:
    assert scorers.least_request("x").describe(testing.snapshot(count), 0) == words


def test_a_measure_that_raises_costs_its_own_say() -> None:
    def broken(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
        raise ZeroDivisionError("oh")

    scorer = scorers.Ranking("broken", broken, lambda snapshot, row: "")
    profile = contract.Profile(
        "x", (), ((scorer, 1.0), (testing.FakeScorer([0.0, 1.0]), 1.0)), testing.FakePicker(row=1)
    )
    made = pipeline.route(testing.request(), testing.snapshot(0, 0), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ("broken raised ZeroDivisionError: oh; it was ignored",)
    assert made.totals == [0.0, 0.5]
    assert made.measures == (None, None)


def test_a_measure_of_the_wrong_length_counts_as_0() -> None:
    scorer = scorers.Ranking("short", lambda request, snapshot, rows: [1.0, 2.0], lambda snapshot, row: "")
    profile = contract.Profile("x", (), ((scorer, 1.0),), testing.FakePicker(row=1))
    made = pipeline.route(testing.request(), testing.snapshot(0, 0, 0), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ("short gave 2 scores for 3 endpoints; all count as 0",)
    assert made.measures == (None,)


def test_numbers_of_loads_are_worked_out_once_per_page() -> None:
    read: list[serving.EngineLoad] = []

    def number(load: serving.EngineLoad) -> float | None:
        read.append(load)
        return load.running

    measure, asked = scorers.OfLoads(number), testing.request()
    loads = (serving.EngineLoad(running=3.0), None, serving.EngineLoad(waiting=1.0))
    before = dataclasses.replace(testing.snapshot(0, 0, 0), loads=loads)
    assert str(measure(asked, before, range(3))) == "[3.0, nan, nan]"
    assert str(measure(asked, dataclasses.replace(before, in_flight=(9, 9, 9)), [2, 0])) == "[nan, 3.0]"
    assert len(read) == 2
    after = dataclasses.replace(before, loads=(*loads[:2], serving.EngineLoad(running=7.0)))
    assert str(measure(asked, after, range(3))) == "[3.0, nan, 7.0]"
    assert str(measure(asked, before, range(3))) == "[3.0, nan, nan]"
