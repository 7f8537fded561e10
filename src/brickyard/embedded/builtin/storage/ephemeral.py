"""Claims that are made for one pod: its volumes of kind ``ephemeral``. Pure.

The claim is called ``<pod>-<volume>`` and belongs to the pod: the garbage collector takes it with the pod. A claim of that name that is not
the pod's is left alone, and the pod waits.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract
from brickyard.embedded.builtin.storage import facts
from brickyard.kube.objects import meta, owners


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``create`` are whole claims."""

    create: tuple[resources.Object, ...] = ()
    events: tuple[contract.PlannedEvent, ...] = ()


def is_concerned(pod: resources.Object) -> bool:
    """Whether the pod has volumes of this kind at all."""
    return any("ephemeral" in each for each in pod["spec"].get("volumes") or ())


def plan(pod: resources.Object, held: Mapping[str, resources.Object]) -> Plan:
    """The claims that the pod lacks. ``held`` are the claims of its namespace, by name."""
    if meta.is_deleting(pod):
        return Plan()
    wanted = [each for each in pod["spec"].get("volumes") or () if "ephemeral" in each]
    create, events = [], []
    for volume in wanted:
        name = facts.claim_name(pod, volume)
        known = held.get(name)
        if known is None:
            create.append(_claim(pod, name, volume["ephemeral"].get("volumeClaimTemplate") or {}))
        elif not owners.is_owned_by(known, pod):
            text = (
                f'PVC "{meta.namespace(pod)}/{name}" was not created for the pod: rename the pod, or delete the claim'
            )
            events.append(contract.PlannedEvent("Warning", "FailedBinding", text))
    return Plan(tuple(create), tuple(events))


def _claim(pod: resources.Object, name: str, template: Mapping[str, resources.Object]) -> resources.Object:
    given = template.get("metadata") or {}
    metadata = {
        "name": name,
        "namespace": meta.namespace(pod),
        "labels": dict(given.get("labels") or {}),
        "annotations": dict(given.get("annotations") or {}),
        "ownerReferences": [owners.owner_reference(pod)],
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {key: value for key, value in metadata.items() if value},
        "spec": copy.deepcopy(template.get("spec") or {}),
    }
