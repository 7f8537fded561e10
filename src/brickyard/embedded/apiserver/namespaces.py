"""Namespaces: those that always exist, and how one that is going empties itself.

As long as it cannot go, its conditions say what is still in it and which finalizers hold that.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Final

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import chores, drafts, errors, records, strategies, writes
from brickyard.embedded.apiserver.context import Context
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps

PERMANENT: Final = ("default", "kube-system", "kube-public", "kube-node-lease", names.SYSTEM_NAMESPACE)

_NAMESPACES: Final = records.resource_of(resources.NAMESPACE)
_FAILURES_TOLD: Final = 3


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
        failures = [error for each in self._content(name) if (error := await self._discarded(each)) is not None]
        namespace = self._context.store.latest(records.Key(_NAMESPACES, "", name))
        if namespace is None or not namespace.deleting:
            return
        left = self._content(name)
        if not left:
            await writes.amend(self._context, namespace, _finalized)
            return
        # Every deletion that completes asks for this namespace again; what failed is tried again later.
        found = described(left, failures)
        await writes.amend(self._context, namespace, lambda obj: _told(obj, found, self._context.now()))
        if failures:
            raise failures[0]

    def _content(self, name: str) -> list[records.Record]:
        store = self._context.store
        collections_in = [resource for resource in store.populated() if resource != _NAMESPACES]
        return [record for resource in collections_in for record in store.latest_in(resource, name)]

    async def _discarded(self, record: records.Record) -> errors.ApiError | None:
        """Delete ``record``, or say why that fails: one that may not go holds up no other."""
        try:
            await writes.discard(self._context, record)
        except errors.ApiError as error:
            return error
        return None


def described(left: Sequence[records.Record], failures: Sequence[errors.ApiError]) -> list[conditions.Condition]:
    """What the conditions of a going namespace say of what is left in it, and of what could not be deleted. Pure."""
    kinds = collections.Counter(each.key.resource for each in left)
    counts = sorted(f"{_dotted(resource)} has {count} resource instances" for resource, count in kinds.items())
    remaining = f"Some resources are remaining: {', '.join(counts)}"
    holders = collections.Counter(finalizer for each in left for finalizer in each.finalizers)
    waiting = conditions.Condition(
        "NamespaceFinalizersRemaining",
        "False",
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    )
    if holders:
        counts = sorted(f"{finalizer} in {count} resource instances" for finalizer, count in holders.items())
        text = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
        waiting = dataclasses.replace(waiting, status="True", reason="SomeFinalizersRemain", message=text)
    return [
        _content_failure(failures),
        conditions.Condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", remaining),
        waiting,
    ]


def _dotted(resource: str) -> str:
    group, _, plural = resource.partition("/")
    return f"{plural}.{group}"


def _content_failure(failures: Sequence[errors.ApiError]) -> conditions.Condition:
    kind = "NamespaceDeletionContentFailure"
    if not failures:
        text = "All content successfully deleted, may be waiting on finalization"
        return conditions.Condition(kind, "False", "ContentDeleted", text)
    told = "; ".join(str(each) for each in failures[:_FAILURES_TOLD])
    text = f"Failed to delete all resource types, {len(failures)} remaining: {told}"
    return conditions.Condition(kind, "True", "ContentDeletionFailed", text)


def _told(namespace: resources.Object, found: Sequence[conditions.Condition], now: float) -> None:
    status = namespace.get("status") or {}
    for each in found:
        listed = conditions.set_condition(status.get("conditions"), each, timestamps.rfc3339(now))
        status = {**status, "conditions": listed}
    namespace["status"] = status


def _finalized(namespace: resources.Object) -> None:
    spec = namespace.get("spec") or {}
    kept = [each for each in spec.get("finalizers") or () if each != strategies.NAMESPACE_FINALIZER]
    namespace["spec"] = {**spec, "finalizers": kept}
