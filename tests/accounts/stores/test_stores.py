"""What every store promises."""

from __future__ import annotations

import asyncio
import dataclasses

import hypothesis
import pytest
from hypothesis import strategies as st

from brickyard.accounts import contract
from brickyard.accounts.stores import memory, sqlite
from brickyard.accounts.stores import redis as redis_store

NOW = 1_700_000_000.0
WINDOW = int(NOW // 60)


def claim(
    key: str, amount: int = 1, limit: int | None = None, *, window: int = WINDOW, period: int = 60
) -> contract.Claim:
    return contract.Claim(contract.Kind.RPM, f"test:{key}:{window % 64}", window, period, amount, limit)


def charge(key: str, amount: int, *, window: int = WINDOW) -> contract.Charge:
    return contract.Charge(f"test:{key}:{window % 64}", window, 60, amount)


async def count(store: contract.Counters, key: str, *, window: int = WINDOW, now: float = NOW) -> int:
    asked = (claim(key, 0, window=window),)
    (taken,) = await store.exchange(contract.Batch("", (), (asked,)), now)
    return taken.counts[0]


async def take(store: contract.Counters, *claims: contract.Claim, now: float = NOW) -> contract.Taken:
    (taken,) = await store.exchange(contract.Batch("", (), (claims,)), now)
    return taken


class TestUsers:
    async def test_a_user_is_created_once(self, store: contract.Store) -> None:
        first = contract.User("ada", 3, 1000)
        assert await store.create(first)
        assert not await store.create(contract.User("ada", 9, 9))
        assert not await store.create(first)
        assert await store.read("ada") == first

    async def test_nobody_is_none(self, store: contract.Store) -> None:
        assert await store.read("ada") is None
        assert not await store.update(contract.User("ada"))
        assert not await store.delete("ada")
        assert await store.read("ada") is None

    async def test_update_replaces_and_delete_removes(self, store: contract.Store) -> None:
        await store.create(contract.User("ada", 3, 1000))
        assert await store.update(contract.User("ada", 0, 7))
        assert await store.read("ada") == contract.User("ada", 0, 7)
        assert await store.delete("ada")
        assert await store.read("ada") is None

    async def test_users_are_listed_by_name_in_pages(self, store: contract.Store) -> None:
        names = ["zoë", "a", "B", "a b", "a/b", "a:1", "a*", "日本"]
        for name in names:
            await store.create(contract.User(name, 1, 2))
        assert [user.name for user in await store.users()] == sorted(names)
        assert [user.name for user in await store.users(limit=3)] == sorted(names)[:3]
        assert [user.name for user in await store.users(after=sorted(names)[2], limit=2)] == sorted(names)[3:5]
        assert await store.users(after="\U0010ffff") == []

    async def test_one_of_many_creates(self, store: contract.Store) -> None:
        made = await asyncio.gather(*(store.create(contract.User("ada", rpm)) for rpm in range(1, 21)))
        assert sum(made) == 1
        assert await store.read("ada") == contract.User("ada", made.index(True) + 1)


class TestKeys:
    async def test_a_user_has_several(self, store: contract.Store) -> None:
        await store.create(contract.User("ada"))
        await store.create(contract.User("bob"))
        young, old = contract.ApiKey("f" * 64, "ada", 20.5, "laptop"), contract.ApiKey("a" * 64, "ada", 10.0)
        others = contract.ApiKey("b" * 64, "bob", 15.0)
        for key in (young, old, others):
            assert await store.add_key(key)
        assert list(await store.keys("ada")) == [old, young]
        assert await store.key("f" * 64) == young
        assert await store.key("0" * 64) is None
        assert list(await store.keys("nobody")) == []

    async def test_nobody_has_none(self, store: contract.Store) -> None:
        assert not await store.add_key(contract.ApiKey("a" * 64, "ada", 1.0))
        assert await store.key("a" * 64) is None

    async def test_revoking_happens_once(self, store: contract.Store) -> None:
        key, kept = contract.ApiKey("a" * 64, "ada", 1.0), contract.ApiKey("b" * 64, "ada", 2.0)
        await store.create(contract.User("ada"))
        await store.add_key(key)
        await store.add_key(kept)
        assert await store.revoke(key)
        assert not await store.revoke(key)
        assert await store.key(key.digest) is None
        assert list(await store.keys("ada")) == [kept]

    async def test_keys_go_with_their_user(self, store: contract.Store) -> None:
        key, others = contract.ApiKey("a" * 64, "ada", 1.0), contract.ApiKey("b" * 64, "bob", 1.0)
        for name in ("ada", "bob"):
            await store.create(contract.User(name))
        await store.add_key(key)
        await store.add_key(others)
        await store.delete("ada")
        await store.create(contract.User("ada"))
        assert await store.key(key.digest) is None
        assert list(await store.keys("ada")) == []
        assert await store.key(others.digest) == others


class TestCounts:
    async def test_a_count_is_taken_up_to_its_limit(self, store: contract.Store) -> None:
        seen = [await take(store, claim("a", 1, 3)) for _ in range(5)]
        assert [(taken.counts[0], taken.refused) for taken in seen] == [(1, None), (2, None), (3, None), (3, 0), (3, 0)]

    async def test_one_below_the_limit_is_enough_to_go_over_it(self, store: contract.Store) -> None:
        assert (await take(store, claim("a", 500, 1000))).refused is None
        assert (await take(store, claim("a", 5000, 1000))).refused is None
        assert (await take(store, claim("a", 1, 1000))).refused == 0
        assert await count(store, "a") == 5500

    async def test_a_refused_ask_takes_nothing_from_any(self, store: contract.Store) -> None:
        await take(store, claim("b", 1, 1))
        taken = await take(store, claim("a", 7, 100), claim("b", 1, 1), claim("c", 1, 100))
        assert taken.refused == 1
        assert list(taken.counts) == [0, 1, 0]
        assert [await count(store, key) for key in "abc"] == [0, 1, 0]

    async def test_without_a_limit_it_is_counted(self, store: contract.Store) -> None:
        for _ in range(3):
            assert (await take(store, claim("a", 2, None))).refused is None
        assert await count(store, "a") == 6

    async def test_a_limit_of_nought_refuses(self, store: contract.Store) -> None:
        assert (await take(store, claim("a", 1, 0))).refused == 0

    async def test_another_window_begins_at_nought(self, store: contract.Store) -> None:
        await take(store, claim("a", 5, 5))
        later = claim("a", 1, 5, window=WINDOW + 1)
        assert (await take(store, later, now=NOW + 60)).counts[0] == 1
        assert await count(store, "a") == 5

    async def test_asks_of_a_batch_see_each_other(self, store: contract.Store) -> None:
        batch = contract.Batch("", (), [(claim("a", 1, 2),)] * 4)
        answers = await store.exchange(batch, NOW)
        assert [taken.refused for taken in answers] == [None, None, 0, 0]

    async def test_charges_come_before_asks(self, store: contract.Store) -> None:
        batch = contract.Batch("b1", (charge("a", 10),), ((claim("a", 1, 10),),))
        (taken,) = await store.exchange(batch, NOW)
        assert taken.refused == 0

    async def test_a_batch_is_charged_once(self, store: contract.Store) -> None:
        batch = contract.Batch("b1", (charge("a", 10), charge("b", 1)), ((claim("c"),),))
        await store.exchange(batch, NOW)
        (taken,) = await store.exchange(batch, NOW)
        assert [await count(store, key) for key in "abc"] == [10, 1, 2]
        assert taken.refused is None
        await store.exchange(dataclasses.replace(batch, id="b2", asks=()), NOW)
        assert await count(store, "a") == 20

    async def test_a_count_never_falls_below_nought(self, store: contract.Store) -> None:
        await store.exchange(contract.Batch("b1", (charge("a", -10),)), NOW)
        assert await count(store, "a") == 0
        await store.exchange(contract.Batch("b2", (charge("a", 7), charge("a", -10), charge("a", 2))), NOW)
        assert await count(store, "a") == 2

    async def test_large_numbers_stay_exact(self, store: contract.Store) -> None:
        large = 2**52 + 1
        assert (await take(store, claim("a", large, 2**53))).counts[0] == large
        assert (await take(store, claim("a", 1, 2**53))).counts[0] == large + 1

    async def test_an_empty_batch_and_an_empty_ask(self, store: contract.Store) -> None:
        assert list(await store.exchange(contract.Batch("b1"), NOW)) == []
        (taken,) = await store.exchange(contract.Batch("b1", (), ((),)), NOW)
        assert (list(taken.counts), taken.refused) == ([], None)

    async def test_many_tasks_never_take_more_than_there_is(self, store: contract.Store) -> None:
        taken = await asyncio.gather(*(take(store, claim("a", 1, 50), claim("b", 3, None)) for _ in range(120)))
        assert sum(each.refused is None for each in taken) == 50
        assert [await count(store, "a"), await count(store, "b")] == [50, 150]
        assert sorted(each.counts[0] for each in taken if each.refused is None) == list(range(1, 51))

    async def test_it_answers(self, store: contract.Store) -> None:
        await store.ping()


asks = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 12))),
    min_size=1,
    max_size=3,
)
steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(-4, 6)), max_size=3),
        st.lists(asks, max_size=3),
        st.booleans(),
    ),
    max_size=8,
)


