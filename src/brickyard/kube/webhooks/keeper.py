"""Keeps one Secret's certificates good, together with every other replica that does the same.

Each replica watches the Secret, so a renewal by one is served by all within moments. A write carries the version that was read: of
two replicas that renew at once one is refused, reads what the other made, and is content.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from brickyard.api.kinds import resources
from brickyard.kube.client import contract
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.informers import informer
from brickyard.kube.objects import meta
from brickyard.kube.webhooks import certificates, errors, plan, rotation
from brickyard.lib import backoff, clock, logs, tasks

log = logs.get(__name__)

RETRY = backoff.Backoff(0.2, 2.0, 30.0)
LONGEST_WAIT = 3600.0
"""Seconds after which the Secret is looked at again whatever the plan says: wall clocks jump."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Which Secret, and who its certificates are about."""

    key: meta.Key
    subject: certificates.Subject
    lives: plan.Lives = dataclasses.field(default_factory=plan.Lives)


class Keeper:
    """``publish`` is called with every bundle that is to be served and trusted from now on, on the loop, and must not block."""

    def __init__(
        self,
        client: contract.Client,
        source: Source,
        clock_: clock.Clock,
        publish: Callable[[certificates.Bundle], None],
    ) -> None:
        self._client = client
        self._source = source
        self._clock = clock_
        self._publish = publish
        self._published = ""
        self._changed = asyncio.Event()
        query = contract.Query(namespace=source.key.namespace, field_selector=f"metadata.name={source.key.name}")
        self._secrets = informer.Informer(client, resources.SECRET, query)
        self._secrets.subscribe(lambda old, new: self._changed.set())

    async def run(self) -> None:
        """Keep the certificates until cancelled. An API that is away is waited for."""
        async with tasks.Scope("webhooks/certificates") as scope:
            scope.start(self._secrets.run(), name="secret")
            await self._keep()

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._changed.clear()
            try:
                wait = await self.check()
                failures = 0
            except kube_errors.KubeError as error:
                failures += 1
                wait = RETRY.delay(failures)
                log.warning("webhook certificates cannot be kept", secret=self._source.key, error=error)
            try:
                async with asyncio.timeout(min(wait, LONGEST_WAIT)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def check(self) -> float:
        """Read the Secret, renew what has to be, publish what is new; seconds until it is to be checked again.

        Raises:
            KubeError: the Secret cannot be read or written.
        """
        secret = await self._read()
        bundle = self._understood(secret)
        now = self._clock.wall()
        source = self._source
        state = None if bundle is None else rotation.state(bundle, source.subject)
        decided = plan.plan(state, source.lives, now)
        if decided.action is not plan.Action.KEEP:
            log.info(
                "webhook certificates change", secret=source.key, action=decided.action.value, reason=decided.reason
            )
            made = rotation.carried_out(decided, bundle, source.subject, source.lives, now)
            try:
                secret = await self._write(secret, made)
            except (kube_errors.Conflict, kube_errors.AlreadyExists):
                return 0.0  # another replica was faster: look at what it made
            bundle = made
        if bundle is not None and meta.resource_version(secret or {}) != self._published:
            self._published = meta.resource_version(secret or {})
            self._publish(bundle)
        return decided.check_after

    async def _read(self) -> resources.Object | None:
        try:
            return await self._client.get(resources.SECRET, self._source.key.name, self._source.key.namespace)
        except kube_errors.NotFound:
            return None

    def _understood(self, secret: resources.Object | None) -> certificates.Bundle | None:
        if secret is None or not secret.get("data"):
            return None
        try:
            return certificates.from_secret(secret["data"])
        except errors.CertificateError as error:
            log.warning("the webhooks' Secret is not usable, making its certificates anew", error=error)
            return None

    async def _write(self, secret: resources.Object | None, bundle: certificates.Bundle) -> resources.Object:
        data = certificates.to_secret(bundle)
        if secret is None:
            metadata = {"name": self._source.key.name, "namespace": self._source.key.namespace}
            return await self._client.create(resources.SECRET, {"metadata": metadata, "type": "Opaque", "data": data})
        merged = {**(secret.get("data") or {}), **data}
        return await self._client.update(resources.SECRET, {**secret, "data": merged})
