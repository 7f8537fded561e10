"""What holds of every strategy: bounds, order, nobody starves, an early decision is a cheap one."""

from __future__ import annotations

import collections
import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.api.names import environment
from brickyard.assembly import routing_policies
from brickyard.lib import settings as lib_settings
from brickyard.routing import contract, pipeline, router, testing
from brickyard.routing.ledgers import prefixes

EVERY = [policy.name for policy in routing_policies.BUILT_IN]
POLICIES = routing_policies.make()
SHARES = st.one_of(st.none(), st.floats(0, 1))
TOTALS = st.one_of(st.none(), st.floats(0, 1e12))
LOADS = st.one_of(
    st.none(),
    st.builds(
        serving.EngineLoad,
        kv_cache_usage=SHARES,
        cpu_cache_usage=SHARES,
        utilization=SHARES,
        busy=SHARES,
        prompt_tokens_total=TOTALS,
        generation_tokens_total=TOTALS,
        finished_total=TOTALS,
        prefill_seconds_total=TOTALS,
        decode_seconds_total=TOTALS,
        loras_running=st.one_of(st.none(), st.just(()), st.just(("demo",)), st.just(("x", "y"))),
        lora_slots=st.one_of(st.none(), st.just(2.0)),
    ),
)
ROWS = st.lists(st.tuples(st.integers(0, 40), LOADS, st.floats(0, 100)), min_size=1, max_size=6)
REQUESTS = st.builds(
    contract.Request,
    id=st.text(max_size=5),
    model=st.just("demo"),
    path=st.just("/v1/completions"),
    prompt=st.binary(max_size=60),
    user=st.sampled_from(["", "u"]),
    session_key=st.sampled_from(["", "k"]),
    max_tokens=st.one_of(st.none(), st.integers(0, 99)),
)


def endpoint(name: str, address: str, port: int = 8000) -> contract.Endpoint:
    return dataclasses.replace(testing.endpoint(name, port), address=address)


def snapshot(rows: Sequence[tuple[int, serving.EngineLoad | None, float]]) -> contract.EndpointSnapshot:
    return testing.snapshot(
        *(count for count, _, _ in rows),
        loads=[load for _, load, _ in rows],
        ages=[age for _, _, age in rows],
        endpoints=[endpoint(f"p{at}", f"10.0.1.{at}") for at in range(len(rows))],
    )


