"""A pod's manifest, read once into the few things the state machine decides by.

Objects come from the API server, which has filled in defaults and refused nonsense; what is absent here still gets Kubernetes'
default, so that a pod from a lesser server runs too.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import quantities

DEFAULT_GRACE = 30.0


class Role(enum.Enum):
    """What a container is in its pod. A sidecar is an init container with ``restartPolicy: Always``."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


class RestartPolicy(enum.Enum):
    """When a container that ended is started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class ProbeKind(enum.Enum):
    """The value is the word that opens the event of a failure: ``Readiness probe failed: …``."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"


@dataclasses.dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A probe. Times in seconds; ``action`` is the manifest's own mapping, which holds httpGet, tcpSocket, exec or grpc.

    ``grace`` overrides the pod's termination grace when this probe ends the container; None means the pod's.
    """

    kind: ProbeKind
    action: Mapping[str, Any]
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerPlan:
    """A container as the state machine sees it. ``post_start`` and ``pre_stop`` are the manifest's handlers, None when absent."""

    name: str
    image: str
    role: Role
    restart: RestartPolicy
    probes: Mapping[ProbeKind, ProbeSpec] = dataclasses.field(default_factory=dict)
    post_start: Mapping[str, Any] | None = None
    pre_stop: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class PodPlan:
    """A pod as the state machine sees it.

    Attributes:
        containers: init containers and sidecars in their order, then the main ones.
        grace: seconds between the request to end and SIGKILL.
        deletion_grace: the grace of a delete that was asked for; None while nobody asked.
        active_deadline: seconds the pod may run at all; None means no limit.
        readiness_gates: condition types that others set and that must be True for Ready.
        conditions: status of foreign conditions, as the object has them, for the gates.
    """

    namespace: str
    name: str
    uid: str
    restart: RestartPolicy
    containers: tuple[ContainerPlan, ...]
    grace: float = DEFAULT_GRACE
    deletion_grace: float | None = None
    active_deadline: float | None = None
    readiness_gates: tuple[str, ...] = ()
    conditions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    qos: str = "BestEffort"


def read(pod: resources.Object) -> PodPlan:
    """The plan of a pod object."""
    meta: Mapping[str, Any] = pod["metadata"]
    spec: Mapping[str, Any] = pod.get("spec") or {}
    restart = RestartPolicy(spec.get("restartPolicy") or "Always")
    first = [_container(each, _init_role(each), restart) for each in spec.get("initContainers") or ()]
    main = [_container(each, Role.MAIN, restart) for each in spec.get("containers") or ()]
    return PodPlan(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        restart=restart,
        containers=(*first, *main),
        grace=_number(spec, "terminationGracePeriodSeconds", DEFAULT_GRACE),
        deletion_grace=_deletion_grace(pod),
        active_deadline=_optional(spec, "activeDeadlineSeconds"),
        readiness_gates=tuple(gate["conditionType"] for gate in spec.get("readinessGates") or ()),
        conditions={each["type"]: each.get("status", "") for each in (pod.get("status") or {}).get("conditions") or ()},
        qos=qos_class(spec),
    )


def qos_class(spec: Mapping[str, Any]) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, by the requests and limits of cpu and memory of every container."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    sized = [_cpu_and_memory(each.get("resources") or {}) for each in containers]
    if not any(requests or limits for requests, limits in sized):
        return "BestEffort"
    guaranteed = all(len(limits) == 2 and {**limits, **requests} == limits for requests, limits in sized)
    return "Guaranteed" if guaranteed else "Burstable"


def _cpu_and_memory(sizes: Mapping[str, Any]) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    requests, limits = (
        {name: quantities.parse(value) for name, value in (sizes.get(part) or {}).items() if name in ("cpu", "memory")}
        for part in ("requests", "limits")
    )
    return requests, limits


def _deletion_grace(pod: resources.Object) -> float | None:
    meta = pod["metadata"]
    if not meta.get("deletionTimestamp"):
        return None
    default = _number(pod.get("spec") or {}, "terminationGracePeriodSeconds", DEFAULT_GRACE)
    return _number(meta, "deletionGracePeriodSeconds", default)


def _init_role(container: Mapping[str, Any]) -> Role:
    return Role.SIDECAR if container.get("restartPolicy") == "Always" else Role.INIT


def _container(container: Mapping[str, Any], role: Role, pod_policy: RestartPolicy) -> ContainerPlan:
    lifecycle = container.get("lifecycle") or {}
    probes = {} if role is Role.INIT else _probes(container)
    return ContainerPlan(
        name=container["name"],
        image=container.get("image", ""),
        role=role,
        restart=_restart(role, pod_policy),
        probes=probes,
        post_start=lifecycle.get("postStart"),
        pre_stop=lifecycle.get("preStop"),
    )


def _restart(role: Role, pod_policy: RestartPolicy) -> RestartPolicy:
    if role is Role.SIDECAR:
        return RestartPolicy.ALWAYS
    if role is Role.INIT and pod_policy is RestartPolicy.ALWAYS:
        return RestartPolicy.ON_FAILURE
    return pod_policy


def _probes(container: Mapping[str, Any]) -> dict[ProbeKind, ProbeSpec]:
    found = {kind: container.get(f"{kind.value.lower()}Probe") for kind in ProbeKind}
    return {kind: _probe(kind, each) for kind, each in found.items() if each}


def _probe(kind: ProbeKind, probe: Mapping[str, Any]) -> ProbeSpec:
    return ProbeSpec(
        kind=kind,
        action=probe,
        initial_delay=_number(probe, "initialDelaySeconds", 0.0),
        period=max(1.0, _number(probe, "periodSeconds", 10.0)),
        timeout=max(1.0, _number(probe, "timeoutSeconds", 1.0)),
        success_threshold=max(1, int(_number(probe, "successThreshold", 1))),
        failure_threshold=max(1, int(_number(probe, "failureThreshold", 3))),
        grace=_optional(probe, "terminationGracePeriodSeconds"),
    )


def _number(fields: Mapping[str, Any], name: str, default: float) -> float:
    value = fields.get(name)
    return default if value is None else float(value)


def _optional(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    return None if value is None else float(value)