@hypothesis.given(steps)
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_all_stores_count_alike(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[list[tuple[str, int]], list[list[tuple[str, int, int | None]]], bool]],
) -> None:
    """Random batches, some sent twice, are answered as the memory's counters answer them."""

    async def compare() -> None:
        other: contract.Store
        if kind == "redis":
            other = redis_store.RedisStore(request.getfixturevalue("redis_url"))
            await other._client.flushdb()
        else:
            other = sqlite.SqliteStore.open(tmp_path_factory.mktemp("alike") / "a.db")
        try:
            model = memory.MemoryCounters()
            for number, (charges, asked, twice) in enumerate(steps):
                batch = contract.Batch(
                    f"b{number}",
                    [charge(key, amount) for key, amount in charges],
                    [
                        [claim(key, amount, limit) for key, amount, limit in dict.fromkeys(each)]
                        for each in distinct(asked)
                    ],
                )
                for _ in range(2 if twice else 1):
                    expected = model.apply(batch, NOW)
                    found = await other.exchange(batch, NOW)
                    assert [(list(t.counts), t.refused) for t in found] == [
                        (list(t.counts), t.refused) for t in expected
                    ]
        finally:
            await other.aclose()

    asyncio.run(compare())


def distinct(asked: list[list[tuple[str, int, int | None]]]) -> list[list[tuple[str, int, int | None]]]:
    """A request takes from a counter once."""
    return [list({key: (key, amount, limit) for key, amount, limit in each}.values()) for each in asked]