def fresh() -> router.Router:
    index = testing.FakeIndex()
    return router.Router(POLICIES, "random", {prefixes.NAME: prefixes.PrefixLedger(index, index)})


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=25)
@given(rows=ROWS, requests=st.lists(REQUESTS, min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_no_part_misbehaves_and_scores_are_bounded(
    name: str, rows: list[tuple[int, serving.EngineLoad | None, float]], requests: list[contract.Request], seed: int
) -> None:
    door, rng, table = fresh(), random.Random(seed), snapshot(rows)
    for at, request in enumerate(requests):
        made = door.choose(dataclasses.replace(request, strategy=name), table, float(at), rng)
        assert isinstance(made, contract.Decision)
        assert made.faults == ()
        assert made.endpoint is table.endpoints[made.row]
        assert all(0.0 <= score <= 1.0 for column in made.scores for score in column)
        ticket = door.begin(made, float(at))
        ticket.answered(at + 0.5)
        ticket.finished(at + 0.7, contract.Usage(5, 6))


@pytest.mark.parametrize("name", EVERY)
@settings(max_examples=25)
@given(rows=ROWS, requests=st.lists(REQUESTS, min_size=1, max_size=3), seed=st.integers(0, 2**32))
def test_scores_need_no_clamping(
    name: str, rows: list[tuple[int, serving.EngineLoad | None, float]], requests: list[contract.Request], seed: int
) -> None:
    """The pipeline would put right what is out of bounds; ours never is, alone or in a mix, whatever rows are left."""
    door, rng, table = fresh(), random.Random(seed), snapshot(rows)
    for request in requests:
        made = door.choose(dataclasses.replace(request, strategy=name), table, 5.0, rng)
        assert isinstance(made, contract.Decision)
        door.begin(made, 5.0)
        for scorer, _ in (*made.profile.scorers, *made.profile.mixable):
            for left in (range(len(rows)), [row for row in range(len(rows)) if row % 2 == 0]):
                scores = list(scorer.scores(request, made.snapshot, left))
                assert len(scores) == len(left)
                assert all(0.0 <= score <= 1.0 for score in scores), scorer.name


@pytest.mark.parametrize("name", [each for each in EVERY if each not in {"random", "power-of-two", "vtc-basic"}])
@settings(max_examples=25)
@given(rows=ROWS, request=REQUESTS, data=st.data())
def test_the_order_of_candidates_does_not_matter(
    name: str, rows: list[tuple[int, serving.EngineLoad | None, float]], request: contract.Request, data: st.DataObject
) -> None:
    """Each endpoint scores the same wherever it stands; vtc-basic goes by place, and tables are sorted by name."""
    order = data.draw(st.permutations(range(len(rows))))
    table = snapshot(rows)
    moved = dataclasses.replace(
        table,
        endpoints=tuple(table.endpoints[at] for at in order),
        in_flight=tuple(table.in_flight[at] for at in order),
        loads=tuple(table.loads[at] for at in order),
        load_ages=tuple(table.load_ages[at] for at in order),
    )
    asked = dataclasses.replace(request, strategy=name)
    one = fresh().choose(asked, table, 5.0, testing.Dice())
    other = fresh().choose(asked, moved, 5.0, testing.Dice())
    assert isinstance(one, contract.Decision)
    assert isinstance(other, contract.Decision)
    for column, again in zip(one.scores, other.scores, strict=True):
        assert [column[at] for at in order] == pytest.approx(again, abs=1e-9)


@pytest.mark.parametrize("name", [each for each in EVERY if each != "vtc-basic"])
def test_nobody_starves_among_equals(name: str) -> None:
    """Engines that say the same and requests that have nothing in common: everybody gets some, whatever the strategy."""
    rng = random.Random(12)
    policy = next(each for each in routing_policies.BUILT_IN if each.name == name)
    world = testing.World([policy], 4, rng)
    counts: collections.Counter[int] = collections.Counter()
    for at in range(400):
        world.now += 0.5
        made = world.send(contract.Request(f"r{at}", "demo", "/", rng.randbytes(40), session_key=str(at)))
        counts[made.row] += 1
        world.answer(made)
        world.end(made, contract.Usage(10, 10))
    assert len(counts) == 4
    assert min(counts.values()) >= 40


@pytest.mark.parametrize("name", EVERY)
def test_one_candidate_is_always_taken(name: str) -> None:
    made = fresh().choose(testing.request(name), testing.snapshot(99), 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.row == 0


@pytest.mark.parametrize("name", EVERY)
def test_an_endpoint_that_failed_the_request_is_not_tried_again(name: str) -> None:
    rng, door = random.Random(1), fresh()
    for _ in range(20):
        made = door.choose(testing.request(name, excluded=["default/a:8000"]), testing.snapshot(0, 9, 9), 0.0, rng)
        assert isinstance(made, contract.Decision)
        assert made.row in {1, 2}


@pytest.mark.parametrize("name", EVERY)
def test_without_its_inputs_it_still_chooses(name: str) -> None:
    """A shell that provides nothing but rows: worse choices, never none."""
    made = pipeline.route(testing.request(name), testing.snapshot(1, 2, 3), POLICIES.profile(name), 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()


@pytest.mark.parametrize("name", EVERY)
def test_data_parallel_ports_are_endpoints_of_their_own(name: str) -> None:
    """A pod with three ports and one with a single port mix like any four endpoints."""
    ranks = [endpoint("a", "10.0.1.1", port) for port in (8000, 8001, 8002)] + [endpoint("b", "10.0.1.2")]
    rng, door = random.Random(5), fresh()
    taken = set()
    for at in range(200):
        asked = dataclasses.replace(testing.request(name), id=str(at), prompt=rng.randbytes(30), session_key=str(at))
        made = door.choose(asked, testing.snapshot(1, 1, 1, 1, endpoints=ranks), 0.0, rng)
        assert isinstance(made, contract.Decision)
        taken.add((made.endpoint.pod, made.endpoint.port))
    assert len(taken) == 4


@pytest.mark.parametrize(
    ("name", "variable", "text", "field", "value"),
    [
        ("prefix-cache", environment.PREFIX_CACHE_IMBALANCE_ABS_COUNT, "3", "imbalance", 3),
        ("prefix-cache", environment.PREFIX_CACHE_STANDARD_DEVIATION_FACTOR, "2.5", "deviations", 2.5),
        ("prefix-cache-preble", environment.PREBLE_TARGET_GPU, "A6000", "target_gpu", "A6000"),
        ("prefix-cache-preble", environment.PREBLE_DECODING_LENGTH, "50", "decoding_length", 50),
        ("prefix-cache-preble", environment.PREBLE_SLIDING_WINDOW_PERIOD, "1.5", "sliding_window_period", 1.5),
        ("prefix-cache-preble", environment.PREFIX_CACHE_IMBALANCE_ABS_COUNT, "3", "imbalance", 3),
        ("prefix-and-load", "BRICKYARD_PREFIX_AND_LOAD_LOAD", "0.5", "load", 0.5),
        ("prefix-and-load", "BRICKYARD_PREFIX_AND_LOAD_DECODE_WEIGHT", "3", "decode_weight", 3.0),
        ("least-tokens", "BRICKYARD_LEAST_TOKENS_PREFILL_WEIGHT", "0.5", "prefill_weight", 0.5),
        ("least-tokens", "BRICKYARD_LEAST_TOKENS_DECODE_WEIGHT", "3", "decode_weight", 3.0),
        ("vtc-basic", environment.VTC_WINDOW_SIZE, "7", "window_size", 7),
        ("vtc-basic", environment.VTC_TIME_UNIT, "seconds", "time_unit", "seconds"),
        ("vtc-basic", environment.VTC_MIN_TOKENS, "10", "min_tokens", 10.0),
        ("vtc-basic", environment.VTC_MAX_TOKENS, "20", "max_tokens", 20.0),
        ("vtc-basic", environment.VTC_MAX_POD_LOAD, "30", "max_pod_load", 30.0),
        ("vtc-basic", environment.VTC_INPUT_TOKEN_WEIGHT, "4", "input_token_weight", 4.0),
        ("vtc-basic", environment.VTC_OUTPUT_TOKEN_WEIGHT, "5", "output_token_weight", 5.0),
        ("vtc-basic", environment.VTC_FAIRNESS_WEIGHT, "6", "fairness_weight", 6.0),
        ("vtc-basic", environment.VTC_UTILIZATION_WEIGHT, "7.5", "utilization_weight", 7.5),
    ],
)
def test_each_variable_sets_its_field_and_no_other(
    name: str, variable: str, text: str, field: str, value: object
) -> None:
    parameters = next(policy.parameters for policy in routing_policies.BUILT_IN if policy.name == name)
    given: dict[str, Any] = {field: value}
    assert lib_settings.load(parameters, {variable: text}) == parameters(**given) != parameters()
