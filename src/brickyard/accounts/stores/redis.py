"""Accounts in Redis or Valkey, for any number of machines: users and counts under the original's keys.

Whatever must happen at once is a script. One server, or one that is replicated; a Redis Cluster does not take scripts over keys of several
slots. Nothing is tried again here: a script whose answer was lost may have run, and only the caller knows what a second run does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import redis.asyncio
from redis import exceptions
from redis.asyncio import retry
from redis.backoff import NoBackoff

from brickyard.accounts import contract, errors, users
from brickyard.api.names import redis as names
from brickyard.lib import logs

log = logs.get(__name__)

DEADLINE: Final = 1.0
"""Seconds for a turn, for a connection, and for an answer."""
REMEMBERED: Final = 600
_CONNECTIONS: Final = 16
_PAGE: Final = 1000

# KEYS: the batch's marker, the charges' keys, the claims' keys.
# ARGV: charges, seconds a marker stays, (amount, period) of each charge, asks, of each ask: claims, (amount, limit or "", period) of each.
_EXCHANGE: Final = """
local at, key = 0, 1
local function number() at = at + 1; return tonumber(ARGV[at]) end
local function count(name) return math.max(0, tonumber(redis.call('GET', name)) or 0) end
local function put(name, value, period) redis.call('SET', name, string.format('%.0f', value), 'EX', period) end

local charges, remembered = number(), number()
local first = charges > 0 and redis.call('SET', KEYS[1], 1, 'NX', 'EX', remembered)
for _ = 1, charges do
  key = key + 1
  local amount, period = number(), number()
  if first then put(KEYS[key], math.max(0, count(KEYS[key]) + amount), period) end
end

local answers = {}
for _ = 1, number() do
  local claims, refused, answer = {}, 0, {}
  for index = 1, number() do
    key = key + 1
    local claim = {name = KEYS[key], amount = number(), limit = number(), period = number()}
    claims[index] = claim
    claim.count = count(claim.name)
    if refused == 0 and claim.limit and claim.count >= claim.limit then refused = index end
  end
  for index, claim in ipairs(claims) do
    if refused == 0 then
      claim.count = claim.count + claim.amount
      put(claim.name, claim.count, claim.period)
    end
    answer[index + 1] = claim.count
  end
  answer[1] = refused
  table.insert(answers, answer)
