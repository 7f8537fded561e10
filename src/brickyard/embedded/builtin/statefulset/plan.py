"""What a StatefulSet does next: a pure function from the pods that are there to those to make and to delete.

Pods are healthy when they run, are available (``minReadySeconds``) and are not being deleted. With ``OrderedReady`` a pass makes
one move, the first of this table; with ``Parallel`` the rows of the first two parts hold for all pods at once:

    | seen, by ordinal from the lowest           | move                                                                |
    |--------------------------------------------|---------------------------------------------------------------------|
    | a wanted pod ended (Failed, Succeeded)     | delete it, the same name is made again                              |
    | a wanted pod is missing                    | make its claims, then the pod                                       |
    | a wanted pod is not healthy                | wait (OrderedReady)                                                 |

    | then, from the highest                     | move                                                                |
    |--------------------------------------------|---------------------------------------------------------------------|
    | an unwanted pod is being deleted           | wait (OrderedReady)                                                 |
    | an unwanted pod, and a lower one is sick   | wait (OrderedReady), unless it is the sick one itself               |
    | an unwanted pod                            | delete it                                                           |

    | then, from the highest, RollingUpdate only | move                                                                |
    |--------------------------------------------|---------------------------------------------------------------------|
    | a pod at or above the partition is old     | delete it: it comes back from the new template                      |
    | ``maxUnavailable`` (1) of them are away    | wait; an old one that is not healthy anyway is deleted all the same |

A pod below the partition that has to be made again gets the template it had; ``OnDelete`` never deletes an old pod, and makes new
ones from the new template.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims, podstate, revisions
from brickyard.embedded.builtin.statefulset import identity
from brickyard.kube.objects import meta, selectors

PARALLEL = "Parallel"
ROLLING_UPDATE = "RollingUpdate"


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows.

    ``pods`` are all of the namespace that may be the set's own, ``history`` its ControllerRevisions, ``claim_names`` the claims
    that exist in the namespace.
    """

    stateful_set: resources.Object
    pods: Sequence[resources.Object]
    history: Sequence[resources.Object] = ()
    claim_names: Collection[str] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Doomed:
    """A pod to delete. ``claims`` are names of claims that are to go with it."""

    pod: resources.Object
    reason: str
    claims: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``claim_volumes`` are whole claims to create before ``create``, whole pods; ``stale`` revisions may go."""

    claims: claims.Claims
    reason: str
    revisions: revisions.Revisions
    pods: tuple[resources.Object, ...] = ()
    """The pods that the set has before this step."""
    create: tuple[resources.Object, ...] = ()
    claim_volumes: tuple[resources.Object, ...] = ()
    delete: tuple[Doomed, ...] = ()
    stale: tuple[resources.Object, ...] = ()
    requeue_after: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Moves:
    reason: str
    create: tuple[int, ...] = ()
    """Ordinals."""
    delete: tuple[Doomed, ...] = ()
    final: bool = False
    """Nothing that comes later may happen in this pass."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Set:
    """The pods by ordinal, and what is asked of them."""

    body: resources.Object
    wanted: Mapping[int, resources.Object | None]
    unwanted: Mapping[int, resources.Object]
    sick: frozenset[int]
    ordered: bool

    @property
    def first_sick(self) -> int | None:
        """The lowest wanted ordinal that is not healthy, else the lowest unwanted."""
        mine = [each for each in self.sick if each in self.wanted]
        return min(mine or self.sick, default=None)


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One step towards the spec. ``now`` is Unix seconds."""
    body = snapshot.stateful_set
    chosen = revisions.choose(body, snapshot.history)
    claimed = _claims(snapshot)
    seen = Plan(claimed, "as wanted", chosen, claimed.all_owned, requeue_after=_next_available(body, claimed, now))
    if not claimed.settled:
        return dataclasses.replace(seen, reason="take in or let go of pods")
    if meta.is_deleting(body):
        return dataclasses.replace(seen, reason="being deleted")
    moves = _moves(_sort(body, claimed.owned, now), chosen)
    return _filled(dataclasses.replace(seen, reason=moves.reason, delete=moves.delete), snapshot, moves.create)


def _claims(snapshot: Snapshot) -> claims.Claims:
    """Only pods whose name is one of the set's can be its own."""
    body = snapshot.stateful_set
    selector = selectors.from_label_selector(body["spec"]["selector"])
    named = [pod for pod in snapshot.pods if identity.ordinal(body, meta.name(pod)) is not None]
    return claims.claim(body, selector, named)


def is_healthy(body: resources.Object, pod: resources.Object, now: float) -> bool:
    """Runs, is available and stays."""
    delay = int(body["spec"].get("minReadySeconds") or 0)
    running = podstate.phase(pod) == "Running" and not podstate.is_terminating(pod)
    return running and podstate.is_available(pod, delay, now)


def _sort(body: resources.Object, pods: Sequence[resources.Object], now: float) -> _Set:
    by_ordinal: dict[int, resources.Object] = {}
    for pod in pods:
        found = identity.ordinal(body, meta.name(pod))
        if found is not None:
            by_ordinal[found] = pod
    span = identity.ordinals(body)
    wanted = {each: by_ordinal.get(each) for each in span}
    missing = {each for each, pod in wanted.items() if pod is None}
    return _Set(
        body=body,
        wanted=wanted,
        unwanted={each: by_ordinal[each] for each in sorted(by_ordinal, reverse=True) if each not in span},
        sick=frozenset(missing | {each for each, pod in by_ordinal.items() if not is_healthy(body, pod, now)}),
        ordered=body["spec"].get("podManagementPolicy") != PARALLEL,
    )


# ---------------------------------------------------------------------------------------------------------------- moves


