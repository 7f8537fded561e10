"""The ring of decisions: bounded in entries, rows and prompts."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway import contract
from brickyard.gateway.endpoints import ring
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing
from brickyard.routing import pickers, pipeline, testing
from brickyard.routing.ledgers import prefixes

OUTCOME = contract.Outcome(200, 1, 0.1, 0.2)
PROFILE = routing.Profile("any", (), (), pickers.Best())


def decision(request_id: str, size: int = 2, prompt: bytes = b"") -> routing.Decision | routing.NoDecision:
    request = dataclasses.replace(testing.request(prompt=prompt), id=request_id)
    endpoints = [testing.endpoint(f"p{n}") for n in range(size)]
    table = testing.snapshot(*([0] * size), endpoints=endpoints)
    return pipeline.route(request, table, PROFILE, 1.0, testing.Dice())


def found(held: ring.Ring, request_id: str) -> str | None:
    entry = held.find(request_id)
    return None if entry is None else entry.decision.request.id


def test_an_empty_ring_finds_nothing() -> None:
    held = ring.Ring(3)
    assert held.find("x") is None
    assert held.find("") is None


def test_by_id_and_the_last_one() -> None:
    held = ring.Ring(3)
    for name in "ab":
        held.add(decision(name), OUTCOME)
    assert (found(held, "a"), found(held, ""), found(held, "c")) == ("a", "b", None)


def test_the_oldest_goes_first() -> None:
    held = ring.Ring(3)
    for name in "abcd":
        held.add(decision(name), OUTCOME)
    assert [found(held, name) for name in "abcd"] == [None, "b", "c", "d"]
    assert len(held) == 3


def test_of_one_id_the_latest_is_found_and_the_oldest_does_not_take_it_along() -> None:
    held = ring.Ring(2)
    held.add(decision("x"), OUTCOME)
    held.add(decision("x"), dataclasses.replace(OUTCOME, status=502))
    held.add(decision("y"), OUTCOME)
    entry = held.find("x")
    assert entry is not None
    assert entry.outcome.status == 502


def test_large_tables_count_for_more() -> None:
    held = ring.Ring(4)
    for name in "abcd":
        held.add(decision(name, size=100), OUTCOME)
    assert len(held) == 2
    assert found(held, "d") == "d"


def test_a_table_larger_than_all_is_still_kept_once() -> None:
    held = ring.Ring(1)
    held.add(decision("a", size=200), OUTCOME)
    held.add(decision("b", size=200), OUTCOME)
    assert (len(held), found(held, "b")) == (1, "b")


def test_prompts_and_users_are_dropped_and_all_else_is_kept() -> None:
    held = ring.Ring(4)
    for size in (2, 0):
        made = decision("a", size, prompt=b"a secret")
        request = dataclasses.replace(made.request, user="somebody", strategy="any")
        held.add(dataclasses.replace(made, request=request), OUTCOME)
        entry = held.find("")
        assert entry is not None
        assert entry.decision == dataclasses.replace(made, request=dataclasses.replace(request, prompt=b"", user=""))


def test_long_texts_of_the_client_are_cut() -> None:
    held = ring.Ring(4)
    made = decision("a", size=0)
    assert isinstance(made, routing.NoDecision)
    request = dataclasses.replace(made.request, strategy="s" * 9000, label_filter="f" * 9000)
    held.add(dataclasses.replace(made, request=request, reason="r" * 9000), OUTCOME)
    entry = held.find("")
    assert entry is not None
    assert isinstance(entry.decision, routing.NoDecision)
    kept = entry.decision
    assert {len(kept.request.strategy), len(kept.request.label_filter), len(kept.reason)} == {ring.LONGEST}


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 150)), max_size=30))
def test_it_never_outgrows_its_bounds_nor_loses_the_last(capacity: int, added: list[tuple[str, int]]) -> None:
    held = ring.Ring(capacity)
    for name, size in added:
        held.add(decision(name, size), OUTCOME)
        assert len(held) <= capacity
        assert found(held, "") == found(held, name) == name


def test_predicted_tokens_are_those_that_the_index_held_of_the_whole_prompt() -> None:
    made = decision("x", size=2, prompt=b"p" * 1000)
    assert isinstance(made, routing.Decision)
    held = dataclasses.replace(made.snapshot, data={prefixes.NAME: prefixes.Matches((640, 640), 960)})
    used = usage.Usage(500, 40, 540, cached=300)
    course = contract.Course(
        0.001, 0.5, None, 0.7, b"x-ratelimit-limit-requests: 60\r\nx-ratelimit-remaining-requests: 59\r\n", 0.4
    )
    entry = ring.Entry(
        dataclasses.replace(made, snapshot=held, row=1), contract.Outcome(200, 1, 0.6, 2.0, "", used, course)
    )
    assert ring.ending(entry) == {
        "status": 200,
        "attempts": 1,
        "admission": 0.001,
        "queue": 0.5,
        "waking": 0.4,
        "connect": None,
        "first_byte": 0.6,
        "first_token": 0.7,
        "duration": 2.0,
        "error": "",
        "usage": {
            "prompt_tokens": 500,
            "completion_tokens": 40,
            "cached_tokens": 300,
            "cached_tokens_predicted": 320,
            "estimated": False,
        },
        "limits": {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59"},
    }


def test_nothing_is_predicted_where_nobody_asked_the_index_or_nobody_was_chosen() -> None:
    used = dataclasses.replace(OUTCOME, usage=usage.Usage(500, 40, 540))
    for made in (decision("x", prompt=b"p"), decision("x", size=0, prompt=b"p")):
        told = ring.ending(ring.Entry(made, used))["usage"]
        assert isinstance(told, dict)
        assert told["cached_tokens_predicted"] is None


def test_of_a_decision_nothing_is_lost_but_what_its_client_wrote_at_length() -> None:
    made = decision("a", prompt=b"a secret")
    assert isinstance(made, routing.Decision)
    made = dataclasses.replace(made, config_profile="long", faults=("a part misbehaved",))
    held = ring.Ring(1)
    held.add(made, OUTCOME)
    entry = held.find("a")
    assert entry is not None
    assert entry.decision == dataclasses.replace(made, request=dataclasses.replace(made.request, prompt=b""))
