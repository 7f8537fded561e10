"""What StorageClasses, volumes and claims say about themselves. Pure readings that both plans share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, quantities

PROVISIONER = "brickyard.io/folder"
"""Makes a folder below the data directory for each claim."""
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
NO_PROVISIONER = "kubernetes.io/no-provisioner"

CLASS: resources.Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "brickyard", "annotations": {DEFAULT_CLASS: "true"}},
    "provisioner": PROVISIONER,
    "reclaimPolicy": "Delete",
    "volumeBindingMode": "Immediate",
    "allowVolumeExpansion": True,
}
"""The class of claims that name none."""


def default_class(classes: Iterable[resources.Object]) -> resources.Object | None:
    """The class for claims that name none: of several defaults the youngest, as Kubernetes chooses."""
    marked = [each for each in classes if meta.annotations(each).get(DEFAULT_CLASS) == "true"]
    # By time from the latest; among equals the first by name.
    marked.sort(key=meta.name)
    marked.sort(key=lambda each: meta.metadata(each).get("creationTimestamp") or "", reverse=True)
    return marked[0] if marked else None


def requested(claim: resources.Object) -> Decimal:
    """Bytes that a claim asks for."""
    return quantities.parse(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "0")


def capacity(volume: resources.Object) -> Decimal:
    """Bytes that a volume says it has."""
    return quantities.parse((volume["spec"].get("capacity") or {}).get("storage") or "0")


def holder(volume: resources.Object) -> dict[str, Any]:
    """The volume's ``claimRef``; empty where there is none."""
    return volume["spec"].get("claimRef") or {}


def is_held_by(volume: resources.Object, claim: resources.Object) -> bool:
    """Whether the volume is this very claim's, or is reserved for it by name."""
    reference = holder(volume)
    named = (reference.get("namespace"), reference.get("name")) == (meta.namespace(claim), meta.name(claim))
    return named and reference.get("uid") in (None, "", meta.uid(claim))


def reference(claim: resources.Object) -> dict[str, Any]:
    """What a volume's ``claimRef`` says of its claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
    }


def claims_of(pod: resources.Object) -> Iterator[str]:
    """``namespace/name`` of every claim that the pod mounts, those made for it included."""
    for volume in pod["spec"].get("volumes") or ():
        if name := claim_name(pod, volume):
            yield f"{meta.namespace(pod)}/{name}"


def claim_name(pod: resources.Object, volume: dict[str, Any]) -> str:
    """The claim behind one of a pod's volumes; "" where there is none."""
    if "ephemeral" in volume:
        return f"{meta.name(pod)}-{volume['name']}"
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName") or "")
