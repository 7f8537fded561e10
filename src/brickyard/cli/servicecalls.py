"""Calls of the services, and their refusals as this command's errors."""

from __future__ import annotations

import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx2

from brickyard.cli import place
from brickyard.lib import errors

TOKEN: Final = "BRICKYARD_SERVICES_TOKEN"  # noqa: S105 - the variable's name
DEADLINE: Final = 10.0


class ServicesUnreachable(errors.BrickyardError):
    """Nobody answers at the services' address."""


class CallRefused(errors.BrickyardError):
    """The services answer, and say no. ``status`` is HTTP's."""

    def __init__(self, message: str, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint if status == 404 else "")
        self.status = status


def url(given: str, data_dir: pathlib.Path | None) -> str:
    """Where the services are: as given, else those of this machine.

    Raises:
        NotRunning: none was given and nothing runs here.
        UsageError: what was given is none, or what runs has no services.
    """
    if given:
        if not given.startswith(("http://", "https://")):
            raise errors.UsageError(f"{given!r} is no URL of services", hint="write it like http://127.0.0.1:8090")
        return given
    home, running = place.running(data_dir)
    if not running.services_url:
        hint = f"`brickyard down{place.option(home)}`, then `brickyard up{place.option(home)}` starts them"
        raise errors.UsageError("what runs here was started without services", hint=hint)
    return running.services_url


class Services:
    """The services at ``address``: ``with Services(…) as services``. ``environ`` may hold their token."""

    def __init__(self, address: str, environ: Mapping[str, str]) -> None:
        token = environ.get(TOKEN, "")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._address = address
        # They are spoken to as they are named: the environment's proxies are for the world outside.
        self._client = httpx2.Client(base_url=address, headers=headers, timeout=DEADLINE, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, hint: str = "", **query: str
    ) -> dict[str, Any]:
        """The JSON object that answers. ``hint`` is the next step where there is nothing by that name.

        Raises:
            ServicesUnreachable: nobody answers within the deadline, or no services do.
            CallRefused: the answer is an error.
        """
        try:
            answer = self._client.request(method, path, json=body, params=query)
            said = answer.json()
        except httpx2.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ServicesUnreachable(
                f"no services answer at {self._address}: {why}", hint="is Brickyard up? `brickyard status`"
            ) from error
        except ValueError as error:
            raise ServicesUnreachable(
                f"what answers at {self._address} is no Brickyard", hint="give another --url"
            ) from error
        if answer.is_success and isinstance(said, dict):
            return said
        refusal = said.get("error") if isinstance(said, dict) else None
        message = refusal.get("message") if isinstance(refusal, dict) else None
        raise CallRefused(str(message or f"the services answered {answer.status_code}"), answer.status_code, hint)

    def users(self) -> list[dict[str, Any]]:
        """All users, page by page."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            page = self.call("GET", "/users", after=found[-1]["name"] if found else "")
            found += page["data"]
            more = bool(page["has_more"] and page["data"])
        return found


def keys(user: str, key: str = "") -> str:
    """The path of a user's keys, or of one."""
    return f"/users/{urllib.parse.quote(user, safe='')}/keys" + (f"/{urllib.parse.quote(key, safe='')}" if key else "")
