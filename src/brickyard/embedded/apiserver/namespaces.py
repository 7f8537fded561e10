"""Namespaces: those that always exist, and how one that is going empties itself."""

from __future__ import annotations

from typing import Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import chores, drafts, records, strategies, writes
from brickyard.embedded.apiserver.context import Context

PERMANENT: Final = ("default", "kube-system", "kube-public", "kube-node-lease", names.SYSTEM_NAMESPACE)

_NAMESPACES: Final = records.resource_of(resources.NAMESPACE)


async def ensure(context: Context) -> None:
    """Create the permanent namespaces that are missing."""
    resource = context.catalog.find("", "v1", "namespaces")
    if resource is None:
        return
    for name in PERMANENT:
        place = drafts.Place(resource, name=name)
        if context.store.latest(place.key) is None:
            await writes.create(context, place, {"metadata": {"name": name}}, writes.Options())


class NamespaceEmptier:
    """``run`` until cancelled: deletes what a going namespace holds, then lets the namespace go."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._chores: chores.Chores[str] = chores.Chores("namespaces", self._work)
        for record in context.store.list(_NAMESPACES):
            self._consider(record)
        context.store.subscribe(self._heard)

    async def run(self) -> None:
        """Empty namespaces until cancelled."""
        await self._chores.run()

    def _heard(self, change: records.Change) -> None:
        key = change.record.key
        if key.resource == _NAMESPACES:
            self._consider(change.record)
        elif change.type == "DELETED" and key.namespace:
            # One thing fewer in it; whether it is going is looked up when its turn comes.
            namespace = self._context.store.get(records.Key(_NAMESPACES, "", key.namespace))
            if namespace is not None:
                self._consider(namespace)

    def _consider(self, namespace: records.Record) -> None:
        if namespace.deleting:
            self._chores.ask(namespace.key.name)

    async def _work(self, name: str) -> None:
        held = [
            record
            for resource in self._context.store.populated()
            if resource != _NAMESPACES
            for record in self._context.store.latest_in(resource, name)
        ]
        for record in held:
            await writes.discard(self._context, record)
        namespace = self._context.store.latest(records.Key(_NAMESPACES, "", name))
        if held or namespace is None or not namespace.deleting:
            # Every deletion that completes asks for this namespace again.
            return
        await writes.amend(self._context, namespace, _finalized)


def _finalized(namespace: resources.Object) -> None:
    spec = namespace.get("spec") or {}
    kept = [each for each in spec.get("finalizers") or () if each != strategies.NAMESPACE_FINALIZER]
    namespace["spec"] = {**spec, "finalizers": kept}
