"""Tells people what was done and why, as Event objects beside the object it was done to (``kubectl describe`` shows them).

``record`` only queues; ``run`` writes. When the API is slow or away, the queue fills and further events are dropped and counted: what is
told must never hold up what is done.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import meta, names
from brickyard.kube.reconcile import correlator
from brickyard.lib import backoff, clock, logs, timestamps

log = logs.get(__name__)

NORMAL = "Normal"
WARNING = "Warning"

QUEUE = 1000
MESSAGE_LIMIT = 1024
_ATTEMPTS = 5
_RETRY = backoff.Backoff(0.2, 2.0, 5.0)
_DEFAULT_NAMESPACE = "default"


@dataclasses.dataclass(frozen=True, slots=True)
class _Occurrence:
    told: correlator.Told
    involved: resources.Object
    at: float
    name: str


class EventRecorder:
    """Records events as ``component`` (and ``host``, where it is bound to one machine)."""

    def __init__(self, client: contract.Client, component: str, clock: clock.Clock, *, host: str = "") -> None:
        self.dropped = 0
        self._client = client
        self._component = component
        self._host = host
        self._clock = clock
        self._correlator = correlator.Correlator()
        self._queue: collections.deque[_Occurrence] = collections.deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._moment = 0

    def record(
        self,
        obj: Mapping[str, Any],
        severity: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
    ) -> None:
        """Tell that ``reason`` happened to ``obj``. Never blocks, never raises.

        Args:
            obj: the object, with apiVersion, kind and metadata.
            severity: the Event's ``type``, ``Normal`` or ``Warning``.
            reason: one CamelCase word, for machines.
            message: a sentence, for people; cut at 1024 characters.
            field_path: which part of the object, such as ``spec.containers{main}``.
        """
        if len(self._queue) >= QUEUE:
            self.dropped += 1
            return
        text = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
        told = correlator.Told(meta.uid(obj) or str(meta.key(obj)), severity, reason, text, field_path)
        now = self._clock.wall()
        self._queue.append(_Occurrence(told, _involved(obj, field_path), now, self._name(meta.name(obj), now)))
        self._empty.clear()
        self._wake.set()

    def _name(self, subject: str, now: float) -> str:
        """The time makes it unique among the events of one object, as Kubernetes does it; no moment is used twice."""
        self._moment = max(int(now * 1e9), self._moment + 1)
        return f"{names.truncated(subject or 'unknown', names.SUBDOMAIN_LIMIT - 20)}.{self._moment:x}"

    async def flush(self, timeout: float) -> None:
        """Wait until everything recorded so far is written or given up; ``run`` must be running.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            await self._empty.wait()

    async def run(self) -> None:
        """Write what is recorded until cancelled."""
        while True:
            while self._queue:
                await self._tell(self._queue[0])
                self._queue.popleft()
            self._empty.set()
            self._wake.clear()
            await self._wake.wait()

    async def _tell(self, what: _Occurrence) -> None:
        verdict, record = self._correlator.judge(what.told, what.at)
        if verdict is correlator.Verdict.DROP:
            self.dropped += 1
            return
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._write(what, record)
            except errors.KubeError as error:
                if not error.retryable or attempt == _ATTEMPTS:
                    self.dropped += 1
                    log.warning("event is lost", reason=what.told.reason, object=what.involved.get("name"), error=error)
                    return
                await asyncio.sleep(error.retry_after or _RETRY.delay(attempt))
            else:
                return

    async def _write(self, what: _Occurrence, record: correlator.Record) -> None:
        namespace = what.involved.get("namespace") or _DEFAULT_NAMESPACE
        if record.name:
            patch = {"count": record.count, "lastTimestamp": timestamps.rfc3339(record.last)}
            try:
                await self._client.patch(resources.EVENT, (namespace, record.name), patch)
            except errors.NotFound:
                # Events are kept for a while only: this one has expired, so its successor is told anew.
                record.name = ""
            else:
                return
        # One that exists is ours: the answer to an earlier attempt was lost.
        with contextlib.suppress(errors.AlreadyExists):
            await self._client.create(resources.EVENT, self._event(what, record, namespace))
        record.name = what.name

    def _event(self, what: _Occurrence, record: correlator.Record, namespace: str) -> resources.Object:
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        return {
            "apiVersion": resources.EVENT.api_version,
            "kind": resources.EVENT.kind,
            "metadata": {"name": what.name, "namespace": namespace},
            "involvedObject": what.involved,
            "type": what.told.type,
            "reason": what.told.reason,
            "message": what.told.message,
            "source": source,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
            "firstTimestamp": timestamps.rfc3339(record.first),
            "lastTimestamp": timestamps.rfc3339(record.last),
            "count": record.count,
        }


def _involved(obj: Mapping[str, Any], field_path: str) -> resources.Object:
    key = meta.key(obj)
    reference = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": key.namespace,
        "name": key.name,
        "uid": meta.uid(obj),
        "resourceVersion": meta.resource_version(obj),
        "fieldPath": field_path,
    }
    return {name: value for name, value in reference.items() if value}
