"""GPU profiles in Redis or Valkey, where AIBrix' optimizer writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from redis import exceptions

from brickyard.api.names import redis as names
from brickyard.gateway import redislink
from brickyard.gateway.endpoints import gpuprofiles

DEADLINE: Final = 5.0
"""Seconds for one look at all profiles."""
AT_ONCE: Final = 50
"""Profiles in one answer."""


class RedisProfiles:
    """The server at ``url``, as the store of accounts names it. Connects when it is first needed."""

    def __init__(self, url: str) -> None:
        self._client = redislink.client(url, DEADLINE)

    async def texts(self) -> Mapping[str, bytes]:
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._texts()
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise gpuprofiles.ProfilesAwayError(
                f"Redis does not serve: {error or type(error).__name__}", hint="see that it runs, and what its log says"
            ) from error

    async def _texts(self) -> Mapping[str, bytes]:
        keys: set[bytes] = set()  # a scan may tell a key twice
        async for key in self._client.scan_iter(match=f"{names.GPU_PROFILE_PREFIX}*", count=1000, _type="string"):
            keys.add(key)
            if len(keys) >= gpuprofiles.MOST:
                break
        found: dict[str, bytes] = {}
        ordered = sorted(keys)
        for begin in range(0, len(ordered), AT_ONCE):
            some = ordered[begin : begin + AT_ONCE]
            texts: list[bytes | None] = await self._client.mget(some)  # type: ignore[assignment]  # typed for clients that decode
            found |= {key.decode(errors="replace"): text for key, text in zip(some, texts, strict=True) if text}
        return found

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._client.aclose()
