"""Where accounts are kept, from the settings: the store, what API keys are hashed with, and a gateway's side of both."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import tempfile
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Final

from brickyard.accounts import contract, directory, errors, limiter, metrics, tokens
from brickyard.accounts import settings as account_settings
from brickyard.accounts.stores import memory, sqlite
from brickyard.api.names import environment, ports
from brickyard.lib import clock, settings

_SQLITE: Final = "sqlite://"
MEMORY: Final = "memory:"
"""The address of a store that nobody else sees."""
_REDIS: Final = ("redis://", "rediss://", "unix://")


@dataclasses.dataclass(frozen=True, slots=True)
class Accounts:
    """An open store, and the hasher of API keys; None: no secret was given, there are no keys."""

    store: contract.Store
    hasher: tokens.Hasher | None


def load(environ: Mapping[str, str], *, store: str | None = None) -> account_settings.AccountSettings:
    """Settings from ``environ``; ``store`` from the command line wins.

    Raises:
        SettingError: a variable does not parse.
    """
    loaded = settings.load(account_settings.AccountSettings, environ, store=store)
    return loaded if loaded.store else dataclasses.replace(loaded, store=_original(environ))


def _original(environ: Mapping[str, str]) -> str:
    """The store as AIBrix' manifests name it: host, port and password of a Redis."""
    host = environ.get(environment.REDIS_HOST, "")
    if not host:
        return MEMORY
    password = environ.get(environment.REDIS_PASSWORD, "")
    secret = f":{urllib.parse.quote(password, safe='')}@" if password else ""
    return f"redis://{secret}{host}:{environ.get(environment.REDIS_PORT) or ports.REDIS}/0"


@contextlib.asynccontextmanager
async def opened(given: account_settings.AccountSettings) -> AsyncIterator[Accounts]:
    """The store that ``given`` names, closed on leaving. A server that is away is no error here: it may come.

    Raises:
        StoreUnusableError: the address or the file cannot be used.
        KeysUnavailableError: the secret is too short, or its file cannot be read.
    """
    hasher = await asyncio.to_thread(_hasher, given)
    store = await asyncio.to_thread(_open, given.store)
    try:
        yield Accounts(store, hasher)
    finally:
        await store.aclose()


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """What a gateway needs to know who asks and whether they may; ``metrics`` is a collector of both's series."""

    directory: directory.Directory
    limiter: limiter.Limiter
    metrics: metrics.AccountMetrics


@contextlib.asynccontextmanager
async def access(given: account_settings.AccountSettings, time: clock.Clock) -> AsyncIterator[Access]:
    """A gateway's side of the store that ``given`` names; on leaving, what is unsettled is sent. Raises as ``opened``."""
    counted = metrics.AccountMetrics()
    async with opened(given) as accounts:
        known = directory.Directory(
            accounts.store,
            accounts.hasher,
            time=time,
            freshness=given.freshness,
            patience=given.patience,
            counted=counted,
        )
        limits = limiter.Limiter(
            accounts.store,
            batch_ids=lambda: uuid.uuid4().hex,
            time=time,
            count_alone=given.count_alone,
            counted=counted,
        )
        async with contextlib.aclosing(known), limits:
            yield Access(known, limits, counted)


def is_redis(address: str) -> bool:
    """The store is a server that other programs may look into."""
    return address.startswith(_REDIS)


def _open(address: str) -> contract.Store:
    if address.startswith(_SQLITE):
        return sqlite.SqliteStore.open(_path(address))
    if is_redis(address):
        return _redis(address)
    if address == MEMORY:
        return memory.MemoryStore()
    raise errors.StoreUnusableError(
        f"{address.partition(':')[0] or 'nothing'} is no kind of store",
        hint="write sqlite:///PATH, redis://HOST:PORT/DATABASE or memory:",
    )


def _redis(address: str) -> contract.Store:
    try:
        from brickyard.accounts.stores import redis  # noqa: PLC0415 - its client is an extra
    except ImportError as error:
        raise errors.StoreUnusableError(
            "Redis' client is not installed", hint="pip install 'brickyard[redis]'"
        ) from error
    return redis.RedisStore(address)


def _path(address: str) -> pathlib.Path:
    path = pathlib.Path(address.removeprefix(_SQLITE))
    if not path.is_absolute():
        raise errors.StoreUnusableError(f"{address} names no file", hint="write sqlite:///, then an absolute path")
    return path


def _hasher(given: account_settings.AccountSettings) -> tokens.Hasher | None:
    if given.secret:
        return tokens.Hasher(given.secret.encode())
    if given.secret_file is not None:
        return tokens.Hasher(_read(given.secret_file))
    if given.store.startswith(_SQLITE):
        return tokens.Hasher(_own(_path(given.store).with_suffix(".secret")))
    return tokens.Hasher(os.urandom(tokens.BYTES)) if given.store == MEMORY else None


def _own(path: pathlib.Path) -> bytes:
    """The secret of one machine, beside its store, made when it is first asked for; whole or not at all, whoever else makes it."""
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Readable by its owner only, from the first moment.
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}-") as draft:
                draft.write(os.urandom(tokens.BYTES).hex())
                draft.flush()
                os.fsync(draft.fileno())
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(draft.name)
        except OSError as error:
            raise errors.StoreUnusableError(
                f"cannot keep a secret in {path}: {error.strerror}", hint="give a store in a folder that can be written"
            ) from error
    return _read(path)


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise errors.KeysUnavailableError(
            f"the secret in {path} cannot be read: {error.strerror}",
            hint="mend its owner and mode, or name another file",
        ) from error
