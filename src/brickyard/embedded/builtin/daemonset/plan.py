"""What a DaemonSet does next: a pure function from nodes and pods to pods to make and to delete.

On each node that the set is for:

    | its pods there                                     | move                                                                |
    |----------------------------------------------------|---------------------------------------------------------------------|
    | none that lives                                    | make one from the template                                          |
    | one that ended (Failed, Succeeded)                 | delete it                                                           |
    | several of one revision                            | delete all but the oldest                                           |
    | an old one beside an updated one that is available | delete the old one (``maxSurge``)                                   |

Pods on other nodes are deleted. Then, with RollingUpdate, node by node:

    | old pods                                           | move                                                                |
    |----------------------------------------------------|---------------------------------------------------------------------|
    | not available                                      | delete: nothing is lost by it                                       |
    | available, ``maxSurge`` 0                          | delete while fewer than ``maxUnavailable`` nodes are without a pod  |
    | available, ``maxSurge`` n                          | make a new one beside it, on n nodes at a time                      |

``OnDelete`` leaves old pods alone. Percentages are of the nodes that the set is for, and round up.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from brickyard.api import names as keys
from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims, podstate, revisions
from brickyard.embedded.builtin.daemonset import nodes
from brickyard.kube.objects import meta, names, owners, selectors

ROLLING_UPDATE = "RollingUpdate"
_SUFFIX = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows.

    ``pods`` are all of the namespace that may be the set's own, ``history`` its ControllerRevisions, ``taken`` the pod names in use;
    ``caught_up`` is False while creations or deletions of an earlier pass have not been seen.
    """

    daemon_set: resources.Object
    nodes: Sequence[resources.Object]
    pods: Sequence[resources.Object]
    history: Sequence[resources.Object] = ()
    taken: Container[str] = ()
    caught_up: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``create`` holds whole pods; ``stale`` revisions may go; ``by_node`` has the live pods of each node it is for."""

    claims: claims.Claims
    reason: str
    revisions: revisions.Revisions
    by_node: Mapping[str, Sequence[resources.Object]]
    misplaced: int = 0
    create: tuple[resources.Object, ...] = ()
    delete: tuple[resources.Object, ...] = ()
    stale: tuple[resources.Object, ...] = ()
    requeue_after: float | None = None


@dataclasses.dataclass(slots=True)
class _Moves:
    create: list[str] = dataclasses.field(default_factory=list)
    """Names of nodes."""
    delete: list[resources.Object] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class _Set:
    """A DaemonSet while it is being looked at. ``hash`` is that of its template."""

    body: resources.Object
    hash: str
    now: float

    def is_available(self, pod: resources.Object) -> bool:
        delay = int(self.body["spec"].get("minReadySeconds") or 0)
        return not podstate.is_terminating(pod) and podstate.is_available(pod, delay, self.now)

    def is_new(self, pod: resources.Object) -> bool:
        return is_updated(pod, self.hash)


def is_updated(pod: resources.Object, digest: str) -> bool:
    """Whether the pod was made from the template with that hash."""
    return meta.labels(pod).get(keys.CONTROLLER_HASH) == digest


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One step towards the spec. ``now`` is Unix seconds."""
    body = snapshot.daemon_set
    chosen = revisions.choose(body, snapshot.history)
    claimed = claims.claim(body, selectors.from_label_selector(body["spec"]["selector"]), snapshot.pods)
    by_node: dict[str, list[resources.Object]] = {
        meta.name(each): [] for each in snapshot.nodes if nodes.wants(body, each)
    }
    moves, misplaced = _sort(claimed.all_owned, by_node)
    delay = int(body["spec"].get("minReadySeconds") or 0)
    again = _next_available([pod for found in by_node.values() for pod in found], delay, now)
    seen = Plan(claimed, "as wanted", chosen, by_node, misplaced, requeue_after=again)
    if not claimed.settled:
        return dataclasses.replace(seen, reason="take in or let go of pods")
    if meta.is_deleting(body):
        return dataclasses.replace(seen, reason="being deleted")
    if not snapshot.caught_up:
        return dataclasses.replace(seen, reason="waiting to see earlier creations and deletions")
    found = _Set(body, meta.labels(chosen.update)[keys.CONTROLLER_HASH], now)
    _fill(found, by_node, moves)
    if not moves.create and rolls(body):
        _roll(found, by_node, moves)
    return _filled(seen, snapshot, moves)


def _sort(pods: Sequence[resources.Object], by_node: Mapping[str, list[resources.Object]]) -> tuple[_Moves, int]:
    """Live pods go to their nodes; what ended or is elsewhere goes away."""
    moves, misplaced = _Moves(), 0
    for pod in sorted(pods, key=_age):
        ended = podstate.is_terminal(pod)
        elsewhere = nodes.node_of(pod) not in by_node
        misplaced += elsewhere and not ended
        if not ended and not elsewhere:
            by_node[nodes.node_of(pod)].append(pod)
        elif not podstate.is_terminating(pod):
            moves.delete.append(pod)
    return moves, misplaced


