"""The optimizer's profiles, from the store where it writes them to the ledger that slo strategies read.

    aibrix:profile_<model>_<deployment>   JSON, see ``routing.policies.slo.profiles``

The store is asked every ten seconds. A profile that cannot be read is left aside and said so once; one that is gone is forgotten; while the
store is away, what was read holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from brickyard.api.names import redis
from brickyard.gateway import errors
from brickyard.lib import logs
from brickyard.routing import errors as routing
from brickyard.routing.policies.slo import objectives, profiles

log = logs.get(__name__)

EVERY: Final = 10.0
"""Seconds between two looks."""
MOST: Final = 4096
"""Profiles that are read; a store with more of them is not the optimizer's."""
LONGEST: Final = 1024 * 1024
"""Bytes of a profile."""


class ProfilesAwayError(errors.GatewayError):
    """The store of profiles did not answer."""


class Source(Protocol):
    """Where profiles are written."""

    async def texts(self) -> Mapping[str, bytes]:
        """Every profile, as written, by its key; at most ``MOST``. Answers within a few seconds.

        Raises:
            ProfilesAwayError: it did not answer.
        """
        ...


class GpuProfiles:
    """Keeps ``known`` as ``source`` says."""

    def __init__(self, source: Source, known: objectives.SloLedger) -> None:
        self._source = source
        self._known = known
        self._taken: dict[str, tuple[int, tuple[str, str] | None]] = {}
        self._away = False

    async def follow(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Take over what changed."""
        try:
            texts = await self._source.texts()
        except ProfilesAwayError as error:
            if not self._away:
                log.warning("GPU profiles stay as they were", error=error)
            self._away = True
            return
        self._away = False
        for key in self._taken.keys() - texts.keys():
            self._forget(key)
        for key, text in sorted(texts.items()):
            self._take(key, text)

    def _take(self, key: str, text: bytes) -> None:
        digest = hash(text)
        if key in self._taken and self._taken[key][0] == digest:
            return
        try:
            model, profile = read(key, text)
        except routing.GpuProfileError as error:
            log.warning("GPU profile left aside", key=key, error=error)
            self._taken[key] = (digest, self._taken[key][1] if key in self._taken else None)
            return
        self._taken[key] = (digest, (model, profile.deployment))
        self._known.learn(model, profile)

    def _forget(self, key: str) -> None:
        _, name = self._taken.pop(key)
        if name is not None:
            self._known.forget(*name)


def read(key: str, text: bytes) -> tuple[str, profiles.GpuProfile]:
    """The model and its profile for a deployment. Only the profile says where in the key the one's name ends and the other's begins.

    Raises:
        GpuProfileError: it has another shape, is too long, or belongs under another key.
    """
    if len(text) > LONGEST:
        raise routing.GpuProfileError(f"a GPU profile of {len(text)} bytes is too long: at most {LONGEST}")
    profile = profiles.parse(text)
    model, found, rest = key.removeprefix(redis.GPU_PROFILE_PREFIX).rpartition(f"_{profile.deployment}")
    if not model or not found or rest:
        raise routing.GpuProfileError(f"the profile is of {profile.deployment!r}, and its key {key!r} is of another")
    return model, profile
