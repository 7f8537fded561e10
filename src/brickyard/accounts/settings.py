"""What an operator may set about accounts. Times are seconds."""

from __future__ import annotations

import dataclasses
import pathlib

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True)
class AccountSettings:
    """Where users, API keys and counts are kept, and what happens while they cannot be had."""

    store: str = settings.field(
        "",
        env="BRICKYARD_STORE",
        secret=True,  # it may hold a password
        help="sqlite:///PATH on one machine, redis://HOST:PORT/DATABASE for several (rediss:// with TLS), memory: for trials. "
        "Empty: the Redis of REDIS_HOST, REDIS_PORT and REDIS_PASSWORD, as AIBrix' manifests set them; without these, memory:.",
    )
    secret: str = settings.field(
        "",
        env="BRICKYARD_ACCOUNTS_SECRET",
        secret=True,
        help="What API keys are hashed with, the same in services and gateways; kept apart from the store.",
    )
    secret_file: pathlib.Path | None = settings.field(
        None, env="BRICKYARD_ACCOUNTS_SECRET_FILE", help="A file with the secret, where it is no variable."
    )
    count_alone: bool = settings.field(
        False,
        env="BRICKYARD_LIMITS_COUNT_ALONE",
        help="While the store is away each gateway counts for itself; otherwise requests with limits are refused.",
    )
    freshness: float = settings.field(
        2.0, env="BRICKYARD_ACCOUNTS_FRESHNESS", help="For how long a user or key that was read is not read again."
    )
    patience: float = settings.field(
        300.0,
        env="BRICKYARD_ACCOUNTS_PATIENCE",
        help="For how long a user or key that was read goes on being known while the store is away.",
    )
