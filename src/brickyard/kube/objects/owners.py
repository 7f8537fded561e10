"""Owner references: who made an object, and whose end is its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> resources.Object:
    """A reference to ``owner``, which must come from the API: ``apiVersion``, ``kind``, ``name`` and ``uid`` are copied.

    With ``controller`` the owner manages the object; an object has at most one such owner.
    """
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta.name(owner),
        "uid": meta.uid(owner),
    }
    return {**reference, "controller": True, "blockOwnerDeletion": True} if controller else reference


def references(obj: Mapping[str, Any]) -> list[resources.Object]:
    """``metadata.ownerReferences``, never None."""
    return list(meta.metadata(obj).get("ownerReferences") or ())


def controller_of(obj: Mapping[str, Any]) -> resources.Object | None:
    """The reference to the owner that manages ``obj``, or None when nobody does."""
    return next((each for each in references(obj) if each.get("controller") is True), None)


def is_complete(reference: Mapping[str, Any]) -> bool:
    """Whether ``reference`` says all that a managing owner's must: apiVersion, kind, and that it controls and blocks deletion."""
    named = all(reference.get(part) for part in ("apiVersion", "kind"))
    return named and reference.get("controller") is True and reference.get("blockOwnerDeletion") is True


def is_owned_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether ``owner``, this very life of it, is among the owners of ``obj``."""
    owner_uid = meta.uid(owner)
    return bool(owner_uid) and any(each.get("uid") == owner_uid for each in references(obj))


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether ``owner``, this very life of it, manages ``obj``."""
    reference = controller_of(obj)
    return reference is not None and bool(meta.uid(owner)) and reference.get("uid") == meta.uid(owner)
