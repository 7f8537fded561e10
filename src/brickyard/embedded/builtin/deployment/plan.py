"""What a Deployment does next: a pure function from what is there to one step of the rollout.

A pass makes at most one kind of move, the first of this table that applies, and the changes it causes bring the next pass:

    | state of the Deployment                            | move                                                        |
    |----------------------------------------------------|-------------------------------------------------------------|
    | selector is empty                                  | say so; nothing else                                        |
    | being deleted                                      | status only                                                 |
    | ReplicaSets to take in or let go                   | do that first, plan again                                   |
    | paused                                             | share out a change of size; clean up                        |
    | size changed since the ReplicaSets were sized      | share out the change                                        |
    | Recreate: an old ReplicaSet has replicas           | scale it to 0                                               |
    | Recreate: an old pod still runs                    | wait                                                        |
    | Recreate: else                                     | newest to ``spec.replicas``                                 |
    | RollingUpdate: room under replicas + maxSurge      | newest grows into it                                        |
    | RollingUpdate: more pods than have to be available | old shrink: first pods that are not available, then oldest  |
    | complete                                           | delete old ReplicaSets beyond revisionHistoryLimit          |

Guarantees, as far as our own moves decide: never more than ``replicas + maxSurge`` pods are asked for, and no pod is taken away whose
loss leaves fewer than ``replicas - maxUnavailable`` available. Writes carry the resourceVersion they were planned on, so a move that was
planned on stale knowledge is refused by the API server instead of being made twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims, contract, podstate
from brickyard.embedded.builtin.deployment import revisions, sizes, status
from brickyard.kube.objects import meta, owners, selectors


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows. ``replica_sets`` and ``pods`` are all those of the Deployment's namespace that may be its own.

    ``pods`` are needed for ``Recreate`` only.
    """

    deployment: resources.Object
    replica_sets: Sequence[resources.Object]
    pods: Sequence[resources.Object] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """A change to a ReplicaSet: its size (None keeps it), annotations and minReadySeconds (None keeps it)."""

    replica_set: resources.Object
    replicas: int | None = None
    annotations: dict[str, str] = dataclasses.field(default_factory=dict)
    min_ready_seconds: int | None = None

    def patch(self) -> dict[str, Any]:
        """The merge patch, valid only for the version the change was planned on."""
        spec: dict[str, Any] = {}
        if self.replicas is not None:
            spec["replicas"] = self.replicas
        if self.min_ready_seconds is not None:
            spec["minReadySeconds"] = self.min_ready_seconds
        planned_on = {"uid": meta.uid(self.replica_set), "resourceVersion": meta.resource_version(self.replica_set)}
        result: dict[str, Any] = {"metadata": planned_on}
        if self.annotations:
            result["metadata"]["annotations"] = dict(self.annotations)
        return {**result, "spec": spec} if spec else result


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``status`` is the whole new status; it is written last and only where it differs."""

    claims: claims.Claims
    status: dict[str, Any]
    reason: str
    create: resources.Object | None = None
    update: tuple[Update, ...] = ()
    delete: tuple[resources.Object, ...] = ()
    revision: str = ""
    """What the Deployment's revision annotation has to become; "" leaves it."""
    events: tuple[contract.PlannedEvent, ...] = ()
    requeue_after: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Family:
    """A Deployment and its ReplicaSets. ``new`` may be one that this very pass creates."""

    deployment: resources.Object
    new: resources.Object | None
    old: tuple[resources.Object, ...]

    @property
    def every(self) -> tuple[resources.Object, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def active(self) -> list[resources.Object]:
        return [each for each in self.every if sizes.specified(each) > 0]


@dataclasses.dataclass(frozen=True, slots=True)
class _Moves:
    """What a pass does to ReplicaSets. ``rolling`` is False where the pass does not judge the rollout's progress."""

    reason: str
    rolling: bool = True
    create: resources.Object | None = None
    update: tuple[Update, ...] = ()
    delete: tuple[resources.Object, ...] = ()


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One step of the Deployment's way to its spec. ``now`` is Unix seconds."""
    deployment = snapshot.deployment
    selector = selectors.from_label_selector(deployment["spec"]["selector"])
    if selector.is_everything:
        return _selects_everything(deployment)
    claimed = claims.claim(deployment, selector, snapshot.replica_sets)
    family = _family(deployment, claimed.owned)
    if not claimed.settled:
        return Plan(claims=claimed, status=_status(deployment), reason="take in or let go of ReplicaSets")
    if meta.is_deleting(deployment):
        return _report(family, _Moves("being deleted", rolling=False), claimed, now)
    return _report(family, _moves(family, snapshot.pods), claimed, now)


def _status(deployment: resources.Object) -> dict[str, Any]:
    return dict(deployment.get("status") or {})


def _selects_everything(deployment: resources.Object) -> Plan:
    message = "This deployment is selecting all pods. A non-empty selector is required."
    return Plan(
        claims=claims.Claims(),
        status={**_status(deployment), "observedGeneration": meta.generation(deployment)},
        reason="empty selector",
        events=(contract.PlannedEvent("Warning", "SelectingAll", message),),
    )


def _family(deployment: resources.Object, owned: Sequence[resources.Object]) -> _Family:
    new = revisions.newest(deployment, owned)
    return _Family(deployment, new, tuple(each for each in owned if each is not new))


# ---------------------------------------------------------------------------------------------------------------- moves


def _moves(family: _Family, pods: Sequence[resources.Object]) -> _Moves:
    if family.deployment["spec"].get("paused"):
        return _paused(family)
    scaled = _share_out(family) if _size_changed(family) else ()
    if scaled:
        return _Moves("size changed: shared out", rolling=False, update=_with_notes(family, scaled))
    if sizes.strategy(family.deployment) == sizes.RECREATE:
        return _recreate(family, pods)
    return _roll(family)


def _paused(family: _Family) -> _Moves:
    scaled = _share_out(family)
    if scaled:
        return _Moves("paused: size shared out", rolling=False, update=_with_notes(family, scaled))
    outdated = tuple(revisions.outdated(family.deployment, family.old))
    return _Moves("paused", rolling=False, update=_with_notes(family, ()), delete=outdated)


def _size_changed(family: _Family) -> bool:
    goal = str(sizes.wanted(family.deployment))
    return any(revisions.annotation(each, revisions.DESIRED) not in ("", goal) for each in family.active)


def _size_notes(deployment: resources.Object) -> dict[str, str]:
    goal = sizes.wanted(deployment)
    return revisions.size_notes(goal, goal + sizes.limits(deployment).surge)


def _resize(deployment: resources.Object, changes: Iterable[tuple[resources.Object, int]]) -> tuple[Update, ...]:
    """Updates for those whose size or size annotations change; the annotations are renewed with every sizing."""
    notes = _size_notes(deployment)
    result = []
    for replica_set, replicas in changes:
        current = meta.annotations(replica_set)
        stale = {key: text for key, text in notes.items() if current.get(key) != text}
        size = replicas if replicas != sizes.specified(replica_set) else None
        if size is not None or stale:
            result.append(Update(replica_set, replicas=size, annotations=stale))
    return tuple(result)


def _share_out(family: _Family) -> tuple[Update, ...]:
    """Bring the ReplicaSets to a changed ``spec.replicas`` without going on with the rollout."""
    deployment, active = family.deployment, family.active
    only = _active_or_latest(family, active)
    if only is not None:
        return _resize(deployment, [(only, sizes.wanted(deployment))])
    if _is_saturated(family):
        return _resize(deployment, [(each, 0) for each in family.old if sizes.specified(each)])
    if sizes.strategy(deployment) == sizes.ROLLING_UPDATE:
        return _resize(deployment, sizes.proportional(deployment, active))
    return ()


def _active_or_latest(family: _Family, active: Sequence[resources.Object]) -> resources.Object | None:
    if len(active) > 1:
        return None
    if active:
        return active[0]
    if family.new is not None:
        return family.new
    return max(family.old, key=revisions.number, default=None)


def _is_saturated(family: _Family) -> bool:
    """The newest ReplicaSet carries the whole Deployment."""
    if family.new is None:
        return False
    goal = sizes.wanted(family.deployment)
    return (
        sizes.specified(family.new) == goal
        and revisions.annotation(family.new, revisions.DESIRED) == str(goal)
        and sizes.available(family.new) == goal
    )


def _create(family: _Family, replicas: int) -> resources.Object:
    deployment = family.deployment
    notes = revisions.notes(deployment, None, revisions.next_number(family.old))
    return revisions.build(deployment, replicas, {**notes, **_size_notes(deployment)})


def _with_notes(family: _Family, scaled: Collection[Update]) -> tuple[Update, ...]:
    """``scaled``, plus what the newest ReplicaSet must be told: annotations, revision, minReadySeconds."""
    new = family.new
    if new is None:
        return tuple(scaled)
    wanted = revisions.notes(family.deployment, new, revisions.next_number(family.old))
    current = meta.annotations(new)
    notes = {key: text for key, text in wanted.items() if current.get(key) != text}
    delay = int(family.deployment["spec"].get("minReadySeconds") or 0)
    changed_delay = delay if delay != int(new["spec"].get("minReadySeconds") or 0) else None
    if not notes and changed_delay is None:
        return tuple(scaled)
    mine = next((each for each in scaled if each.replica_set is new), Update(new))
    others = tuple(each for each in scaled if each.replica_set is not new)
    told = dataclasses.replace(mine, annotations={**notes, **mine.annotations}, min_ready_seconds=changed_delay)
    return (told, *others)


def _recreate(family: _Family, pods: Sequence[resources.Object]) -> _Moves:
    shrinking = _resize(family.deployment, [(each, 0) for each in family.old if sizes.specified(each)])
    if shrinking:
        return _Moves("recreate: old ReplicaSets go to 0", update=_with_notes(family, shrinking))
    if _old_pods_run(family, pods):
        return _Moves("recreate: waiting for old pods to end", update=_with_notes(family, ()))
    goal = sizes.wanted(family.deployment)
    if family.new is None:
        return _Moves("recreate: new ReplicaSet", create=_create(family, goal))
    growing = _resize(family.deployment, [(family.new, goal)])
    return _finish(family, growing, "recreate: newest ReplicaSet to its size")


def _old_pods_run(family: _Family, pods: Sequence[resources.Object]) -> bool:
    """Whether an old pod may still run: one that is being deleted does, until it is gone or its containers ended.

    What an old ReplicaSet last reported counts as well: it may have made pods that the snapshot does not show yet.
    """
    if any(_reports_pods(each) for each in family.old):
        return True
    running = [pod for pod in pods if not podstate.is_terminal(pod)]
    return any(owners.is_controlled_by(pod, each) for pod in running for each in family.old)


def _reports_pods(replica_set: resources.Object) -> bool:
    told = replica_set.get("status") or {}
    return bool(told.get("replicas")) or int(told.get("observedGeneration") or 0) < meta.generation(replica_set)


def _roll(family: _Family) -> _Moves:
    deployment = family.deployment
    size = sizes.new_size(deployment, family.new, family.every)
    if family.new is None:
        return _Moves("rolling update: new ReplicaSet", create=_create(family, size))
    resized = _resize(deployment, [(family.new, size)]) if size != sizes.specified(family.new) else ()
    if resized:
        return _Moves("rolling update: newest ReplicaSet resized", update=_with_notes(family, resized))
    shrinking = _resize(deployment, sizes.shrink_old(deployment, family.new, family.old))
    return _finish(family, shrinking, "rolling update: old ReplicaSets shrink")


def _finish(family: _Family, moves: tuple[Update, ...], reason: str) -> _Moves:
    """The last move of a strategy, or, when there is none and the Deployment is complete, the clean-up."""
    updates = _with_notes(family, moves)
    if moves or not status.is_complete(family.deployment, _status(family.deployment)):
        return _Moves(reason if moves else "waiting for pods", update=updates)
    return _Moves("complete", update=updates, delete=tuple(revisions.outdated(family.deployment, family.old)))


# --------------------------------------------------------------------------------------------------------------- report


def _report(family: _Family, moves: _Moves, claimed: claims.Claims, now: float) -> Plan:
    deployment = family.deployment
    view = status.View(
        deployment=deployment,
        new=family.new if moves.create is None else moves.create,
        old=family.old,
        created=moves.create is not None,
        rolling=moves.rolling,
    )
    new_status = status.compute(view, now)
    return Plan(
        claims=claimed,
        status=new_status,
        reason=moves.reason,
        create=moves.create,
        update=moves.update,
        delete=moves.delete,
        revision=_deployment_revision(view, moves),
        events=_events(moves),
        requeue_after=status.deadline_in(deployment, new_status, now),
    )


def _deployment_revision(view: status.View, moves: _Moves) -> str:
    """The newest ReplicaSet's revision after this pass, where the Deployment does not say so yet."""
    if view.new is None:
        return ""
    told = next((each.annotations for each in moves.update if each.replica_set is view.new), {})
    revision = told.get(revisions.REVISION) or revisions.annotation(view.new, revisions.REVISION)
    return revision if revision != revisions.annotation(view.deployment, revisions.REVISION) else ""


def _events(moves: _Moves) -> tuple[contract.PlannedEvent, ...]:
    result = []
    if moves.create is not None and sizes.specified(moves.create):
        result.append(_scaling(meta.name(moves.create), 0, sizes.specified(moves.create)))
    for each in moves.update:
        if each.replicas is not None:
            name = meta.name(each.replica_set)
            result.append(_scaling(name, sizes.specified(each.replica_set), each.replicas))
    return tuple(result)


def _scaling(name: str, before: int, after: int) -> contract.PlannedEvent:
    way = "up" if after > before else "down"
    message = f"Scaled {way} replica set {name} from {before} to {after}"
    return contract.PlannedEvent("Normal", "ScalingReplicaSet", message)
