"""Records in Redis or Valkey, where AIBrix' optimizer reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import orjson
from redis import exceptions

from brickyard.gateway import redislink
from brickyard.gateway.optimizer import contract

DEADLINE: Final = 1.0
"""Seconds for a connection, and for an answer."""

# KEYS: one record. ARGV: its numbers as JSON, seconds to keep it, then the names that do not add up.
_ADD: Final = """
local record = cjson.decode(ARGV[1])
local read, before = pcall(cjson.decode, redis.call('GET', KEYS[1]) or '{}')
local fixed = {}
for index = 3, #ARGV do fixed[ARGV[index]] = true end
if read and type(before) == 'table' then
  for name, count in pairs(before) do
    if type(count) == 'number' and not fixed[name] then record[name] = (record[name] or 0) + count end
  end
end
redis.call('SET', KEYS[1], cjson.encode(record), 'EX', ARGV[2])
"""


class RedisRecords:
    """The server at ``url``, as the store of accounts names it. Connects when it is first needed."""

    def __init__(self, url: str) -> None:
        self._client = redislink.client(url, DEADLINE)
        self._add = self._client.register_script(_ADD)

    async def add(self, records: Mapping[str, contract.Record]) -> None:
        # One after the other: a script whose answer was lost may have run, and is not sent again.
        try:
            async with asyncio.timeout(2 * DEADLINE):
                for key, record in records.items():
                    words: list[bytes | int | str] = [orjson.dumps(dict(record)), contract.KEPT, *contract.CONSTANTS]
                    await self._add(keys=[key], args=words)
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise contract.RecordsAwayError(
                f"Redis does not serve: {error or type(error).__name__}", hint="see that it runs, and what its log says"
            ) from error

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._client.aclose()
