from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.accounts import contract, windows
from brickyard.accounts.stores import memory

NOW = 1_700_000_010.0  # 30 s into a minute whose number modulo 64 is 5
MINUTE = int(NOW // 60)
ADA = contract.User("ada", 3, 1000)

# rpm, tpm as stored; effective rpm, tpm
EFFECTIVE = [
    (0, 0, 100, 100_000),
    (3, 0, 3, 3000),
    (0, 50, 100, 50),
    (3, 1000, 3, 1000),
    (-1, 0, None, None),
    (-1, 7, None, 7),
    (5, -1, 5, None),
]


@pytest.mark.parametrize(("rpm", "tpm", "requests", "tokens"), EFFECTIVE)
def test_nought_means_the_default_and_below_it_nothing_limits(
    rpm: int, tpm: int, requests: int | None, tokens: int | None
) -> None:
    user = contract.User("ada", rpm, tpm)
    assert (user.requests_per_minute, user.tokens_per_minute) == (requests, tokens)


def test_the_keys_are_the_originals() -> None:
    claims = windows.claims(contract.Demand(ADA, "org/m", 5, 70), NOW)
    assert [(claim.kind, claim.key, claim.period, claim.amount, claim.limit) for claim in claims] == [
        (contract.Kind.RPM, f"aibrix:ada_RPM_CURRENT:{MINUTE % 64}", 60, 1, 3),
        (contract.Kind.TPM, f"aibrix:ada_TPM_CURRENT:{MINUTE % 64}", 60, 70, 1000),
        (contract.Kind.RPS, f"aibrix_model:org/m_MODEL_RPS_CURRENT:{int(NOW) % 64}", 1, 1, 5),
    ]
    assert [claim.window for claim in claims] == [MINUTE, MINUTE, int(NOW)]


# user, requests per second of the model, what is counted
COUNTED = [
    (None, None, []),
    (None, 0, []),
    (None, -1, []),
    (None, 2, ["rps"]),
    (ADA, None, ["rpm", "tpm"]),
    (ADA, 0, ["rpm", "tpm"]),
    (contract.User("root", -1, -1), 2, ["rpm", "tpm", "rps"]),
]


@pytest.mark.parametrize(("user", "rps", "kinds"), COUNTED)
def test_what_is_counted(user: contract.User | None, rps: int | None, kinds: list[str]) -> None:
    assert [claim.kind.value for claim in windows.claims(contract.Demand(user, "m", rps), NOW)] == kinds


@pytest.mark.parametrize(("tokens", "amount"), [(-5, 0), (0, 0), (7, 7), (2**70, windows.MOST_TOKENS)])
def test_expected_tokens_are_kept_within_what_can_be_counted(tokens: int, amount: int) -> None:
    assert windows.claims(contract.Demand(ADA, tokens=tokens), NOW)[1].amount == amount


# counts before of RPM (limit 3), TPM (limit 1000, 70 expected), RPS (limit 5); which refuses
REFUSALS = [
    ((0, 0, 0), None),
    ((2, 999, 4), None),
    ((3, 0, 0), 0),
    ((0, 1000, 0), 1),
    ((0, 0, 5), 2),
    ((3, 1000, 5), 0),
    ((2, 1001, 9), 1),
    ((9, 0, 0), 0),
]


@pytest.mark.parametrize(("counts", "refused"), REFUSALS)
def test_the_first_limit_that_was_reached_refuses(counts: tuple[int, int, int], refused: int | None) -> None:
    claims = windows.claims(contract.Demand(ADA, "m", 5, 70), NOW)
    taken = windows.take(claims, counts)
    assert taken.refused == refused
    rpm, tpm, rps = counts
    assert tuple(taken.counts) == (counts if refused is not None else (rpm + 1, tpm + 70, rps + 1))


# reserved, used, seconds later, what is charged to which minute
SETTLEMENTS = [
    (0, 120, 10, (120, 0)),  # as the original: nothing expected, all of it charged afterwards
    (100, 120, 10, (20, 0)),
    (100, 80, 10, (-20, 0)),
    (100, 100, 10, None),
    (100, 0, 10, (-100, 0)),
    (100, -5, 10, (-100, 0)),
    (0, 120, 60, (120, 1)),
    (100, 120, 60, (20, 1)),
    (100, 80, 60, None),
    (100, 150, 600, (50, 10)),
    (100, 150, -60, (50, -1)),  # the clock went back
    (100, 80, -60, None),
]


@pytest.mark.parametrize(("expected", "used", "later", "charged"), SETTLEMENTS)
def test_settling(expected: int, used: int, later: int, charged: tuple[int, int] | None) -> None:
    claims = windows.claims(contract.Demand(ADA, "m", 5, expected), NOW)
    charges = windows.settlement(claims, used, NOW + later)
    if charged is None:
        assert charges == ()
        return
    amount, minutes = charged
    window = MINUTE + minutes
    assert charges == (contract.Charge(f"aibrix:ada_TPM_CURRENT:{window % 64}", window, 60, amount),)


def test_a_request_that_went_nowhere_gets_back_what_still_lasts() -> None:
    claims = windows.claims(contract.Demand(ADA, "m", 5, 70), NOW)
    at_once = windows.refund(claims, NOW + 0.5)
    assert [charge.amount for charge in at_once] == [-1, -70, -1]
    assert [charge.key for charge in at_once] == [claim.key for claim in claims]
    a_second_later = windows.refund(claims, NOW + 1)
    assert [charge.amount for charge in a_second_later] == [-1, -70]
    assert windows.refund(claims, NOW + 60) == ()


def test_a_refusal_says_who_what_and_when() -> None:
    demand = contract.Demand(ADA, "m", 5, 70)
    claims = windows.claims(demand, NOW)
    refused = windows.refusal(demand, claims, windows.take(claims, (3, 10, 0)), NOW)
    assert refused.message == "user: ada has exceeded RPM: 3. Try again in 30 s."
    assert (refused.kind, refused.error_header, refused.retry_after) == (contract.Kind.RPM, "x-error-rpm-exceeded", 30)
    assert [(each.kind.value, each.limit, each.used) for each in refused.standings] == [
        ("rpm", 3, 3),
        ("tpm", 1000, 10),
        ("rps", 5, 0),
    ]
    tokens = windows.refusal(demand, claims, windows.take(claims, (0, 1000, 0)), NOW)
    assert (tokens.message[:32], tokens.error_header) == ("user: ada has exceeded TPM: 1000", "x-error-tpm-exceeded")
    model = windows.refusal(demand, claims, windows.take(claims, (0, 0, 5)), NOW)
    assert model.message == "model: m has exceeded RPS: 5. Try again in 1 s."
    assert model.error_header == "x-error-model-rps-exceeded"


def test_headers_are_those_that_clients_know() -> None:
    standings = [
        contract.Standing(contract.Kind.RPM, 3, 4, 29.2),
        contract.Standing(contract.Kind.TPM, 1000, 70, 29.2),
        contract.Standing(contract.Kind.RPS, None, 9, 0.2),
    ]
    assert dict(windows.headers(standings)) == {
        "x-ratelimit-limit-requests": "3",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "30s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "930",
        "x-ratelimit-reset-tokens": "30s",
    }


demands = st.builds(
    contract.Demand,
    user=st.sampled_from([ADA, contract.User("bob", 5, 40), contract.User("root", -1, -1), None]),
    model=st.sampled_from(["m", "n"]),
    model_rps=st.sampled_from([None, 2, 4]),
    tokens=st.integers(0, 60),
)
lives = st.lists(st.tuples(demands, st.integers(0, 90), st.sampled_from(["settle", "cancel", "lose"])), max_size=40)


def count(counters: memory.MemoryCounters, claims: Sequence[contract.Claim]) -> contract.Taken:
    return counters.apply(contract.Batch("", (), (claims,)), NOW)[0]


@hypothesis.given(lives)
def test_within_a_window_counts_are_what_was_used_and_no_limit_on_requests_is_passed(
    lives: list[tuple[contract.Demand, int, str]],
) -> None:
    """One moment: every request is let in or refused, then settled, given back or lost; counts are the sum over those let in."""
    counters, used = memory.MemoryCounters(), dict[str, int]()
    for number, (demand, tokens, end) in enumerate(lives):
        claims = windows.claims(demand, NOW)
        before = [used.get(claim.key, 0) for claim in claims]
        taken = count(counters, claims)
        assert (taken.refused is not None) == any(
            claim.limit is not None and each >= claim.limit for claim, each in zip(claims, before, strict=True)
        )
        if taken.refused is not None:
            continue
        for claim in claims:
            kept = 0 if end == "cancel" else claim.amount
            if claim.kind is contract.Kind.TPM and end == "settle":
                kept = tokens
            used[claim.key] = used.get(claim.key, 0) + kept
            if claim.kind is not contract.Kind.TPM and claim.limit is not None:
                assert used[claim.key] <= claim.limit
        if end == "settle":
            counters.apply(contract.Batch(str(number), windows.settlement(claims, tokens, NOW)), NOW)
        elif end == "cancel":
            counters.apply(contract.Batch(str(number), windows.refund(claims, NOW)), NOW)
    for demand, _, _ in lives:
        looks = [dataclasses.replace(claim, amount=0, limit=None) for claim in windows.claims(demand, NOW)]
        assert list(count(counters, looks).counts) == [used.get(look.key, 0) for look in looks]


@hypothesis.given(st.floats(0, 4e9), st.floats(-200, 200), st.integers(0, 1000), st.integers(0, 1000))
def test_tokens_are_charged_once_over_all_windows(began: float, later: float, expected: int, used: int) -> None:
    """What a reservation took and what its settlement adds come to what was used, or to what was expected where a window ended first."""
    claims = windows.claims(contract.Demand(ADA, tokens=expected), began)
    total = expected + sum(charge.amount for charge in windows.settlement(claims, used, began + later))
    same = math.floor(began / 60) == math.floor((began + later) / 60)
    assert total == (used if same else max(used, expected))


@hypothesis.given(st.floats(0, 4e9))
def test_a_window_holds_the_moment_that_it_was_made_for(now: float) -> None:
    for claim in windows.claims(contract.Demand(ADA, "m", 1), now):
        assert claim.ends - claim.period <= now < claim.ends
        assert claim.key.endswith(f":{claim.window % 64}")
        assert windows.current(contract.Charge(claim.key, claim.window, claim.period, 1), now)
        assert not windows.current(contract.Charge(claim.key, claim.window + 1, claim.period, 1), now)
