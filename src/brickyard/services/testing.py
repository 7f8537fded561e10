"""The services without a listener: an application over a store of the test's own, and a client in front of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Callable

import httpx2

from brickyard.accounts import tokens
from brickyard.accounts.testing import FlakyStore
from brickyard.lib import clock
from brickyard.services import app
from brickyard.services import settings as services_settings
from brickyard.services.users import routes


@dataclasses.dataclass
class Counter:
    """Services that can be asked: ``client`` speaks to ``application``, which works on ``store``."""

    client: httpx2.AsyncClient
    application: app.App
    store: FlakyStore
    hasher: tokens.Hasher | None


@contextlib.asynccontextmanager
async def serving(
    *,
    settings: services_settings.ServicesSettings | None = None,
    keys: bool = True,
    random: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[Counter]:
    """The user service over memory. ``keys`` False: no secret was given."""
    store = FlakyStore()
    hasher = tokens.Hasher(b"s" * 32) if keys else None
    time = clock.ManualClock()
    users = routes.UserService(store, hasher, random=random, time=time)
    application = app.App([users.service()], settings or services_settings.ServicesSettings(), time=time)
    transport = httpx2.ASGITransport(app=application.asgi)
    with contextlib.closing(application):
        async with httpx2.AsyncClient(transport=transport, base_url="http://services") as client:
            yield Counter(client, application, store, hasher)
