"""Which pods this machine takes. Pure.

There is one node, so placing a pod is a question of yes or no:

    the pod                                               answer
    has scheduling gates                                  not yet: SchedulingGated
    would be one pod too many                             0/1 nodes are available: 1 Too many pods.
    asks for more of an extended resource than is free    0/1 nodes are available: 1 Insufficient nvidia.com/gpu.
    mounts a claim that is missing, leaving or unbound    0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims: data.
    mounts a ReadWriteOncePod claim that another mounts   0/1 nodes are available: node has pod using PersistentVolumeClaim data ….
    anything else                                         yes

CPU and memory are not reserved: on one machine a request is a wish, and the operating system shares out what there is. Node
selectors, affinities and taints choose between nodes, and here is no choice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import devices, environment

UNSCHEDULABLE = "Unschedulable"
GATED = "SchedulingGated"


@dataclasses.dataclass(frozen=True, slots=True)
class Bind:
    """The pod may run here."""

    pod: resources.Object


@dataclasses.dataclass(frozen=True, slots=True)
class Refuse:
    """The pod must wait. ``reason`` is that of its PodScheduled condition."""

    pod: resources.Object
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """What there is to give: extended resources by count, pods, and claims by namespace and name."""

    capacity: Mapping[str, int]
    max_pods: int
    claims: Mapping[tuple[str, str], resources.Object] = dataclasses.field(default_factory=dict)


def plan(pods: Sequence[resources.Object], assigned: Mapping[str, str], here: Node) -> list[Bind | Refuse]:
    """An answer for every pod without a node, oldest first.

    ``assigned`` are nodes of pods (by uid) that were bound but may still look unbound in ``pods``.
    """
    capacity = here.capacity
    live = [each for each in pods if not is_over(each)]
    placed = [each for each in live if _node(each, assigned)]
    waiting = [each for each in live if not _node(each, assigned) and not each["metadata"].get("deletionTimestamp")]
    used, room = _sum(demand(each) for each in placed), here.max_pods - len(placed)
    mounted = {key for each in placed for key in claims_of(each)}
    answers: list[Bind | Refuse] = []
    for pod in sorted(waiting, key=_age):
        need = demand(pod)
        missing = ["1 Too many pods"] if room <= 0 else []
        missing += [f"1 Insufficient {name}" for name in sorted(need) if _short(need, used, capacity, name)]
        answer = _answer(pod, [*missing, *_claims_missing(pod, here.claims, mounted)])
        if isinstance(answer, Bind):
            used, room = _sum((used, need)), room - 1
            mounted |= set(claims_of(pod))
        answers.append(answer)
    return answers


def claims_of(pod: resources.Object) -> list[tuple[str, str]]:
    """Namespace and name of every claim that the pod mounts."""
    names = (environment.claim_name(pod, each) for each in pod["spec"].get("volumes") or ())
    return [(pod["metadata"].get("namespace") or "", name) for name in names if name]


def _claims_missing(
    pod: resources.Object,
    claims: Mapping[tuple[str, str], resources.Object],
    mounted: Container[tuple[str, str]],
) -> list[str]:
    """What of the pod's claims is in its way, in Kubernetes' words and by name."""
    found, unbound = [], []
    for key in claims_of(pod):
        claim = claims.get(key)
        if claim is None:
            found.append(f'persistentvolumeclaim "{key[1]}" not found')
        elif claim["metadata"].get("deletionTimestamp"):
            found.append(f'persistentvolumeclaim "{key[1]}" is being deleted')
        elif (claim.get("status") or {}).get("phase") != "Bound":
            unbound.append(key[1])
        elif "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ()) and key in mounted:
            text = "with the same name and ReadWriteOncePod access mode"
            found.append(f"node has pod using PersistentVolumeClaim {key[1]} {text}")
    if unbound:
        found.append(f"pod has unbound immediate PersistentVolumeClaims: {', '.join(unbound)}")
    return found


def _short(need: Mapping[str, int], used: Mapping[str, int], capacity: Mapping[str, int], name: str) -> bool:
    return need[name] > capacity.get(name, 0) - used.get(name, 0)


def _answer(pod: resources.Object, missing: Sequence[str]) -> Bind | Refuse:
    if gates := pod["spec"].get("schedulingGates"):
        names = ", ".join(each["name"] for each in gates)
        return Refuse(pod, GATED, f"Scheduling is blocked due to non-empty scheduling gates: {names}")
    if missing:
        return Refuse(pod, UNSCHEDULABLE, f"0/1 nodes are available: {', '.join(missing)}.")
    return Bind(pod)


def matters(old: resources.Object | None, new: resources.Object | None) -> bool:
    """Whether a change of a pod can change an answer: one appeared, went, was placed, ended or was changed in its spec."""
    if old is None or new is None:
        return True
    return old["spec"] != new["spec"] or is_over(old) != is_over(new)


def demand(pod: resources.Object) -> dict[str, int]:
    """Extended resources that a pod needs at a time: init containers run alone, everything else together."""
    first = [each for each in pod["spec"].get("initContainers") or () if each.get("restartPolicy") != "Always"]
    sidecars = [each for each in pod["spec"].get("initContainers") or () if each.get("restartPolicy") == "Always"]
    need = _sum(devices.requested(each) for each in (*sidecars, *pod["spec"]["containers"]))
    for each in first:
        for name, count in devices.requested(each).items():
            need[name] = max(need.get(name, 0), count)
    return need


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return total


def is_over(pod: resources.Object) -> bool:
    """Nothing of it runs, nor will: it needs no room."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _node(pod: resources.Object, assigned: Mapping[str, str]) -> str:
    return str(pod["spec"].get("nodeName") or assigned.get(pod["metadata"].get("uid", ""), ""))


def _age(pod: resources.Object) -> tuple[str, str, str]:
    meta = pod["metadata"]
    return meta.get("creationTimestamp") or "", meta.get("namespace") or "", meta["name"]
