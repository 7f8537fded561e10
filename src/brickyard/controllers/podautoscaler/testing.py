"""For tests of autoscalers: objects as an API would hand them out, a source of metrics with dials, and a world to put them in."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import prometheus_client

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.controllers import pages, settings
from brickyard.controllers.podautoscaler import wiring
from brickyard.controllers.podautoscaler.sources import contract as sources
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions
from brickyard.kube.reconcile import manager as managers
from brickyard.lib import tasks, timestamps
from brickyard.scaling import contract

NOW = 1_700_000_000.0
METRIC = "num_requests_waiting"

_uids = itertools.count(1)


class LoopClock:
    """The running loop's time, which tests make virtual; the wall shows ``NOW`` when the loop begins at 0.

    ``skew``: seconds by which the wall is wrong; may be changed at any time.
    """

    def __init__(self) -> None:
        self.skew = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return NOW + self.monotonic() + self.skew


def metadata(name: str, age: float = 0.0, **more: Any) -> resources.Object:
    """Of a stored object in namespace ``default``, made ``age`` seconds before ``NOW``."""
    made = {"creationTimestamp": timestamps.rfc3339(NOW - age), "uid": f"uid-{next(_uids)}", "generation": 1}
    return {"name": name, "namespace": "default", **made, **more}


def source(value: str = "10", metric: str = METRIC, **more: Any) -> resources.Object:
    """A metric of pods; ``more`` replaces and adds fields."""
    fields = {"metricSourceType": "pod", "protocolType": "http", "port": "8000", "path": "/metrics"}
    return {**fields, "targetMetric": metric, "targetValue": value, **more}


def target(name: str = "chat", kind: str = "Deployment", api_version: str = "apps/v1") -> resources.Object:
    """A ``scaleTargetRef``."""
    return {"apiVersion": api_version, "kind": kind, "name": name}


def autoscaler(
    name: str = "chat", *, age: float = 0.0, annotations: Mapping[str, str] | None = None, **spec: Any
) -> resources.Object:
    """A PodAutoscaler of the Deployment ``chat``; ``spec`` replaces and adds fields. ``annotations`` are without their prefix."""
    said = {f"{names.AUTOSCALING_PREFIX}{key}": value for key, value in (annotations or {}).items()}
    fields = {"minReplicas": 1, "maxReplicas": 10, "scalingStrategy": "KPA", "metricsSources": [source()]}
    return {
        "apiVersion": resources.POD_AUTOSCALER.api_version,
        "kind": resources.POD_AUTOSCALER.kind,
        "metadata": metadata(name, age, annotations=said),
        "spec": {"scaleTargetRef": target(), **fields, **spec},
    }


def deployment(name: str = "chat", replicas: int | None = 1, kind: str = "Deployment") -> resources.Object:
    """A Deployment, or another kind of apps/v1, whose pods have its name as label ``app``."""
    size = {} if replicas is None else {"replicas": replicas}
    spec = {**size, "selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(name), "spec": spec, "status": {}}


def storm_service(name: str = "pd", replicas: int = 1, **roles: tuple[int, int]) -> resources.Object:
    """A StormService; each role has (replicas, podGroupSize)."""
    listed = [
        {"name": role, "replicas": count, "podGroupSize": size, "template": {}} for role, (count, size) in roles.items()
    ]
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"spec": {"roles": listed}}}
    return {
        "apiVersion": resources.STORM_SERVICE.api_version,
        "kind": resources.STORM_SERVICE.kind,
        "metadata": metadata(name),
        "spec": spec,
    }


def pod(name: str, *, ready: bool = True, phase: str = "Running", **labels: str) -> resources.Object:
    """A pod of the Deployment ``chat`` unless ``labels`` say otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, labels=labels or {"app": "chat"}),
        "spec": {"containers": [{"name": "engine"}]},
        "status": {
            "phase": phase,
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


@dataclasses.dataclass
class Dials:
    """Fills ``sources.Source``: every ready pod measures ``each``; what speaks of the whole measures ``whole``.

    ``silent``: why nothing can be read; ``slow``: seconds that an answer takes. ``asked`` is what was asked.
    """

    each: float = 0.0
    whole: float = 0.0
    silent: str = ""
    slow: float = 0.0
    asked: list[sources.Wanted] = dataclasses.field(default_factory=list)

    async def observe(self, wanted: sources.Wanted, now: float) -> contract.Observation:
        self.asked.append(wanted)
        await asyncio.sleep(self.slow)
        if wanted.metric.form is contract.Form.WHOLE:
            value = None if self.silent else self.whole
            return contract.Observation(wanted.metric.key, now, whole=value, why=self.silent)
        return contract.Observation(wanted.metric.key, now, tuple(self._reading(each, now) for each in wanted.pods))

    def _reading(self, found: resources.Object, now: float) -> contract.PodReading:
        name = found["metadata"]["name"]
        if not conditions.is_true(found["status"]["conditions"], "Ready"):
            return contract.PodReading(name, contract.Health.UNREADY)
        if self.silent:
            return contract.PodReading(name, contract.Health.MISSING, why=self.silent)
        return contract.PodReading(name, contract.Health.READY, self.each, now)


@dataclasses.dataclass
class World:
    """An API in memory, the controller over it, and short ways to look."""

    client: clients.MemoryClient
    clock: LoopClock
    dials: Dials
    pages: Mapping[str, pages.Page]
    registry: prometheus_client.CollectorRegistry

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait for ``condition``.

        Raises:
            TimeoutError: it did not hold within ``seconds``.
        """
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - nobody tells when; time is virtual
                await asyncio.sleep(0.05)

    def find(self, name: str = "chat", kind: resources.ResourceType = resources.POD_AUTOSCALER) -> resources.Object:
        """The object of that name."""
        return next(each for each in self.client.all(kind) if each["metadata"]["name"] == name)

    def status(self, name: str = "chat") -> Mapping[str, Any]:
        """Of an autoscaler; empty before there is one."""
        return self.find(name).get("status") or {}

    def condition(self, kind: str, name: str = "chat") -> str:
        """Status and reason of a condition; "" where there is none."""
        found = conditions.find(self.status(name).get("conditions"), kind)
        return f"{found['status']} {found['reason']}" if found else ""

    def replicas(self, name: str = "chat", kind: resources.ResourceType = resources.DEPLOYMENT) -> int:
        """What a target is asked for."""
        return int(self.find(name, kind)["spec"]["replicas"])

    def events(self, name: str = "chat") -> list[tuple[str, str]]:
        """Reason and message of what was told of an autoscaler."""
        found = self.client.all(resources.EVENT)
        return [(each["reason"], each["message"]) for each in found if each["involvedObject"]["name"] == name]


@contextlib.asynccontextmanager
async def running(
    client: clients.MemoryClient | None = None,
    dials: Dials | None = None,
    given: settings.ControllersSettings | None = None,
    clock: LoopClock | None = None,
    source: sources.Source | None = None,
) -> AsyncIterator[World]:
    """The controller at work inside the block, in the loop's time; leave it to stop the controller, over a client that stays.

    ``source`` is read in place of ``dials``.
    """
    time = clock or LoopClock()
    kept, turned = client or clients.MemoryClient(time), dials or Dials()
    registry = prometheus_client.CollectorRegistry()
    manager = managers.Manager(kept, time)
    shown = wiring.add(manager, wiring.Means(source or turned, registry), given or settings.ControllersSettings())
    async with tasks.Scope("autoscalers") as scope:
        scope.start(manager.run(), name="manager")
        yield World(kept, time, turned, shown, registry)
