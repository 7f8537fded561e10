"""Who the pods of a StatefulSet are: their names, their volumes, what they are made of. Pure.

``web`` with three replicas has the pods ``web-0``, ``web-1`` and ``web-2``; the claim template ``data`` gives them the claims
``data-web-0`` and so on, which outlive the pods.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, owners

REVISION_LABEL = "controller-revision-hash"
POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"

Template = Mapping[str, Any]


def start(stateful_set: resources.Object) -> int:
    """The first ordinal."""
    return int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)


def wanted(stateful_set: resources.Object) -> int:
    """``spec.replicas``, one where it is absent."""
    replicas = stateful_set["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def ordinals(stateful_set: resources.Object) -> range:
    """Those that there shall be."""
    first = start(stateful_set)
    return range(first, first + wanted(stateful_set))


def pod_name(stateful_set: resources.Object, ordinal: int) -> str:
    """``web-0``."""
    return f"{meta.name(stateful_set)}-{ordinal}"


def ordinal(stateful_set: resources.Object, name: str) -> int | None:
    """The ordinal of a pod called ``name``; None when it is no name of this set's."""
    parent, _, digits = name.rpartition("-")
    if parent != meta.name(stateful_set) or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(digits)
    return number if str(number) == digits else None


def revision_of(pod: resources.Object) -> str:
    """The name of the revision that the pod was made of; "" where it does not say."""
    return meta.labels(pod).get(REVISION_LABEL, "")


def claim_name(stateful_set: resources.Object, template: Template, number: int) -> str:
    """``data-web-0``."""
    return f"{template['metadata']['name']}-{pod_name(stateful_set, number)}"


def claims(stateful_set: resources.Object, number: int) -> tuple[resources.Object, ...]:
    """The claims of one pod, whole. They belong to the set where they are to go with it, else to nobody."""
    labels = (stateful_set["spec"]["selector"] or {}).get("matchLabels") or {}
    result = []
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        found = template["metadata"]
        metadata = {
            "name": claim_name(stateful_set, template, number),
            "namespace": meta.namespace(stateful_set),
            "labels": {**(found.get("labels") or {}), **labels},
            "annotations": dict(found.get("annotations") or {}),
            "ownerReferences": [owners.owner_reference(stateful_set)] if retention(stateful_set, "whenDeleted") else [],
        }
        body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": copy.deepcopy(template["spec"])}
        result.append({**body, "metadata": {key: value for key, value in metadata.items() if value}})
    return tuple(result)


def retention(stateful_set: resources.Object, when: str) -> bool:
    """Whether claims go ``whenDeleted`` (with the set) or ``whenScaled`` (with a pod that is not wanted any more)."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return bool(policy.get(when) == "Delete")


def build(stateful_set: resources.Object, template: Template, revision: str, number: int) -> resources.Object:
    """The pod ``number``, made of ``template``, which the revision of that name holds."""
    name = pod_name(stateful_set, number)
    found = template.get("metadata") or {}
    own = {POD_NAME_LABEL: name, INDEX_LABEL: str(number), REVISION_LABEL: revision}
    metadata = {
        "name": name,
        "generateName": f"{meta.name(stateful_set)}-",
        "namespace": meta.namespace(stateful_set),
        "labels": {**(found.get("labels") or {}), **own},
        "annotations": dict(found.get("annotations") or {}),
        "finalizers": list(found.get("finalizers") or ()),
        "ownerReferences": [owners.owner_reference(stateful_set)],
    }
    spec = copy.deepcopy(dict(template.get("spec") or {}))
    spec["hostname"] = name
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    _mount(stateful_set, spec, number)
    kept = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


def _mount(stateful_set: resources.Object, spec: dict[str, Any], number: int) -> None:
    """A claim takes the place of a volume of the template that has its name."""
    mine = {
        each["metadata"]["name"]: claim_name(stateful_set, each, number)
        for each in stateful_set["spec"].get("volumeClaimTemplates") or ()
    }
    others = [each for each in spec.get("volumes") or () if each["name"] not in mine]
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in mine.items()]
    if volumes or others:
        spec["volumes"] = [*volumes, *others]
