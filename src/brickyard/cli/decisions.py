"""Asks a gateway for a decision it remembers."""

from __future__ import annotations

import urllib.parse
from typing import Any

from brickyard.cli import gatewaypages
from brickyard.lib import errors

LAST = "last"
"""Stands for the id of the latest request."""


class NoSuchDecision(errors.BrickyardError):
    """The gateway does not hold it (any more)."""


def fetch(gateway_url: str, request_id: str) -> dict[str, Any]:
    """The decision of ``request_id`` (``last``: the latest), as ``routing.explain`` gives it.

    Raises:
        NoSuchDecision: the gateway does not hold it.
        GatewayUnreachable: there is no gateway there.
    """
    try:
        return gatewaypages.document(gateway_url, f"/debug/requests/{urllib.parse.quote(request_id, safe='')}")
    except gatewaypages.PageRefused as error:
        if request_id == LAST:
            raise NoSuchDecision("no request has been routed yet", hint="send one, and ask again") from error
        hint = "the gateway remembers the latest few thousand requests; the last one: `brickyard why --last`"
        raise NoSuchDecision(f"no decision for {request_id!r} is held", hint=hint) from error
