"""Users and keys as clients see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.accounts import contract, errors
from brickyard.services import testing
from brickyard.services.users import routes


@pytest.fixture
async def at() -> AsyncIterator[testing.Counter]:
    async with testing.serving() as counter:
        yield counter


async def post(at: testing.Counter, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await at.client.post(path, json=body)
    return answer.status_code, answer.json()


async def test_the_published_requests(at: testing.Counter) -> None:
    """The way of a user as AIBrix' own documentation walks it."""
    demo = {"name": "demo", "rpm": 100, "tpm": 1000}
    tight = {"name": "demo", "rpm": 3, "tpm": 1000}
    said = [
        await post(at, "/CreateUser", demo),
        await post(at, "/ReadUser", {"name": "demo"}),
        await post(at, "/UpdateUser", tight),
        await post(at, "/ReadUser", {"name": "demo"}),
        await post(at, "/DeleteUser", {"name": "demo"}),
    ]
    assert said == [
        (200, {"message": "Created User: demo", "user": demo}),
        (200, {"message": "User: demo", "user": demo}),
        (200, {"message": "Updated User: demo", "user": tight}),
        (200, {"message": "User: demo", "user": tight}),
        (200, {"message": "Deleted User: demo", "user": {"name": "demo", "rpm": 0, "tpm": 0}}),
    ]
    assert await at.store.read("demo") is None


async def test_a_name_that_is_taken_changes_nothing(at: testing.Counter) -> None:
    await post(at, "/CreateUser", {"name": "ada", "rpm": 3})
    asked = {"name": "ada", "rpm": 9, "tpm": 0}
    assert await post(at, "/CreateUser", asked) == (200, {"message": "User: ada exists", "user": asked})
    assert await at.store.read("ada") == contract.User("ada", 3)


# call, what it says of somebody who is not there
NOBODY = [
    ("/ReadUser", "user does not exist"),
    ("/UpdateUser", "User: ada does not exist"),
    ("/DeleteUser", "User: ada does not exist"),
]


@pytest.mark.parametrize(("path", "message"), NOBODY)
async def test_nobody(at: testing.Counter, path: str, message: str) -> None:
    status, said = await post(at, path, {"name": "ada"})
    assert (status, said["error"]["message"], said["error"]["type"]) == (404, message, "invalid_request_error")


# what is wrong with a body, the field that the answer names
BAD_USERS: list[tuple[dict[str, Any], str | None]] = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": " ada"}, "name"),
    ({"name": "x" * 257}, "name"),
    ({"name": 7}, "name"),
    ({"name": "ada", "rpm": -1}, "rpm"),
    ({"name": "ada", "tpm": -1}, "tpm"),
    ({"name": "ada", "rpm": 1.5}, "rpm"),
    ({"name": "ada", "tpm": "1"}, "tpm"),
    ({"name": "ada", "tpm": 2**53}, "tpm"),
    ({"name": "ada", "tpm": None}, "tpm"),
]


@pytest.mark.parametrize(("body", "param"), BAD_USERS)
async def test_a_user_that_cannot_be(at: testing.Counter, body: dict[str, Any], param: str | None) -> None:
    for path in ("/CreateUser", "/UpdateUser"):
        status, said = await post(at, path, body)
        assert (status, said["error"]["param"], said["error"]["type"]) == (422, param, "invalid_request_error")
    assert list(await at.store.users()) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name": "\xff"}'])
async def test_what_is_no_object(at: testing.Counter, body: bytes) -> None:
    answer = await at.client.post("/CreateUser", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


async def test_what_is_not_known_is_passed_over(at: testing.Counter) -> None:
    assert (await post(at, "/CreateUser", {"name": "ada", "colour": "red"}))[0] == 200


async def test_a_list_shows_what_the_gateway_goes_by(at: testing.Counter) -> None:
    for user in (contract.User("b", 3, 1000), contract.User("a"), contract.User("c", -1, 5)):
        await at.store.create(user)
    said = (await at.client.get("/users")).json()
    assert said == {
        "object": "list",
        "data": [
            {"name": "a", "rpm": 0, "tpm": 0, "limits": {"rpm": 100, "tpm": 100_000}},
            {"name": "b", "rpm": 3, "tpm": 1000, "limits": {"rpm": 3, "tpm": 1000}},
            {"name": "c", "rpm": -1, "tpm": 5, "limits": {"rpm": None, "tpm": 5}},
        ],
        "has_more": False,
    }


async def test_a_list_has_pages(at: testing.Counter) -> None:
    for number in range(5):
        await at.store.create(contract.User(f"u{number}"))
    seen: list[str] = []
    more = True
    while more:
        page = (await at.client.get("/users", params={"limit": 2, "after": seen[-1] if seen else ""})).json()
        seen += [row["name"] for row in page["data"]]
        more = page["has_more"]
    assert seen == [f"u{number}" for number in range(5)]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1e3", "\u0662", "99999999999999999999"])
async def test_a_page_that_cannot_be(at: testing.Counter, limit: str) -> None:
    answer = await at.client.get("/users", params={"limit": limit})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "limit")


