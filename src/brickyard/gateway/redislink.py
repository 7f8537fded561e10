"""How the gateway reaches Redis: with a deadline, and nothing is sent a second time, since whoever asks knows whether it may be."""

from __future__ import annotations

import redis.asyncio
from redis.asyncio import retry
from redis.backoff import NoBackoff


def client(url: str, deadline: float, name: str = "brickyard") -> redis.asyncio.Redis:
    """A client of the server at ``url`` that connects when it is first needed. ``deadline`` seconds hold for connecting and for an answer.

    Raises:
        ValueError: ``url`` is no address of a Redis. It may hold a password, and so may the error's words.
    """
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=deadline,
        socket_connect_timeout=deadline,
        retry=retry.Retry(NoBackoff(), 0),
        client_name=name,
    )
