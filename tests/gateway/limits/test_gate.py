"""The gate's table, row by row, over a real directory and limiter in memory."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.accounts import contract as accounts
from brickyard.accounts import directory, limiter, testing, tokens
from brickyard.gateway import contract, errors
from brickyard.gateway.limits import gate, settings
from brickyard.lib import clock
from brickyard.routing import contract as routing

HASHER = tokens.Hasher(b"a secret that is long enough")
KEY, STALE = (tokens.make(lambda count, seed=seed: bytes([seed]) * count) for seed in (1, 2))  # type: ignore[misc]
ASKED = routing.Request("r", "m", "/v1/completions", b"x" * 400, max_tokens=50)


class World:
    """A gate, its store and its clock."""

    def __init__(self, store: testing.FlakyStore, time: clock.ManualClock, made: gate.Gate) -> None:
        self.store, self.time, self.gate = store, time, made

    async def admit(self, rps: int | None = None, **headers: str) -> contract.Admission:
        notes = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        assert self.gate.concerns(notes, rps)
        return await self.gate.admit(notes, ASKED, rps)

    async def refused(self, rps: int | None = None, **headers: str) -> errors.RefusedError:
        with pytest.raises(errors.RefusedError) as caught:
            await self.admit(rps, **headers)
        return caught.value


@contextlib.asynccontextmanager
async def world(*, accounts_there: bool = True, **given: Any) -> AsyncIterator[World]:
    store, time = testing.FlakyStore(), clock.ManualClock(1_700_000_000.0)
    await store.create(accounts.User("ann", 2, 1000))
    await store.create(accounts.User("free", -1, -1))
    await store.add_key(accounts.ApiKey(HASHER.digest(KEY), "ann", 0.0))
    ids = map(str, itertools.count())
    known = directory.Directory(store, HASHER, time=time)
    async with contextlib.aclosing(known), limiter.Limiter(store, batch_ids=lambda: next(ids), time=time) as limits:
        made = gate.Gate(settings.GateSettings(**given), known if accounts_there else None, limits)
        yield World(store, time, made)


async def test_a_key_names_its_user_whatever_the_header_says_and_stays_here() -> None:
    async with world() as house:
        ways: tuple[dict[str, Any], ...] = ({"authorization": f"bearer {KEY}"}, {"x_api_key": KEY})
        for headers in ways:
            admission = await house.admit(user="free", **headers)
            assert (admission.user, admission.metered) == ("ann", True)
            assert admission.secrets == {b"authorization", b"x-api-key"}


async def test_a_user_header_names_who_must_exist() -> None:
    async with world() as house:
        assert (await house.admit(user="ann")).user == "ann"
        refused = await house.refused(user="bob")
        assert (refused.error.status, refused.error.code) == (401, "invalid_user")
        assert ("x-error-user", "true") in refused.headers


async def test_other_tokens_are_the_engines_business_unless_one_is_required() -> None:
    async with world() as house:
        admission = await house.admit(authorization="Bearer sk-other")
        assert (admission.user, admission.secrets, admission.metered) == ("", frozenset(), False)
    async with world(require_key=True) as house:
        wrong, none = await house.refused(authorization="Bearer sk-other"), await house.refused()
        assert (
            (wrong.error.status, wrong.error.code) == (none.error.status, none.error.code) == (401, "invalid_api_key")
        )
        assert str(wrong).startswith("Incorrect API key provided: send")
        assert str(none).startswith("an API key is required: send")
        assert (await house.admit(authorization=f"Bearer {KEY}")).user == "ann"


@pytest.mark.parametrize("given", ["Bearer right", "BEARER  right ", "bearer right"])
async def test_the_operators_token_opens(given: str) -> None:
    async with world(bearer_token="right") as house:
        assert (await house.admit(authorization=given)).user == ""
        assert (await house.admit(authorization=given, user="ann")).user == "ann"


@pytest.mark.parametrize("given", ["Bearer wrong", "Basic right", "right", "Bearer", ""])
async def test_nothing_else_does(given: str) -> None:
    async with world(bearer_token="right") as house:
        refused = await house.refused(authorization=given)
        assert (refused.error.status, refused.error.code, refused.error.param) == (401, "invalid_api_key", "api_key")


async def test_a_revoked_key_is_told_so() -> None:
    async with world() as house:
        assert "revoked" in (await house.refused(authorization=f"Bearer {STALE}")).error.message


async def test_without_accounts_a_user_is_a_name() -> None:
    async with world(accounts_there=False) as house:
        assert not house.gate.concerns({b"user": b"bob", b"authorization": b"Bearer x"}, None)
        assert (await house.admit(5, user="bob")).user == ""


async def test_requests_per_minute_end_with_429_and_begin_again() -> None:
    async with world() as house:
        standing = (await house.admit(user="ann")).headers
        assert b"x-ratelimit-limit-requests: 2\r\n" in standing
        assert b"x-ratelimit-remaining-requests: 1\r\n" in standing
        (await house.admit(user="ann")).reservation.settle(10)
        refused = await house.refused(user="ann")
        names = dict(refused.headers)
        assert (refused.error.status, refused.error.code) == (429, "rate_limit_exceeded")
        assert names["x-error-rpm-exceeded"] == "true"
        assert 1 <= int(names["retry-after"]) <= 60
        house.time.advance(60.0)
        assert (await house.admit(user="ann")).user == "ann"


async def test_tokens_are_held_for_prompt_and_answer_and_given_back() -> None:
    async with world() as house:
        admission = await house.admit(user="ann")
        assert b"x-ratelimit-remaining-tokens: 850\r\n" in admission.headers
        admission.reservation.settle(30)
        assert b"x-ratelimit-remaining-tokens: 820\r\n" in (await house.admit(user="ann")).headers


async def test_a_models_limit_counts_everyone() -> None:
    async with world() as house:
        assert (await house.admit(1)).user == ""
        refused = await house.refused(1)
        assert refused.error.status == 429
        assert ("x-error-model-rps-exceeded", "true") in refused.headers


async def test_who_has_no_limits_is_not_metered() -> None:
    async with world() as house:
        admission = await house.admit(user="free")
        assert (admission.user, admission.metered, admission.headers) == ("free", False, b"")


async def test_a_store_that_is_away_is_told_and_to_be_tried_again() -> None:
    async with world() as house:
        house.store.weather.away = True
        refused = await house.refused(user="ann")
        assert (refused.error.status, refused.error.code) == (503, "service_unavailable")
        assert "retry-after" in dict(refused.headers)


async def test_the_user_header_may_be_distrusted() -> None:
    async with world(trust_user_header=False) as house:
        assert (await house.admit(user="ann")).user == ""
