"""Fixed windows: which counters a request takes from, what becomes of it, and what settling changes. Pure.

| check, in this order | key                                           | period | amount   | refused where the count has reached |
|----------------------|-----------------------------------------------|--------|----------|-------------------------------------|
| RPM of the user      | ``aibrix:<user>_RPM_CURRENT:<bin>``           | 60 s   | 1        | the user's ``rpm``, or 100          |
| TPM of the user      | ``aibrix:<user>_TPM_CURRENT:<bin>``           | 60 s   | expected | the user's ``tpm``, or 1000 per rpm |
| RPS of the model     | ``aibrix_model:<model>_MODEL_RPS_CURRENT:<bin>`` | 1 s | 1        | the profile's requests per second   |

``bin`` is the window's number modulo 64. A window is told by its number and not by how old a count is, so a clock that jumps finds
the counts of the window it jumped to, and no others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from brickyard.accounts import contract
from brickyard.api import names
from brickyard.api.names import redis

BINS: Final = 64
MINUTE: Final = 60
SECOND: Final = 1
MOST_TOKENS: Final = 2**40
"""No request uses more; a count that were larger would leave what stores count exactly."""

_ERROR_HEADERS: Final = {
    contract.Kind.RPM: names.ERROR_RPM_EXCEEDED,
    contract.Kind.TPM: names.ERROR_TPM_EXCEEDED,
    contract.Kind.RPS: names.ERROR_MODEL_RPS_EXCEEDED,
}
_HEADER_WORDS: Final = {contract.Kind.RPM: "requests", contract.Kind.TPM: "tokens", contract.Kind.RPS: "model-requests"}


def claims(demand: contract.Demand, now: float) -> tuple[contract.Claim, ...]:
    """What ``demand`` takes from at ``now`` (Unix seconds), in the order in which it is checked; empty where nothing limits it.

    A user without limits is counted all the same, since somebody may look.
    """
    found: list[contract.Claim] = []
    user = demand.user
    if user is not None:
        head = f"{redis.USER_COUNTER_PREFIX}{user.name}"
        found.append(_claim(contract.Kind.RPM, head + redis.RPM_COUNTER, now, 1, user.requests_per_minute))
        expected = min(max(0, demand.tokens), MOST_TOKENS)
        found.append(_claim(contract.Kind.TPM, head + redis.TPM_COUNTER, now, expected, user.tokens_per_minute))
    if demand.model_rps is not None and demand.model_rps > 0:
        head = f"{redis.MODEL_COUNTER_PREFIX}{demand.model}{redis.RPS_COUNTER}"
        found.append(_claim(contract.Kind.RPS, head, now, 1, demand.model_rps))
    return tuple(found)


def _claim(kind: contract.Kind, key: str, now: float, amount: int, limit: int | None) -> contract.Claim:
    period = SECOND if kind is contract.Kind.RPS else MINUTE
    window = math.floor(now / period)
    return contract.Claim(kind, f"{key}{window % BINS}", window, period, amount, limit)


def take(asked: Sequence[contract.Claim], counts: Sequence[int]) -> contract.Taken:
    """All of the claims or none: the first whose count has reached its limit refuses. ``counts`` are those before."""
    for index, (claim, count) in enumerate(zip(asked, counts, strict=True)):
        if claim.limit is not None and count >= claim.limit:
            return contract.Taken(counts, index)
    return contract.Taken([count + claim.amount for claim, count in zip(asked, counts, strict=True)])


def settlement(taken: Sequence[contract.Claim], tokens: int, now: float) -> tuple[contract.Charge, ...]:
    """What to add for a request that took ``taken`` and used ``tokens``.

    | settled in            | used more than expected  | used less than expected           |
    |-----------------------|--------------------------|-----------------------------------|
    | the same window       | the rest is added        | the rest is given back            |
    | another one           | the rest is added there  | nothing: its window went with it  |
    """
    charges: list[contract.Charge] = []
    for claim in taken:
        if claim.kind is not contract.Kind.TPM:
            continue
        rest = min(max(0, tokens), MOST_TOKENS) - claim.amount
        window = math.floor(now / claim.period)
        if rest > 0 or (rest < 0 and window == claim.window):
            key, _, _ = claim.key.rpartition(":")
            charges.append(contract.Charge(f"{key}:{window % BINS}", window, claim.period, rest))
    return tuple(charges)


def debts(taken: Sequence[contract.Claim]) -> tuple[contract.Charge, ...]:
    """What a store that was not asked has to be told of a request that was let in without it."""
    return tuple(
        contract.Charge(claim.key, claim.window, claim.period, claim.amount) for claim in taken if claim.amount
    )


def current(charge: contract.Charge, now: float) -> bool:
    """Whether the charge's window still lasts: later, nobody asks for its count, and its key belongs to another window."""
    return math.floor(now / charge.period) == charge.window


def refund(taken: Sequence[contract.Claim], now: float) -> tuple[contract.Charge, ...]:
    """What to give back for a request that never went to an engine: everything whose window still lasts."""
    return tuple(
        contract.Charge(claim.key, claim.window, claim.period, -claim.amount)
        for claim in taken
        if claim.amount and math.floor(now / claim.period) == claim.window
    )


def standings(asked: Sequence[contract.Claim], taken: contract.Taken, now: float) -> tuple[contract.Standing, ...]:
    """How the limits of a request stand."""
    return tuple(
        contract.Standing(claim.kind, claim.limit, count, max(0.0, claim.ends - now))
        for claim, count in zip(asked, taken.counts, strict=True)
    )


def refusal(
    demand: contract.Demand, asked: Sequence[contract.Claim], taken: contract.Taken, now: float
) -> contract.Refusal:
    """The answer to a request whose claim ``taken.refused`` failed."""
    claim = asked[taken.refused or 0]
    wait = max(1, math.ceil(claim.ends - now))
    who = (
        f"model: {demand.model}"
        if claim.kind is contract.Kind.RPS
        else f"user: {demand.user.name if demand.user else ''}"
    )
    return contract.Refusal(
        kind=claim.kind,
        message=f"{who} has exceeded {claim.kind.name}: {claim.limit}. Try again in {wait} s.",
        error_header=_ERROR_HEADERS[claim.kind],
        retry_after=wait,
        standings=standings(asked, taken, now),
    )


def headers(stand: Sequence[contract.Standing]) -> tuple[tuple[str, str], ...]:
    """``x-ratelimit-limit-…``, ``-remaining-…`` and ``-reset-…`` of every limit there is, in OpenAI's words (``requests``, ``tokens``)."""
    rows: list[tuple[str, str]] = []
    for each in stand:
        if each.limit is None:
            continue
        word = _HEADER_WORDS[each.kind]
        rows.append((f"x-ratelimit-limit-{word}", str(each.limit)))
        rows.append((f"x-ratelimit-remaining-{word}", str(max(0, each.limit - each.used))))
        rows.append((f"x-ratelimit-reset-{word}", f"{math.ceil(each.resets)}s"))
    return tuple(rows)
