"""What a ReplicaSet does next: a pure function from the pods that are there to those to make and to delete.

    | seen                                               | move                                                        |
    |----------------------------------------------------|-------------------------------------------------------------|
    | pods to take in or let go                          | do that first, plan again                                   |
    | an earlier pass's creations or deletions not seen  | status only: the knowledge is too old to count on           |
    | being deleted                                      | status only; the garbage collector takes the pods           |
    | fewer active pods than ``spec.replicas``           | create the difference, at most ``BURST`` a pass             |
    | more                                               | delete the difference in the order of ``podstate``          |
    | more than ``KEPT_TERMINAL`` ended pods             | delete the oldest of them                                   |

A pod that failed or is being deleted is not active, so it is replaced at once. Names of new pods follow from the snapshot: the same
snapshot planned twice asks for the same names, and the API server refuses the second.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Container, Iterator, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims, podstate
from brickyard.kube.objects import meta, names, owners, selectors

BURST = 500
"""Most pods created or deleted in one pass."""
KEPT_TERMINAL = 10
"""Ended pods of one ReplicaSet that stay for inspection; a cluster's pod garbage collector bounds them otherwise."""

_SUFFIX = 5
_PREFIX_LIMIT = names.LABEL_LIMIT - _SUFFIX


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows.

    ``pods`` are all of the namespace that may be the ReplicaSet's own; ``taken`` answers which pod names are in use; ``caught_up`` is
    False while creations or deletions of an earlier pass have not been seen yet.
    """

    replica_set: resources.Object
    pods: Sequence[resources.Object]
    taken: Container[str] = ()
    caught_up: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``create`` holds whole pods; ``delete`` is in the order of deletion."""

    claims: claims.Claims
    reason: str
    create: tuple[resources.Object, ...] = ()
    delete: tuple[resources.Object, ...] = ()
    active: tuple[resources.Object, ...] = ()
    """The pods that count as replicas before this step: what the status is computed from."""
    terminating: int = 0
    requeue_after: float | None = None


def wanted(replica_set: resources.Object) -> int:
    """``spec.replicas``, one where it is absent."""
    replicas = replica_set["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One step towards ``spec.replicas``. ``now`` is Unix seconds."""
    replica_set = snapshot.replica_set
    selector = selectors.from_label_selector(replica_set["spec"]["selector"])
    claimed = claims.claim(replica_set, selector, snapshot.pods)
    active = tuple(pod for pod in claimed.all_owned if podstate.is_active(pod))
    seen = Plan(
        claims=claimed,
        reason="as wanted",
        active=active,
        terminating=sum(podstate.is_terminating(pod) and not podstate.is_terminal(pod) for pod in claimed.all_owned),
        requeue_after=_next_available(replica_set, active, now),
    )
    if not claimed.settled:
        return dataclasses.replace(seen, reason="take in or let go of pods")
    if not snapshot.caught_up:
        return dataclasses.replace(seen, reason="waiting to see earlier creations and deletions")
    if meta.is_deleting(replica_set):
        return dataclasses.replace(seen, reason="being deleted")
    return _move(seen, snapshot)


def _move(seen: Plan, snapshot: Snapshot) -> Plan:
    missing = wanted(snapshot.replica_set) - len(seen.active)
    if missing > 0:
        pods = _new_pods(snapshot, seen.claims.owned, min(missing, BURST))
        return dataclasses.replace(seen, reason=f"{missing} too few", create=pods, delete=_ended(seen))
    if missing < 0:
        doomed = podstate.deletion_order(seen.active)[: min(-missing, BURST)]
        return dataclasses.replace(seen, reason=f"{-missing} too many", delete=(*doomed, *_ended(seen)))
    return dataclasses.replace(seen, delete=_ended(seen))


def _ended(seen: Plan) -> tuple[resources.Object, ...]:
    """Ended pods beyond those that are kept, oldest first."""
    ended = [pod for pod in seen.claims.owned if podstate.is_terminal(pod) and not podstate.is_terminating(pod)]
    ended.sort(key=lambda pod: (meta.metadata(pod).get("creationTimestamp") or "", meta.name(pod)))
    return tuple(ended[: max(0, len(ended) - KEPT_TERMINAL)])


def _new_pods(snapshot: Snapshot, owned: Sequence[resources.Object], count: int) -> tuple[resources.Object, ...]:
    free = _free_names(snapshot, owned)
    return tuple(build(snapshot.replica_set, next(free)) for _ in range(count))


def _free_names(snapshot: Snapshot, owned: Sequence[resources.Object]) -> Iterator[str]:
    """Names like Kubernetes' own, ``web-5d4f8-x7k2p``, that depend on nothing but the snapshot."""
    replica_set = snapshot.replica_set
    seed = "\n".join([meta.uid(replica_set), str(meta.generation(replica_set)), *sorted(map(meta.uid, owned))])
    prefix = f"{meta.name(replica_set)}-"[:_PREFIX_LIMIT]
    given: set[str] = set()
    ordinal = 0
    while True:
        digest = hashlib.sha256(f"{seed}\n{ordinal}".encode()).digest()
        name = prefix + names.encode_safe(digest, _SUFFIX)
        ordinal += 1
        if name not in given and name not in snapshot.taken:
            given.add(name)
            yield name


def build(replica_set: resources.Object, name: str) -> resources.Object:
    """A pod of the template, controlled by the ReplicaSet."""
    template = copy.deepcopy(replica_set["spec"]["template"])
    template_metadata = template.get("metadata") or {}
    metadata = {
        "name": name,
        "generateName": f"{meta.name(replica_set)}-",
        "namespace": meta.namespace(replica_set),
        "labels": template_metadata.get("labels") or {},
        "annotations": template_metadata.get("annotations") or {},
        "finalizers": template_metadata.get("finalizers") or [],
        "ownerReferences": [owners.owner_reference(replica_set, controller=True)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": template.get("spec") or {},
    }


def _next_available(replica_set: resources.Object, active: Sequence[resources.Object], now: float) -> float | None:
    """Seconds until the next ready pod has been ready for ``minReadySeconds``."""
    delay = int(replica_set["spec"].get("minReadySeconds") or 0)
    moments = (podstate.available_at(pod, delay) for pod in active) if delay else iter(())
    return min((at - now for at in moments if at is not None and at > now), default=None)
