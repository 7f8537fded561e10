import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import errors, faults

RULES = st.builds(
    faults.Rule,
    st.sampled_from([kind for kind in faults.KINDS if kind != "latency"]),
    probability=st.floats(0, 1),
    seconds=st.floats(0, 1000) | st.just(math.inf),
    status=st.sampled_from([0, 400, 503, 599]),
    after=st.integers(0, 100),
    path=st.sampled_from(["", "/v1/completions"]),
    model=st.sampled_from(["", "tiny"]),
    times=st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("error", faults.Rule("error")),
        ("error;status=503;probability=0.1", faults.Rule("error", probability=0.1, status=503)),
        (" stall ; after = 5 ; seconds=2 ;", faults.Rule("stall", after=5, seconds=2.0)),
        ("latency;seconds=0.5", faults.Rule("latency", seconds=0.5)),
        ("reset;path=/v1/completions;times=1", faults.Rule("reset", path="/v1/completions", times=1)),
        ("crash;after=3;model=a=b", faults.Rule("crash", after=3, model="a=b")),
    ],
)
def test_rules_as_text(text: str, rule: faults.Rule) -> None:
    assert faults.parse(text) == rule


@given(RULES)
def test_rules_as_objects(rule: faults.Rule) -> None:
    assert faults.from_object(faults.as_object(rule)) == rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no fault ''"),
        ("explode", "no fault 'explode'"),
        ("error;code=503", "no 'code'"),
        ("error;status=x", "status cannot be 'x'"),
        ("error;status=200", "400 to 599"),
        ("error;probability=2", "0 to 1"),
        ("error;probability=nan", "0 to 1"),
        ("latency", "seconds"),
        ("latency;seconds=-1", "seconds"),
        ("latency;seconds=nan", "seconds"),
        ("stall;after=-1", "zero or more"),
        ("stall;times=-1", "zero or more"),
    ],
)
def test_no_rules(text: str, said: str) -> None:
    with pytest.raises(errors.ParamsError, match=said):
        faults.parse(text)


@pytest.mark.parametrize("given_object", [None, [], "error", {}, {"kind": 3}, {"kind": "error", "status": None}])
def test_no_objects(given_object: Any) -> None:
    with pytest.raises(errors.ParamsError):
        faults.from_object(given_object)


def hits(rule: faults.Rule, seed: int = 0, count: int = 2000) -> list[bool]:
    all_of = faults.Faults(seed, [rule])
    return [bool(all_of.draw("/v1/completions", "tiny")) for _ in range(count)]


def test_chance_is_as_often_as_said_and_repeats_itself() -> None:
    rule = faults.Rule("error", probability=0.3)
    first = hits(rule)
    assert 0.26 < sum(first) / len(first) < 0.34
    assert hits(rule) == first
    assert hits(rule, seed=1) != first


@pytest.mark.parametrize(("probability", "count"), [(0.0, 0), (1.0, 2000)])
def test_never_and_always(probability: float, count: int) -> None:
    assert sum(hits(faults.Rule("error", probability=probability))) == count


def test_so_many_times() -> None:
    assert hits(faults.Rule("error", times=2), count=5) == [True, True, False, False, False]


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.integers(0, 100))
def test_chance_is_a_share(seed: int, request: int, rule: int) -> None:
    assert 0.0 <= faults.chance(seed, request, rule) < 1.0


@pytest.mark.parametrize(
    ("fields", "hit"),
    [
        ({}, True),
        ({"path": "/a"}, True),
        ({"path": "/b"}, False),
        ({"model": "m"}, True),
        ({"model": "n"}, False),
        ({"path": "/a", "model": "n"}, False),
    ],
)
def test_whom_it_is_meant_for(fields: dict[str, str], hit: bool) -> None:
    assert bool(faults.Faults(rules=[faults.Rule("error", **fields)]).draw("/a", "m")) is hit  # type: ignore[arg-type]


def test_rules_come_and_go() -> None:
    all_of = faults.Faults(rules=[faults.Rule("error"), faults.Rule("reset")])
    assert all_of.draw("/a", "m") == all_of.rules
    all_of.clear()
    assert all_of.rules == all_of.draw("/a", "m") == ()


def test_as_many_as_may_be() -> None:
    all_of = faults.Faults(rules=[faults.Rule("error")] * faults.MOST)
    with pytest.raises(errors.ParamsError, match="DELETE /admin/faults"):
        all_of.add(faults.Rule("error"))


def test_a_plan_of_several_rules() -> None:
    made = faults.plan(
        faults.parse(text)
        for text in (
            "latency;seconds=1",
            "latency;seconds=0.5",
            "error;status=503",
            "error;status=500",
            "stall;after=4",
        )
    )
    assert made == faults.Plan(1.5, 503, (4, math.inf))
    assert made


def test_no_plan() -> None:
    assert faults.plan(()) == faults.NONE
    assert not faults.NONE


@pytest.mark.parametrize(
    ("text", "plan"), [("error", faults.Plan(error=500)), ("crash;after=2", faults.Plan(crash=(2, 1)))]
)
def test_what_is_left_out_has_its_default(text: str, plan: faults.Plan) -> None:
    assert faults.plan([faults.parse(text)]) == plan


@pytest.mark.parametrize(
    ("sent", "at"),
    [(0, 2), (2, 2), (3, 5), (5, 5), (6, None)],
)
def test_the_next_thing_to_happen(sent: int, at: int | None) -> None:
    assert faults.Plan(stall=(5, 1.0), reset=2).next_event(sent) == at


def test_nothing_happens() -> None:
    assert faults.Plan(delay=3.0).next_event(0) is None
