"""What becomes of a claim: a pure function from what is there to the next writes.

| the claim                                            | move                                                                 |
|------------------------------------------------------|----------------------------------------------------------------------|
| is being deleted, and no pod uses it                 | its finalizer goes, and with it the claim                            |
| has no finalizer                                     | gets it: a claim in use is not to vanish under its pods              |
| names a volume that is there for it                  | both say Bound; a larger request makes the volume larger             |
| names a volume that was its own and is gone          | Lost                                                                 |
| names a volume that is another's                     | waits                                                                |
| names no class, and there is a default one           | gets that                                                            |
| fits a free volume of its class                      | the smallest that fits is taken, first those reserved for it         |
| has a class with ``facts.PROVISIONER``               | a folder is provided; with WaitForFirstConsumer once a pod uses it   |
| anything else                                        | Pending, and an event says what is missing                           |
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract
from brickyard.embedded.builtin.storage import facts
from brickyard.kube.objects import meta, selectors


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows. ``pods`` are those that mount the claim, ``folder`` where provided volumes lie."""

    claim: resources.Object
    volumes: Sequence[resources.Object]
    classes: Sequence[resources.Object]
    pods: Sequence[resources.Object]
    folder: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step, in the order of the fields.

    ``create`` is a whole volume. ``volume`` is a volume with a merge patch for it, ``claim`` a merge patch for the claim, and ``status``
    what the claim's status shall be; None where nothing is to be written.
    """

    reason: str
    create: resources.Object | None = None
    volume: tuple[resources.Object, dict[str, Any]] | None = None
    claim: dict[str, Any] | None = None
    status: dict[str, Any] | None = None
    events: tuple[contract.PlannedEvent, ...] = ()


def plan(snapshot: Snapshot) -> Plan:
    """The next step of a claim."""
    claim = snapshot.claim
    if meta.is_deleting(claim):
        return _leave(snapshot)
    if facts.CLAIM_PROTECTION not in meta.finalizers(claim):
        protected = {"metadata": {"finalizers": [*meta.finalizers(claim), facts.CLAIM_PROTECTION]}}
        return Plan("protect it while pods use it", claim=protected)
    if claim["spec"].get("volumeName"):
        return _named(snapshot)
    return _search(snapshot)


def is_used(pods: Sequence[resources.Object]) -> bool:
    """Whether one of ``pods`` is on a node and has not ended."""
    over = ("Succeeded", "Failed")
    return any(each["spec"].get("nodeName") and (each.get("status") or {}).get("phase") not in over for each in pods)


def _leave(snapshot: Snapshot) -> Plan:
    claim = snapshot.claim
    if facts.CLAIM_PROTECTION not in meta.finalizers(claim):
        return Plan("being deleted")
    if is_used(snapshot.pods):
        return Plan("being deleted, and used by a pod still")
    left = [each for each in meta.finalizers(claim) if each != facts.CLAIM_PROTECTION]
    return Plan("being deleted, and used by no pod", claim={"metadata": {"finalizers": left or None}})


# ------------------------------------------------------------------------------------------------- claims with a volume


def _named(snapshot: Snapshot) -> Plan:
    claim = snapshot.claim
    name = claim["spec"]["volumeName"]
    volume = next((each for each in snapshot.volumes if meta.name(each) == name), None)
    was_bound = (claim.get("status") or {}).get("phase") in ("Bound", "Lost")
    if volume is None:
        return _without_volume(name, was_bound)
    if not facts.is_held_by(volume, claim):
        if facts.holder(volume):
            return _pending("FailedBinding", f'volume "{name}" already bound to a different claim.')
        return Plan(f"take volume {name}", volume=(volume, {"spec": {"claimRef": facts.reference(claim)}}))
    if not facts.holder(volume).get("uid"):
        return Plan(f"take volume {name}", volume=(volume, {"spec": {"claimRef": facts.reference(claim)}}))
    if facts.requested(claim) > facts.capacity(volume):
        return _grow(snapshot, volume)
    return Plan("bound", status=bound_status(volume))


def bound_status(volume: resources.Object) -> dict[str, Any]:
    """The status of the claim that has ``volume``."""
    spec = volume["spec"]
    return {"phase": "Bound", "accessModes": list(spec.get("accessModes") or ()), "capacity": dict(spec["capacity"])}


def _without_volume(name: str, was_bound: bool) -> Plan:
    if not was_bound:
        return _pending("FailedBinding", f'volume "{name}" not found: create it, or leave volumeName out')
    message = f'Bound claim has lost its PersistentVolume. Data on volume "{name}" is lost!'
    return Plan("lost", status={"phase": "Lost"}, events=(contract.PlannedEvent("Warning", "ClaimLost", message),))


def _grow(snapshot: Snapshot, volume: resources.Object) -> Plan:
    """Folders have the size of their disk: the number grows, and that is all there is to do."""
    claim = snapshot.claim
    wanted = claim["spec"]["resources"]["requests"]["storage"]
    kind = _class_of(snapshot)
    if kind is None or not kind.get("allowVolumeExpansion"):
        text = f"only dynamically provisioned claims of a class with allowVolumeExpansion grow: {meta.name(claim)} does not"
        event = contract.PlannedEvent("Warning", "VolumeResizeFailed", text)
        return Plan("bound, and too small", status=bound_status(volume), events=(event,))
    message = f"volume {meta.name(volume)} is {wanted} large now"
    event = contract.PlannedEvent("Normal", "FileSystemResizeSuccessful", message)
    return Plan("grow", volume=(volume, {"spec": {"capacity": {"storage": wanted}}}), events=(event,))


# ---------------------------------------------------------------------------------------------- claims without a volume


def _search(snapshot: Snapshot) -> Plan:
    claim = snapshot.claim
    if claim["spec"].get("storageClassName") is None:
        default = facts.default_class(snapshot.classes)
        if default is not None:
            text = f"its class is the default one, {meta.name(default)}"
            return Plan(text, claim={"spec": {"storageClassName": meta.name(default)}})
    found = choose(snapshot)
    if found is not None:
        held = facts.is_held_by(found, claim) and bool(facts.holder(found).get("uid"))
        take = None if held else (found, {"spec": {"claimRef": facts.reference(claim)}})
        return Plan(f"take volume {meta.name(found)}", volume=take, claim={"spec": {"volumeName": meta.name(found)}})
    return _provide(snapshot)


def choose(snapshot: Snapshot) -> resources.Object | None:
    """The volume for a claim: its own already, reserved for it, or the smallest that fits; None where there is none."""
    claim = snapshot.claim
    usable = [each for each in snapshot.volumes if not meta.is_deleting(each)]
    reserved = [each for each in usable if facts.is_held_by(each, claim)]
    free = [each for each in usable if not facts.holder(each) and fits(each, claim)]
    free.sort(key=lambda each: (facts.capacity(each), meta.name(each)))
    return next(iter([*reserved, *free]), None)


def fits(volume: resources.Object, claim: resources.Object) -> bool:
    """Whether a free volume is what the claim asks for."""
    has, wants = volume["spec"], claim["spec"]
    return (
        (has.get("storageClassName") or "") == (wants.get("storageClassName") or "")
        and (has.get("volumeMode") or "Filesystem") == (wants.get("volumeMode") or "Filesystem")
        and set(wants.get("accessModes") or ()) <= set(has.get("accessModes") or ())
        and facts.capacity(volume) >= facts.requested(claim)
        and selectors.from_label_selector(wants.get("selector") or {}).matches(meta.labels(volume))
    )


def _class_of(snapshot: Snapshot) -> resources.Object | None:
    name = snapshot.claim["spec"].get("storageClassName")
    return next((each for each in snapshot.classes if meta.name(each) == name), None)


def _provide(snapshot: Snapshot) -> Plan:
    claim, kind = snapshot.claim, _class_of(snapshot)
    name = claim["spec"].get("storageClassName")
    if not name:
        return _pending("FailedBinding", "no persistent volumes available for this claim and no storage class is set")
    if kind is None:
        hint = f"create it with provisioner {facts.PROVISIONER}, or leave storageClassName out for a folder here"
        return _pending("ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found: {hint}')
    provisioner = kind.get("provisioner")
    if provisioner == facts.PROVISIONER:
        return _folder(snapshot, kind)
    if provisioner == facts.NO_PROVISIONER:
        return _pending("FailedBinding", f"no persistent volume of class {name} fits this claim: create one")
    text = f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually"
    return _pending("ExternalProvisioning", f"{text}; on one machine only {facts.PROVISIONER} provides volumes")


def _folder(snapshot: Snapshot, kind: resources.Object) -> Plan:
    claim = snapshot.claim
    if claim["spec"].get("volumeMode") == "Block":
        return _pending("ProvisioningFailed", "a folder is no block device: use volumeMode Filesystem")
    if claim["spec"].get("selector"):
        return _pending("ProvisioningFailed", "claim Selector is not supported: no volume that it selects is free")
    if kind.get("volumeBindingMode") == "WaitForFirstConsumer" and not snapshot.pods:
        return _pending("WaitForFirstConsumer", "waiting for first consumer to be created before binding", "Normal")
    volume = provided(claim, kind, snapshot.folder)
    message = f"Successfully provisioned volume {meta.name(volume)}"
    event = contract.PlannedEvent("Normal", "ProvisioningSucceeded", message)
    return Plan("provide a folder", volume, claim={"spec": {"volumeName": meta.name(volume)}}, events=(event,))


def provided(claim: resources.Object, kind: resources.Object, folder: pathlib.Path) -> resources.Object:
    """A whole volume for ``claim``, of a class of ours. The folder is made by whoever mounts it first."""
    name = f"pvc-{meta.uid(claim)}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {facts.PROVISIONED_BY: facts.PROVISIONER},
            "finalizers": [facts.VOLUME_PROTECTION],
        },
        "spec": {
            "accessModes": list(claim["spec"]["accessModes"]),
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": facts.reference(claim),
            "hostPath": {"path": str(folder / name), "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy") or "Delete",
            "storageClassName": meta.name(kind),
            "volumeMode": "Filesystem",
        },
    }


def _pending(reason: str, message: str, severity: str = "Warning") -> Plan:
    return Plan(message, status={"phase": "Pending"}, events=(contract.PlannedEvent(severity, reason, message),))
