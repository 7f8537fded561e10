"""Custom kinds come and go with their CustomResourceDefinitions.

A definition is served from the moment its write is on disk, before the writer hears of it. Deleting one deletes its objects first;
when the last has gone, so do the definition and the kind.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import catalog, chores, drafts, ownership, records, strategies, watch, writes
from brickyard.embedded.apiserver.context import Context
from brickyard.kube.objects import conditions
from brickyard.lib import logs, timestamps

log = logs.get(__name__)

_DEFINITIONS: Final = records.resource_of(resources.CUSTOM_RESOURCE_DEFINITION)
_SHIPPED: Final = "brickyard.dev/shipped-spec"
"""Annotation with a hash of the spec that was shipped: a spec that still fits it was not changed by anyone, and is kept current."""


async def ensure(context: Context, definitions: Iterable[resources.Object]) -> None:
    """Create the given definitions where they are missing, and renew those that nobody has changed since."""
    resource = context.catalog.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    if resource is None:
        return
    async with asyncio.TaskGroup() as group:
        # Together, so that they wait for the disk together.
        for definition in definitions:
            place = drafts.Place(resource, name=definition["metadata"]["name"])
            group.create_task(_ensure(context, place, definition))


async def _ensure(context: Context, place: drafts.Place, definition: resources.Object) -> None:
    record = context.store.latest(place.key)
    if record is None:
        created = await writes.create(context, place, definition, writes.Options())
        spec = orjson.loads(created.raw)["spec"]
        await writes.change(context, place, _stamped(spec), writes.Options())
    elif _untouched(record.decode()):
        await writes.change(context, place, _renewed(definition), writes.Options())
        renewed = writes.current(context, place).decode()
        await writes.change(context, place, _stamped(renewed["spec"]), writes.Options())


def _digest(spec: Any) -> str:
    return hashlib.sha256(orjson.dumps(spec, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _untouched(definition: resources.Object) -> bool:
    annotations = definition["metadata"].get("annotations") or {}
    return bool(annotations.get(_SHIPPED) == _digest(definition["spec"]))


def _stamped(spec: Any) -> writes.Compute:
    def compute(definition: resources.Object) -> resources.Object:
        annotations = {**(definition["metadata"].get("annotations") or {}), _SHIPPED: _digest(spec)}
        return {**definition, "metadata": {**definition["metadata"], "annotations": annotations}}

    return compute


def _renewed(shipped: resources.Object) -> writes.Compute:
    """The spec as it is shipped now, and the labels that are shipped with it."""

    def compute(definition: resources.Object) -> resources.Object:
        labels = {**(definition["metadata"].get("labels") or {}), **(shipped["metadata"].get("labels") or {})}
        metadata = {**definition["metadata"], **({"labels": labels} if labels else {})}
        return {**definition, "metadata": metadata, "spec": shipped["spec"]}

    return compute


class CustomKinds:
    """Installs definitions as they are heard of; ``run`` until cancelled clears up after those that go."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._chores: chores.Chores[str] = chores.Chores("custom kinds", self._work)
        for record in context.store.list(_DEFINITIONS):
            self._install(record)
        context.store.subscribe(self._heard)

    async def run(self) -> None:
        """Follow definitions until cancelled."""
        await self._chores.run()

    def _heard(self, change: records.Change) -> None:
        record = change.record
        if record.key.resource != _DEFINITIONS:
            if change.type == "DELETED":
                self._reconsider(record.key.resource)
        elif change.type == "DELETED":
            self._uninstall(record)
        elif change.previous is None or change.previous.decode()["spec"] != record.decode()["spec"]:
            self._install(record)
        elif record.deleting:
            self._chores.ask(record.key.name)

    def _reconsider(self, collection: str) -> None:
        """A kind that is going may have lost its last object."""
        group, _, plural = collection.partition("/")
        definition = self._context.store.get(records.Key(_DEFINITIONS, "", f"{plural}.{group}"))
        if definition is not None and definition.deleting:
            self._chores.ask(definition.key.name)

    def _install(self, record: records.Record) -> None:
        try:
            self._context.catalog.install(record.decode())
        except ValueError as error:
            log.warning("a custom kind cannot be served", definition=record.key.name, error=error)
            self._chores.ask(record.key.name)
        if record.deleting:
            self._chores.ask(record.key.name)

    def _uninstall(self, record: records.Record) -> None:
        self._context.catalog.uninstall(record.key.name)
        self._context.watches.close_all(_collection(record.decode()), watch.Closed.GONE)
        for other in self._context.store.list(_DEFINITIONS):
            # One that had to wait for a name may have it now.
            if not _is_accepted(other.decode()):
                self._chores.ask(other.key.name)

    async def _work(self, name: str) -> None:
        record = self._context.store.latest(records.Key(_DEFINITIONS, "", name))
        if record is None:
            return
        if record.deleting:
            await self._clear(record)
            return
        try:
            self._context.catalog.install(record.decode())
        except ValueError as error:
            # Under other names than before it may have been served until now.
            self._context.catalog.uninstall(name)
            await writes.amend(self._context, record, _refused(error, self._context.now()))
            return
        await writes.amend(self._context, record, _served(self._context.now()))

    async def _clear(self, definition: records.Record) -> None:
        held = self._context.store.latest_in(_collection(definition.decode()))
        for record in held:
            await writes.discard(self._context, record)
        if not held and strategies.DEFINITION_FINALIZER in definition.finalizers:
            await writes.amend(self._context, definition, ownership.without_finalizer(strategies.DEFINITION_FINALIZER))


def _collection(definition: resources.Object) -> str:
    spec = definition["spec"]
    return f"{spec['group']}/{spec['names']['plural']}"


def _is_accepted(definition: resources.Object) -> bool:
    found = (definition.get("status") or {}).get("conditions") or ()
    return all(each.get("status") != "False" for each in found if each.get("type") == "NamesAccepted")


def _served(now: float) -> Callable[[resources.Object], None]:
    def mutate(definition: resources.Object) -> None:
        status = definition.setdefault("status", {})
        status["conditions"] = strategies.accepted(status.get("conditions"), now)

    return mutate


def _refused(why: ValueError, now: float) -> Callable[[resources.Object], None]:
    taken = why if isinstance(why, catalog.NameConflictError) else None
    outcome = (
        conditions.Condition("NamesAccepted", "False", taken.reason if taken else "NotServed", str(why)),
        conditions.Condition(
            "Established", "False", "NotAccepted", "not all names are accepted" if taken else str(why)
        ),
    )

    def mutate(definition: resources.Object) -> None:
        status = definition.setdefault("status", {})
        for each in outcome:
            status["conditions"] = conditions.set_condition(status.get("conditions"), each, timestamps.rfc3339(now))

    return mutate
