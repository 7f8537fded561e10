"""StorageClasses, PersistentVolumes and the claims on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata
from brickyard.kube.objects import quantities

Spec = Mapping[str, Any]

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_MODES = ("Block", "Filesystem")
_CLASS_POLICIES = ("Delete", "Retain")
_VOLUME_POLICIES = ("Delete", "Recycle", "Retain")
_BINDING = ("Immediate", "WaitForFirstConsumer")
_NOT_SOURCES = frozenset(
    {
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
_PARAMETERS_LIMIT, _PARAMETERS_BYTES = 512, 256 * 1024
_CLAIM_FIXED = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def fill_class(draft: resources.Object) -> None:
    """Fill in a StorageClass."""
    draft["reclaimPolicy"] = draft.get("reclaimPolicy") or "Delete"
    draft["volumeBindingMode"] = draft.get("volumeBindingMode") or "Immediate"


def judge_class(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a StorageClass."""
    provisioner = obj.get("provisioner")
    if not provisioner:
        yield faults.required("provisioner")
    elif problem := metadata.qualified_name(provisioner.lower()):
        yield faults.invalid("provisioner", provisioner, problem)
    yield from _parameters("parameters", obj.get("parameters") or {})
    if obj.get("reclaimPolicy") not in _CLASS_POLICIES:
        yield faults.not_supported("reclaimPolicy", obj.get("reclaimPolicy"), _CLASS_POLICIES)
    if obj.get("volumeBindingMode") not in _BINDING:
        yield faults.not_supported("volumeBindingMode", obj.get("volumeBindingMode"), _BINDING)
    if old is None:
        return
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if obj.get(name) != old.get(name):
            yield faults.forbidden(name, f"updates to {name} are forbidden.")
    yield from metadata.immutable("volumeBindingMode", obj.get("volumeBindingMode"), old.get("volumeBindingMode"))


def _parameters(path: str, found: Mapping[str, str]) -> faults.Errors:
    if len(found) > _PARAMETERS_LIMIT:
        yield faults.too_long(path, _PARAMETERS_LIMIT)
    if "" in found:
        yield faults.invalid(path, "", "field can not be empty.")
    if sum(len(key) + len(value) for key, value in found.items()) > _PARAMETERS_BYTES:
        yield faults.too_long(path, _PARAMETERS_BYTES)


def fill_volume(draft: resources.Object) -> None:
    """Fill in a PersistentVolume."""
    spec = draft.setdefault("spec", {})
    spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
    spec.setdefault("volumeMode", "Filesystem")
    if (host := spec.get("hostPath")) is not None:
        host.setdefault("type", "")
    status = draft.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"


def judge_volume(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a PersistentVolume."""
    spec: Spec = obj.get("spec") or {}
    yield from _access("spec.accessModes", spec.get("accessModes") or ())
    yield from _capacity("spec.capacity", spec.get("capacity") or {})
    sources = [key for key in spec if key not in _NOT_SOURCES]
    if not sources:
        yield faults.required("spec", "must specify a volume type")
    for other in sources[1:]:
        yield faults.forbidden(f"spec.{other}", "may not specify more than 1 volume type")
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy not in _VOLUME_POLICIES:
        yield faults.not_supported("spec.persistentVolumeReclaimPolicy", policy, _VOLUME_POLICIES)
    if spec.get("volumeMode") not in _MODES:
        yield faults.not_supported("spec.volumeMode", spec.get("volumeMode"), _MODES)
    if "hostPath" in spec:
        yield from _host_path("spec.hostPath.path", spec["hostPath"].get("path") or "")
    yield from _class_name("spec.storageClassName", spec.get("storageClassName"))
    if old is not None:
        before: Spec = old.get("spec") or {}
        if any(spec.get(key) != before.get(key) for key in {*sources, *(set(before) - _NOT_SOURCES)}):
            yield faults.forbidden(
                "spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"
            )
        yield from metadata.immutable("spec.volumeMode", spec.get("volumeMode"), before.get("volumeMode"))


def _access(path: str, modes: Any) -> faults.Errors:
    if not modes:
        yield faults.required(path, "at least 1 access mode is required")
    for index, mode in enumerate(modes):
        if mode not in ACCESS_MODES:
            yield faults.not_supported(f"{path}[{index}]", mode, ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield faults.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def _capacity(path: str, capacity: Mapping[str, Any]) -> faults.Errors:
    if not capacity:
        yield faults.required(path)
    elif set(capacity) != {"storage"}:
        yield faults.not_supported(path, capacity, ("storage",))
    for name, quantity in capacity.items():
        if not (quantities.is_quantity(quantity) and quantities.parse(quantity) > 0):
            yield faults.invalid(f"{path}[{name}]", quantity, "must be greater than zero")


def _host_path(path: str, value: str) -> faults.Errors:
    if not value:
        yield faults.required(path)
    elif ".." in value.split("/"):
        yield faults.invalid(path, value, "must not contain '..'")


def _class_name(path: str, name: str | None) -> faults.Errors:
    if name and (problem := metadata.dns_subdomain(name)):
        yield faults.invalid(path, name, problem)


def fill_claim(draft: resources.Object) -> None:
    """Fill in a PersistentVolumeClaim: storage is a file system unless it says otherwise."""
    draft.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    draft.setdefault("status", {}).setdefault("phase", "Pending")


def judge_claim(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a PersistentVolumeClaim."""
    spec: Spec = obj.get("spec") or {}
    yield from _access("spec.accessModes", spec.get("accessModes") or ())
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield faults.required("spec.resources[storage]")
    yield from _class_name("spec.storageClassName", spec.get("storageClassName"))
    if spec.get("volumeMode") not in _MODES:
        yield faults.not_supported("spec.volumeMode", spec.get("volumeMode"), _MODES)
    if old is not None and _fixed(spec, {}) != _fixed(old.get("spec") or {}, spec):
        yield faults.forbidden("spec", _CLAIM_FIXED)


def _fixed(spec: Spec, newer: Spec) -> dict[str, Any]:
    """The part of a claim that stays. A volume and a class may be given to one that had none."""
    wanted = {key: value for key, value in spec.items() if key not in ("resources", "volumeAttributesClassName")}
    for name in ("volumeName", "storageClassName"):
        if not wanted.get(name) and newer.get(name):
            wanted[name] = newer[name]
    return wanted
