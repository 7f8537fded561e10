"""Reads the JSON pages that a gateway has about itself."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import Any

import orjson

from brickyard.lib import errors

DEADLINE = 10.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A gateway is spoken to as it is named: the environment's proxies are for the world outside."""


class GatewayUnreachable(errors.BrickyardError):
    """Nobody answers at the gateway's address."""


class PageRefused(errors.BrickyardError):
    """The gateway answers, but not with that page."""


def text(gateway_url: str, path: str, *, deadline: float = DEADLINE) -> bytes:
    """What the gateway has at ``path``.

    Raises:
        UsageError: ``gateway_url`` is none.
        GatewayUnreachable: there is no gateway there, or it was silent for ``deadline`` seconds.
        PageRefused: it has no such page.
    """
    if not gateway_url.startswith(("http://", "https://")):
        raise errors.UsageError(f"{gateway_url!r} is no URL of a gateway", hint="write it like http://127.0.0.1:8888")
    try:
        with _DIRECT.open(f"{gateway_url.rstrip('/')}{path}", timeout=deadline) as answer:
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            raise PageRefused(f"{gateway_url}{path} answered {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise GatewayUnreachable(
            f"nobody answers at {gateway_url}: {why}", hint="is Brickyard up? `brickyard status`"
        ) from error


def ask(url: str, path: str, *, deadline: float = DEADLINE) -> str:
    """Why nobody answers at ``url``, "" when somebody does."""
    try:
        text(url, path, deadline=deadline)
    except errors.BrickyardError as error:
        return str(error)
    return ""


def document(gateway_url: str, path: str, *, deadline: float = DEADLINE) -> dict[str, Any]:
    """The JSON object at ``path``; raises as ``text``, and ``PageRefused`` when it is none."""
    body = text(gateway_url, path, deadline=deadline)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise PageRefused(f"{gateway_url}{path} is no page of a Brickyard gateway")
    return found
