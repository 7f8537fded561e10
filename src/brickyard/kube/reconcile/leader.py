"""Lets one of several replicas work: leader election by a Lease, compatible with client-go's.

``run`` waits for the lease, works while it can be renewed, and cancels the work as soon as it may be another's. What is read of
the lease is judged by ``election``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import contract
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import election, errors
from brickyard.lib import clock, logs, tasks, timestamps

log = logs.get(__name__)


class Leader:
    """Holds the Lease ``key`` as ``identity``, which must differ between replicas (a pod's name does)."""

    def __init__(
        self,
        client: contract.Client,
        key: meta.Key,
        identity: str,
        clock: clock.Clock,
        timing: election.Timing | None = None,
    ) -> None:
        self._client = client
        self._key = key
        self._clock = clock
        self._timing = timing or election.Timing()
        self._candidate = election.Candidate(identity, self._timing)
        self._renewed = 0.0
        self.leads = False

    @property
    def lease(self) -> meta.Key:
        """Which Lease decides."""
        return self._key

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the lease, then run ``work`` to its end; release the lease however that comes about.

        Raises:
            LeadershipLost: the lease could not be renewed in time. ``work`` was cancelled and has ended.
        """
        await self._acquire()
        log.info("leading", lease=self._key, identity=self._candidate.identity)
        self.leads = True
        try:
            async with tasks.Scope(f"leader/{self._key.name}") as scope:
                scope.start(self._renew_forever(), name="renew")
                await work()
        finally:
            self.leads = False
            await self._release()

    async def _acquire(self) -> None:
        while True:
            if await self._attempt(self._timing.request_deadline):
                return
            await asyncio.sleep(self._timing.retry_period)

    async def _renew_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._renewed + self._timing.renew_deadline - loop.time()) > 0:
            await asyncio.sleep(min(left, self._timing.retry_period))
            # What is left of the deadline bounds the attempt too: an answer that comes late is no renewal.
            left = self._renewed + self._timing.renew_deadline - loop.time()
            renewed = await self._attempt(min(left, self._timing.request_deadline))
            if not renewed and self._candidate.holder != self._candidate.identity:
                break
        holder = self._candidate.holder or "nobody"
        raise errors.LeadershipLost(f"the lease {self._key}, last seen held by {holder}, was not renewed in time")

    async def _attempt(self, limit: float) -> bool:
        """One try of at most ``limit`` seconds to take or renew; whether the lease is ours."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(limit):
                taken = await self._take()
        except (kube_errors.KubeError, TimeoutError) as error:
            log.debug("lease not written", lease=self._key, error=error)
            return False
        if taken:
            self._renewed = began
        return taken

    async def _take(self) -> bool:
        try:
            lease = await self._client.get(resources.LEASE, self._key.name, self._key.namespace)
        except kube_errors.NotFound:
            lease = None
        # Now, not when it was asked for: its holder may have renewed it in between, and leads from then on.
        now = asyncio.get_running_loop().time()
        self._candidate.observe(lease, now)
        if not self._candidate.may_take(now):
            return False
        spec = self._candidate.spec(timestamps.rfc3339_micro(self._clock.wall()))
        if lease is None:
            metadata = {"name": self._key.name, "namespace": self._key.namespace}
            written = await self._client.create(resources.LEASE, {"metadata": metadata, "spec": spec})
        else:
            # The version that was read goes along: of two that take at once, one is told Conflict.
            written = await self._client.update(resources.LEASE, {**lease, "spec": spec})
        self._candidate.observe(written, now)
        return True

    async def _release(self) -> None:
        with contextlib.suppress(kube_errors.KubeError, TimeoutError):
            async with asyncio.timeout(self._timing.request_deadline):
                lease = await self._client.get(resources.LEASE, self._key.name, self._key.namespace)
                self._candidate.observe(lease, asyncio.get_running_loop().time())
                if self._candidate.holder == self._candidate.identity:
                    spec = self._candidate.released(timestamps.rfc3339_micro(self._clock.wall()))
                    await self._client.update(resources.LEASE, {**lease, "spec": spec})
