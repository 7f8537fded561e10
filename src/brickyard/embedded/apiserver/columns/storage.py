"""Columns of StorageClasses, PersistentVolumes and claims."""

from __future__ import annotations

from collections.abc import Iterable

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import paths

_ACCESS = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_UNSET = "<unset>"


def _short(modes: Iterable[str]) -> str:
    return ",".join(_ACCESS.get(each, each) for each in dict.fromkeys(modes))


def _phase(obj: resources.Object, now: float) -> str:
    del now
    deleted = paths.get(obj, "metadata.deletionTimestamp")
    return "Terminating" if deleted else str(paths.get(obj, "status.phase", ""))


def _claim_access(obj: resources.Object, now: float) -> str:
    del now
    bound = paths.get(obj, "spec.volumeName")
    return _short(paths.get(obj, "status.accessModes", ())) if bound else ""


_ATTRIBUTES = contract.Column(
    "VolumeAttributesClass", cells.at("spec.volumeAttributesClassName", _UNSET), description="Attributes asked for."
)
_MODE = contract.Column(
    "VolumeMode", cells.at("spec.volumeMode", _UNSET), priority=1, description="Filesystem or Block."
)
_CLASS = contract.Column(
    "StorageClass", cells.at("spec.storageClassName", ""), description="Class that provides the volume."
)
PERSISTENT_VOLUME_CLAIM = (
    cells.NAME,
    contract.Column("Status", _phase, description="Whether the claim is bound."),
    contract.Column("Volume", cells.at("spec.volumeName", ""), description="The volume it is bound to."),
    contract.Column("Capacity", cells.at("status.capacity.storage", ""), description="Size of that volume."),
    contract.Column("Access Modes", _claim_access, description="How that volume can be mounted."),
    _CLASS,
    _ATTRIBUTES,
    cells.AGE,
    _MODE,
)


def _volume_access(obj: resources.Object, now: float) -> str:
    del now
    return _short(paths.get(obj, "spec.accessModes", ()))


def _claim(obj: resources.Object, now: float) -> str:
    del now
    reference = paths.get(obj, "spec.claimRef")
    return f"{reference.get('namespace') or ''}/{reference.get('name') or ''}" if reference else ""


PERSISTENT_VOLUME = (
    cells.NAME,
    contract.Column("Capacity", cells.at("spec.capacity.storage", "0"), description="Its size."),
    contract.Column("Access Modes", _volume_access, description="How it can be mounted."),
    contract.Column(
        "Reclaim Policy",
        cells.at("spec.persistentVolumeReclaimPolicy", ""),
        description="What becomes of it without its claim.",
    ),
    contract.Column("Status", _phase, description="Whether a claim is bound to it."),
    contract.Column("Claim", _claim, description="That claim."),
    _CLASS,
    _ATTRIBUTES,
    contract.Column("Reason", cells.at("status.reason", ""), description="Why it is in its state."),
    cells.AGE,
    _MODE,
)


def _class_name(obj: resources.Object, now: float) -> str:
    del now
    annotations = paths.get(obj, "metadata.annotations", {})
    default = any(annotations.get(key) == "true" for key in _DEFAULT_CLASS)
    return f"{paths.get(obj, 'metadata.name', '')}{' (default)' if default else ''}"


def _expandable(obj: resources.Object, now: float) -> str:
    del now
    return "true" if obj.get("allowVolumeExpansion") else "false"


STORAGE_CLASS = (
    contract.Column("Name", _class_name, format="name", description=cells.NAME.description),
    contract.Column("Provisioner", cells.at("provisioner", ""), description="Who makes volumes of this class."),
    contract.Column(
        "ReclaimPolicy", cells.at("reclaimPolicy", "Delete"), description="What becomes of a volume without its claim."
    ),
    contract.Column(
        "VolumeBindingMode", cells.at("volumeBindingMode", _UNSET), description="When a volume is made and bound."
    ),
    contract.Column("AllowVolumeExpansion", _expandable, description="Whether its volumes may grow."),
    cells.AGE,
)
