"""Revisions: which ReplicaSet holds the current template, what the others are called, which may go.

The annotations are those that ``kubectl rollout history`` and ``undo`` read.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.api import names as keys
from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, names, owners, revision

HASH_LABEL = keys.POD_TEMPLATE_HASH
REVISION = keys.DEPLOYMENT_REVISION
HISTORY = keys.DEPLOYMENT_REVISION_HISTORY
DESIRED = keys.DEPLOYMENT_DESIRED_REPLICAS
MAX = keys.DEPLOYMENT_MAX_REPLICAS

_OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        HISTORY,
        DESIRED,
        MAX,
    }
)
# Fields where an empty map says the same as none at all. Elsewhere it does not: ``emptyDir: {}`` is a volume.
_EMPTY_MAPS = frozenset({"labels", "annotations", "nodeSelector", "limits", "requests", "securityContext"})
_HISTORY_LIMIT = 2000
_NAME_LIMIT = 253


def annotation(obj: resources.Object, key: str) -> str:
    """An annotation's text, "" where it is absent."""
    return meta.annotations(obj).get(key, "")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def number(replica_set: resources.Object) -> int:
    """The ReplicaSet's revision; 0 where it has none."""
    return _number(annotation(replica_set, REVISION))


def max_replicas(replica_set: resources.Object) -> int:
    """Size of the Deployment plus surge when the ReplicaSet was last sized; 0 where unknown."""
    return _number(annotation(replica_set, MAX))


def by_age(replica_sets: Iterable[resources.Object]) -> list[resources.Object]:
    """Oldest first; the name decides among those of one second."""
    return sorted(replica_sets, key=lambda each: (each["metadata"].get("creationTimestamp") or "", meta.name(each)))


def _plain(value: Any, field: str = "") -> Any:
    """The value without what says nothing: nulls, empty lists, empty maps of ``_EMPTY_MAPS``."""
    if isinstance(value, Mapping):
        kept = {key: _plain(each, key) for key, each in value.items()}
        return {
            key: each
            for key, each in kept.items()
            if each is not None and each != [] and not (each == {} and key in _EMPTY_MAPS)
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def plain_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template in the form in which two are compared: without the hash label and without what says nothing."""
    result: dict[str, Any] = copy.deepcopy(dict(template))
    metadata = result.get("metadata") or {}
    labels = metadata.get("labels") or {}
    labels.pop(HASH_LABEL, None)
    metadata.pop("creationTimestamp", None)
    plain: dict[str, Any] = _plain(result)
    return plain


def template_hash(deployment: resources.Object) -> str:
    """The ``pod-template-hash`` of the current template; ``status.collisionCount`` makes it another one."""
    collisions = (deployment.get("status") or {}).get("collisionCount")
    return revision.pod_template_hash(plain_template(deployment["spec"]["template"]), collisions)


def newest(deployment: resources.Object, replica_sets: Iterable[resources.Object]) -> resources.Object | None:
    """The ReplicaSet of the current template. Of several the oldest: every pass must choose the same."""
    goal = plain_template(deployment["spec"]["template"])
    same = (each for each in by_age(replica_sets) if plain_template(each["spec"]["template"]) == goal)
    return next(same, None)


def next_number(old: Sequence[resources.Object]) -> int:
    """The revision that the newest ReplicaSet has to have: one above all others."""
    return max(map(number, old), default=0) + 1


def _history(replica_set: resources.Object) -> str:
    """The revisions that a ReplicaSet has had before, with the one it is about to give up."""
    known = [each for each in annotation(replica_set, HISTORY).split(",") if each]
    known.append(annotation(replica_set, REVISION))
    while len(",".join(known)) > _HISTORY_LIMIT:
        del known[0]
    return ",".join(known)


def notes(deployment: resources.Object, new: resources.Object | None, wanted_revision: int) -> dict[str, str]:
    """What to set on the newest ReplicaSet (None: before it exists): the Deployment's annotations and its revision.

    A ReplicaSet that is used again keeps the revisions it had in its history.
    """
    result = {key: text for key, text in meta.annotations(deployment).items() if key not in _OWN_ANNOTATIONS}
    current = number(new) if new is not None else 0
    if current < wanted_revision:
        result[REVISION] = str(wanted_revision)
        if new is not None and current > 0:
            result[HISTORY] = _history(new)
    return result


def size_notes(desired: int, most: int) -> dict[str, str]:
    """The annotations that tell for which size of the Deployment (and size plus surge) a ReplicaSet was last sized."""
    return {DESIRED: str(desired), MAX: str(most)}


def build(deployment: resources.Object, replicas: int, notes: Mapping[str, str]) -> resources.Object:
    """The ReplicaSet of the current template, not created yet; ``notes`` become its annotations."""
    fingerprint = template_hash(deployment)
    template = copy.deepcopy(deployment["spec"]["template"])
    template.setdefault("metadata", {})
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: fingerprint}
    template["metadata"]["labels"] = labels
    selector = copy.deepcopy(deployment["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: fingerprint}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{names.truncated(meta.name(deployment), _NAME_LIMIT - len(fingerprint) - 1)}-{fingerprint}",
            "namespace": meta.namespace(deployment),
            "labels": dict(labels),
            "annotations": dict(notes),
            "ownerReferences": [owners.owner_reference(deployment, controller=True)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": int(deployment["spec"].get("minReadySeconds") or 0),
            "selector": selector,
            "template": template,
        },
    }


def _has_gone_quiet(replica_set: resources.Object) -> bool:
    status = replica_set.get("status") or {}
    return (
        not replica_set["spec"].get("replicas")
        and not status.get("replicas")
        and meta.generation(replica_set) <= int(status.get("observedGeneration") or 0)
    )


def outdated(deployment: resources.Object, old: Iterable[resources.Object]) -> list[resources.Object]:
    """Old ReplicaSets beyond ``spec.revisionHistoryLimit``, lowest revision first; only those without pods."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    alive = [each for each in old if not meta.is_deleting(each)]
    too_many = max(0, len(alive) - int(limit))
    ranked = sorted(by_age(alive), key=number)
    return [each for each in ranked[:too_many] if _has_gone_quiet(each)]
