"""What a Job asks for, and what its pods are called. Pure."""

from __future__ import annotations

import copy
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, names, owners

FINALIZER = "batch.kubernetes.io/job-tracking"
"""On every pod of a Job until its end was counted: a pod that is deleted before that would be forgotten."""
INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
_MANAGER = "kubernetes.io/job-controller"
_SUFFIX = 5


def parallelism(job: resources.Object) -> int:
    """``spec.parallelism``, one where it is absent."""
    found = job["spec"].get("parallelism")
    return 1 if found is None else int(found)


def completions(job: resources.Object) -> int | None:
    """How many pods have to succeed; None: the first success means that the work is done."""
    found = job["spec"].get("completions")
    return None if found is None else int(found)


def indexed(job: resources.Object) -> bool:
    """Whether each pod has a number that tells its share of the work."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def limit_per_index(job: resources.Object) -> int | None:
    """``spec.backoffLimitPerIndex``."""
    found = job["spec"].get("backoffLimitPerIndex")
    return None if found is None else int(found)


def suspended(job: resources.Object) -> bool:
    """``spec.suspend``."""
    return bool(job["spec"].get("suspend"))


def replaces_failed_only(job: resources.Object) -> bool:
    """Whether a pod is replaced when it has ended, and not when its end has been asked for."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed")


def is_ours(job: resources.Object) -> bool:
    """Whether no other controller was named to run it."""
    return job["spec"].get("managedBy") in (None, "", _MANAGER)


def index_of(pod: resources.Object) -> int | None:
    """The completion index of a pod; None where it has none."""
    text = meta.annotations(pod).get(INDEX, "")
    return int(text) if text.isascii() and text.isdigit() else None


def failures_of(pod: resources.Object) -> int:
    """How often the pod's index had failed when the pod was made."""
    text = meta.annotations(pod).get(FAILURES, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def prefix(job: resources.Object, index: int | None) -> str:
    """What the name of a pod begins with."""
    middle = "" if index is None else f"-{index}"
    return names.truncated(meta.name(job), names.LABEL_LIMIT - _SUFFIX - 1 - len(middle)) + f"{middle}-"


def build(job: resources.Object, name: str, index: int | None, failures: int) -> resources.Object:
    """A pod of the template; ``index`` None means that the pods are all alike."""
    template = copy.deepcopy(job["spec"]["template"])
    found, spec = template.get("metadata") or {}, template.get("spec") or {}
    labels, annotations = dict(found.get("labels") or {}), dict(found.get("annotations") or {})
    if index is not None:
        labels[INDEX] = annotations[INDEX] = str(index)
        spec.setdefault("hostname", prefix(job, index).rstrip("-"))
        for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
            _tell_index(container)
        if limit_per_index(job) is not None:
            annotations[FAILURES] = str(failures)
    metadata = {
        "name": name,
        "generateName": prefix(job, index),
        "namespace": meta.namespace(job),
        "labels": labels,
        "annotations": annotations,
        "finalizers": [*(found.get("finalizers") or ()), FINALIZER],
        "ownerReferences": [owners.owner_reference(job)],
    }
    kept = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


def _tell_index(container: dict[str, Any]) -> None:
    env = container.setdefault("env", [])
    if all(each["name"] != INDEX_VARIABLE for each in env):
        path = f"metadata.annotations['{INDEX}']"
        env.append({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
