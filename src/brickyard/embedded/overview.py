"""What runs, at a glance: the models that pods serve, from the pods themselves. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.gateway.endpoints import pods as model_pods
from brickyard.kube.objects import conditions, meta


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One served model in one namespace.

    Attributes:
        replicas: pods that claim to serve it and are not terminating.
        ready: how many of them the gateway would send requests to.
        restarts: of all their containers.
        trouble: why those that are not ready are not, each reason once.
    """

    namespace: str
    name: str
    engine: str
    replicas: int
    ready: int
    restarts: int
    trouble: tuple[str, ...]


def models(pods: Iterable[resources.Object]) -> list[Model]:
    """The models of ``pods``, by namespace and name."""
    groups: dict[tuple[str, str], list[resources.Object]] = {}
    for pod in pods:
        found = model_pods.read(pod)
        if found is not None and not meta.metadata(pod).get("deletionTimestamp"):
            groups.setdefault((meta.namespace(pod), found.model), []).append(pod)
    return [_model(key, group) for key, group in sorted(groups.items())]


def _model(key: tuple[str, str], pods: Sequence[resources.Object]) -> Model:
    ready = [pod for pod in pods if _ready(pod)]
    engines = sorted({_engine(pod) for pod in pods})
    trouble = sorted({_trouble(pod) for pod in pods if not _ready(pod)})
    restarts = sum(status.get("restartCount", 0) for pod in pods for status in _statuses(pod))
    return Model(*key, ", ".join(engines), len(pods), len(ready), restarts, tuple(trouble))


def _ready(pod: resources.Object) -> bool:
    found = model_pods.read(pod)
    return found is not None and not found.unready


def _engine(pod: resources.Object) -> str:
    key = names.MODEL_ENGINE
    return meta.labels(pod).get(key) or meta.annotations(pod).get(key) or names.DEFAULT_ENGINE


def _statuses(pod: resources.Object) -> Sequence[Mapping[str, Any]]:
    return (pod.get("status") or {}).get("containerStatuses") or ()


def _trouble(pod: resources.Object) -> str:
    """The most telling words about a pod that is not ready."""
    for status in _statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return f"{waiting['reason']}: {waiting['message']}" if waiting.get("message") else str(waiting["reason"])
    scheduled = conditions.find((pod.get("status") or {}).get("conditions"), "PodScheduled") or {}
    return str(scheduled.get("message") or "waits") if scheduled.get("status") == "False" else "starting"
