"""Asks a gateway for a decision it remembers."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import orjson

from brickyard.lib import errors

DEADLINE = 10.0
LAST = "last"
"""Stands for the id of the latest request."""


class NoSuchDecision(errors.BrickyardError):
    """The gateway does not hold it (any more)."""


class GatewayUnreachable(errors.BrickyardError):
    """Nobody answers at the gateway's address."""


def fetch(gateway_url: str, request_id: str) -> dict[str, Any]:
    """The decision of ``request_id`` (``last``: the latest), as ``routing.explain`` gives it.

    Raises:
        NoSuchDecision: the gateway does not hold it.
        GatewayUnreachable: there is no gateway there.
    """
    url = f"{gateway_url.rstrip('/')}/debug/requests/{urllib.parse.quote(request_id, safe='')}"
    if not url.startswith(("http://", "https://")):
        raise errors.UsageError(f"{gateway_url!r} is no URL of a gateway", hint="write it like http://127.0.0.1:8888")
    try:
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - http(s) only, checked above
            told: dict[str, Any] = orjson.loads(answer.read())
            return told
    except urllib.error.HTTPError as error:
        with error:
            if request_id == LAST:
                raise NoSuchDecision("no request has been routed yet", hint="send one, and ask again") from error
            hint = "the gateway remembers the latest few thousand requests; the last one: `brickyard why --last`"
            raise NoSuchDecision(f"no decision for {request_id!r} is held", hint=hint) from error
    except OSError as error:
        raise GatewayUnreachable(
            f"no gateway answers at {gateway_url}", hint="is Brickyard up? `brickyard status`"
        ) from error
