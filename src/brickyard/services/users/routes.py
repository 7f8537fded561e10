"""Users and keys over HTTP.

| call                            | answer                                                       | else                               |
|---------------------------------|--------------------------------------------------------------|------------------------------------|
| POST /CreateUser                | 200 Created User: X; taken: 200 User: X exists, what was asked for | 422                          |
| POST /ReadUser                  | 200 User: X                                                  | 404 user does not exist            |
| POST /UpdateUser                | 200 Updated User: X                                          | 404 User: X does not exist, 422    |
| POST /DeleteUser                | 200 Deleted User: X, what was asked for                      | 404 User: X does not exist         |
| GET /users                      | 200 a page of users                                          | 422                                |
| POST /users/{name}/keys         | 201 the key, this once                                       | 404, 409, 422, 503 without a secret |
| GET /users/{name}/keys          | 200 the keys, without what they are                          | 404                                |
| DELETE /users/{name}/keys/{id}  | 200 the key that was revoked                                 | 404                                |

The first four are the original's, to the letter. All of them answer 503 while the store is away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from starlette import requests, responses

from brickyard.accounts import contract as accounts
from brickyard.accounts import errors as account_errors
from brickyard.accounts import tokens, users
from brickyard.lib import clock, logs
from brickyard.services import answers, contract
from brickyard.services.users import shapes

log = logs.get(__name__)

PAGE: Final = 1000
"""Users in a page, where nothing else is asked for, and at most."""
MOST_KEYS: Final = 100
"""API keys of one user."""
LONGEST_LABEL: Final = 200


class UserService:
    """Writes users and keys to ``store``. ``hasher`` None: no API keys; ``random`` gives unpredictable bytes."""

    def __init__(
        self,
        store: accounts.Store,
        hasher: tokens.Hasher | None,
        *,
        random: Callable[[int], bytes],
        time: clock.Clock,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._random = random
        self._time = time

    def service(self) -> contract.Service:
        """Its operations."""
        made, body = {200: shapes.UserAnswer}, shapes.UserBody
        one = "/users/{name:path}/keys"
        rows = [
            contract.Operation("POST", "/CreateUser", self._create, "Add a user", body, made),
            contract.Operation("POST", "/ReadUser", self._read, "Show a user; only the name is asked for", body, made),
            contract.Operation("POST", "/UpdateUser", self._update, "Replace a user's limits", body, made),
            contract.Operation("POST", "/DeleteUser", self._delete, "Remove a user and their API keys", body, made),
            contract.Operation(
                "GET",
                "/users",
                self._list,
                "List users by name",
                answers={200: shapes.UserList},
                query={"after": "The name after which the page begins", "limit": f"Users in the page, 1 to {PAGE}"},
            ),
            contract.Operation("POST", one, self._make_key, "Make an API key", shapes.KeyBody, {201: shapes.NewKey}),
            contract.Operation("GET", one, self._list_keys, "List a user's API keys", answers={200: shapes.KeyList}),
            contract.Operation(
                "DELETE", one + "/{id}", self._revoke, "Revoke an API key", answers={200: shapes.KeyRow}
            ),
        ]
        return contract.Service("users", rows, self._unready)

    async def _unready(self) -> str:
        try:
            await self._store.ping()
        except account_errors.StoreAwayError as error:
            return str(error)
        return ""

    async def _create(self, request: requests.Request) -> responses.Response:
        user = await _wanted(request)
        if await self._store.create(user):
            log.info("user created", user=user.name, rpm=user.rpm, tpm=user.tpm)
            return _said(f"Created User: {user.name}", user)
        return _said(f"User: {user.name} exists", user)

    async def _read(self, request: requests.Request) -> responses.Response:
        asked = await answers.read(request, shapes.UserBody)
        found = await self._store.read(users.check_name(asked.name))
        if found is None:
            raise answers.refuse(404, "user does not exist")
        return _said(f"User: {found.name}", found)

    async def _update(self, request: requests.Request) -> responses.Response:
        user = await _wanted(request)
        if not await self._store.update(user):
            raise _nobody(user.name)
        log.info("user updated", user=user.name, rpm=user.rpm, tpm=user.tpm)
        return _said(f"Updated User: {user.name}", user)

    async def _delete(self, request: requests.Request) -> responses.Response:
        user = await _wanted(request)
        if not await self._store.delete(user.name):
            raise _nobody(user.name)
        log.info("user deleted", user=user.name)
        return _said(f"Deleted User: {user.name}", user)

    async def _list(self, request: requests.Request) -> responses.Response:
        limit = _limit(request.query_params.get("limit", ""))
        found = await self._store.users(after=request.query_params.get("after", ""), limit=limit + 1)
        page = [shapes.row(user) for user in found[:limit]]
        return _json(shapes.UserList(page, len(found) > limit))

    async def _make_key(self, request: requests.Request) -> responses.Response:
        name = request.path_params["name"]
        label = (await answers.read(request, shapes.KeyBody)).label
        if len(label) > LONGEST_LABEL:
            raise answers.refuse(422, f"a label may have {LONGEST_LABEL} characters", param="label")
        if self._hasher is None:
            raise answers.refuse(
                503,
                "API keys are off: set BRICKYARD_ACCOUNTS_SECRET for services and gateways",
                code="keys_unavailable",
            )
        if len(await self._keys_of(name)) >= MOST_KEYS:
            raise answers.refuse(409, f"{name} has {MOST_KEYS} API keys: revoke one first", code="too_many_keys")
        token = tokens.make(self._random)
        key = accounts.ApiKey(self._hasher.digest(token), name, self._time.wall(), label)
        if not await self._store.add_key(key):
            raise _nobody(name)
        log.info("API key made", user=name, key=key.id)
        return _json(shapes.new_key(key, token), 201)

    async def _list_keys(self, request: requests.Request) -> responses.Response:
        found = await self._keys_of(request.path_params["name"])
        return _json(shapes.KeyList([shapes.key(key) for key in found]))

    async def _revoke(self, request: requests.Request) -> responses.Response:
        name, wanted = request.path_params["name"], request.path_params["id"]
        for key in await self._keys_of(name):
            if key.id == wanted and await self._store.revoke(key):
                log.info("API key revoked", user=name, key=key.id)
                return _json(shapes.key(key))
        raise answers.refuse(404, f"{name} has no API key {wanted}", param="id")

    async def _keys_of(self, name: str) -> list[accounts.ApiKey]:
        """The keys of a user who is there."""
        if await self._store.read(name) is None:
            raise _nobody(name)
        return list(await self._store.keys(name))


async def _wanted(request: requests.Request) -> accounts.User:
    asked = await answers.read(request, shapes.UserBody)
    return users.check(accounts.User(asked.name, asked.rpm, asked.tpm))


def _said(message: str, user: accounts.User) -> responses.Response:
    return _json(shapes.UserAnswer(message, shapes.user(user)))


def _nobody(name: str) -> Exception:
    return answers.refuse(404, f"User: {name} does not exist", param="name")


def _limit(text: str) -> int:
    limit = (
        PAGE if not text else int(text) if text.isascii() and text.isdigit() and len(text) < len(str(PAGE)) + 1 else 0
    )
    if not 1 <= limit <= PAGE:
        raise answers.refuse(422, f"limit is a number from 1 to {PAGE}", param="limit")
    return limit


def _json(content: Any, status: int = 200) -> responses.Response:
    return answers.answer(msgspec.to_builtins(content), status)
