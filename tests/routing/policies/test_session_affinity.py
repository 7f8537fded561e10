"""session-affinity: cookies, keys, and what happens when the endpoint is gone."""

from __future__ import annotations

import base64
import collections
import dataclasses
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, pipeline, registry, router, testing
from brickyard.routing.policies import least_request, session_affinity

PROFILE = registry.Registry([session_affinity.POLICY]).profile(session_affinity.NAME)


def endpoints(*addresses: str) -> list[contract.Endpoint]:
    return [dataclasses.replace(testing.endpoint(f"p{each}"), address=each) for each in addresses]


FIVE = endpoints("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::5")


def choose(
    rows: Sequence[contract.Endpoint], session_id: str = "", key: str = "", rng: contract.Random | None = None
) -> contract.Decision:
    asked = dataclasses.replace(testing.request(), session_id=session_id, session_key=key)
    table = testing.snapshot(*[0] * len(rows), endpoints=rows)
    made = pipeline.route(asked, table, PROFILE, 0.0, rng or testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    return made


def cookie(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("row", range(5))
def test_a_session_stays_where_its_cookie_says(row: int) -> None:
    given_out = router.response_headers(choose(FIVE, cookie(FIVE[row].authority)))["x-session-id"]
    assert given_out == cookie(FIVE[row].authority)
    assert choose(FIVE, given_out).row == row


def test_an_ipv6_address_is_in_brackets() -> None:
    assert base64.b64decode(session_affinity.session_id(FIVE[4])) == b"[fd00::5]:8000"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        cookie("10.9.9.9:8000"),
        cookie("10.0.0.1"),
        "=" * 9,
        "w6k" * 400,
        cookie("10.0.0.1:8000")[:4] + "!" + cookie("10.0.0.1:8000")[4:],  # no base64, though some would read it
        base64.b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_cookie_that_leads_nowhere_means_a_new_session(text: str) -> None:
    rng = random.Random(8)
    counts = collections.Counter(choose(FIVE, text, rng=rng).row for _ in range(600))
    assert min(counts[row] for row in range(5)) > 80


def test_a_cookie_comes_before_a_key() -> None:
    by_key = choose(FIVE, key="k").row
    other = (by_key + 1) % 5
    assert choose(FIVE, cookie(FIVE[other].authority), "k").row == other
    assert choose(FIVE, cookie("10.9.9.9:1"), "k").row == by_key


@pytest.mark.parametrize(("length", "sticks"), [(1, True), (256, True), (257, False)])
def test_keys_of_up_to_256_bytes(length: int, sticks: bool) -> None:
    rng = random.Random(2)
    chosen = {choose(FIVE, key="k" * length, rng=rng).row for _ in range(60)}
    assert (len(chosen) == 1) is sticks


def test_bytes_count_and_not_characters() -> None:
    rng = random.Random(2)
    assert len({choose(FIVE, key="é" * 129, rng=rng).row for _ in range(60)}) > 1


@pytest.mark.parametrize("key", ["\udcff", "caf\udce9", "\udc80" * 256])
def test_bytes_that_are_no_text_are_a_key_as_well(key: str) -> None:
    """Headers are bytes: what is no UTF-8 among them comes as surrogates."""
    rng = random.Random(2)
    assert len({choose(FIVE, key=key, rng=rng).row for _ in range(60)}) == 1


def test_the_hash_is_fnv_1a() -> None:
    """Published vectors of FNV-1a, 64 bits."""
    assert session_affinity._hashed(session_affinity._BASIS, b"a") == 0xAF63DC4C8601EC8C
    assert session_affinity._hashed(session_affinity._BASIS, b"foobar") == 0x85944171F73967E8


@given(st.text(min_size=1, max_size=40), st.permutations(range(5)))
def test_a_key_leads_to_the_same_endpoint_whatever_the_order(key: str, order: list[int]) -> None:
    rows = [FIVE[at] for at in order]
    assert choose(rows, key=key).endpoint is choose(FIVE, key=key).endpoint


@given(st.text(min_size=1, max_size=40), st.integers(0, 4))
def test_an_endpoint_that_goes_moves_only_its_own_sessions(key: str, gone: int) -> None:
    before = choose(FIVE, key=key)
    after = choose([each for at, each in enumerate(FIVE) if at != gone], key=key)
    assert before.row == gone or after.endpoint is before.endpoint


@given(st.permutations(range(5)))
def test_of_equal_weights_the_first_address_is_taken(order: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_affinity, "_weight", lambda state, authority: 7)
        assert choose([FIVE[at] for at in order], key="k").endpoint is FIVE[0]


def test_keys_spread_over_all() -> None:
    counts = collections.Counter(choose(FIVE, key=f"session-{at}").row for at in range(2000))
    assert min(counts[row] for row in range(5)) > 250


def test_in_a_mix_the_header_follows_the_final_endpoint() -> None:
    mixed = registry.Registry([session_affinity.POLICY, least_request.POLICY]).profile(
        "session-affinity,least-request:5"
    )
    asked = dataclasses.replace(testing.request(), session_id=cookie(FIVE[0].authority))
    made = pipeline.route(asked, testing.snapshot(9, 9, 0, 9, 9, endpoints=FIVE), mixed, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.row == 2
    assert router.response_headers(made) == {"x-session-id": cookie("10.0.0.3:8000")}
    assert made.scores[0] == [1.0, 0.0, 0.0, 0.0, 0.0]


@given(st.binary(min_size=1, max_size=256), st.text("0123456789abcdef:.[]", min_size=1, max_size=50))
def test_weights_are_fnv_1a(key: bytes, authority: str) -> None:
    """The definition, byte by byte: gateways of both kinds send a session to the same endpoint."""
    state = 0xCBF29CE484222325
    for byte in key + b"\0" + authority.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    after_key = 0xCBF29CE484222325
    for byte in key + b"\0":
        after_key = (after_key ^ byte) * 0x100000001B3 % 2**64
    assert session_affinity._weight(after_key, authority) == state
