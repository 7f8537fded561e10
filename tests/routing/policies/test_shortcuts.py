"""Shortcuts choose what the scores behind them would have chosen."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.assembly import routing_policies
from brickyard.routing import contract, pickers, pipeline, testing
from brickyard.routing.ledgers import prefixes

PROFILES = {name: routing_policies.make().profile(name) for name in routing_policies.make().names()}
SHORT = sorted(name for name, profile in PROFILES.items() if profile.shortcut is not None)
TOTAL = 1000


@dataclasses.dataclass
class At:
    """A source that says one thing."""

    value: float

    def random(self) -> float:
        return self.value


@st.composite
def tables(draw: st.DrawFn) -> contract.EndpointSnapshot:
    counts = draw(st.lists(st.integers(0, 14), min_size=1, max_size=9))
    held = draw(
        st.lists(st.sampled_from((0, 0, 5, 300, 300, 309, 640, TOTAL)), min_size=len(counts), max_size=len(counts))
    )
    facts = draw(st.sampled_from((prefixes.Matches(held, TOTAL), prefixes.Matches([0] * len(counts), 0), None)))
    data = {} if facts is None else {prefixes.NAME: facts}
    return dataclasses.replace(testing.snapshot(*counts), data=data)


def test_the_usual_strategies_have_one() -> None:
    assert {"random", "least-request", "prefix-cache"} <= set(SHORT)


@pytest.mark.parametrize("name", SHORT)
@given(tables())
def test_the_row_is_one_of_the_best_and_each_of_them_has_its_turn(name: str, table: contract.EndpointSnapshot) -> None:
    profile, request = PROFILES[name], testing.request()
    chosen = set()
    long = pipeline.route(request, table, dataclasses.replace(profile, shortcut=None), 0.0, At(0.0))
    assert isinstance(long, contract.Decision)
    for value in (step / 90 for step in range(90)):
        made = pipeline.route(request, table, profile, 0.0, At(value))
        assert isinstance(made, contract.Decision)
        assert not isinstance(made.judgement, contract.Judgement), "the long way was gone"
        assert (made.faults, made.judged) == ((), long.judged)
        chosen.add(made.row)
    best = max(long.totals) - pickers.TIE
    assert chosen == {row for row, total in zip(long.rows, long.totals, strict=True) if total >= best}


def test_rows_that_hold_as_many_whole_percent_are_equals() -> None:
    table = dataclasses.replace(
        testing.snapshot(1, 1, 1, 1), data={prefixes.NAME: prefixes.Matches([300, 309, 299, 0], TOTAL)}
    )
    rows = set()
    for value in (0.0, 0.49, 0.5, 0.99):
        made = pipeline.route(testing.request(), table, PROFILES["prefix-cache"], 0.0, At(value))
        assert isinstance(made, contract.Decision)
        rows.add(made.row)
    assert rows == {0, 1}


def test_what_removes_rows_makes_it_go_the_long_way() -> None:
    profile = PROFILES["least-request"]
    table = testing.snapshot(0, 3, 2)
    for changed in (
        dataclasses.replace(table, barred={0: "its connections fail"}),
        dataclasses.replace(table, young={0: 0.0}),
    ):
        made = pipeline.route(testing.request(), changed, profile, 0.0, At(0.5))
        assert isinstance(made, contract.Decision)
        assert (made.row, set(made.removed)) == (2, {0})
    excluded = dataclasses.replace(testing.request(), excluded=frozenset({table.endpoints[0].key}))
    made = pipeline.route(excluded, table, profile, 0.0, At(0.5))
    assert isinstance(made, contract.Decision)
    assert made.row == 2


def test_where_it_leads_somewhere_nobody_is_asked_for_scores() -> None:
    """What it says stands, and scorers are heard when somebody wants to know why."""
    profile = dataclasses.replace(PROFILES["least-request"], shortcut=lambda *_: 2, picker=testing.FakePicker(row=1))
    made = pipeline.route(testing.request(), testing.snapshot(0, 1, 3), profile, 0.0, At(0.5))
    assert isinstance(made, contract.Decision)
    assert (made.row, made.endpoint.pod, list(made.rows)) == (2, "c", [0, 1, 2])
    assert not isinstance(made.judgement, contract.Judgement)
    assert made.totals == pytest.approx([1.0, 2 / 3, 0.0])
    assert isinstance(made.judgement, contract.Judgement)


@pytest.mark.parametrize("row", [-1, 7])
def test_one_that_leads_nowhere_is_not_taken(row: int) -> None:
    profile = dataclasses.replace(PROFILES["least-request"], shortcut=lambda *_: row)
    made = pipeline.route(testing.request(), testing.snapshot(3, 1), profile, 0.0, At(0.5))
    assert isinstance(made, contract.Decision)
    assert (made.row, made.faults) == (1, ())


def test_one_that_fails_is_named_and_not_taken() -> None:
    def broken(request: contract.Request, snapshot: contract.EndpointSnapshot, rng: contract.Random) -> int:
        raise RuntimeError("lost")

    profile = dataclasses.replace(PROFILES["least-request"], shortcut=broken)
    made = pipeline.route(testing.request(), testing.snapshot(3, 2, 1), profile, 0.0, At(0.5))
    assert isinstance(made, contract.Decision)
    assert made.row == 2
    assert "RuntimeError: lost" in made.faults[0]


def test_scores_are_worked_out_once_and_only_when_asked_for() -> None:
    asked = itertools.count()

    def judge(decision: contract.Decision) -> contract.Judgement:
        next(asked)
        return contract.Judgement(([0.5],), [0.5], (None,))

    table = testing.snapshot(0)
    made = contract.Decision(testing.request(), table.endpoints[0], PROFILES["random"], table, (0,), judge, {}, 0.0)
    assert next(asked) == 0
    assert (made.scores, made.totals, made.measures) == (([0.5],), [0.5], (None,))
    assert next(asked) == 2
