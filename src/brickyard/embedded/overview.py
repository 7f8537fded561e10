"""What runs, at a glance: the models that pods serve, from the pods themselves and from what the gateway says of them. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.gateway.endpoints import pods as model_pods
from brickyard.kube.objects import conditions, meta

Words = Mapping[str, Any]

PERMANENT: Final = frozenset({"EngineNotInstalled", "ErrImageNeverPull", "InvalidImageName", "UnsupportedArgument"})
"""Reasons of waiting that go away only when somebody changes something."""
LONGEST: Final = 300
"""Characters of a line that somebody else wrote."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """Why pods are not ready: all of ``pods``, by name, for the same reason.

    ``permanent``: waiting will not mend it.
    """

    text: str
    pods: tuple[str, ...]
    permanent: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Traffic:
    """What the gateway says of a model's ready replicas. None: nobody has told.

    Attributes:
        requests_per_second: that ended, over the last ten seconds; of the model in every namespace, since clients name no namespace.
        in_flight: requests open now.
        waiting: requests in the engines' queues.
        kv_cache_usage: of the fullest replica, 0..1.
        decision: the latest one, as one sentence; "" before any.
        decided_at: when, RFC 3339.
        request_id: of the request it was made for.
    """

    requests_per_second: float | None = None
    in_flight: int | None = None
    waiting: float | None = None
    kv_cache_usage: float | None = None
    decision: str = ""
    decided_at: str = ""
    request_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """One served model in one namespace.

    Attributes:
        replicas: pods that claim to serve it and are not terminating.
        ready: how many of them the gateway would send requests to.
        restarts: of all their containers.
        trouble: why those that are not ready are not, each reason once.
        traffic: what the gateway says of it.
        held: of a model without pods that wakes when it is asked, the requests that wait for it; None of any other.
    """

    namespace: str
    name: str
    engine: str
    replicas: int
    ready: int
    restarts: int
    trouble: tuple[Trouble, ...]
    traffic: Traffic = Traffic()
    held: int | None = None


def models(pods: Iterable[resources.Object], page: Iterable[Words] = ()) -> list[Model]:
    """The models of ``pods`` and those that sleep, by namespace and name; ``page`` is the gateway's ``/debug/models``."""
    groups: dict[tuple[str, str], list[resources.Object]] = {}
    for pod in pods:
        found = model_pods.read(pod)
        if found is not None and not meta.is_deleting(pod):
            groups.setdefault((meta.namespace(pod), found.model), []).append(pod)
    told = {row["id"]: row for row in page}
    awake = [_model(key, group, told.get(key[1])) for key, group in sorted(groups.items())]
    served = {each.name for each in awake}
    asleep = [_asleep(row, row["asleep"]) for row in told.values() if row.get("asleep") and row["id"] not in served]
    return sorted([*awake, *asleep], key=lambda each: (each.namespace, each.name))


def _asleep(row: Words, told: Words) -> Model:
    namespace = told["autoscalers"][0].partition("/")[0]
    return Model(namespace, row["id"], "", 0, 0, 0, (), _traffic(row, namespace), told["held"])


def _model(key: tuple[str, str], pods: Sequence[resources.Object], row: Words | None) -> Model:
    engines = sorted({_engine(pod) for pod in pods})
    waiting = [pod for pod in pods if not _ready(pod)]
    restarts = sum(status.get("restartCount", 0) for pod in pods for status in _statuses(pod))
    traffic = Traffic() if row is None else _traffic(row, key[0])
    return Model(
        *key, ", ".join(engines), len(pods), len(pods) - len(waiting), restarts, tuple(_troubles(waiting)), traffic
    )


def _ready(pod: resources.Object) -> bool:
    found = model_pods.read(pod)
    return found is not None and not found.unready


def _engine(pod: resources.Object) -> str:
    key = names.MODEL_ENGINE
    return meta.labels(pod).get(key) or meta.annotations(pod).get(key) or names.DEFAULT_ENGINE


# Traffic.


def _traffic(row: Words, namespace: str) -> Traffic:
    endpoints = [each for each in row["endpoints"] if str(each["endpoint"]).startswith(f"{namespace}/")]
    last = row["last"] or {}
    return Traffic(
        requests_per_second=row["requests_per_second"],
        in_flight=sum(each["in_flight"] for each in endpoints),
        waiting=_known(sum, endpoints, "waiting"),
        kv_cache_usage=_known(max, endpoints, "kv_cache_usage"),
        decision=last.get("sentence", ""),
        decided_at=last.get("decided_at", ""),
        request_id=last.get("id", ""),
    )


def _known(combine: Any, endpoints: Iterable[Words], key: str) -> float | None:
    """``combine`` over the endpoints that tell; None where none does."""
    values = [each[key] for each in endpoints if each[key] is not None]
    return float(combine(values)) if values else None


# Trouble.


def _troubles(pods: Iterable[resources.Object]) -> list[Trouble]:
    by_text: dict[tuple[str, bool], list[str]] = {}
    for pod in pods:
        by_text.setdefault(_trouble(pod), []).append(meta.name(pod))
    return [Trouble(text, tuple(sorted(held)), permanent) for (text, permanent), held in sorted(by_text.items())]


def _trouble(pod: resources.Object) -> tuple[str, bool]:
    """The most telling words about a pod that is not ready, and whether they will still hold tomorrow."""
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *_statuses(pod)):
        text = _container_trouble(each)
        if text:
            waiting = (each.get("state") or {}).get("waiting") or {}
            return text, waiting.get("reason") in PERMANENT
    scheduled = conditions.find(status.get("conditions"), "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return f"Pending: {scheduled.get('message') or 'no node takes it yet'}", False
    return "starting", False


def _statuses(pod: resources.Object) -> Sequence[Words]:
    return (pod.get("status") or {}).get("containerStatuses") or ()


def _container_trouble(status: Words) -> str:
    """Why a container does not run, or "": it does, or nothing is known."""
    state = status.get("state") or {}
    waiting, end = state.get("waiting"), state.get("terminated")
    past = (status.get("lastState") or {}).get("terminated")
    if waiting and waiting.get("reason") == "CrashLoopBackOff" and past:
        return f"CrashLoopBackOff: {_end(past)}"
    if waiting and waiting.get("reason"):
        return f"{waiting['reason']}: {waiting['message']}" if waiting.get("message") else str(waiting["reason"])
    if end and end.get("exitCode"):
        return _end(end)
    if past and not status.get("ready"):
        return f"starting again after {_end(past)}"
    return ""


def _end(end: Words) -> str:
    """``exit code 3: RuntimeError: …``: how a run ended, with the last line of its log where that is told."""
    code = f"exit code {end.get('exitCode')}"
    reason = "" if end.get("reason") in {None, "Error"} else f" ({end['reason']})"
    lines = [line.strip() for line in str(end.get("message") or "").splitlines() if line.strip()]
    last = f": {lines[-1][:LONGEST]}" if lines else ""
    return f"{code}{reason}{last}"
