"""The services put together: a store of accounts, and what is served over it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Mapping

from brickyard.accounts import settings as account_settings
from brickyard.assembly import stores
from brickyard.lib import clock, settings
from brickyard.services import server
from brickyard.services import settings as services_settings
from brickyard.services.users import routes


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a services process is told."""

    services: services_settings.ServicesSettings
    accounts: account_settings.AccountSettings


def load(
    environ: Mapping[str, str], *, host: str | None = None, port: int | None = None, store: str | None = None
) -> Settings:
    """Settings from ``environ`` and from what was given on the command line, which wins.

    Raises:
        SettingError: a variable does not parse.
    """
    return Settings(
        settings.load(services_settings.ServicesSettings, environ, host=host, port=port),
        stores.load(environ, store=store),
    )


async def serve(given: Settings, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Run the services until ``stop`` is set. ``ready`` hears the port once the listener is open.

    Raises:
        AccountError: the store or the secret cannot be used.
        ServicesError: the listener cannot be opened.
    """
    async with stores.opened(given.accounts) as accounts:
        users = routes.UserService(accounts.store, accounts.hasher, random=os.urandom, time=clock.SystemClock())
        await server.serve([users.service()], given.services, stop, ready=ready)
