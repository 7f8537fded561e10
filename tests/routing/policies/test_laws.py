"""Laws of strategies: what a change of one number may do to a choice, whatever all other numbers are.

| law | says |
|---|---|
| order | more to do never brings an endpoint forward, more of the prompt cached never sets it back |
| needs | what a policy does not declare, it does not read: nobody gathers it |
| ties | endpoints of which the same is known score the same |
| unknown | numbers that are none (NaN, infinities) harm nobody but their own endpoint |
| nobody | without endpoints there is no decision, and with barred ones only there is one |
| mixes | a mix is the mean of its parts by weight, in whatever order and unit they are named |
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.assembly import routing_policies
from brickyard.routing import capabilities, contract, errors, params, pipeline, registry, router, testing
from brickyard.routing.ledgers import latencies, prefixes, rates, work
from brickyard.routing.policies.least_busy_time import busy

POLICIES = routing_policies.make()
BUILT_IN = {policy.name: policy for policy in routing_policies.BUILT_IN}
MIXABLE = [name for name in BUILT_IN if POLICIES.profile(name).mixable]
BLOCKS = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """Everything that strategies may know of one endpoint."""

    in_flight: int
    held: int
    prefill: int
    decode: int
    done: rates.Done
    seen: latencies.Seen
    share: float
    load: serving.EngineLoad


SECONDS = st.floats(0.0, 600.0)
SHARES = st.floats(0.0, 1.0)
ROWS = st.builds(
    Row,
    in_flight=st.integers(0, 15),
    held=st.integers(0, BLOCKS),
    prefill=st.integers(0, 5000),
    decode=st.integers(0, 5000),
    done=st.builds(
        rates.Done,
        st.just(60.0),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
        st.sampled_from([0.0, 1.0, 20.0]),
        st.none() | SECONDS,
        SECONDS,
        SECONDS,
    ),
    seen=st.builds(latencies.Seen, SECONDS, SECONDS, st.floats(0.0, 500.0), st.just(0.0)),
    share=SHARES,
    load=st.builds(
        serving.EngineLoad,
        kv_cache_usage=st.none() | SHARES,
        cpu_cache_usage=st.none() | SHARES,
        utilization=st.none() | SHARES,
        busy=st.none() | SHARES,
        loras_running=st.sampled_from([None, (), ("demo",), ("x", "y")]),
        loras_waiting=st.sampled_from([None, (), ("demo",)]),
        lora_slots=st.sampled_from([None, 2.0]),
    ),
)
TABLES = st.lists(ROWS, min_size=1, max_size=6)
REQUESTS = st.builds(
    contract.Request,
    id=st.just("r"),
    model=st.just("demo"),
    path=st.just("/v1/completions"),
    prompt=st.binary(max_size=80),
    session_key=st.sampled_from(["", "k", "another"]),
)


def table(rows: Sequence[Row]) -> contract.EndpointSnapshot:
    made: dict[str, contract.Facts] = {
        prefixes.NAME: prefixes.Matches([row.held for row in rows], BLOCKS, 1),
        work.NAME: work.Work([row.prefill for row in rows], [row.decode for row in rows], 1),
        rates.NAME: rates.Rates([row.done for row in rows]),
        latencies.NAME: latencies.Latencies([row.seen for row in rows], 0.0),
        busy.INPUT.name: busy.Busy([row.share for row in rows]),
    }
    return dataclasses.replace(
        testing.snapshot(*(row.in_flight for row in rows), loads=[row.load for row in rows], ages=[0.0] * len(rows)),
        data=made,
    )


def totals(strategy: str, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Sequence[float]:
    made = pipeline.route(request, snapshot, POLICIES.profile(strategy), 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    assert list(made.rows) == list(range(len(snapshot.endpoints)))
    return made.totals


def place(found: Sequence[float], at: int) -> int:
    """How many stand before the row."""
    return sum(each > found[at] + 1e-9 for each in found)


# Order.

Change = Callable[[Row, int], Row]


def _load(row: Row, **fields: Any) -> Row:
    return dataclasses.replace(row, load=dataclasses.replace(row.load, **fields))


def _done(row: Row, **fields: float) -> Row:
    return dataclasses.replace(row, done=dataclasses.replace(row.done, **fields))


def _more(old: float | None, by: int) -> float:
    return min(1.0, (old or 0.0) + by / 100)


def busier(row: Row, by: int) -> Row:
    return dataclasses.replace(row, in_flight=row.in_flight + by)


def longer(row: Row, by: int) -> Row:
    return dataclasses.replace(row, prefill=row.prefill + by, decode=row.decode + by)


def colder(row: Row, by: int) -> Row:
    return dataclasses.replace(row, held=max(0, row.held - by))


WORSE: Mapping[str, Sequence[Change]] = {
    "least-request": [busier],
    "power-of-two": [busier],
    "consistent-hash": [busier],
    "least-tokens": [longer],
    "throughput": [
        longer,
        lambda row, by: _done(row, prompt_tokens=(row.done.prompt_tokens or 0.0) + by),
        lambda row, by: _done(row, generation_tokens=(row.done.generation_tokens or 0.0) + by),
    ],
    "least-busy-time": [lambda row, by: _load(row, busy=_more(row.load.busy or row.share, by))],
    "least-gpu-cache": [lambda row, by: _load(row, kv_cache_usage=_more(row.load.kv_cache_usage, by))],
    "least-kv-cache": [lambda row, by: _load(row, cpu_cache_usage=_more(row.load.cpu_cache_usage, by))],
    "least-utilization": [lambda row, by: _load(row, utilization=_more(row.load.utilization, by))],
    "least-latency": [
        busier,
        lambda row, by: _done(row, prefill_seconds=(row.done.prefill_seconds or 0.0) + by),
        lambda row, by: _done(row, decode_seconds=(row.done.decode_seconds or 0.0) + by),
        lambda row, by: _done(row, queue_seconds=(row.done.queue_seconds or 0.0) + by),
    ],
    "lora-affinity": [busier],
    "prefix-cache": [busier, colder],
    "prefix-and-load": [longer, colder],
}
NEVER_HEARD = {"least-gpu-cache", "least-kv-cache", "least-utilization"}
"""Strategies where an engine that tells is preferred to one that does not, so that telling anything is no change for the worse."""


@pytest.mark.parametrize(
    ("strategy", "worse"), [(name, change) for name, changes in WORSE.items() for change in changes]
)
@settings(max_examples=30)
@given(rows=TABLES, request=REQUESTS, by=st.integers(1, 60), data=st.data())
def test_more_to_do_never_brings_an_endpoint_forward(
    strategy: str, worse: Change, rows: list[Row], request: contract.Request, by: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    if strategy in NEVER_HEARD:
        rows = [_load(row, kv_cache_usage=0.5, utilization=0.5) if row is rows[at] else row for row in rows]
    before = totals(strategy, request, table(rows))
    after = totals(strategy, request, table([*rows[:at], worse(rows[at], by), *rows[at + 1 :]]))
    assert place(after, at) >= place(before, at)


def test_the_law_of_order_can_fail() -> None:
    """A mix that counts load as a merit would break it."""
    rows = [dataclasses.replace(EVEN, in_flight=count) for count in (0, 5)]
    backwards = testing.FakeScorer([0.0, 1.0])
    profile = contract.Profile("backwards", (), ((backwards, 1.0),), POLICIES.profile("least-request").picker)
    made = pipeline.route(testing.request(), table(rows), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert place(made.totals, 1) < place(totals("least-request", testing.request(), table(rows)), 1)


EVEN = Row(
    3,
    5,
    10,
    20,
    rates.Done(60.0, 100.0, 100.0, 10.0, 1.0, 1.0, 1.0),
    latencies.Seen(1.0, 1.0, 10.0, 0.0),
    0.5,
    serving.EngineLoad(kv_cache_usage=0.5, cpu_cache_usage=0.1, utilization=0.5, busy=0.5, loras_running=()),
)


# Needs.

LOADED = serving.EngineLoad(
    running=9.0,
    waiting=9.0,
    kv_cache_usage=0.9,
    prompt_tokens_total=9e6,
    generation_tokens_total=9e6,
    finished_total=9.0,
    cpu_cache_usage=0.9,
    utilization=0.9,
    busy=0.9,
    loras_running=("demo",),
    lora_slots=1.0,
)
OTHERS: Mapping[contract.Need, Callable[[contract.EndpointSnapshot], contract.EndpointSnapshot]] = {
    contract.Need.IN_FLIGHT: lambda there: dataclasses.replace(
        there, in_flight=tuple(20 * row for row in range(len(there.endpoints)))
    ),
    contract.Need.LOADS: lambda there: dataclasses.replace(
        there,
        loads=tuple(LOADED if row % 2 else None for row in range(len(there.endpoints))),
        load_ages=tuple(float(row) for row in range(len(there.endpoints))),
    ),
}
WISHES: Mapping[contract.Need, Mapping[str, Any]] = {
    contract.Need.PROMPT: {"prompt": b"another prompt, and a longer one" * 9, "max_tokens": 900},
    contract.Need.USER: {"user": ""},
    contract.Need.SESSION: {"session_key": "a session of its own", "session_id": "MTAuMC4wLjE6ODAwMA=="},
}


def after_a_day(strategy: str, request: contract.Request, change: contract.Need | None) -> Sequence[float]:
    """What a request scores after some others, where what ``change`` names is different in all of them."""
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    ends = [
        dataclasses.replace(testing.endpoint(name), address=f"10.0.0.{at}") for at, name in enumerate("abcd", start=1)
    ]
    found: Sequence[float] = ()
    for at in range(6):
        there = testing.snapshot(1, 0, 2, 1, endpoints=ends)
        asked = dataclasses.replace(request, id=f"r{at}", strategy=strategy, prompt=b"%d of a talk " % at * 5)
        if change is not None and change in OTHERS:
            there = OTHERS[change](there)
        elif change is not None:
            asked = dataclasses.replace(asked, **WISHES[change])
        made = pipeline.route(asked, _informed(door, asked, there, at), POLICIES.profile(strategy), 0.0, testing.Dice())
        assert isinstance(made, contract.Decision)
        fixed = dataclasses.replace(made, endpoint=ends[at % 4], row=at % 4)  # the same course of things in every world
        ticket, found = door.begin(fixed, float(at)), made.totals
        ticket.answered(at + 0.2)
        ticket.finished(at + 0.4, contract.Usage(5, 6))
    return found


def _informed(
    door: router.Router, asked: contract.Request, there: contract.EndpointSnapshot, at: int
) -> contract.EndpointSnapshot:
    made = door.choose(asked, there, float(at), testing.Dice())
    assert isinstance(made, contract.Decision)
    return made.snapshot


UNDECLARED = [(name, need) for name, policy in BUILT_IN.items() for need in contract.Need if need not in policy.needs]


@pytest.mark.parametrize(("strategy", "need"), UNDECLARED, ids=[f"{name} {need.value}" for name, need in UNDECLARED])
def test_what_is_not_declared_is_not_read(strategy: str, need: contract.Need) -> None:
    request = contract.Request("r", "demo", "/v1/completions", user="u", session_key="k")
    assert after_a_day(strategy, request, need) == pytest.approx(after_a_day(strategy, request, None), abs=1e-9)


@pytest.mark.parametrize(
    ("strategy", "need"),
    [
        ("least-request", contract.Need.IN_FLIGHT),
        ("least-gpu-cache", contract.Need.LOADS),
        ("session-affinity", contract.Need.SESSION),
        ("consistent-hash", contract.Need.SESSION),
        ("vtc-basic", contract.Need.USER),
        ("prefix-cache", contract.Need.PROMPT),
    ],
)
def test_what_is_declared_is_read(strategy: str, need: contract.Need) -> None:
    """So that the law above can fail."""
    request = contract.Request("r", "demo", "/v1/completions", user="u", session_key="k")
    assert after_a_day(strategy, request, need) != pytest.approx(after_a_day(strategy, request, None), abs=1e-9)


# Ties.

BY_NAME = {"session-affinity", "consistent-hash", "vtc-basic"}
"""Strategies that tell endpoints apart by what they are called."""


@pytest.mark.parametrize("strategy", sorted(BUILT_IN.keys() - BY_NAME))
@settings(max_examples=20)
@given(row=ROWS, size=st.integers(2, 6), request=REQUESTS)
def test_endpoints_of_which_the_same_is_known_score_the_same(
    strategy: str, row: Row, size: int, request: contract.Request
) -> None:
    assert len(set(totals(strategy, request, table([row] * size)))) == 1


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_asking_changes_nothing(strategy: str) -> None:
    """A choice that is not followed by a request leaves no trace: the same question has the same answer."""
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    asked = dataclasses.replace(testing.request(strategy, prompt=b"a prompt of some length"), user="u")
    answers = [door.choose(asked, testing.snapshot(1, 0, 1), 5.0, testing.Dice()) for _ in range(3)]
    assert [made.totals for made in answers if isinstance(made, contract.Decision)] == [
        answers[0].totals if isinstance(answers[0], contract.Decision) else None
    ] * 3
    assert index.held == {}


# Unknown.

ODD = st.none() | st.floats(allow_nan=True, allow_infinity=True)
ODD_LOADS = st.none() | st.builds(
    serving.EngineLoad,
    **{
        field.name: ODD if "loras" not in field.name else st.sampled_from([None, (), ("demo",)])
        for field in dataclasses.fields(serving.EngineLoad)
    },
)


@pytest.mark.parametrize("strategy", BUILT_IN)
@settings(max_examples=40)
@given(pages=st.lists(st.lists(ODD_LOADS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_whatever_engines_say_somebody_is_chosen(strategy: str, pages: list[list[serving.EngineLoad | None]]) -> None:
    """Three looks at engines whose pages hold anything that a number can be."""
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    for look in range(3):
        loads = [page[look] for page in pages]
        there = testing.snapshot(*[1] * len(pages), loads=loads, ages=[0.1] * len(pages))
        asked = dataclasses.replace(testing.request(strategy, prompt=b"x" * 40), id=str(look), user="u")
        made = door.choose(asked, there, 10.0 * look, testing.Dice())
        assert isinstance(made, contract.Decision)
        assert made.faults == ()
        assert all(0.0 <= score <= 1.0 for column in made.scores for score in column)
        for scorer, _ in made.profile.scorers:
            if isinstance(scorer, capabilities.Describes):
                assert all(scorer.describe(made.snapshot, row) for row in made.rows)
        door.begin(made, 10.0 * look).finished(10.0 * look + 1, contract.Usage(5, 6))


@pytest.mark.parametrize("strategy", sorted(NEVER_HEARD | {"least-busy-time"}))
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_counts_as_unknown(strategy: str, odd: float) -> None:
    """The others are compared as if it were not there."""
    loads = [serving.EngineLoad(kv_cache_usage=share, utilization=share, busy=share) for share in (0.9, odd, 0.2, 0.55)]
    found = totals(strategy, testing.request(), testing.snapshot(0, 0, 0, 0, loads=loads))
    assert found == pytest.approx([0.0, 0.0, 1.0, 0.5])


# Nobody.


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_without_endpoints_there_is_no_decision(strategy: str) -> None:
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    made = door.choose(testing.request(prompt=b"x" * 40), testing.snapshot(), 0.0, testing.Dice())
    assert isinstance(made, contract.NoDecision)
    assert (made.bad_request, made.saturated) == (False, False)
    assert "has no endpoint that can take requests" in made.reason


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_barred_ones_are_taken_when_there_are_no_others(strategy: str) -> None:
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    asked = testing.request(prompt=b"x" * 40)
    barred = {0: "its connections fail", 1: "its connections fail"}
    only = door.choose(asked, testing.snapshot(5, 5, barred=barred), 0.0, testing.Dice())
    assert isinstance(only, contract.Decision)
    assert only.row in {0, 1}
    beside = door.choose(asked, testing.snapshot(0, 0, 9, barred=barred), 0.0, testing.Dice())
    assert isinstance(beside, contract.Decision)
    assert (beside.row, dict(beside.removed)) == (2, barred)


@pytest.mark.parametrize("strategy", BUILT_IN)
def test_where_all_have_failed_the_request_nobody_is_left(strategy: str) -> None:
    index = testing.FakeIndex()
    door = router.Router(POLICIES, strategy, {prefixes.NAME: prefixes.PrefixLedger(index, index)})
    there = testing.snapshot(0, 0)
    made = door.choose(testing.request(excluded=[each.key for each in there.endpoints]), there, 0.0, testing.Dice())
    assert isinstance(made, contract.NoDecision)
    assert made.reason == "no endpoint of model 'demo' can take this request (2 already failed this request)"


# Mixes.


@settings(max_examples=150)
@given(
    pair=st.lists(st.sampled_from(MIXABLE), min_size=2, max_size=2, unique=True),
    rows=TABLES,
    request=REQUESTS,
    weights=st.tuples(st.integers(1, 50), st.integers(1, 50)),
)
def test_a_mix_is_the_mean_of_its_parts_in_whatever_order_and_unit(
    pair: list[str], rows: list[Row], request: contract.Request, weights: tuple[int, int]
) -> None:
    (one, other), (heavy, light), there = pair, weights, table(rows)
    found = totals(f"{one}:{heavy},{other}:{light}", request, there)
    assert all(0.0 <= each <= 1.0 + 1e-9 for each in found)
    assert totals(f"{other}:{light},{one}:{heavy}", request, there) == pytest.approx(found, abs=1e-9)
    assert totals(f"{one}:{7 * heavy},{other}:{7 * light}", request, there) == pytest.approx(found, abs=1e-9)
    first, second = (_blended(name, request, there) for name in (one, other))
    mean = [(heavy * left + light * right) / (heavy + light) for left, right in zip(first, second, strict=True)]
    assert found == pytest.approx(mean, abs=1e-9)


def _blended(name: str, request: contract.Request, there: contract.EndpointSnapshot) -> Sequence[float]:
    """What ``name`` gives to mixes, by itself."""
    profile = POLICIES.profile(name)
    alone = dataclasses.replace(profile, scorers=profile.mixable)
    made = pipeline.route(request, there, alone, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    return made.totals


def test_what_can_be_mixed_is_what_the_original_mixes_and_what_is_new() -> None:
    assert set(MIXABLE) == {
        "least-request",
        "throughput",
        "least-latency",
        "least-gpu-cache",
        "least-kv-cache",
        "least-busy-time",
        "least-utilization",
        "vtc-basic",
        "prefix-cache-preble",
        "prefix-cache",
        "session-affinity",
        "least-tokens",
        "prefix-and-load",
        "consistent-hash",
        "lora-affinity",
    }


# Parameters.

FIELDS = [(policy, field.name) for policy in BUILT_IN.values() for field in dataclasses.fields(policy.parameters)]


@pytest.mark.parametrize(("policy", "field"), FIELDS, ids=[f"{policy.name} {field}" for policy, field in FIELDS])
def test_a_misspelt_parameter_is_refused_and_the_right_one_named(policy: contract.Policy, field: str) -> None:
    misspelt = field[:-2] + field[-1] + field[-2]
    with pytest.raises(errors.UnknownParameterError, match=f"did you mean '{field}'"):
        params.parse(policy.parameters, {misspelt: 1}, policy.name)


@pytest.mark.parametrize(("policy", "field"), FIELDS, ids=[f"{policy.name} {field}" for policy, field in FIELDS])
@pytest.mark.parametrize("value", [None, [], math.nan, math.inf, True])
def test_a_parameter_of_the_wrong_kind_is_refused(policy: contract.Policy, field: str, value: object) -> None:
    with pytest.raises(errors.BadParameterError, match=field):
        registry.Registry([policy], {policy.name: {field: value}})
