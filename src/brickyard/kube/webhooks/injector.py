"""Keeps the ``caBundle`` of named webhook configurations equal to what is to be trusted.

Whoever overwrites it (an upgrade, a person with the manifest) has it put right again: the configurations are watched. A write carries
the version that was read, so nothing else in a configuration is ever undone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer
from brickyard.kube.webhooks import configurations
from brickyard.kube.webhooks import contract as webhooks
from brickyard.lib import backoff, logs, tasks

log = logs.get(__name__)

RETRY = backoff.Backoff(0.2, 2.0, 30.0)


def injected(configuration: resources.Object, ca_bundle: bytes) -> resources.Object:
    """``configuration`` with ``ca_bundle`` in each of its webhooks; the same object when it is there already."""
    wanted = base64.b64encode(ca_bundle).decode()
    listed = configuration.get("webhooks") or []
    if all((each.get("clientConfig") or {}).get("caBundle") == wanted for each in listed):
        return configuration
    changed = [{**each, "clientConfig": {**(each.get("clientConfig") or {}), "caBundle": wanted}} for each in listed]
    return {**configuration, "webhooks": changed}


class Injector:
    """Writes into the configurations ``names``, one per phase."""

    def __init__(self, client: contract.Client, names: Mapping[webhooks.Phase, str]) -> None:
        self._client = client
        self._bundle = b""
        self._changed = asyncio.Event()
        self._caches = {phase: self._cache(phase, name) for phase, name in names.items()}
        self._names = dict(names)

    def trust(self, ca_bundle: bytes) -> None:
        """What is to be trusted from now on."""
        self._bundle = ca_bundle
        self._changed.set()

    def missing(self) -> Sequence[str]:
        """Why not every configuration has what it should have; empty when all is well."""
        if not self._bundle:
            return ("there are no certificates yet",)
        return [reason for phase in self._caches if (reason := self._problem(phase))]

    async def run(self) -> None:
        """Keep the configurations right until cancelled."""
        async with tasks.Scope("webhooks/trust") as scope:
            for phase, cache in self._caches.items():
                scope.start(cache.run(), name=phase.value)
            await self._keep()

    async def _keep(self) -> None:
        failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._inject()
                failures = 0
            except errors.KubeError as error:
                failures += 1
                tell = log.debug if isinstance(error, errors.Conflict) else log.warning
                tell("caBundle not written", failures=failures, error=error)
                await asyncio.sleep(RETRY.delay(failures))
                self._changed.set()

    async def _inject(self) -> None:
        if not self._bundle:
            return
        for phase, cache in self._caches.items():
            held = cache.get("", self._names[phase])
            if held is not None and (new := injected(held, self._bundle)) is not held:
                await self._client.update(configurations.OF_PHASE[phase], new)
                log.info("caBundle written", configuration=self._names[phase])

    def _cache(self, phase: webhooks.Phase, name: str) -> informer.Informer:
        query = contract.Query(field_selector=f"metadata.name={name}")
        cache = informer.Informer(self._client, configurations.OF_PHASE[phase], query)
        cache.subscribe(lambda old, new: self._changed.set())
        return cache

    def _problem(self, phase: webhooks.Phase) -> str:
        held = self._caches[phase].get("", self._names[phase])
        who = f"{configurations.OF_PHASE[phase].kind} {self._names[phase]}"
        if held is None:
            return f"there is no {who}"
        return "" if injected(held, self._bundle) is held else f"{who} has another caBundle than ours"