def _moves(found: _Set, chosen: revisions.Revisions) -> _Moves:
    filling = _fill(found)
    if filling.final:
        return filling
    shrinking = _shrink(found)
    both = _Moves(
        filling.reason or shrinking.reason, filling.create, filling.delete + shrinking.delete, shrinking.final
    )
    if both.final or both.create or both.delete:
        return both
    return _update(found, meta.name(chosen.update))


def _fill(found: _Set) -> _Moves:
    """The first part of the table."""
    create: list[int] = []
    delete: list[Doomed] = []
    for number, pod in found.wanted.items():
        if pod is None:
            create.append(number)
        elif podstate.is_terminal(pod) and not podstate.is_terminating(pod):
            phase = podstate.phase(pod)
            delete.append(Doomed(pod, "RecreatingFailedPod" if phase == "Failed" else "RecreatingTerminatedPod"))
        if found.ordered and number in found.sick:
            reason = f"pod {identity.pod_name(found.body, number)} has to be healthy first"
            return _Moves(reason, tuple(create), tuple(delete), final=True)
    return _Moves(f"{len(create)} too few" if create else "", tuple(create), tuple(delete))


def _shrink(found: _Set) -> _Moves:
    """The second part: from the highest ordinal."""
    delete: list[Doomed] = []
    for number, pod in found.unwanted.items():
        name = identity.pod_name(found.body, number)
        if podstate.is_terminating(pod):
            if found.ordered:
                return _Moves(f"waiting for pod {name} to end", final=True)
            continue
        lower_is_sick = found.first_sick not in (None, number)
        if found.ordered and lower_is_sick and number in found.sick:
            return _Moves(f"a lower pod than {name} is not healthy", final=True)
        delete.append(Doomed(pod, f"{name} is not wanted", _leaving_claims(found.body, number)))
        if found.ordered:
            return _Moves(f"pod {name} is not wanted", (), tuple(delete), final=True)
    return _Moves(f"{len(delete)} too many" if delete else "", (), tuple(delete))


def _leaving_claims(body: resources.Object, number: int) -> tuple[str, ...]:
    if not identity.retention(body, "whenScaled"):
        return ()
    return tuple(identity.claim_name(body, each, number) for each in body["spec"].get("volumeClaimTemplates") or ())


def partition(body: resources.Object) -> int:
    """The lowest ordinal (counted from the first) that a rolling update touches."""
    return int((_rolling(body)).get("partition") or 0)


def _rolling(body: resources.Object) -> Mapping[str, Any]:
    return (body["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}


def rolls(body: resources.Object) -> bool:
    """Whether old pods are deleted for the sake of a new template."""
    return bool((body["spec"].get("updateStrategy") or {}).get("type", ROLLING_UPDATE) == ROLLING_UPDATE)


def allowed_away(body: resources.Object) -> int:
    """How many pods an update may have away at a time, at least one."""
    value = _rolling(body).get("maxUnavailable")
    if isinstance(value, str) and value.endswith("%"):
        value = int(value[:-1]) * identity.wanted(body) // 100
    return max(1, int(value or 1))


def _update(found: _Set, newest: str) -> _Moves:
    """The third part."""
    if not rolls(found.body):
        return _Moves("as wanted")
    lowest = identity.start(found.body) + partition(found.body)
    touched = {number: pod for number, pod in found.wanted.items() if number >= lowest and pod is not None}
    room = allowed_away(found.body) - sum(number in found.sick for number in touched)
    delete: list[Doomed] = []
    old = 0
    for number, pod in sorted(touched.items(), reverse=True):
        if identity.revision_of(pod) == newest:
            continue
        old += 1
        # One that is away already costs nothing.
        if podstate.is_terminating(pod) or (number not in found.sick and room <= 0):
            continue
        room -= number not in found.sick
        delete.append(Doomed(pod, f"{meta.name(pod)} is of an older revision than {newest}"))
    reason = "rolling update" if delete else "waiting for updated pods" if old else "as wanted"
    return _Moves(reason, (), tuple(delete))


# --------------------------------------------------------------------------------------------------------------- bodies


def _filled(step: Plan, snapshot: Snapshot, create: Sequence[int]) -> Plan:
    """``step`` with whole pods, the claims that they and the present pods lack, and the revisions that may go."""
    body = snapshot.stateful_set
    present = [identity.ordinal(body, meta.name(pod)) for pod in step.pods if not podstate.is_terminating(pod)]
    span = identity.ordinals(body)
    numbers = sorted({each for each in present if each is not None and each in span} | set(create))
    lacking = [each for number in numbers for each in identity.claims(body, number)]
    chosen = step.revisions
    made = tuple(_new_pod(body, chosen, number) for number in create)
    live = {identity.revision_of(pod) for pod in step.pods} | {meta.name(chosen.update), meta.name(chosen.current)}
    return dataclasses.replace(
        step,
        create=made,
        claim_volumes=tuple(each for each in lacking if meta.name(each) not in snapshot.claim_names),
        stale=revisions.outdated(body, snapshot.history, live),
    )


def _new_pod(body: resources.Object, chosen: revisions.Revisions, number: int) -> resources.Object:
    keeps = rolls(body) and number < identity.start(body) + partition(body)
    source = chosen.current if keeps else chosen.update
    return identity.build(body, revisions.template(source), meta.name(source), number)


def _next_available(body: resources.Object, claimed: claims.Claims, now: float) -> float | None:
    delay = int(body["spec"].get("minReadySeconds") or 0)
    moments = (podstate.available_at(pod, delay) for pod in claimed.all_owned) if delay else iter(())
    return min((at - now for at in moments if at is not None and at > now), default=None)
