from __future__ import annotations

import asyncio
import os

import pytest

from brickyard.accounts import contract, directory, errors, testing, tokens
from brickyard.lib import clock

ADA = contract.User("ada", 3, 1000)
HASHER = tokens.Hasher(b"s" * 32)


@pytest.fixture
async def store() -> testing.FlakyStore:
    made = testing.FlakyStore()
    await made.create(ADA)
    return made


@pytest.fixture
def time() -> clock.ManualClock:
    return clock.ManualClock()


@pytest.fixture
def known(store: testing.FlakyStore, time: clock.ManualClock) -> directory.Directory:
    return directory.Directory(store, HASHER, time=time, freshness=2, patience=300)


async def key_of(store: testing.FlakyStore, user: str) -> tuple[str, contract.ApiKey]:
    token = tokens.make(os.urandom)
    key = contract.ApiKey(HASHER.digest(token), user, 1.0)
    assert await store.add_key(key)
    return token, key


async def test_a_user_is_found_and_not_read_again_at_once(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    for _ in range(5):
        assert await known.by_name("ada") == ADA
    assert store.reads == 1
    await store.update(contract.User("ada", 9))
    time.advance(1.9)
    assert await known.by_name("ada") == ADA
    time.advance(0.2)
    assert await known.by_name("ada") == contract.User("ada", 9)


async def test_nobody_is_remembered_as_briefly(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    assert await known.by_name("bob") is None
    await store.create(contract.User("bob"))
    assert await known.by_name("bob") is None
    assert store.reads == 1
    time.advance(2)
    assert await known.by_name("bob") == contract.User("bob")


@pytest.mark.parametrize("name", ["", " a", "x" * 300, "a\nb"])
async def test_what_is_no_name_is_not_asked_for(
    known: directory.Directory, store: testing.FlakyStore, name: str
) -> None:
    assert await known.by_name(name) is None
    assert store.reads == 0


async def test_a_key_names_its_user_until_it_is_revoked(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    token, key = await key_of(store, "ada")
    other, _ = await key_of(store, "ada")
    assert await known.by_token(token) == ADA
    assert await known.by_token(tokens.make(os.urandom)) is None
    await store.revoke(key)
    time.advance(2)
    assert await known.by_token(token) is None
    assert await known.by_token(other) == ADA


async def test_a_key_ends_with_its_user(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    token, _ = await key_of(store, "ada")
    assert await known.by_token(token) == ADA
    await store.delete("ada")
    time.advance(2)
    assert await known.by_token(token) is None


async def test_what_is_no_token_of_ours_is_not_asked_for(known: directory.Directory, store: testing.FlakyStore) -> None:
    for text in ("", "sk-abc", "bk-short", "x" * 10_000):
        assert await known.by_token(text) is None
    assert store.reads == 0


async def test_without_a_secret_there_are_no_keys(store: testing.FlakyStore, time: clock.ManualClock) -> None:
    token, _ = await key_of(store, "ada")
    assert await directory.Directory(store, None, time=time).by_token(token) is None


async def test_a_name_is_no_key(known: directory.Directory, store: testing.FlakyStore) -> None:
    _, key = await key_of(store, "ada")
    assert await known.by_name(key.digest) is None


async def test_the_known_stay_known_while_the_store_is_away(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    assert await known.by_name("ada") == ADA
    assert await known.by_name("bob") is None
    store.weather.away = True
    time.advance(299)
    assert await known.by_name("ada") == ADA
    with pytest.raises(errors.StoreAwayError):
        await known.by_name("bob")
    with pytest.raises(errors.StoreAwayError):
        await known.by_name("carl")
    time.advance(1)
    with pytest.raises(errors.StoreAwayError):
        await known.by_name("ada")
    store.weather.away = False
    assert await known.by_name("ada") == ADA


async def test_somebody_who_was_removed_is_not_known_while_the_store_is_away(
    known: directory.Directory, store: testing.FlakyStore, time: clock.ManualClock
) -> None:
    assert await known.by_name("ada") == ADA
    await store.delete("ada")
    time.advance(2)
    assert await known.by_name("ada") is None
    store.weather.away = True
    time.advance(2)
    with pytest.raises(errors.StoreAwayError):
        await known.by_name("ada")


@pytest.mark.looptime
async def test_callers_share_a_read_and_one_who_leaves_leaves_it_to_the_others(
    known: directory.Directory, store: testing.FlakyStore
) -> None:
    store.weather.delay = 1
    store.reads = 0
    callers = [asyncio.create_task(known.by_name("ada")) for _ in range(10)]
    await asyncio.sleep(0.5)
    callers[0].cancel()
    assert await asyncio.gather(*callers[1:]) == [ADA] * 9
    assert store.reads == 1


@pytest.mark.looptime
async def test_reads_are_bounded(
    known: directory.Directory, store: testing.FlakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST_READS", 3)
    store.weather.delay = 1
    found = await asyncio.gather(*(known.by_name(f"u{number}") for number in range(5)), return_exceptions=True)
    assert [type(each) for each in found] == [type(None)] * 3 + [errors.StoreAwayError] * 2


@pytest.mark.looptime
async def test_closing_ends_reads(known: directory.Directory, store: testing.FlakyStore) -> None:
    store.weather.delay = 1e6
    caller = asyncio.create_task(known.by_name("ada"))
    await asyncio.sleep(0.1)
    await known.aclose()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_invented_names_do_not_push_out_the_real_ones(
    known: directory.Directory, store: testing.FlakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST_UNKNOWN", 4)
    assert await known.by_name("ada") == ADA
    for number in range(50):
        assert await known.by_name(f"u{number}") is None
    assert len(known._unknown) == 4
    reads = store.reads
    assert await known.by_name("ada") == ADA
    assert store.reads == reads


async def test_the_known_are_bounded(
    known: directory.Directory, store: testing.FlakyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "MOST_KNOWN", 4)
    for number in range(10):
        await store.create(contract.User(f"u{number}"))
        assert await known.by_name(f"u{number}") is not None
    assert list(known._known) == ["name:u6", "name:u7", "name:u8", "name:u9"]
