"""Applies claims, and finds the objects that can be claimed: those somebody controls by their controller, the others by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.informers import store
from brickyard.kube.objects import meta, owners, selectors
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers

_CONTROLLER = "controller"
_ORPHANS = "orphans"


def _controller_uid(obj: resources.Object) -> Iterable[str]:
    reference = owners.controller_of(obj)
    return () if reference is None else (reference["uid"],)


def _orphan_namespace(obj: resources.Object) -> Iterable[str]:
    return (meta.namespace(obj),) if owners.controller_of(obj) is None else ()


INDEXERS: Mapping[str, store.Indexer] = {_CONTROLLER: _controller_uid, _ORPHANS: _orphan_namespace}
"""What an informer of owned objects must index by."""


def children(informer: informers.Informer, owner: resources.Object) -> list[resources.Object]:
    """What ``owner`` controls."""
    return list(informer.indexed(_CONTROLLER, meta.uid(owner)))


def candidates(informer: informers.Informer, owner: resources.Object) -> list[resources.Object]:
    """What ``owner`` controls, and what nobody does in its namespace."""
    return [*children(informer, owner), *informer.indexed(_ORPHANS, meta.namespace(owner))]


def concerned(informer: informers.Informer, kind: resources.ResourceType) -> controllers.Mapper:
    """Mapper from a child to those whom its change concerns: its controller, or all of ``kind`` that could take it in.

    ``informer`` holds the owners.
    """
    controller = controllers.owned_by(kind)

    def mapper(child: resources.Object) -> Iterator[reconcile.Request]:
        if owners.controller_of(child) is not None:
            yield from controller(child)
            return
        for owner in informer.list(meta.namespace(child)):
            if selectors.from_label_selector(owner["spec"]["selector"]).matches(meta.labels(child)):
                yield reconcile.request_for(owner)

    return mapper


def _reference_patch(child: resources.Object, references: list[resources.Object]) -> dict[str, Any]:
    planned_on = {"uid": meta.uid(child), "resourceVersion": meta.resource_version(child)}
    return {"metadata": {**planned_on, "ownerReferences": references}}


async def _check_alive(client: contract.Client, kind: resources.ResourceType, owner: resources.Object) -> None:
    """Ask the API, not the cache: a child adopted by the dying would die with them.

    Raises:
        Conflict: the owner is being deleted or is another one by now.
        NotFound: it is gone.
    """
    live = await client.get(kind, meta.name(owner), meta.namespace(owner))
    if meta.uid(live) != meta.uid(owner) or meta.is_deleting(live):
        raise errors.Conflict(f"{kind.kind} {meta.key(owner)} is being deleted: it adopts nothing", reason="Conflict")


async def apply(
    client: contract.Client,
    kinds: tuple[resources.ResourceType, resources.ResourceType],
    owner: resources.Object,
    claimed: claims.Claims,
) -> None:
    """Take in and let go. ``kinds`` are those of the owner and of the child.

    Raises:
        Conflict: a child or the owner changed meanwhile; plan again.
    """
    owner_kind, kind = kinds
    if claimed.adopt:
        await _check_alive(client, owner_kind, owner)
    for child in claimed.adopt:
        references = [*owners.references(child), owners.owner_reference(owner)]
        await _set_references(client, kind, child, references)
    for child in claimed.release:
        references = [each for each in owners.references(child) if each["uid"] != meta.uid(owner)]
        await _set_references(client, kind, child, references)


async def _set_references(
    client: contract.Client, kind: resources.ResourceType, child: resources.Object, references: list[resources.Object]
) -> None:
    try:
        await client.patch(kind, meta.key(child), _reference_patch(child, references))
    except errors.NotFound:
        return  # it went away by itself
