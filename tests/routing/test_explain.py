"""Explanations: every row is there, the arithmetic adds up, the sentence is plain."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from brickyard.api import serving
from brickyard.assembly import routing_policies
from brickyard.routing import contract, explain, filters, pickers, pipeline, registry, testing
from brickyard.routing.ledgers import rates, work
from brickyard.routing.policies import least_request, throughput
from brickyard.routing.policies import random as random_policy

THROUGHPUT = registry.Registry([throughput.POLICY]).profile("throughput")
POLICIES = registry.Registry([least_request.POLICY, random_policy.POLICY])


def decide(
    table: contract.EndpointSnapshot, strategy: str = "least-request", excluded: Sequence[str] = (), roll: float = 0.0
) -> contract.Decision | contract.NoDecision:
    asked = testing.request(strategy, excluded=excluded, prompt=b"a secret of the user's")
    return pipeline.route(asked, table, POLICIES.profile(strategy), 7.0, testing.Dice([roll]))


def mixed(table: contract.EndpointSnapshot, *columns: tuple[str, float, list[float]]) -> contract.Decision:
    scorers = tuple((testing.FakeScorer(scores, name=name), weight) for name, weight, scores in columns)
    chosen = contract.Profile("mix", filters.ALWAYS, scorers, pickers.Best())
    made = pipeline.route(testing.request(), table, chosen, 7.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    return made


def told(decision: contract.Decision | contract.NoDecision, **outcome: object) -> dict[str, Any]:
    """The explanation after a trip through JSON, which must not change it."""
    made = explain.explain(decision, outcome or None)
    through: dict[str, Any] = orjson.loads(orjson.dumps(made))
    assert through == json.loads(json.dumps(made, allow_nan=False))
    return through


class TestSentence:
    @pytest.mark.parametrize(
        ("in_flight", "sentence"),
        [
            ((3,), "a chosen by least-request: the only endpoint of demo"),
            ((0, 2, 5), "a chosen by least-request: 0 requests in flight, next best b had 2 requests in flight"),
            ((4, 1, 3), "b chosen by least-request: 1 request in flight, next best c had 3 requests in flight"),
            ((2, 2, 5), "a chosen by least-request: 2 requests in flight, equal to 1 other, chance decided"),
            ((2, 2, 2), "a chosen by least-request: 2 requests in flight, equal to 2 others, chance decided"),
        ],
    )
    def test_least_request(self, in_flight: tuple[int, ...], sentence: str) -> None:
        assert explain.sentence(decide(testing.snapshot(*in_flight))) == sentence

    def test_random(self) -> None:
        made = decide(testing.snapshot(0, 0, 0), "random", roll=0.5)
        assert explain.sentence(made) == "b chosen by random: by chance, out of 3 endpoints"

    def test_the_last_one_left(self) -> None:
        made = decide(testing.snapshot(0, 9), excluded=["default/a:8000"])
        assert explain.sentence(made) == (
            "b chosen by least-request: the only one left of 2 endpoints (already failed this request)"
        )

    def test_nobody(self) -> None:
        assert explain.sentence(decide(testing.snapshot())).startswith("nobody chosen: model 'demo' has no endpoint")

    def test_a_mix_shows_its_scores(self) -> None:
        made = mixed(testing.snapshot(0, 0), ("cache", 3.0, [1.0, 0.2]), ("load", 1.0, [0.5, 1.0]))
        assert explain.sentence(made) == (
            "a chosen by mix: 0.88 (cache 1.00, load 0.50), next best b had 0.40 (cache 0.20, load 1.00)"
        )

    def test_a_mix_whose_first_part_has_words_of_its_own_shows_its_scores_as_well(self) -> None:
        scorers = ((least_request.SCORER, 1.0), (testing.FakeScorer([0.0, 0.5], name="other"), 1.0))
        chosen = contract.Profile("mix", (), scorers, pickers.Best())
        made = pipeline.route(testing.request(), testing.snapshot(0, 3), chosen, 0.0, testing.Dice())
        assert explain.sentence(made) == (
            "a chosen by mix: 0.50 (least-request 1.00, other 0.00), next best b had 0.25 (least-request 0.00, other 0.50)"
        )

    def test_a_picker_that_passes_over_the_best_is_not_hidden(self) -> None:
        chosen = contract.Profile("odd", (), ((least_request.SCORER, 1.0),), testing.FakePicker(row=1))
        made = pipeline.route(testing.request(), testing.snapshot(0, 3), chosen, 0.0, testing.Dice())
        assert explain.sentence(made) == ("b chosen by odd: 3 requests in flight, although a had 0 requests in flight")

    def test_ports_are_named_where_one_pod_has_several(self) -> None:
        ranks = [testing.endpoint("a", 8000), testing.endpoint("a", 8001), testing.endpoint("b")]
        made = decide(testing.snapshot(1, 0, 2, endpoints=ranks))
        assert explain.sentence(made).startswith(
            "default/a:8001 chosen by least-request: 0 requests in flight, next best"
        )


class TestContest:
    @pytest.mark.parametrize(
        ("scores", "row", "found"),
        [
            ([0.5], 0, explain.Contest(0, None, 0.0, 0)),  # nobody else
            ([0.75, 0.25], 0, explain.Contest(0, 1, 0.5, 0)),
            ([0.75, 0.25], 1, explain.Contest(1, 0, -0.5, 0)),  # the picker passed over the best
            ([0.5, 0.25, 0.5], 2, explain.Contest(2, 0, 0.0, 1)),
            ([0.5, 0.5, 0.5], 1, explain.Contest(1, 0, 0.0, 2)),
            ([0.0, 1.0, 0.5], 1, explain.Contest(1, 2, 0.5, 0)),
        ],
    )
    def test_who_came_second_and_by_how_much(self, scores: list[float], row: int, found: explain.Contest) -> None:
        chosen = contract.Profile("x", (), ((testing.FakeScorer(scores), 1.0),), testing.FakePicker(row=row))
        table = testing.snapshot(*[0] * len(scores))
        made = pipeline.route(testing.request(), table, chosen, 0.0, testing.Dice())
        assert isinstance(made, contract.Decision)
        assert explain.contest(made) == found

    def test_without_scores_nobody_came_second(self) -> None:
        made = decide(testing.snapshot(0, 0, 0), "random", roll=0.5)
        assert isinstance(made, contract.Decision)
        assert explain.contest(made) == explain.Contest(1, None, 0.0, 0)

    def test_positions_are_those_among_the_rows_that_were_left(self) -> None:
        made = decide(testing.snapshot(0, 3, 1), excluded=["default/a:8000"])
        assert isinstance(made, contract.Decision)
        assert explain.contest(made) == explain.Contest(1, 0, 1.0, 0)


class TestTable:
    LOAD = serving.EngineLoad(running=2.0, waiting=1.0)

    def test_every_row_is_there_in_order_with_all_it_was_judged_by(self) -> None:
        table = testing.snapshot(5, 0, 2, 9, loads=[None, self.LOAD, None, None], ages=[math.inf, 0.25, math.inf, 3.0])
        rows = told(decide(table, excluded=["default/d:8000"]))["candidates"]
        assert [row["endpoint"] for row in rows] == [f"default/{name}:8000" for name in "bcad"]
        best, _, _, removed = rows
        assert best["chosen"] is True
        assert best["scores"] == {"least-request": {"raw": 0, "normalised": 1.0, "weight": 1.0, "weighted": 1.0}}
        assert (best["total"], best["in_flight"], best["in_flight_age"]) == (1.0, 0, 0.0)
        assert (best["load"]["running"], best["load"]["kv_cache_usage"], best["load_age"]) == (2.0, None, 0.25)
        assert (removed["chosen"], removed["removed"]) == (False, "already failed this request")
        assert (removed["scores"], removed["total"], removed["load"], removed["load_age"]) == ({}, None, None, 3.0)

    def test_totals_are_the_sums_of_the_weighted_scores(self) -> None:
        made = mixed(testing.snapshot(0, 0, 0), ("x", 2.0, [0.1, 0.9, 0.5]), ("y", 5.0, [0.7, 0.3, 0.2]))
        for row in told(made)["candidates"]:
            assert row["total"] == pytest.approx(sum(score["weighted"] for score in row["scores"].values()))
            assert sum(score["weight"] for score in row["scores"].values()) == pytest.approx(1.0)

    def test_the_runner_up_and_by_how_much(self) -> None:
        assert told(decide(testing.snapshot(4, 0, 1)))["runner_up"] == {
            "endpoint": "default/c:8000",
            "total": 0.75,
            "by": 0.25,
        }

    @pytest.mark.parametrize("strategy", ["random", "least-request"])
    def test_without_a_contest_there_is_no_runner_up(self, strategy: str) -> None:
        assert told(decide(testing.snapshot(4), strategy))["runner_up"] is None

    def test_chance_has_no_runner_up_and_no_totals(self) -> None:
        made = told(decide(testing.snapshot(1, 2), "random"))
        assert made["runner_up"] is None
        assert [row["total"] for row in made["candidates"]] == [None, None]

    def test_who_asked_for_what_and_how_it_ended(self) -> None:
        made = told(decide(testing.snapshot(1, 2), excluded=["default/z:1"]), status=200, error="")
        assert made["request"] == {
            "id": "r1",
            "model": "demo",
            "path": "/v1/completions",
            "strategy": "least-request",
            "label_filter": "",
            "already_tried": ["default/z:1"],
        }
        assert made["outcome"] == {"status": 200, "error": ""}
        assert made["strategy"] == "least-request"
        assert made["endpoint"] == {
            "key": "default/a:8000",
            "namespace": "default",
            "pod": "a",
            "authority": "10.0.0.1:8000",
        }
        assert (made["reason"], made["membership"], made["faults"], made["saturated"]) == (None, 1, [], False)

    def test_ages_are_told_to_the_millisecond(self) -> None:
        rows = told(decide(testing.snapshot(0, 1, ages=[1.23456, 0.0004])))["candidates"]
        assert [row["load_age"] for row in rows] == [1.235, 0.0]

    def test_weights_that_add_up_to_nothing_are_told_as_nothing(self) -> None:
        made = told(mixed(testing.snapshot(0, 0), ("x", 0.0, [0.5, 1.0]), ("y", 0.0, [1.0, 0.5])))
        for row in made["candidates"]:
            assert row["total"] == 0.0
            assert [(score["weight"], score["weighted"]) for score in row["scores"].values()] == [(0.0, 0.0)] * 2

    def test_where_no_numbers_were_kept_the_scores_stand_for_themselves(self) -> None:
        judged = contract.Judgement(([0.25, 0.75],), [0.25, 0.75])
        made = dataclasses.replace(mixed(testing.snapshot(0, 0), ("x", 1.0, [0.25, 0.75])), judgement=judged)
        assert [row["scores"]["x"]["raw"] for row in told(made)["candidates"]] == [0.75, 0.25]

    def test_an_outcome_that_is_not_known_yet_is_none(self) -> None:
        assert told(decide(testing.snapshot(1)))["outcome"] is None

    def test_the_prompt_is_nowhere(self) -> None:
        assert "secret" not in json.dumps(told(decide(testing.snapshot(1, 2))))

    def test_nobody_chosen_has_the_same_keys(self) -> None:
        nobody = told(decide(testing.snapshot(0, 0), excluded=["default/a:8000", "default/b:8000"]))
        assert nobody.keys() == told(decide(testing.snapshot(0, 0))).keys()
        assert nobody["endpoint"] is None
        assert nobody["reason"] == "no endpoint of model 'demo' can take this request (2 already failed this request)"
        assert [row["removed"] for row in nobody["candidates"]] == ["already failed this request"] * 2

    def test_barred_rows_show_it_even_as_a_last_resort(self) -> None:
        made = told(decide(testing.snapshot(0, 1, barred={0: "broken", 1: "broken"})))
        assert [row["barred"] for row in made["candidates"]] == ["broken", "broken"]
        assert [row["removed"] for row in made["candidates"]] == [None, None]

    def test_faults_of_parts_are_told(self) -> None:
        chosen = contract.Profile("x", (), ((testing.FakeScorer(answer=[]), 1.0),), pickers.Best())
        made = pipeline.route(testing.request(), testing.snapshot(0, 0), chosen, 0.0, testing.Dice())
        assert told(made)["faults"] == ["fake-scorer gave 0 scores for 2 endpoints; all count as 0"]


class TestInputs:
    """What a policy read beyond the rows, with its age, per candidate."""

    def test_every_input_is_told(self) -> None:
        facts = rates.Rates([rates.Done(60.0, 100.0, 20.0, 4.0, None, None, None), None])
        owed = work.Work((5, 6), (7, 8), 9)
        table = dataclasses.replace(
            testing.snapshot(0, 0, ages=[2.5, math.inf]), data={rates.NAME: facts, work.NAME: owed}
        )
        made = told(pipeline.route(testing.request(), table, THROUGHPUT, 0.0, testing.Dice()))
        assert made["inputs"] == {"rates": {"age": 2.5}, "work": {"age": 0.0}}
        best, other = made["candidates"]
        assert best["inputs"]["work"] == {"prefill_tokens": 5, "decode_tokens": 7, "expected_tokens": 9}
        assert best["inputs"]["rates"]["prompt_tokens"] == 100.0
        assert other["inputs"]["rates"] == {}
        assert best["scores"]["throughput"] == {"raw": 237.0, "normalised": 1.0, "weight": 1.0, "weighted": 1.0}
        assert other["scores"]["throughput"] == {"raw": None, "normalised": 0.0, "weight": 1.0, "weighted": 0.0}
        assert made["sentence"] == (
            "a chosen by throughput: 100 prompt and 20 generated tokens in 60 s, next best b had throughput unknown"
        )

    def test_what_was_never_heard_has_no_age(self) -> None:
        table = dataclasses.replace(testing.snapshot(0, 0), data={rates.NAME: rates.Rates([None, None])})
        made = told(pipeline.route(testing.request(), table, THROUGHPUT, 0.0, testing.Dice()))
        assert made["inputs"] == {"rates": {"age": None}}


@pytest.mark.parametrize("policy", routing_policies.BUILT_IN, ids=lambda policy: policy.name)
def test_every_strategy_explains_itself(policy: contract.Policy) -> None:
    world = testing.World([policy], 3, random.Random(3))
    for at in range(3):
        world.hear(at, serving.EngineLoad(running=1.0, kv_cache_usage=0.1 * at, prompt_tokens_total=5.0))
    world.send(contract.Request("r0", "demo", "/", b"some words and more", "u", session_key="k"))
    world.now = 2.0
    made = told(world.send(contract.Request("r1", "demo", "/", b"some words and other", "u", session_key="k")))
    assert made["sentence"].startswith(f"{made['endpoint']['pod']} chosen by ")
    assert made["inputs"].keys() == world.choose(testing.request()).snapshot.data.keys()
    for row in made["candidates"]:
        assert row["load_age"] == 2.0
        for score in row["scores"].values():
            assert score.keys() == {"raw", "normalised", "weight", "weighted"}
            assert 0.0 <= score["normalised"] <= 1.0
            assert score["weighted"] == pytest.approx(score["normalised"] * score["weight"])
    assert (made["runner_up"] is None) == (policy.name == "random")