class TestKeys:
    async def test_a_key_is_shown_once_and_names_its_user(self, at: testing.Counter) -> None:
        await at.store.create(contract.User("ada"))
        answer = await at.client.post("/users/ada/keys", json={"label": "laptop"})
        made = answer.json()
        assert answer.status_code == 201
        assert at.hasher is not None
        found = await at.store.key(at.hasher.digest(made["key"]))
        assert found is not None
        assert (found.user, found.label, found.id) == ("ada", "laptop", made["id"])
        listed = await at.client.get("/users/ada/keys")
        assert listed.json()["data"] == [{each: made[each] for each in ("id", "user", "label", "created")}]
        assert made["key"] not in listed.text
        assert found.digest not in listed.text
        assert made["created"] == "2023-11-14T22:13:20Z"

    async def test_several_and_one_revoked(self, at: testing.Counter) -> None:
        await at.store.create(contract.User("ada"))
        made = [(await at.client.post("/users/ada/keys", json={})).json() for _ in range(3)]
        gone = await at.client.delete(f"/users/ada/keys/{made[1]['id']}")
        assert (gone.status_code, gone.json()["id"]) == (200, made[1]["id"])
        assert (await at.client.delete(f"/users/ada/keys/{made[1]['id']}")).status_code == 404
        left = {row["id"] for row in (await at.client.get("/users/ada/keys")).json()["data"]}
        assert left == {made[0]["id"], made[2]["id"]}

    async def test_nobody_has_none(self, at: testing.Counter) -> None:
        for method, path in (("POST", "/users/ada/keys"), ("GET", "/users/ada/keys"), ("DELETE", "/users/ada/keys/00")):
            answer = await at.client.request(method, path, json={} if method == "POST" else None)
            assert (answer.status_code, answer.json()["error"]["message"]) == (404, "User: ada does not exist")

    async def test_another_users_key_is_not_ones_own(self, at: testing.Counter) -> None:
        for name in ("ada", "bob"):
            await at.store.create(contract.User(name))
        key = (await at.client.post("/users/ada/keys", json={})).json()
        assert (await at.client.delete(f"/users/bob/keys/{key['id']}")).status_code == 404
        assert len(await at.store.keys("ada")) == 1

    async def test_names_may_hold_what_paths_hold(self, at: testing.Counter) -> None:
        await at.store.create(contract.User("org/ada b"))
        answer = await at.client.post("/users/org%2Fada%20b/keys", json={})
        assert (answer.status_code, answer.json()["user"]) == (201, "org/ada b")
        gone = await at.client.delete(f"/users/org/ada%20b/keys/{answer.json()['id']}")
        assert gone.status_code == 200

    async def test_there_are_so_many(self, at: testing.Counter, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routes, "MOST_KEYS", 2)
        await at.store.create(contract.User("ada"))
        codes = [(await at.client.post("/users/ada/keys", json={})).status_code for _ in range(3)]
        assert codes == [201, 201, 409]

    async def test_a_label_is_short(self, at: testing.Counter) -> None:
        await at.store.create(contract.User("ada"))
        answer = await at.client.post("/users/ada/keys", json={"label": "x" * 201})
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "label")

    async def test_without_a_secret_there_are_none(self) -> None:
        async with testing.serving(keys=False) as at:
            await at.store.create(contract.User("ada"))
            answer = await at.client.post("/users/ada/keys", json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "keys_unavailable")
            assert "BRICKYARD_ACCOUNTS_SECRET" in answer.text


async def test_while_the_store_is_away_everybody_is_told(at: testing.Counter) -> None:
    at.store.weather.away = True
    answers = await asyncio.gather(
        at.client.post("/CreateUser", json={"name": "ada"}),
        at.client.post("/ReadUser", json={"name": "ada"}),
        at.client.get("/users/ada/keys"),
    )
    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_unavailable")
        assert answer.headers["retry-after"] == "1"


async def test_a_record_that_cannot_be_read_is_said(at: testing.Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def damaged(name: str) -> None:
        raise errors.DamagedRecordError(f"the record of user {name} cannot be read", hint="write it again")

    monkeypatch.setattr(at.store, "read", damaged)
    status, said = await post(at, "/ReadUser", {"name": "ada"})
    assert (status, said["error"]["message"]) == (500, "the record of user ada cannot be read (write it again)")
