"""The slo strategies: what is promised, who can keep it, who is full."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, filters, pipeline, registry, testing
from brickyard.routing.ledgers import outputs
from brickyard.routing.policies import least_request, slo
from brickyard.routing.policies.slo import objectives, profiles

REGISTRY = registry.Registry([*slo.POLICIES, least_request.POLICY])


def written(deployment: str = "d", **changes: Any) -> dict[str, Any]:
    """Two lengths of answers by three of prompts: every cell 2 requests per second, 4 s, of which 1 to the first token."""
    return {
        "gpu": deployment,
        "cost": 1.0,
        "created": 100.0,
        "indexes": [[8, 32], [16, 64, 256]],
        "tputs": [[2.0] * 3] * 2,
        "e2e": [[4.0] * 3] * 2,
        "ttft": [[1.0] * 3] * 2,
        "tpot": [[0.1] * 3] * 2,
        "slos": {"percentile": 99, "e2e": 10.0},
    } | changes


def profile(deployment: str = "d", **changes: Any) -> profiles.GpuProfile:
    return profiles.parse(orjson.dumps(written(deployment, **changes)))


class TestProfiles:
    @pytest.mark.parametrize(
        ("tokens", "place"),
        [(0, 0), (-3, 0), (1, 0), (16, 0), (31, 0), (32, 1), (64, 1), (127, 1), (128, 2), (256, 2), (9999, 2)],
    )
    def test_places_on_an_axis(self, tokens: int, place: int) -> None:
        """Half-way between 16 and 64, in logarithms, is 32; between 64 and 256 it is 128."""
        assert profiles.place([math.log2(each) for each in (16, 64, 256)], tokens) == place

    def test_an_axis_of_one_value(self) -> None:
        assert profiles.place([5.0], 999) == 0

    def test_a_cell(self) -> None:
        grid = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
        found = profile(tputs=grid, ttft=[]).cell(32, 64)
        assert found == profiles.Cell(5.0, 4.0, None)

    @pytest.mark.parametrize("e2e", [[], [[1.0]], [[1.0], [2.0]], [[1.0, 2.0, 3.0], [4.0, 5.0]]])
    def test_a_table_that_is_too_small_has_no_entry(self, e2e: list[list[float]]) -> None:
        """The second of two rows, the last of three columns."""
        assert profile(e2e=e2e).cell(32, 256).e2e is None

    def test_an_axis_may_begin_with_one_token(self) -> None:
        grid = [[1.0, 2.0], [3.0, 4.0]]
        found = profile(indexes=[[1, 4], [1, 4]], e2e=grid)
        assert [found.cell(*lengths).e2e for lengths in ((1, 1), (1, 4), (2, 1), (9, 9))] == [1.0, 2.0, 3.0, 4.0]

    def test_one_that_does_not_say_when_it_was_made_gives_way_to_any_that_does(self) -> None:
        without = written()
        del without["created"]
        assert profiles.parse(orjson.dumps(without)).created == 0.0

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"indexes": [[1]]}, "two lists"),
            ({"indexes": [[], [1]]}, "two lists"),
            ({"indexes": [[2, 1], [1]]}, "ascend"),
            ({"indexes": [[0, 1], [1]]}, "ascend"),
            ({"indexes": [[1, 1], [1]]}, "ascend"),
            ({"tputs": "many"}, "tputs"),
            ({"gpu": None}, "gpu"),
        ],
    )
    def test_another_shape_says_where(self, changes: dict[str, Any], complaint: str) -> None:
        with pytest.raises(errors.GpuProfileError, match=complaint):
            profile(**changes)

    @pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense"])
    def test_no_profile_at_all(self, text: str) -> None:
        with pytest.raises(errors.GpuProfileError, match="cannot be read"):
            profiles.parse(text)

    def test_promises_that_are_null_are_none(self) -> None:
        assert profile(slos={"ttft": None}).objectives == profiles.Objectives()

    @given(st.integers(0, 10**6), st.integers(0, 10**6))
    def test_every_length_has_a_cell(self, output: int, prompt: int) -> None:
        assert profile().cell(output, prompt) == profiles.Cell(2.0, 4.0, 1.0)


@pytest.mark.parametrize(
    ("slos", "rank"),
    [
        ({"tpot": 0.5, "ttft": 2.0, "tpat": 9, "e2e": 9}, 3.0 + 4.0 - (0.5 * 8 + 2.0)),
        ({"tpot": 0.5}, 3.0 + 4.0 - 0.5 * 8),
        ({"ttft": 2.0, "tpat": 9, "e2e": 9}, 3.0 + 1.0 - 2.0),
        ({"tpat": 0.1, "e2e": 9}, 3.0 + 4.0 - 0.1 * (64 + 8)),
        ({"e2e": 10.0}, 3.0 + 4.0 - 10.0),
        ({}, None),
    ],
)
def test_rank_by_the_first_objective_that_is_set(slos: dict[str, float], rank: float | None) -> None:
    waited = dataclasses.replace(testing.request(), prompt_tokens=64, waited=3.0)
    found, consumption = objectives.judged(profile(slos=slos), waited, 8)
    assert found == (pytest.approx(rank) if rank is not None else None)
    assert consumption == 1 / (2.0 * 4.0)


@pytest.mark.parametrize("changes", [{"tputs": [[0.0] * 3] * 2}, {"tputs": []}, {"e2e": [], "slos": {"ttft": 1}}])
def test_a_profile_that_cannot_say_what_a_request_takes(changes: dict[str, Any]) -> None:
    found, consumption = objectives.judged(profile(**changes), testing.request(), 8)
    assert found is not None
    assert consumption is None


@pytest.mark.parametrize(
    ("pod", "labels", "name"),
    [
        ("qwen-7d9f-x2x", {"pod-template-hash": "7d9f"}, "qwen"),
        ("qwen-small-7d9f-x2x", {"pod-template-hash": "7d9f"}, "qwen-small"),
        ("web-0", {}, "web"),
        ("anything", {"app.kubernetes.io/name": "qwen-l4"}, "qwen-l4"),
        ("a-b-c", {"app.kubernetes.io/name": "x", "orchestration.aibrix.ai/raycluster-fleet-name": "fleet"}, "fleet"),
        ("head-q-1", {"app.kubernetes.io/name": "kuberay", "ray.io/node-type": "head"}, "head-q"),
    ],
)
def test_the_name_that_profiles_know_a_pod_by(pod: str, labels: dict[str, str], name: str) -> None:
    endpoint = dataclasses.replace(testing.endpoint(pod), labels=labels)
    assert (
        objectives.deployment(endpoint, "orchestration.aibrix.ai/raycluster-fleet-name", "app.kubernetes.io/name")
        == name
    )


Row = tuple[str, float | None, float | None, float]


def table(*rows: Row, in_flight: tuple[int, ...] = ()) -> contract.EndpointSnapshot:
    """Rows of deployment, rank, consumption, utilisation."""
    facts = objectives.Prospects([objectives.Prospect(*row) for row in rows], 8)
    made = testing.snapshot(*(in_flight or (0,) * len(rows)))
    return dataclasses.replace(made, data={"slo": facts})


def route(snapshot: contract.EndpointSnapshot, strategy: str, **asked: Any) -> contract.Decision | contract.NoDecision:
    request = dataclasses.replace(testing.request(strategy), **asked)
    return pipeline.route(request, snapshot, REGISTRY.profile(strategy), 0.0, testing.Dice())


@pytest.mark.parametrize(
    ("rows", "least", "push", "pack"),
    [
        # within one deployment, by utilisation
        ([("d", -1, 0.1, 0.5), ("d", -1, 0.1, 0.2), ("d", -1, 0.1, 0.7)], 1, 1, 2),
        # full ones are left out, but for the one that pushes
        ([("d", -1, 0.4, 0.5), ("d", -1, 0.4, 0.7), ("d", -1, 0.4, 0.65)], 0, 0, 0),
        # the deployment that keeps the promise best comes first, however busy
        ([("slow", -1, 0.1, 0.0), ("quick", -5, 0.1, 0.8)], 1, 1, 1),
        # it is full: the next one that still keeps it
        ([("slow", -1, 0.1, 0.3), ("quick", -5, 0.3, 0.8)], 0, 1, 0),
        # nobody keeps it: the least late
        ([("late", 3, 0.1, 0.0), ("less late", 1, 0.1, 0.5)], 1, 1, 1),
        # the least late is full: whoever is later still is not tried
        ([("late", 3, 0.1, 0.0), ("less late", 1, 0.6, 0.5)], None, 1, None),
        # everybody is full
        ([("d", -1, 0.6, 0.5), ("d", -1, 0.6, 0.9)], None, 0, None),
        # just full is not too full
        ([("d", -1, 0.5, 0.5)], 0, 0, 0),
        # an idle one takes what would be too much beside others: measured one at a time, a request is all of an engine and a bit
        ([("d", -1, 1.02, 0.0), ("d", -1, 1.02, 1.02)], 0, 0, 0),
        # one that cannot say what the request takes makes no room in a deployment that is full
        ([("d", -2, 0.6, 0.5), ("d", -2, None, 0.0), ("e", -1, 0.1, 0.1)], 2, 0, 2),
        # without a profile or a throughput it is left out
        ([("d", -1, 0.1, 0.9), ("none", None, 0.1, 0.0), ("odd", -9, None, 0.0)], 0, 0, 0),
    ],
)
def test_tables(rows: list[Row], least: int | None, push: int | None, pack: int | None) -> None:
    for strategy, row in (("slo", least), ("slo-least-load", push), ("slo-pack-load", pack)):
        made = route(table(*rows), strategy)
        if row is None:
            assert isinstance(made, contract.NoDecision), strategy
            assert made.saturated
            assert not made.bad_request
        else:
            assert isinstance(made, contract.Decision), strategy
            assert (made.row, made.profile.name, made.faults) == (row, strategy, ())


def test_everybody_who_is_left_out_hears_why() -> None:
    rows: list[Row] = [
        ("best", -2, 0.6, 0.5),
        ("next", -1, 0.1, 0.5),
        ("after", 0, 0.1, 0.5),
        ("late", 3, 0.1, 0.5),
        ("late", 3, 0.6, 0.5),  # full as well, which would not help
        ("none", None, 0.1, 0.0),
        ("odd", -9, None, 0.0),
    ]
    made = route(table(*rows), "slo")
    assert isinstance(made, contract.Decision)
    assert (made.row, made.removed) == (
        1,
        {
            0: "full: the request would break what is promised to others",
            2: "deployment 'next' comes first",
            3: "deployment 'late' would answer too late",
            4: "deployment 'late' would answer too late",
            5: "deployment 'none' has no profile that promises anything",
            6: "the profile of deployment 'odd' has no throughput for this request",
        },
    )


@pytest.mark.parametrize(
    ("strategy", "measured"), [("slo", [0.6, 0.25]), ("slo-least-load", [0.5, 0.2]), ("slo-pack-load", [0.6, 0.25])]
)
def test_what_is_compared(strategy: str, measured: list[float]) -> None:
    """Utilisation with the request on it, or before it."""
    made = route(table(("d", -1, 0.1, 0.5), ("d", -1, 0.05, 0.2)), strategy)
    assert isinstance(made, contract.Decision)
    assert made.measures[0] == pytest.approx(measured)


@pytest.mark.parametrize("utilisation", [0.0, 1.2])
def test_nobody_can_ever_take_it(utilisation: float) -> None:
    """However much there is to do: waiting for its end would not help."""
    made = route(table(("d", -1, None, utilisation)), "slo")
    assert isinstance(made, contract.NoDecision)
    assert not made.saturated
    assert "no throughput" in made.reason


@pytest.mark.parametrize(
    "snapshot", [testing.snapshot(3, 1, 2), table(*[("d", None, 0.1, 0.9)] * 3, in_flight=(3, 1, 2))]
)
def test_where_nothing_is_promised_least_request_decides_and_says_so(snapshot: contract.EndpointSnapshot) -> None:
    made = route(snapshot, "slo")
    assert isinstance(made, contract.Decision)
    assert (made.row, made.profile.name) == (1, "least-request")


def test_general_filters_come_first() -> None:
    """The best deployment is out for another reason: the next one is tried although it is late."""
    rows: list[Row] = [("quick", -1, 0.1, 0.0), ("late", 3, 0.1, 0.0)]
    made = route(table(*rows), "slo", excluded=frozenset({"default/a:8000"}))
    assert isinstance(made, contract.Decision)
    assert made.row == 1
    barred = dataclasses.replace(table(*rows), barred={0: "broken"})
    made = route(barred, "slo")
    assert isinstance(made, contract.Decision)
    assert made.row == 1


@pytest.mark.parametrize(
    ("rows", "in_flight", "row"),
    [
        # the best has room left in its engine and no place at the gateway: the next one that keeps the promise
        ([("quick", -5, 0.1, 0.1), ("slow", -1, 0.1, 0.0)], (2, 0), 1),
        ([("quick", -5, 0.1, 0.1), ("slow", -1, 0.1, 0.0)], (1, 0), 0),
        # nobody else keeps it: it waits
        ([("quick", -5, 0.1, 0.1), ("late", 1, 0.1, 0.0)], (2, 0), None),
        # another endpoint of the same deployment has a place
        ([("quick", -5, 0.1, 0.0), ("quick", -5, 0.1, 0.3), ("slow", -1, 0.1, 0.0)], (2, 1, 0), 1),
        # no place anywhere
        ([("quick", -5, 0.1, 0.0), ("slow", -1, 0.1, 0.0)], (2, 2), None),
        # just in time is in time
        ([("quick", -5, 0.1, 0.1), ("just", 0.0, 0.1, 0.0)], (2, 0), 1),
    ],
)
@pytest.mark.parametrize("strategy", ["slo", "slo-least-load", "slo-pack-load"])
def test_an_endpoint_without_a_place_is_full(
    rows: list[Row], in_flight: tuple[int, ...], row: int | None, strategy: str
) -> None:
    """However little of its engine is used: the gateway sends an endpoint no more than it may have."""
    profile = registry.Registry([*slo.POLICIES], before=(filters.HasRoom(2),)).profile(strategy)
    made = pipeline.route(testing.request(strategy), table(*rows, in_flight=in_flight), profile, 0.0, testing.Dice())
    if row is None:
        assert isinstance(made, contract.NoDecision)
        assert (made.saturated, made.bad_request) == (True, False)
    else:
        assert isinstance(made, contract.Decision)
        assert (made.row, made.profile.name, made.faults) == (row, strategy, ())


def test_barred_ones_count_only_where_there_are_no_others() -> None:
    """Each of the two deployments has a barred endpoint; of one that has only such, none is tried while the other has room."""
    rows: list[Row] = [("quick", -5, 0.1, 0.0), ("slow", -1, 0.1, 0.4), ("slow", -1, 0.1, 0.0)]
    made = route(dataclasses.replace(table(*rows), barred={0: "broken", 2: "broken"}), "slo")
    assert isinstance(made, contract.Decision)
    assert made.row == 1
    made = route(dataclasses.replace(table(*rows), barred=dict.fromkeys(range(3), "broken")), "slo")
    assert isinstance(made, contract.Decision)
    assert made.row == 0


@pytest.mark.parametrize(("barred", "row"), [((), 0), ((0,), 1), ((1,), 0), ((0, 1), 2), ((0, 1, 2), 0)])
def test_promises_decide_among_those_that_are_not_barred(barred: tuple[int, ...], row: int) -> None:
    """Not utilisation: whoever is worse off has less to do here."""
    rows: list[Row] = [("quick", -5, 0.1, 0.8), ("slow", -1, 0.1, 0.4), ("late", 3, 0.1, 0.0)]
    made = route(dataclasses.replace(table(*rows), barred=dict.fromkeys(barred, "broken")), "slo")
    assert isinstance(made, contract.Decision)
    assert made.row == row


def test_a_bad_label_filter_is_the_clients_fault() -> None:
    made = route(table(("d", -1, 0.1, 0.0)), "slo", label_filter="zone in")
    assert isinstance(made, contract.NoDecision)
    assert made.bad_request


@pytest.mark.parametrize("text", ["slo,least-request", "least-request,slo-pack-load:3", "slo-least-load:2"])
def test_it_takes_over_a_mix(text: str) -> None:
    name = next(part for part in text.split(",") if part.startswith("slo")).split(":")[0]
    assert REGISTRY.profile(text) is REGISTRY.profile(name)


def test_the_other_name() -> None:
    assert REGISTRY.profile("slo-least-load-pulling") is REGISTRY.profile("slo")


def world(rows: int = 2, **changes: Any) -> tuple[testing.World, objectives.SloLedger]:
    ledger = objectives.SloLedger()
    ledger.learn("demo", profile("p", **changes))
    there = testing.World(slo.POLICIES, rows, random.Random(1), ledgers={"slo": ledger})
    there.endpoints = tuple(
        dataclasses.replace(each, labels={"app.kubernetes.io/name": "p"}) for each in there.endpoints
    )
    return there, ledger


def asked(name: str = "r") -> contract.Request:
    return dataclasses.replace(testing.request(), id=name, prompt_tokens=64)


def used(there: testing.World) -> Sequence[float]:
    made = there.router.choose(asked(), there.snapshot(), there.now, there.rng)
    facts = objectives.INPUT.of(made.snapshot)
    assert facts is not None
    return [row.utilisation for row in facts.rows]


@pytest.mark.parametrize(("rate", "seconds"), [(1e-200, 1e-200), (0.0, 4.0), (-2.0, 4.0), (2.0, 0.0), (1e-300, 1.0)])
def test_a_measurement_that_cannot_be_says_nothing(rate: float, seconds: float) -> None:
    """Too small to divide by, nothing, or less: the request is turned away with the reason, and nothing breaks."""
    there, _ = world(2, tputs=[[rate] * 3] * 2, e2e=[[seconds] * 3] * 2)
    made = there.router.choose(asked(), there.snapshot(), 0.0, there.rng)
    assert isinstance(made, contract.NoDecision)
    assert "no throughput" in made.reason


def test_requests_in_flight_use_an_engine_up_and_give_it_back() -> None:
    there, _ = world(2)  # each request takes an eighth of an engine
    made = [there.send(asked()) for _ in range(16)]
    assert list(used(there)) == [1.0, 1.0]
    full = there.router.choose(asked(), there.snapshot(), 0.0, there.rng)
    assert isinstance(full, contract.NoDecision)
    assert full.saturated
    there.end(made[0])
    assert there.send(asked()).row == made[0].row
    for each in made[1:]:
        there.end(each)
    assert sum(used(there)) == 0.125


def test_the_length_of_the_answer_is_guessed_from_history() -> None:
    grids = {"e2e": [[1.0] * 3, [9.0] * 3]}
    there, _ = world(1, **grids)
    for at in range(9):
        there.end(there.send(asked(str(at))), contract.Usage(64, 33))
    facts = objectives.INPUT.of(there.choose(asked()).snapshot)
    assert facts is not None
    assert facts.output_tokens == 32
    assert facts.urgency == pytest.approx(9.0 - 10.0)


def test_newer_profiles_replace_older_ones_and_not_the_other_way_round() -> None:
    there, ledger = world(1, created=100)
    ledger.learn("demo", profile("p", created=90, slos={"e2e": 1.0}))
    assert _urgency(there) == pytest.approx(4.0 - 10.0)
    ledger.learn("demo", profile("p", created=110, slos={"e2e": 1.0}))
    assert _urgency(there) == pytest.approx(4.0 - 1.0)
    ledger.forget("demo", "p")
    ledger.forget("demo", "nobody")
    assert _urgency(there) is None


def test_a_profile_as_old_as_the_one_that_is_known_changes_nothing() -> None:
    """The store is read again and again: the same moment is the same profile, whoever wrote another over it."""
    there, ledger = world(1, created=100)
    ledger.learn("demo", profile("p", created=100, slos={"e2e": 1.0}))
    assert _urgency(there) == pytest.approx(4.0 - 10.0)


def test_profiles_are_of_one_model_and_one_deployment() -> None:
    there, ledger = world(1)
    ledger.learn("demo", profile("q", created=900, slos={"e2e": 1.0}))
    ledger.learn("another", profile("p", created=900, slos={"e2e": 1.0}))
    assert _urgency(there) == pytest.approx(4.0 - 10.0)


def test_without_a_profile_nothing_is_used() -> None:
    there, ledger = world(1)
    ledger.forget("demo", "p")
    there.send(asked("unprofiled"))
    assert list(used(there)) == [0.0]


def test_what_a_request_was_taken_to_use_is_given_back_though_the_profile_changed() -> None:
    there, ledger = world(1)
    made = there.send(asked("before"))
    ledger.learn("demo", profile("p", created=200, tputs=[[20.0] * 3] * 2))
    other = there.send(asked("after"))
    assert list(used(there)) == [1 / 8 + 1 / 80]
    there.end(made)
    assert list(used(there)) == [1 / 80]
    there.end(other)
    assert list(used(there)) == [0.0]


def test_labels_that_change_change_the_deployment() -> None:
    """Whatever was worked out before for this model: other endpoints, other names."""
    there, ledger = world(1)
    ledger.learn("demo", profile("q", slos={"e2e": 1.0}))
    assert _urgency(there) == pytest.approx(4.0 - 10.0)
    there.endpoints = tuple(
        dataclasses.replace(each, labels={"app.kubernetes.io/name": "q"}) for each in there.endpoints
    )
    assert _urgency(there) == pytest.approx(4.0 - 1.0)
    assert _urgency(there) == pytest.approx(4.0 - 1.0)


@pytest.mark.parametrize(
    ("usage", "length"),
    [
        (contract.Usage(64, 33), 32),
        (contract.Usage(None, 33), 32),  # as long a prompt as the request was taken to have
        (contract.Usage(1024, 33), outputs.UNHEARD),  # history of longer prompts
        (contract.Usage(64, None), outputs.UNHEARD),
        (contract.Usage(), outputs.UNHEARD),
        (None, outputs.UNHEARD),
    ],
)
def test_what_is_learned_of_lengths(usage: contract.Usage | None, length: int) -> None:
    there, _ = world(1)
    for at in range(5):
        there.end(there.send(asked(str(at))), usage)
    facts = objectives.INPUT.of(there.choose(asked()).snapshot)
    assert facts is not None
    assert facts.output_tokens == length


def test_lengths_of_models_that_nobody_asks_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectives, "MODELS_KEPT", 2)
    there, _ = world(1)

    def serve(model: str) -> None:
        there.end(there.send(dataclasses.replace(asked(model), model=model)), contract.Usage(64, 33))

    def length(model: str) -> int:
        made = there.choose(dataclasses.replace(asked(), model=model))
        facts = objectives.INPUT.of(made.snapshot)
        assert facts is not None
        return facts.output_tokens

    for model in ("old", "idle", "old", "new"):
        serve(model)
    assert [length(model) for model in ("old", "idle", "new")] == [32, outputs.UNHEARD, 32]


@given(st.lists(st.one_of(st.none(), st.integers(0, 20)), max_size=60), st.floats(0.5, 300.0))
def test_utilisation_is_the_sum_of_what_is_open_and_nothing_is_left(acts: list[int | None], rate: float) -> None:
    """Send, or end one of the open ones, in any order: sums of floats would leave crumbs, whole parts do not."""
    there, _ = world(3, tputs=[[rate] * 3] * 2, e2e=[[400.0] * 3] * 2)
    open_ones: list[contract.Decision] = []
    for act in acts:
        if act is None:
            open_ones.append(there.send(asked(str(len(open_ones)))))
        elif open_ones:
            there.end(open_ones.pop(act % len(open_ones)))
        counts = [sum(made.row == row for made in open_ones) for row in range(3)]
        assert used(there) == pytest.approx([count / (rate * 400.0) for count in counts], abs=1e-8)
    for made in open_ones:
        there.end(made)
    assert list(used(there)) == [0.0] * 3


def _urgency(there: testing.World) -> float | None:
    facts = objectives.INPUT.of(there.choose(asked()).snapshot)
    assert facts is not None
    return facts.urgency


@pytest.mark.parametrize(
    ("rank", "words"),
    [
        (-1.2, "utilised to 40%, 45% with this request, 1.20 s to spare"),
        (0.0, "utilised to 40%, 45% with this request, 0.00 s to spare"),
        (0.5, "utilised to 40%, 45% with this request, 0.50 s late"),
        (2.0, "utilised to 40%, 45% with this request, 2.00 s late"),
        (None, "utilised to 40%, 45% with this request"),
    ],
)
def test_words(rank: float | None, words: str) -> None:
    facts = table(("d", rank, 0.05, 0.4))
    assert slo._words(facts, 0) == words
    assert facts.data["slo"].row(0)["rank"] == rank
    assert slo._words(testing.snapshot(0), 0) == "utilisation unknown"


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.one_of(st.none(), st.floats(-5, 5)),
            st.one_of(st.none(), st.floats(0.01, 1.5)),
            st.floats(0, 1),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["slo", "slo-pack-load", "slo-least-load"]),
)
def test_nobody_is_overfilled_and_no_better_deployment_with_room_is_passed_over(rows: list[Row], strategy: str) -> None:
    one = {name: (rank, share) for name, rank, share, _ in rows}
    rows = [(name, *one[name], load) for name, _, _, load in rows]
    made = route(table(*rows), strategy)
    if all(rank is None for _, rank, _, _ in rows):
        assert isinstance(made, contract.Decision)
        return
    usable = [row for row in rows if row[1] is not None and row[2] is not None]
    if isinstance(made, contract.NoDecision):
        assert made.saturated is bool(usable)
        return
    name, rank, share, load = rows[made.row]
    assert rank is not None
    assert share is not None
    capped = strategy != "slo-least-load"
    assert not capped or load == 0 or load + share <= 1.0 + 1e-5
    for other in usable:
        assert other[1] is not None
        assert other[2] is not None
        if other[1] < rank and name != other[0]:
            assert capped
            assert other[3] > 0
            assert other[3] + other[2] > 1.0
