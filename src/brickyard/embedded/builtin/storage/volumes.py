"""What becomes of a volume: a pure function.

| the volume                                       | phase                     | move                                           |
|--------------------------------------------------|---------------------------|------------------------------------------------|
| has no claim, or is only reserved for one        | Available                 |                                                |
| has a claim that exists                          | Bound                     | nobody deletes it before its claim             |
| had one; ``Retain``                              | Released                  | none: a person decides                         |
| had one; ``Delete``, provided by us              | Released                  | its folder and then the volume are deleted     |
| had one; ``Delete``, made by somebody            | Failed                    | none: what we did not make we do not delete    |
| had one; ``Recycle``                             | Failed                    | none: nobody recycles any more                 |
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract
from brickyard.embedded.builtin.storage import facts
from brickyard.kube.objects import meta


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``finalizers`` is the new list where it changes; ``remove`` a folder to delete, and then the volume itself."""

    reason: str
    finalizers: tuple[str, ...] | None = None
    status: dict[str, Any] | None = None
    remove: pathlib.Path | None = None
    events: tuple[contract.PlannedEvent, ...] = ()


def plan(volume: resources.Object, claim: resources.Object | None, folder: pathlib.Path) -> Plan:
    """The next step. ``claim`` is what bears the name in the volume's ``claimRef``; ``folder`` holds what we provide."""
    held = claim is not None and facts.holder(volume).get("uid") == meta.uid(claim)
    finalizers = meta.finalizers(volume)
    if meta.is_deleting(volume):
        if held or facts.VOLUME_PROTECTION not in finalizers:
            return Plan("being deleted: its claim holds it" if held else "being deleted")
        return Plan("being deleted", finalizers=_without(finalizers))
    if facts.VOLUME_PROTECTION not in finalizers:
        return Plan("protect it while it is bound", finalizers=(*finalizers, facts.VOLUME_PROTECTION))
    if held:
        return Plan("bound", status={"phase": "Bound"})
    if not facts.holder(volume).get("uid"):
        return Plan("free", status={"phase": "Available"})
    return _released(volume, folder)


def _without(finalizers: list[str]) -> tuple[str, ...]:
    return tuple(each for each in finalizers if each != facts.VOLUME_PROTECTION)


def _released(volume: resources.Object, folder: pathlib.Path) -> Plan:
    policy = volume["spec"].get("persistentVolumeReclaimPolicy")
    if policy == "Delete":
        return _delete(volume, folder)
    if policy == "Recycle":
        return _failed("VolumeRecycleFailed", "volumes are not recycled: use Retain, or delete the volume")
    return Plan("released", status={"phase": "Released"})


def _delete(volume: resources.Object, folder: pathlib.Path) -> Plan:
    place = pathlib.PurePosixPath((volume["spec"].get("hostPath") or {}).get("path") or "/")
    ours = meta.annotations(volume).get(facts.PROVISIONED_BY) == facts.PROVISIONER
    if not ours or place != pathlib.PurePosixPath(folder / meta.name(volume)):
        text = (
            "only folders that were provided here are deleted: delete the data and the volume yourself, or use Retain"
        )
        return _failed("VolumeFailedDelete", text)
    return Plan("its claim is gone", status={"phase": "Released"}, remove=pathlib.Path(place))


def _failed(reason: str, message: str) -> Plan:
    event = contract.PlannedEvent("Warning", reason, message)
    return Plan(message, status={"phase": "Failed", "reason": reason, "message": message}, events=(event,))
