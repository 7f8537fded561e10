"""The pipeline: order of parts, arithmetic of scores, and that no part's fault becomes the request's."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, filters, pickers, pipeline, testing

BEST = pickers.Best()


def profile(
    *scorers: tuple[contract.Scorer, float],
    filters: Sequence[contract.Filter] = (),
    picker: contract.Picker = BEST,
) -> contract.Profile:
    return contract.Profile("test", tuple(filters), scorers, picker)


def decide(
    snapshot: contract.EndpointSnapshot,
    chosen: contract.Profile,
    request: contract.Request | None = None,
    rng: contract.Random | None = None,
) -> contract.Decision:
    made = pipeline.route(request or testing.request(), snapshot, chosen, 5.0, rng or testing.Dice())
    assert isinstance(made, contract.Decision), made
    return made


def refuse(
    snapshot: contract.EndpointSnapshot, chosen: contract.Profile, request: contract.Request | None = None
) -> contract.NoDecision:
    made = pipeline.route(request or testing.request(), snapshot, chosen, 5.0, testing.Dice())
    assert isinstance(made, contract.NoDecision), made
    return made


def test_the_best_score_wins_and_everything_is_kept() -> None:
    table = testing.snapshot(0, 0, 0)
    scorer = testing.FakeScorer([0.2, 0.9, 0.4])
    chosen = profile((scorer, 1.0))
    request = testing.request()
    made = decide(table, chosen, request)
    assert made.endpoint.pod == "b"
    assert list(made.rows) == [0, 1, 2]
    assert made.scores == ([0.2, 0.9, 0.4],)
    assert made.totals == [0.2, 0.9, 0.4]
    assert (made.request, made.snapshot, made.profile, made.decided_at) == (request, table, chosen, 5.0)
    assert made.removed == {}
    assert made.faults == ()


def test_without_scorers_all_totals_are_zero_and_the_picker_decides() -> None:
    picker = testing.FakePicker(row=2)
    made = decide(testing.snapshot(0, 0, 0), profile(picker=picker))
    assert made.endpoint.pod == "c"
    assert picker.shown == [0.0, 0.0, 0.0]
    assert made.scores == ()


def test_totals_are_means_by_weight() -> None:
    first, second = testing.FakeScorer([1.0, 0.0]), testing.FakeScorer([0.0, 0.5])
    made = decide(testing.snapshot(0, 0), profile((first, 1.0), (second, 3.0)))
    assert made.totals == pytest.approx([0.25, 0.375])
    assert made.endpoint.pod == "b"


def test_a_lone_scorers_weight_changes_nothing() -> None:
    made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer([0.5, 0.25]), 40.0)))
    assert made.totals == [0.5, 0.25]


@pytest.mark.parametrize("weights", [(1.0, 3.0), (0.1, 0.3), (1e-12, 3e-12), (1e9, 3e9)])
def test_the_unit_of_weights_does_not_matter(weights: tuple[float, float]) -> None:
    first, second = testing.FakeScorer([1.0, 0.0]), testing.FakeScorer([0.0, 0.5])
    made = decide(testing.snapshot(0, 0), profile((first, weights[0]), (second, weights[1])))
    assert made.totals == pytest.approx([0.25, 0.375])


def test_weights_that_add_up_to_nothing_give_totals_of_zero() -> None:
    made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer([1, 0]), 0.0), (testing.FakeScorer([0, 1]), 0.0)))
    assert made.totals == [0.0, 0.0]
    assert (made.scores, made.measures) == (([1, 0], [0, 1]), (None, None))


class TestFilters:
    def test_removed_rows_are_not_scored_and_keep_their_reason(self) -> None:
        scorer = testing.FakeScorer([1.0, 0.3, 0.2])
        made = decide(testing.snapshot(0, 0, 0), profile((scorer, 1.0), filters=[testing.FakeFilter({0: "too far"})]))
        assert made.endpoint.pod == "b"
        assert made.rows == [1, 2]
        assert made.totals == [0.3, 0.2]
        assert made.removed == {0: "too far"}

    def test_the_first_filter_that_removes_a_row_gives_the_reason(self) -> None:
        first, second = testing.FakeFilter({0: "first"}), testing.FakeFilter({0: "second", 1: "second"})
        made = decide(testing.snapshot(0, 0, 0), profile(filters=[first, second]))
        assert made.removed == {0: "first", 1: "second"}
        assert made.endpoint.pod == "c"

    def test_nobody_left_is_a_value_that_counts_the_reasons(self) -> None:
        out = testing.FakeFilter({0: "too far", 1: "too old", 2: "too far"})
        made = refuse(testing.snapshot(0, 0, 0), profile(filters=[out]))
        assert made.reason == "no endpoint of model 'demo' can take this request (2 too far; 1 too old)"
        assert made.removed == {0: "too far", 1: "too old", 2: "too far"}
        assert not made.bad_request

    def test_an_empty_table_is_a_value_that_says_where_to_look(self) -> None:
        made = refuse(testing.snapshot(), profile((testing.FakeScorer(), 1.0)))
        assert "'demo' has no endpoint" in made.reason
        assert "Ready" in made.reason
        assert not made.bad_request

    def test_a_bad_request_is_told_apart_from_a_lack_of_endpoints(self) -> None:
        out = testing.FakeFilter(error=errors.BadLabelFilterError("no selector"))
        made = refuse(testing.snapshot(0, 0), profile(filters=[out]))
        assert made.bad_request
        assert made.reason == "no selector"

    def test_a_filter_that_raises_removes_nothing_and_is_named(self) -> None:
        out = testing.FakeFilter(error=RuntimeError("boom"))
        made = decide(testing.snapshot(0, 0), profile(filters=[out, testing.FakeFilter({0: "far"})]))
        assert made.endpoint.pod == "b"
        assert made.faults == ("fake-filter raised RuntimeError: boom; it was ignored",)

    def test_a_filter_that_raises_has_no_say_in_whether_waiting_helps_either(self) -> None:
        full = filters.HasRoom(1)
        for broken in (testing.FakeFilter(error=RuntimeError("boom")), testing.FakeFilter(error=KeyError("x"))):
            made = refuse(testing.snapshot(1, 1), profile(filters=[broken, full]))
            assert made.saturated
            assert sorted(made.removed) == [0, 1]

    def test_rows_that_do_not_exist_may_be_removed(self) -> None:
        made = decide(testing.snapshot(0, 0), profile(filters=[testing.FakeFilter({7: "odd"})]))
        assert list(made.rows) == [0, 1]


class TestBarred:
    """
    barred   excluded   left
    none     none       all
    a        none       b, c
    a, b, c  none       all: a last resort beats turning a client away
    a        b, c       a, for the same reason
    """

    @pytest.mark.parametrize(
        ("barred", "excluded", "left"),
        [
            ((), (), [0, 1, 2]),
            ((0,), (), [1, 2]),
            ((0, 1, 2), (), [0, 1, 2]),
            ((0,), ("default/b:8000", "default/c:8000"), [0]),
            ((0, 1), ("default/c:8000",), [0, 1]),
        ],
    )
    def test_a_barred_row_is_a_last_resort(
        self, barred: tuple[int, ...], excluded: tuple[str, ...], left: list[int]
    ) -> None:
        table = testing.snapshot(0, 0, 0, barred=dict.fromkeys(barred, "broken"))
        made = decide(table, profile(filters=filters.ALWAYS), testing.request(excluded=excluded))
        assert list(made.rows) == left
        assert sorted({*made.rows, *made.removed}) == [0, 1, 2]

    def test_its_reason_is_kept(self) -> None:
        made = decide(testing.snapshot(0, 0, barred={1: "its connections fail"}), profile())
        assert made.removed == {1: "its connections fail"}

    @pytest.mark.parametrize(
        ("in_flight", "barred", "pod"),
        [
            ((0, 5, 0), (0,), "c"),  # one barred, one full, one free
            ((5, 0, 5), (0,), "b"),
            ((0, 5, 5), (0,), None),  # the others are full: their places come back sooner than a broken one
            ((5, 5, 0), (2,), None),
            ((0, 0, 0), (0, 1, 2), "a"),
            ((0, 5, 0), (0, 1, 2), "a"),  # one of the barred is full too
        ],
    )
    def test_beside_full_ones(self, in_flight: tuple[int, ...], barred: tuple[int, ...], pod: str | None) -> None:
        table = testing.snapshot(*in_flight, barred=dict.fromkeys(barred, "broken"))
        chosen = profile(filters=[filters.HasRoom(5)])
        if pod is not None:
            assert decide(table, chosen).endpoint.pod == pod
        else:
            assert refuse(table, chosen).saturated

    def test_barred_and_excluded_everywhere_leaves_nobody(self) -> None:
        table = testing.snapshot(0, barred={0: "broken"})
        made = refuse(table, profile(filters=filters.ALWAYS), testing.request(excluded=["default/a:8000"]))
        assert made.removed == {0: "already failed this request"}


class TestYoung:
    """A new endpoint is offered a share of the requests."""

    @pytest.mark.parametrize(
        ("in_flight", "young", "dice", "left"),
        [
            ((0, 0), {}, [0.99], [0, 1]),
            ((0, 0), {1: 0.3}, [0.29], [0, 1]),
            ((0, 0), {1: 0.3}, [0.3], [0]),
            ((0, 0, 0), {1: 0.3, 2: 0.9}, [0.5], [0, 2]),
            ((0,), {0: 0.3}, [0.9], [0]),
            ((0, 0), {0: 0.3, 1: 0.3}, [0.9], [0, 1]),
        ],
    )
    def test_who_is_left(
        self, in_flight: tuple[int, ...], young: dict[int, float], dice: list[float], left: list[int]
    ) -> None:
        table = dataclasses.replace(testing.snapshot(*in_flight), young=young)
        made = pipeline.route(testing.request(), table, profile(), 0.0, testing.Dice(dice))
        assert isinstance(made, contract.Decision)
        assert list(made.rows) == left
        assert all("new: it is offered" in reason for reason in made.removed.values())

    def test_one_that_others_leave_it_alone_with_takes_all(self) -> None:
        table = dataclasses.replace(testing.snapshot(0, 0), young={1: 0.1})
        made = pipeline.route(
            testing.request(excluded=["default/a:8000"]),
            table,
            profile(filters=filters.ALWAYS),
            0.0,
            testing.Dice([0.9]),
        )
        assert isinstance(made, contract.Decision)
        assert made.endpoint.pod == "b"


class TestFaultyScorers:
    def test_a_wrong_number_of_scores_counts_as_zeros(self) -> None:
        bad, good = testing.FakeScorer(answer=[1.0]), testing.FakeScorer([0.1, 0.2])
        made = decide(testing.snapshot(0, 0), profile((bad, 1.0), (good, 1.0)))
        assert made.endpoint.pod == "b"
        assert made.scores[0] == [0.0, 0.0]
        assert made.faults == ("fake-scorer gave 1 scores for 2 endpoints; all count as 0",)

    def test_nan_counts_as_zero_and_the_rest_is_kept(self) -> None:
        made = decide(testing.snapshot(0, 0, 0), profile((testing.FakeScorer([math.nan, 0.5, math.nan]), 1.0)))
        assert made.endpoint.pod == "b"
        assert made.totals == [0.0, 0.5, 0.0]
        assert made.faults == ("fake-scorer gave no number (NaN) for 2 of 3 endpoints; they count as 0",)

    def test_a_nan_between_numbers_does_not_hide(self) -> None:
        made = decide(testing.snapshot(0, 0, 0), profile((testing.FakeScorer([0.7, math.nan, 0.5]), 1.0)))
        assert made.totals == [0.7, 0.0, 0.5]
        assert len(made.faults) == 1

    def test_scores_out_of_range_are_clamped_without_complaint(self) -> None:
        made = decide(testing.snapshot(0, 0, 0), profile((testing.FakeScorer([-3.0, 7.0, math.inf]), 1.0)))
        assert made.totals == [0.0, 1.0, 1.0]
        assert made.faults == ()

    @pytest.mark.parametrize(
        ("given_scores", "totals"), [([0.2, 1.5], [0.2, 1.0]), ([-0.5, 0.7], [0.0, 0.7]), ([1.0, 2.0], [1.0, 1.0])]
    )
    def test_a_single_score_out_of_range_is_clamped(self, given_scores: list[float], totals: list[float]) -> None:
        assert decide(testing.snapshot(0, 0), profile((testing.FakeScorer(given_scores), 1.0))).totals == totals

    def test_both_infinities_together_are_clamped(self) -> None:
        made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer([-math.inf, math.inf]), 1.0)))
        assert made.totals == [0.0, 1.0]
        assert made.faults == ()

    def test_a_scorer_that_raises_counts_as_zeros(self) -> None:
        made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer(error=KeyError("x")), 1.0)))
        assert made.totals == [0.0, 0.0]
        assert made.faults == ("fake-scorer raised KeyError: 'x'; it was ignored",)

    def test_scores_that_are_no_numbers_count_as_zeros(self) -> None:
        words: Sequence[float] = ["high", "low"]  # type: ignore[list-item]
        made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer(answer=words), 1.0)))
        assert made.totals == [0.0, 0.0]
        assert "TypeError" in made.faults[0]


class TestFaultyPickers:
    def test_a_row_that_was_not_offered_is_replaced_by_the_best(self) -> None:
        picker = testing.FakePicker(row=9)
        made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer([0.1, 0.2]), 1.0), picker=picker))
        assert made.endpoint.pod == "b"
        assert made.faults == ("fake-picker picked row 9, which was not offered; the best row was taken",)

    def test_a_removed_row_was_not_offered_either(self) -> None:
        made = decide(
            testing.snapshot(0, 0, 0),
            profile(filters=[testing.FakeFilter({0: "out"})], picker=testing.FakePicker(row=0)),
        )
        assert made.endpoint.pod == "b"
        assert len(made.faults) == 1

    def test_a_picker_that_raises_is_replaced_by_the_best(self) -> None:
        picker = testing.FakePicker(error=RuntimeError("boom"))
        made = decide(testing.snapshot(0, 0), profile((testing.FakeScorer([0.1, 0.2]), 1.0), picker=picker))
        assert made.endpoint.pod == "b"
        assert made.faults == ("fake-picker raised RuntimeError: boom; it was ignored",)

    def test_a_single_row_is_taken_without_asking(self) -> None:
        picker = testing.FakePicker(error=RuntimeError("never called"))
        made = decide(testing.snapshot(0), profile(picker=picker))
        assert made.faults == ()


PICKERS: list[contract.Picker] = [
    pickers.Best(),
    pickers.Uniform(),
    testing.FakePicker(row=3),
    testing.FakePicker(error=OSError()),
]
SCORES = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[contract.EndpointSnapshot, contract.Profile, contract.Request]:
    """Any table, any parts (some broken), any request."""
    size = draw(st.integers(0, 6))
    rows = range(size)
    scorers = []
    for _ in range(draw(st.integers(0, 3))):
        answer = draw(st.none() | st.lists(SCORES, max_size=8))
        error = draw(st.sampled_from([None, None, None, ValueError("broken")]))
        by_row = draw(st.lists(SCORES, min_size=size, max_size=size))
        scorers.append((testing.FakeScorer(by_row, answer, error), draw(st.floats(0.001, 1000))))
    out = draw(st.dictionaries(st.integers(0, 7), st.just("out"), max_size=size))
    picker = draw(st.sampled_from(PICKERS))
    barred = draw(st.dictionaries(st.integers(0, 5), st.just("barred"), max_size=size))
    excluded = draw(st.sets(st.sampled_from([f"default/{name}:8000" for name in "abcdef"])))
    table = testing.snapshot(*([0] * size), barred={row: why for row, why in barred.items() if row in rows})
    chosen = contract.Profile("any", (*filters.ALWAYS, testing.FakeFilter(out)), tuple(scorers), picker)
    return table, chosen, testing.request(excluded=sorted(excluded))


@given(worlds(), st.floats(0, 1, exclude_max=True))
def test_whatever_the_parts_do_the_answer_is_sound(
    world: tuple[contract.EndpointSnapshot, contract.Profile, contract.Request], roll: float
) -> None:
    table, chosen, request = world
    made = pipeline.route(request, table, chosen, 1.0, testing.Dice([roll]))
    everyone = set(range(len(table.endpoints)))
    forbidden = {row for row, each in enumerate(table.endpoints) if each.key in request.excluded} & everyone
    if isinstance(made, contract.NoDecision):
        assert everyone <= set(made.removed) or not everyone
        return
    rows = list(made.rows)
    assert made.endpoint in [table.endpoints[row] for row in rows]
    assert not forbidden & set(rows)
    assert not set(rows) & made.removed.keys()
    assert everyone <= set(rows) | made.removed.keys()
    assert len(made.totals) == len(rows)
    for column in (*made.scores, made.totals):
        assert len(column) == len(rows)
        assert all(0.0 <= score <= 1.0 + 1e-9 for score in column)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_endpoints_does_not_change_who_can_win(scores: list[float], shuffler: random.Random) -> None:
    size = len(scores)
    order = list(range(size))
    shuffler.shuffle(order)
    names = [testing.endpoint(f"pod-{index}") for index in range(size)]

    def winners(order: list[int]) -> set[str]:
        table = testing.snapshot(*([0] * size), endpoints=[names[index] for index in order])
        chosen = profile((testing.FakeScorer([scores[index] for index in order]), 1.0))
        rolls = [index / size for index in range(size)]
        return {decide(table, chosen, rng=testing.Dice([roll])).endpoint.pod for roll in rolls}

    assert winners(list(range(size))) == winners(order)
