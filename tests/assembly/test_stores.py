"""Addresses become stores, and secrets are found, made and kept."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib

import pytest

from brickyard.accounts import contract, errors, tokens
from brickyard.accounts.stores import memory, redis, sqlite
from brickyard.assembly import stores
from brickyard.lib import clock

# variables, the store they name
NAMED = [
    ({}, "memory:"),
    ({"BRICKYARD_STORE": "sqlite:///a"}, "sqlite:///a"),
    ({"REDIS_HOST": "cache"}, "redis://cache:6379/0"),
    ({"REDIS_HOST": "cache", "REDIS_PORT": "7"}, "redis://cache:7/0"),
    ({"REDIS_HOST": "cache", "REDIS_PASSWORD": "p/w@"}, "redis://:p%2Fw%40@cache:6379/0"),
    ({"REDIS_HOST": "cache", "BRICKYARD_STORE": "redis://other"}, "redis://other"),
    ({"REDIS_PORT": "7"}, "memory:"),
]


@pytest.mark.parametrize(("environ", "store"), NAMED)
def test_the_store_that_variables_name(environ: dict[str, str], store: str) -> None:
    assert stores.load(environ).store == store
    assert stores.load(environ, store="sqlite:///given").store == "sqlite:///given"


async def test_each_kind_is_opened(tmp_path: pathlib.Path) -> None:
    kinds = {
        "memory:": memory.MemoryStore,
        f"sqlite://{tmp_path}/a.db": sqlite.SqliteStore,
        "redis://127.0.0.1:1/0": redis.RedisStore,
    }
    for address, kind in kinds.items():
        async with stores.opened(stores.load({}, store=address)) as accounts:
            assert type(accounts.store) is kind


@pytest.mark.parametrize("address", ["sqlite:a", "sqlite://a", "sqlite://", "postgres://:hush@x", "hush", "redis:x"])
async def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(errors.StoreUnusableError) as refused:
        async with stores.opened(stores.load({}, store=address)):
            pass
    assert refused.value.exit_code == 2
    assert refused.value.hint
    assert ":hush" not in str(refused.value)


class TestSecrets:
    @staticmethod
    async def digest(environ: dict[str, str], store: str) -> str | None:
        async with stores.opened(stores.load(environ, store=store)) as accounts:
            return accounts.hasher.digest("bk-x") if accounts.hasher else None

    async def test_one_machine_has_one_of_its_own(self, tmp_path: pathlib.Path) -> None:
        first = await self.digest({}, f"sqlite://{tmp_path}/accounts.db")
        assert first == await self.digest({}, f"sqlite://{tmp_path}/accounts.db")
        assert first != await self.digest({}, f"sqlite://{tmp_path}/other.db")
        secret = tmp_path / "accounts.secret"
        assert secret.stat().st_mode & 0o777 == 0o600
        assert len(bytes.fromhex(secret.read_text())) == 32
        assert {path.name for path in tmp_path.iterdir() if "secret" in path.name} == {
            "accounts.secret",
            "other.secret",
        }

    def test_all_who_make_it_at_once_get_the_same(self, tmp_path: pathlib.Path) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = set(pool.map(stores._own, [tmp_path / f"{number % 2}.secret" for number in range(64)]))
        assert len(found) == 2

    async def test_several_machines_are_given_one(self, tmp_path: pathlib.Path) -> None:
        file = tmp_path / "secret"
        file.write_text("a secret of enough bytes\n")
        url = "redis://127.0.0.1:1/0"
        named = await self.digest({"BRICKYARD_ACCOUNTS_SECRET": "a secret of enough bytes"}, url)
        assert named is not None
        assert named == await self.digest({"BRICKYARD_ACCOUNTS_SECRET_FILE": str(file)}, url)
        assert await self.digest({}, url) is None

    async def test_a_secret_that_is_none(self, tmp_path: pathlib.Path) -> None:
        for environ in (
            {"BRICKYARD_ACCOUNTS_SECRET": "short"},
            {"BRICKYARD_ACCOUNTS_SECRET_FILE": str(tmp_path / "no")},
        ):
            with pytest.raises(errors.KeysUnavailableError) as refused:
                await self.digest(environ, "memory:")
            assert "short" not in str(refused.value.args).replace("too short", "")
            assert refused.value.hint


async def test_a_store_is_closed_whatever_happens(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with stores.opened(stores.load({}, store=f"sqlite://{tmp_path}/a.db")) as accounts:
            await accounts.store.create(contract.User("ada"))
            raise ZeroDivisionError
    with pytest.raises(errors.StoreAwayError):
        await accounts.store.ping()


async def test_a_gateway_has_its_side_of_what_the_services_wrote(tmp_path: pathlib.Path) -> None:
    given = stores.load({}, store=f"sqlite://{tmp_path}/a.db")
    async with stores.opened(given) as services, stores.access(given, clock.SystemClock()) as gateway:
        await services.store.create(contract.User("ada", 1))
        assert services.hasher is not None
        token = tokens.make(os.urandom)
        await services.store.add_key(contract.ApiKey(services.hasher.digest(token), "ada", 1.0))
        user = await gateway.directory.by_token(token)
        assert user == contract.User("ada", 1)
        admitted = await gateway.limiter.reserve(contract.Demand(user))
        assert not isinstance(admitted, contract.Refusal)
        admitted.settle(7)
        assert isinstance(await gateway.limiter.reserve(contract.Demand(user)), contract.Refusal)
        assert gateway.metrics.outcomes == {"admitted": 1, "rpm": 1}
