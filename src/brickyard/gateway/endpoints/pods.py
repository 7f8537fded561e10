"""From a pod object to the endpoints it offers. Pure.

    field             where                                                        else
    model             label, then annotation, ``model.aibrix.ai/name``             no model pod
    port              label ``model.aibrix.ai/port``, 1..65535                     8000
    engine            label, then annotation, ``model.aibrix.ai/engine``           vllm
    ranks             container variable ``data-parallel-size``, with a port label 1

Left out: Ray workers and members of a pod group other than the first, because only the head of a group listens. A pod offers
one endpoint per data-parallel rank, on consecutive ports. It is **routable** when it has an address, is not going away and is Ready.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.names import environment
from brickyard.kube.objects import conditions, meta
from brickyard.routing import contract

RANKS_VARIABLE: Final = environment.DATA_PARALLEL_SIZE
HIGHEST_PORT: Final = 65535


@dataclasses.dataclass(frozen=True, slots=True)
class ModelPod:
    """A pod that claims to serve a model.

    Attributes:
        key: ``namespace/name``.
        uid: tells a pod from its successor of the same name.
        model: the served model's name.
        created: Unix seconds; 0.0 when the object does not say.
        unready: why it cannot take requests now; "" when it can.
        endpoints: where it listens; empty while it has no address.
        config: the routing profiles that it carries, as written; "" for none.
        strategy: the strategy that a label of earlier releases asks for, "" for none.
    """

    key: str
    uid: str
    model: str
    created: float
    unready: str
    endpoints: tuple[contract.Endpoint, ...]
    config: str = ""
    strategy: str = ""


def key_of(pod: resources.Object) -> str:
    """``namespace/name`` of a pod object."""
    return str(meta.key(pod))


def read(pod: resources.Object) -> ModelPod | None:
    """What ``pod`` offers; None when it serves no model or is not the one of its group that listens."""
    labels = meta.labels(pod)
    model = _labelled(pod, names.MODEL_NAME)
    if not model or labels.get(names.RAY_NODE_TYPE) == "worker" or labels.get(names.POD_GROUP_INDEX, "0") != "0":
        return None
    return ModelPod(
        key=key_of(pod),
        uid=meta.uid(pod),
        model=model,
        created=meta.created(pod),
        unready=_unready(pod),
        endpoints=_endpoints(pod, model),
        config=meta.annotations(pod).get(names.MODEL_CONFIG) or "",
        strategy=labels.get(names.MODEL_ROUTING_STRATEGY, ""),
    )


def metrics_authority(endpoint: contract.Endpoint) -> str:
    """``address:port`` of the engine's metrics page: label ``model.aibrix.ai/metric-port``, else the endpoint's own port."""
    port = _port(endpoint.labels.get(names.METRIC_PORT))
    return endpoint.authority if port is None else dataclasses.replace(endpoint, port=port).authority


def _labelled(pod: resources.Object, name: str) -> str:
    return meta.labels(pod).get(name) or meta.annotations(pod).get(name) or ""


def _unready(pod: resources.Object) -> str:
    status = pod.get("status") or {}
    if meta.is_deleting(pod):
        return "terminating"
    if not status.get("podIP"):
        return f"no address yet ({status.get('phase') or 'Pending'})"
    if conditions.is_true(status.get("conditions"), "Ready"):
        return ""
    ready = conditions.find(status.get("conditions"), "Ready") or {}
    detail = _waiting(status) or ready.get("message") or ready.get("reason") or status.get("phase")
    return f"not ready ({detail})" if detail else "not ready"


def _waiting(status: Mapping[str, Any]) -> str:
    """Why a container waits, such as ``CrashLoopBackOff``, or that it was begun again; it says more than the Ready condition does."""
    for container in status.get("containerStatuses") or ():
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason")
        ended = (container.get("lastState") or {}).get("terminated")
        again = container.get("restartCount") or 0
        told = f"restarted {again} times, the last exit code was {ended.get('exitCode')}" if ended and again else ""
        if reason or told:
            return ", ".join(filter(None, (reason, told)))
    return ""


def _endpoints(pod: resources.Object, model: str) -> tuple[contract.Endpoint, ...]:
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        return ()
    where, labels = meta.key(pod), dict(meta.labels(pod))
    engine = _labelled(pod, names.MODEL_ENGINE) or names.DEFAULT_ENGINE
    return tuple(
        contract.Endpoint(f"{where}:{port}", where.namespace, where.name, address, port, model, engine, labels)
        for port in _ports(pod)
    )


def _ports(pod: resources.Object) -> range:
    labelled = _port(meta.labels(pod).get(names.MODEL_PORT))
    if labelled is None:
        return range(names.DEFAULT_MODEL_PORT, names.DEFAULT_MODEL_PORT + 1)
    return range(labelled, min(labelled + _ranks(pod), HIGHEST_PORT + 1))


def _ranks(pod: resources.Object) -> int:
    """Data-parallel ranks that listen on ports of their own: the largest that any container states, at least 1."""
    stated = [
        _number(variable.get("value"))
        for container in (pod.get("spec") or {}).get("containers") or ()
        for variable in container.get("env") or ()
        if variable.get("name") == RANKS_VARIABLE
    ]
    return max([1, *(number for number in stated if number is not None)])


def _port(text: str | None) -> int | None:
    number = _number(text)
    return number if number is not None and 1 <= number <= HIGHEST_PORT else None


def _number(text: object) -> int | None:
    """A short run of ASCII digits as a number."""
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 6 else None
