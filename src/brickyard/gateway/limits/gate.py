"""The gate before the models.

| request carries | whose it is |
|---|---|
| an API key of ours (``Authorization: Bearer`` or ``x-api-key``) | its user's, whatever the ``user`` header says |
| the operator's bearer token | the ``user`` header's, else nobody's |
| another token, and none is required | the same: clients must send something, and engines may know it |
| a ``user`` header | that user's, who must exist |
| nothing | nobody's, if neither a token nor a key is required |

Our own keys stay here; the operator's token and unknown ones travel on, as they do with AIBrix.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, Protocol

from brickyard.accounts import contract as accounts
from brickyard.accounts import errors as accounts_errors
from brickyard.accounts import tokens, windows
from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import contract, errors
from brickyard.gateway.limits import settings
from brickyard.routing import contract as routing

_AUTHORIZATION: Final = names.HEADER_AUTHORIZATION.encode()
_API_KEY: Final = names.HEADER_API_KEY.encode()
_USER: Final = names.HEADER_USER.encode()
_SECRETS: Final = frozenset((_AUTHORIZATION, _API_KEY))
_NO_SECRETS: Final[frozenset[bytes]] = frozenset()
_SCHEME: Final = "bearer "


class Directory(Protocol):
    """Who somebody is; ``accounts.directory`` is one."""

    async def by_name(self, name: str) -> accounts.User | None: ...

    async def by_token(self, token: str) -> accounts.User | None: ...


class Limiter(Protocol):
    """Whether somebody may go on; ``accounts.limiter`` is one."""

    async def reserve(self, demand: accounts.Demand) -> accounts.Reservation | accounts.Refusal: ...


class Gate:
    """Lets requests in; see ``gateway.contract.Gate``. ``directory`` None: there are no accounts, a user is a name and has no limits."""

    def __init__(self, given: settings.GateSettings, directory: Directory | None, limiter: Limiter) -> None:
        self._settings = given
        self._bearer = _hashed(given.bearer_token) if given.bearer_token else b""
        self._directory = directory
        self._limiter = limiter
        self._always = bool(self._bearer) or given.require_key

    def concerns(self, notes: Mapping[bytes, bytes], model_rps: int | None) -> bool:
        if self._always or model_rps is not None:
            return True
        return self._directory is not None and (_USER in notes or _AUTHORIZATION in notes or _API_KEY in notes)

    async def admit(
        self, notes: Mapping[bytes, bytes], request: routing.Request, model_rps: int | None
    ) -> contract.Admission:
        try:
            user, secrets = await self._identify(notes)
            demand = accounts.Demand(user, request.model, model_rps, _expected(request) if user is not None else 0)
            answer = await self._limiter.reserve(demand)
        except accounts_errors.StoreAwayError as error:
            raise errors.RefusedError(
                openai.ApiError(
                    503, f"limits cannot be counted now: {error}. Try again shortly.", "service_unavailable"
                ),
                (("retry-after", "2"), (names.ERROR_USER, "true")),
            ) from error
        except accounts_errors.AccountError as error:
            raise errors.RefusedError(openai.ApiError(500, f"{error}"), ((names.ERROR_USER, "true"),)) from error
        if isinstance(answer, accounts.Refusal):
            raise errors.RefusedError(
                openai.ApiError(429, answer.message, "rate_limit_exceeded"),
                (
                    (answer.error_header, "true"),
                    ("retry-after", str(answer.retry_after)),
                    *windows.headers(answer.standings),
                ),
            )
        metered = user is not None and user.tokens_per_minute is not None
        lines = "".join(f"{name}: {value}\r\n" for name, value in windows.headers(answer.standings))
        return contract.Admission(user.name if user is not None else "", answer, lines.encode(), metered, secrets)

    async def _identify(self, notes: Mapping[bytes, bytes]) -> tuple[accounts.User | None, frozenset[bytes]]:
        """Whose request it is, and the fields that must not travel on.

        Raises:
            RefusedError: 401.
        """
        token = _token(notes)
        if token and self._directory is not None and tokens.plausible(token):
            user = await self._directory.by_token(token)
            if user is None:
                raise _unknown_key("Incorrect API key provided: it is unknown or was revoked")
            return user, _SECRETS
        if self._bearer and not (token and hmac.compare_digest(_hashed(token), self._bearer)):
            raise _unknown_key("Incorrect API key provided")
        if self._settings.require_key and not self._bearer:
            said = "Incorrect API key provided" if token else "an API key is required"
            raise _unknown_key(f"{said}: send a user's as Authorization: Bearer …")
        return await self._named(notes), _NO_SECRETS

    async def _named(self, notes: Mapping[bytes, bytes]) -> accounts.User | None:
        name = notes.get(_USER, b"").decode("latin-1").strip()
        if not name or self._directory is None or not self._settings.trust_user_header:
            return None
        user = await self._directory.by_name(name)
        if user is None:
            raise errors.RefusedError(
                openai.ApiError(
                    401,
                    f"user {name[:200]!r} does not exist: create it, or leave the user header out",
                    "invalid_user",
                    "user",
                ),
                ((names.ERROR_USER, "true"),),
            )
        return user


def _token(notes: Mapping[bytes, bytes]) -> str:
    """The secret that the client shows; "" for none. A bearer token goes before an API key."""
    given = notes.get(_AUTHORIZATION, b"").decode("latin-1").strip()
    if given[: len(_SCHEME)].lower() == _SCHEME:
        return given[len(_SCHEME) :].strip()
    return notes.get(_API_KEY, b"").decode("latin-1").strip()


def _hashed(token: str) -> bytes:
    """Of one length whatever the token's is, so that comparing tells nothing."""
    return hashlib.sha256(token.encode()).digest()


def _expected(request: routing.Request) -> int:
    """Tokens to hold for a request until its engine tells: its prompt's, and what it may generate at most."""
    return request.input_tokens + (request.max_tokens or 0)


def _unknown_key(message: str) -> errors.RefusedError:
    return errors.RefusedError(
        openai.ApiError(401, message, "invalid_api_key", "api_key"), (("www-authenticate", "Bearer"),)
    )