end
return answers
"""
# KEYS: the user, the set of their keys. ARGV: what the names of keys begin with.
_DELETE: Final = """
for _, digest in ipairs(redis.call('SMEMBERS', KEYS[2])) do redis.call('DEL', ARGV[1] .. digest) end
redis.call('DEL', KEYS[2])
return redis.call('DEL', KEYS[1])
"""
# KEYS: the user, the set of their keys, the key. ARGV: the key's hash, its record.
_ADD_KEY: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[3], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
# KEYS: the key, the set of its user's keys. ARGV: the key's hash.
_REVOKE: Final = """
redis.call('SREM', KEYS[2], ARGV[1])
return redis.call('DEL', KEYS[1])
"""


class RedisStore:
    """The server at ``url`` (``redis://[user:password@]host[:port][/database]``, ``rediss://`` with TLS, ``unix://path``)."""

    def __init__(self, url: str) -> None:
        try:
            pool = redis.asyncio.BlockingConnectionPool.from_url(
                url,
                timeout=DEADLINE,
                socket_timeout=DEADLINE,
                socket_connect_timeout=DEADLINE,
                max_connections=_CONNECTIONS,
                retry=retry.Retry(NoBackoff(), 0),
                client_name="brickyard",
            )
        except ValueError as error:
            # The address itself may hold a password: it is not repeated.
            raise errors.StoreUnusableError(
                f"the store's address cannot be read: {error}", hint="write redis://host:port/database"
            ) from error
        # Callers beyond the pool's connections wait their turn, for the deadline at most.
        self._client = redis.asyncio.Redis.from_pool(pool)
        self._exchange = self._client.register_script(_EXCHANGE)
        self._delete = self._client.register_script(_DELETE)
        self._add_key = self._client.register_script(_ADD_KEY)
        self._revoke = self._client.register_script(_REVOKE)

    async def exchange(self, batch: contract.Batch, now: float) -> Sequence[contract.Taken]:
        del now  # windows are told by their keys, and keys go by themselves
        keys = [names.BATCH_PREFIX + batch.id, *(charge.key for charge in batch.charges)]
        words: list[int | str] = [len(batch.charges), REMEMBERED]
        for charge in batch.charges:
            words += [charge.amount, charge.period]
        words.append(len(batch.asks))
        for asked in batch.asks:
            keys += [claim.key for claim in asked]
            words.append(len(asked))
            for claim in asked:
                words += [claim.amount, "" if claim.limit is None else claim.limit, claim.period]
        with _answering():
            answers: list[list[int]] = await self._exchange(keys=keys, args=words)
        return [contract.Taken(counts, refused - 1 if refused else None) for refused, *counts in answers]

    async def create(self, user: contract.User) -> bool:
        with _answering():
            return bool(await self._client.set(_user(user.name), users.encode(user), nx=True))

    async def read(self, name: str) -> contract.User | None:
        with _answering():
            raw = _raw(await self._client.get(_user(name)))
        return None if raw is None else users.decode(name, raw)

    async def update(self, user: contract.User) -> bool:
        with _answering():
            return bool(await self._client.set(_user(user.name), users.encode(user), xx=True))

    async def delete(self, name: str) -> bool:
        with _answering():
            return bool(await self._delete(keys=[_user(name), _keys(name)], args=[names.API_KEY_PREFIX]))

    async def users(self, *, after: str = "", limit: int = 1000) -> Sequence[contract.User]:
        with _answering():
            found = {raw async for raw in self._client.scan_iter(match=_user("*"), count=_PAGE)}
        named = sorted(name for name in map(_name, found) if name > after)[:limit]
        listed: list[contract.User] = []
        for start in range(0, len(named), _PAGE):
            page = named[start : start + _PAGE]
            for name, raw in zip(page, await self._many(list(map(_user, page))), strict=True):
                if raw is not None:
                    _append_readable(listed, name, raw)
        return listed

    async def add_key(self, key: contract.ApiKey) -> bool:
        with _answering():
            names_ = [_user(key.user), _keys(key.user), _key(key.digest)]
            return bool(await self._add_key(keys=names_, args=[key.digest, users.encode_key(key)]))

    async def keys(self, user: str) -> Sequence[contract.ApiKey]:
        with _answering():
            members = await self._client.smembers(_keys(user))
        digests = [member.decode() if isinstance(member, bytes) else member for member in members]
        raws = await self._many(list(map(_key, digests)))
        found = [users.decode_key(digest, raw) for digest, raw in zip(digests, raws, strict=True) if raw is not None]
        return sorted(found, key=lambda key: (key.created, key.digest))

    async def key(self, digest: str) -> contract.ApiKey | None:
        with _answering():
            raw = _raw(await self._client.get(_key(digest)))
        return None if raw is None else users.decode_key(digest, raw)

    async def revoke(self, key: contract.ApiKey) -> bool:
        with _answering():
            return bool(await self._revoke(keys=[_key(key.digest), _keys(key.user)], args=[key.digest]))

    async def _many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        with _answering():
            return [_raw(each) for each in await self._client.mget(keys)]

    async def ping(self) -> None:
        with _answering():
            await self._client.ping()

    async def aclose(self) -> None:
        await self._client.aclose()


def _append_readable(listed: list[contract.User], name: str, raw: bytes) -> None:
    try:
        listed.append(users.decode(name, raw))
    except errors.DamagedRecordError as error:
        log.warning("a user is left out of the list", user=name, error=error)


def _raw(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _user(name: str) -> str:
    return names.USER_PREFIX + name


def _name(key: bytes) -> str:
    return key.decode(errors="replace").removeprefix(names.USER_PREFIX)


def _keys(user: str) -> str:
    return names.USER_KEYS_PREFIX + user


def _key(digest: str) -> str:
    return names.API_KEY_PREFIX + digest


@contextlib.contextmanager
def _answering() -> Iterator[Any]:
    """What Redis' client raises, as this room's error."""
    try:
        yield
    except (exceptions.RedisError, OSError, TimeoutError) as error:
        raise errors.StoreAwayError(
            f"Redis does not serve: {error or type(error).__name__}", hint="see that it runs, and what its log says"
        ) from error
