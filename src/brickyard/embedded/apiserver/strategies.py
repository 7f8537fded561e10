"""The few kinds whose life differs from the rule: what the server itself writes into them, and how they are deleted.

The rule (``Strategy()``): status is dropped at creation, nothing is added, deletion is immediate unless finalizers hold it. Pure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import records
from brickyard.embedded.apiserver.admission import crd, jobs
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps

NAMESPACE_FINALIZER: Final = "kubernetes"
"""In ``spec.finalizers`` of a namespace until it is empty."""
DEFINITION_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""On a CustomResourceDefinition until its objects are gone."""

DEFAULT_ACCOUNT: Final = "default"
"""The ServiceAccount of pods that name none; every namespace has it."""

_IMMORTAL_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})

Draft = resources.Object

_ACCEPTED = (
    conditions.Condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
    conditions.Condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
)
_TERMINATING = conditions.Condition(
    "Terminating",
    "True",
    "InstanceDeletionPending",
    "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
)


def _nothing(draft: Draft, now: float) -> None:
    del draft, now


def _change_nothing(draft: Draft, old: resources.Object, now: float) -> None:
    del draft, old, now


def _no_grace(obj: resources.Object, asked: int | None) -> int:
    del obj, asked
    return 0


def _not_held(obj: resources.Object) -> bool:
    del obj
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Strategy:
    """How one kind lives. Functions that take a draft change it in place."""

    keeps_status: bool = False
    """Whether a create may bring its status along."""
    born: Callable[[Draft, float], None] = _nothing
    """Writes what the server adds at creation, by replacing what it changes: what was sent is compared with it."""
    guard: Callable[[Draft, resources.Object, float], None] = _change_nothing
    """(draft, old, now): restores what an update of the main resource may not change."""
    doomed: Callable[[Draft, float], None] = _nothing
    """Writes what the server adds when deletion begins."""
    grace: Callable[[resources.Object, int | None], int] = _no_grace
    """(object, asked seconds or None): seconds between the request to delete and the end."""
    held: Callable[[resources.Object], bool] = _not_held
    """Whether something beside ``metadata.finalizers`` still keeps a deleted object."""
    immortal: frozenset[str] = frozenset()
    """Names that may not be deleted."""
    returns_deleted: bool = False
    """Whether the answer to a delete is the object rather than a ``Status``."""


def _pod_born(draft: Draft, now: float) -> None:
    del now
    spec = draft.get("spec") or {}
    if not spec.get("serviceAccountName") and not spec.get("serviceAccount"):
        # Under both of its names, so that neither counts as the client's.
        draft["spec"] = {**spec, "serviceAccountName": DEFAULT_ACCOUNT, "serviceAccount": DEFAULT_ACCOUNT}
    draft.setdefault("status", {}).setdefault("phase", "Pending")


def _job_born(draft: Draft, now: float) -> None:
    del now
    jobs.born(draft)


def _pod_grace(pod: resources.Object, asked: int | None) -> int:
    """A pod that never reached a node, or has ended, needs no time to say goodbye."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    return 1 if seconds < 0 else int(seconds)


def _namespace_born(draft: Draft, now: float) -> None:
    del now
    draft["spec"] = {"finalizers": [NAMESPACE_FINALIZER]}
    draft["status"] = {"phase": "Active"}


def _namespace_guard(draft: Draft, old: resources.Object, now: float) -> None:
    del now
    draft["spec"] = {**(draft.get("spec") or {}), "finalizers": (old.get("spec") or {}).get("finalizers") or []}


def _namespace_doomed(draft: Draft, now: float) -> None:
    del now
    draft["status"] = {**(draft.get("status") or {}), "phase": "Terminating"}


def _namespace_held(obj: resources.Object) -> bool:
    return bool((obj.get("spec") or {}).get("finalizers"))


def _definition_born(draft: Draft, now: float) -> None:
    finalizers = draft["metadata"].get("finalizers") or []
    if DEFINITION_FINALIZER not in finalizers:
        draft["metadata"]["finalizers"] = [*finalizers, DEFINITION_FINALIZER]
    draft["status"] = _definition_status(draft.get("spec") or {}, {}, now)


def _definition_guard(draft: Draft, old: resources.Object, now: float) -> None:
    draft["status"] = _definition_status(draft.get("spec") or {}, old.get("status") or {}, now)


def _definition_status(spec: Mapping[str, Any], before: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What Kubernetes' controllers write a moment later: here at once, since nothing has to be asked."""
    found = before.get("conditions") or []
    names = crd.names_of(spec)
    if before.get("acceptedNames") != names:
        # What others hold was decided on the names: it stands as long as they do.
        found = accepted(found, now)
    stored = [each.get("name") for each in spec.get("versions") or () if each.get("storage")]
    kept = [each for each in before.get("storedVersions") or () if each not in stored]
    return {"conditions": found, "acceptedNames": names, "storedVersions": [*kept, *stored]}


def accepted(found: Sequence[Mapping[str, Any]] | None, now: float) -> list[resources.Object]:
    """Conditions of a definition that is served."""
    result = [dict(each) for each in found or ()]
    for each in _ACCEPTED:
        result = conditions.set_condition(result, each, timestamps.rfc3339(now))
    return result


def _definition_doomed(draft: Draft, now: float) -> None:
    status = draft.get("status") or {}
    found = conditions.set_condition(status.get("conditions"), _TERMINATING, timestamps.rfc3339(now))
    draft["status"] = {**status, "conditions": found}


RULE: Final = Strategy()

_EXCEPTIONS: Mapping[str, Strategy] = {
    records.resource_of(resources.POD): Strategy(born=_pod_born, grace=_pod_grace, returns_deleted=True),
    records.resource_of(resources.JOB): Strategy(born=_job_born),
    # A node agent brings the node's status along when it registers it.
    records.resource_of(resources.NODE): Strategy(keeps_status=True),
    records.resource_of(resources.SERVICE): Strategy(returns_deleted=True),
    records.resource_of(resources.NAMESPACE): Strategy(
        born=_namespace_born,
        guard=_namespace_guard,
        doomed=_namespace_doomed,
        held=_namespace_held,
        immortal=_IMMORTAL_NAMESPACES,
    ),
    records.resource_of(resources.CUSTOM_RESOURCE_DEFINITION): Strategy(
        born=_definition_born, guard=_definition_guard, doomed=_definition_doomed
    ),
}


def of(resource: str) -> Strategy:
    """How the objects of a collection (``records.resource_of``) live."""
    return _EXCEPTIONS.get(resource, RULE)