def _age(pod: resources.Object) -> tuple[str, str]:
    return meta.metadata(pod).get("creationTimestamp") or "", meta.name(pod)


def _fill(found: _Set, by_node: Mapping[str, Sequence[resources.Object]], moves: _Moves) -> None:
    """The first table."""
    for node, pods in by_node.items():
        live = [pod for pod in pods if not podstate.is_terminating(pod)]
        # A pod that is leaving holds the place until it has gone: the next one may want its files and ports.
        if not pods:
            moves.create.append(node)
        new = [pod for pod in live if found.is_new(pod)]
        old = [pod for pod in live if not found.is_new(pod)]
        moves.delete += [*new[1:], *old[1:]]
        if old and new and (found.is_available(new[0]) or not found.is_available(old[0])):
            moves.delete.append(old[0])


def rolls(body: resources.Object) -> bool:
    """Whether old pods are replaced for the sake of a new template."""
    return bool((body["spec"].get("updateStrategy") or {}).get("type", ROLLING_UPDATE) == ROLLING_UPDATE)


def share(value: Any, of: int) -> int:
    """A number, or a percentage of ``of``, rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return -(-int(value[:-1]) * of // 100)
    return int(value or 0)


def _roll(found: _Set, by_node: Mapping[str, Sequence[resources.Object]], moves: _Moves) -> None:
    """The second table."""
    rolling = (found.body["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge"), len(by_node))
    away = share(rolling.get("maxUnavailable", 1), len(by_node))
    room = surge or max(1, away)
    lonely: list[tuple[str, resources.Object]] = []
    for node, pods in by_node.items():
        live = [pod for pod in pods if not podstate.is_terminating(pod) and pod not in moves.delete]
        old = [pod for pod in live if not found.is_new(pod)]
        # A node on which the update is under way, or that lacks its pod anyway, takes of the room.
        waits = len(live) > len(old) and bool(old) if surge else not any(found.is_available(pod) for pod in live)
        if old and len(old) == len(live):
            if found.is_available(old[0]):
                lonely.append((node, old[0]))
            else:
                moves.delete.append(old[0])
        room -= waits
    for node, pod in lonely[: max(0, room)]:
        if surge:
            moves.create.append(node)
        else:
            moves.delete.append(pod)


# --------------------------------------------------------------------------------------------------------------- bodies


def _filled(seen: Plan, snapshot: Snapshot, moves: _Moves) -> Plan:
    body, chosen = snapshot.daemon_set, seen.revisions
    free = _free_names(snapshot, seen.claims.owned)
    made = tuple(build(body, chosen.update, node, next(free)) for node in moves.create)
    # The older revision is remembered by name for the pods that still have it, which they tell by its hash.
    hashes = {meta.labels(pod).get(keys.CONTROLLER_HASH, "") for pods in seen.by_node.values() for pod in pods}
    known = [*snapshot.history, chosen.update]
    live = [meta.name(each) for each in known if meta.labels(each).get(keys.CONTROLLER_HASH) in hashes]
    words = [f"{len(made)} to make"] * bool(made) + [f"{len(moves.delete)} to delete"] * bool(moves.delete)
    return dataclasses.replace(
        seen,
        reason=", ".join(words) or "as wanted",
        create=made,
        delete=tuple(moves.delete),
        stale=revisions.outdated(body, snapshot.history, [*live, meta.name(chosen.update)]),
    )


def _free_names(snapshot: Snapshot, owned: Sequence[resources.Object]) -> Iterator[str]:
    """Names like Kubernetes' own that depend on nothing but the snapshot."""
    body = snapshot.daemon_set
    seed = "\n".join([meta.uid(body), str(meta.generation(body)), *sorted(map(meta.uid, owned))])
    prefix = f"{meta.name(body)}-"[: names.LABEL_LIMIT - _SUFFIX]
    ordinal = 0
    while True:
        name = prefix + names.encode_safe(hashlib.sha256(f"{seed}\n{ordinal}".encode()).digest(), _SUFFIX)
        ordinal += 1
        if name not in snapshot.taken:
            yield name


def build(body: resources.Object, revision: resources.Object, node: str, name: str) -> resources.Object:
    """A pod of the template in ``revision``, for ``node``."""
    template = copy.deepcopy(revisions.template(revision))
    given = template.get("metadata") or {}
    digest = meta.labels(revision)[keys.CONTROLLER_HASH]
    generation = {"pod-template-generation": str(meta.generation(body))}
    metadata = {
        "name": name,
        "generateName": f"{meta.name(body)}-",
        "namespace": meta.namespace(body),
        "labels": {**(given.get("labels") or {}), keys.CONTROLLER_HASH: digest, **generation},
        "annotations": given.get("annotations") or {},
        "finalizers": given.get("finalizers") or [],
        "ownerReferences": [owners.owner_reference(body)],
    }
    spec = template.get("spec") or {}
    nodes.pin(spec, node)
    kept = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


def _next_available(pods: Sequence[resources.Object], delay: int, now: float) -> float | None:
    moments = (podstate.available_at(pod, delay) for pod in pods) if delay else iter(())
    return min((at - now for at in moments if at is not None and at > now), default=None)
