"""The endpoint that a session had before.

1. Header ``x-session-id`` holds an ``address:port`` in base64, as an earlier answer gave it: that endpoint, if it is a candidate.
2. Else header ``x-aibrix-session-key``, 1..256 bytes: rendezvous hashing. Each endpoint weighs FNV-1a-64 over the key, a zero byte and
   its ``address:port``; the heaviest is taken, of equals the one whose address sorts first. An endpoint that comes or goes moves only the
   sessions it gets or had.
3. Else any, by chance.

Every answer carries ``x-session-id`` of the endpoint that was chosen.
"""

from __future__ import annotations

import base64
import binascii
import functools
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.api import names
from brickyard.routing import contract, pickers

NAME = "session-affinity"
LONGEST_KEY: Final = 256
"""Bytes of a session key; a longer one is ignored."""
LONGEST_ID: Final = 512
"""Characters of a session id; nothing that was given out is longer."""


class Sticky:
    """1 for the session's endpoint, 0 for all others; all 0 without a session."""

    name = NAME

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        own = sticky(request, snapshot, rows)
        return [1.0 if row == own else 0.0 for row in rows]

    def response_headers(self, endpoint: contract.Endpoint) -> Mapping[str, str]:
        return {names.HEADER_SESSION_ID: session_id(endpoint)}


def sticky(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> int | None:
    """The session's row; None when the request has no session, or its endpoint is gone and it has no key."""
    endpoints = snapshot.endpoints
    if request.session_id:
        authority = _decoded(request.session_id)
        for row in rows:
            if endpoints[row].authority == authority:
                return row
    key = request.session_key.encode(errors="surrogateescape")
    if not 1 <= len(key) <= LONGEST_KEY:
        return None
    state = _hashed(_hashed(_BASIS, key), b"\0")
    heaviest, first, own = -1, "", None
    for row in rows:
        authority = endpoints[row].authority
        weight = _weight(state, authority)
        if weight > heaviest or (weight == heaviest and authority < first):
            heaviest, first, own = weight, authority, row
    return own


def session_id(endpoint: contract.Endpoint) -> str:
    """What ``x-session-id`` holds for an endpoint."""
    return base64.b64encode(endpoint.authority.encode()).decode()


def _decoded(text: str) -> str:
    """The ``address:port`` in a session id; "" when there is none."""
    if len(text) > LONGEST_ID:
        return ""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


_BASIS: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_MASK: Final = (1 << 64) - 1


def _hashed(state: int, data: bytes) -> int:
    """FNV-1a, 64 bits, going on from ``state``."""
    for byte in data:
        state = ((state ^ byte) * _PRIME) & _MASK
    return state


def _weight(state: int, authority: str) -> int:
    """``_hashed(state, authority)`` without going through its bytes again for every session.

    A byte changes the lowest eight bits of the state only, so what stands above them is multiplied and nothing else.
    """
    low = state & 0xFF
    factor, rest = _endpoint(low, authority)
    return ((state - low) * factor + rest) & _MASK


@functools.lru_cache(maxsize=65536)
def _endpoint(low: int, authority: str) -> tuple[int, int]:
    """By what an authority multiplies a state, and what it makes of the state ``low``, 0..255."""
    data = authority.encode()
    return pow(_PRIME, len(data), 1 << 64), _hashed(low, data)


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    return contract.Profile(NAME, filters=(), scorers=((Sticky(), 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint that the session had before",
    needs=frozenset({contract.Need.SESSION}),
    build=profile,
)
