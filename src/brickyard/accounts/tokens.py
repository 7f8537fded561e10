"""API keys: what a token looks like, and the hash that is kept of it.

A token is ``bk-`` and 256 random bits. It is kept as HMAC-SHA-256 under a secret that does not lie in the store. Slow hashes (scrypt,
argon2) make guessing *passwords* dear; 256 random bits cannot be guessed at any price, and a slow hash would cost each request tens
of milliseconds. What the secret adds: who reads the store cannot try tokens against it, and who writes to it cannot make one.

A token is found by its hash, not compared with others, and nobody without the secret can choose hashes: how long that takes tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from brickyard.accounts import errors

PREFIX: Final = "bk-"
BYTES: Final = 32
SHORTEST_SECRET: Final = 16
_LENGTH: Final = len(PREFIX) + 43


class Hasher:
    """Hashes tokens under ``secret``.

    Raises:
        KeysUnavailableError: the secret is too short to be one.
    """

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise errors.KeysUnavailableError(
                f"a secret of {len(secret)} bytes is too short to hash API keys with",
                hint=f"give {SHORTEST_SECRET} random bytes or more: `openssl rand -hex 32`",
            )
        self._keyed = hmac.new(b"brickyard api keys\0" + secret, digestmod=hashlib.sha256)

    def __repr__(self) -> str:
        return "Hasher(…)"

    def digest(self, token: str) -> str:
        """64 hex digits."""
        state = self._keyed.copy()
        state.update(token.encode())
        return state.hexdigest()


def make(random: Callable[[int], bytes]) -> str:
    """A new token; ``random`` gives that many unpredictable bytes (``os.urandom``)."""
    return PREFIX + base64.urlsafe_b64encode(random(BYTES)).rstrip(b"=").decode()


def plausible(token: str) -> bool:
    """Whether ``token`` can be one of ours: worth asking a store for."""
    return len(token) == _LENGTH and token.startswith(PREFIX) and token.isascii()
