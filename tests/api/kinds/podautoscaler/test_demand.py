"""Words of gateways, there and back, and what is made of what nobody wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.api.kinds.podautoscaler import demand

NOW = 1_700_000_000.25
WORD = demand.Word(held=2, open=1, at=NOW, lasts=30.0, since=NOW - 4)


def told(**fields: Any) -> dict[str, Any]:
    return {demand.key("gw"): json.dumps({**json.loads(demand.write(WORD)), **fields})}


counts = st.integers(0, 10_000)
moments = st.integers(0, 4_000_000_000).map(float)


@given(st.builds(demand.Word, counts, counts, moments, st.integers(1, 120).map(float), st.none() | moments))
def test_what_is_written_is_read(word: demand.Word) -> None:
    assert demand.read({demand.key("gw"): demand.write(word)}) == {"gw": word}


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "{",
        "[]",
        "null",
        "3",
        '{"held": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_word_is_not_there(value: Any) -> None:
    assert demand.read({demand.key("gw"): value}) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"held": -1},
        {"held": "2"},
        {"held": True},
        {"held": 2**70},
        {"open": None},
        {"open": -1},
        {"at": "yesterday"},
        {"at": None},
        {"at": 5},
        {"since": "long ago"},
        {"for": 0},
        {"for": -3},
        {"for": "30"},
        {"for": True},
        {"for": float("inf")},
        {"for": float("nan")},
    ],
)
def test_a_word_with_a_wrong_field_is_not_there(fields: dict[str, Any]) -> None:
    assert demand.read(told()) != {}
    assert demand.read(told(**fields)) == {}


def test_nothing_is_believed_for_long_nor_in_any_number() -> None:
    (word,) = demand.read(told(**{"for": 1e9, "held": 10**15, "open": 10**15})).values()
    assert word.lasts == demand.LONGEST
    assert word.held == word.open == 1_000_000


def test_only_so_many_gateways_are_listened_to() -> None:
    crowd = {demand.key(f"gw-{number:03}"): demand.write(WORD) for number in range(demand.MOST + 10)}
    found = demand.read(crowd)
    assert (len(found), min(found), max(found)) == (demand.MOST, "gw-000", f"gw-{demand.MOST - 1:03}")


@given(st.text(max_size=200))
def test_any_name_becomes_a_key_that_kubernetes_takes(name: str) -> None:
    key = demand.key(name).removeprefix(names.DEMAND_PREFIX)
    assert 1 <= len(key) <= 63
    assert key.isascii()
    assert key[0].isalnum()
    assert key[-1].isalnum()
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def test_usual_names_stay_as_they_are() -> None:
    assert demand.key("gateway-7c9f-x2") == f"{names.DEMAND_PREFIX}gateway-7c9f-x2"


def test_who_holds_and_since_when() -> None:
    silent = demand.Word(0, 3, NOW, 30.0)
    words = {demand.key("a"): demand.write(WORD), demand.key("b"): demand.write(silent), "other": "x"}
    assert demand.holding(words) == {("a", NOW - 4)}
    assert demand.holding({"other": "x"}) == frozenset()


def test_what_gateways_tell_can_be_left_out() -> None:
    assert demand.without({**told(), "other": "x"}) == {"other": "x"}
    plain = {"other": "x"}
    assert demand.without(plain) is plain
