"""The verbs that write: create, update and patch (both are ``change``), delete.

Each decides on the store's latest view and hands its decision over without suspending in between, so two writers of one object
never both win. Where webhooks are registered they are asked in between; the store refuses what was decided on a state that is no
longer the latest, and the verb decides again, a few times. ``amend`` is the server's own way to write, past the kind's rules.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import (
    consulting,
    contract,
    deletion,
    drafts,
    errors,
    managing,
    records,
    store,
    strategies,
)
from brickyard.embedded.apiserver.context import Context

_NAME_ATTEMPTS = 8
_ATTEMPTS = 5
"""How often a change is decided anew when others write while webhooks are asked."""
_NAMESPACES: Final = records.resource_of(resources.NAMESPACE)
_DEFINITIONS: Final = records.resource_of(resources.CUSTOM_RESOURCE_DEFINITION)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How to write. ``part`` is "" for the object, or ``status`` or ``scale``; ``writer`` is who owns what is written."""

    strictness: drafts.Strictness = "Warn"
    dry_run: bool = False
    part: str = ""
    writer: managing.Writer = managing.THE_SERVER


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """The object after the write as JSON, and what the client should be warned of."""

    raw: bytes
    warnings: Sequence[str] = ()


Compute = Callable[[resources.Object], Any]
"""From the current object (a copy, in the version of the request) to what the client wants it to be."""


async def create(context: Context, place: drafts.Place, body: Any, options: Options) -> Written:
    """Store a new object; its name is that of the body, or made from ``generateName``.

    Raises:
        ApiError: AlreadyExists, Invalid, BadRequest, NotFound (the namespace), Forbidden (it is going).
    """
    decoded, told = drafts.decoded(place, body, options.strictness)
    warnings = [*told, *_unattended(context, place)]
    _check_definition(context, place)
    _check_namespace(context, dataclasses.replace(place, name=decoded["metadata"].get("name") or ""))
    write = consulting.Write(place, "CREATE", options.part, options.dry_run, options.writer.manager)
    obj, heard = await consulting.changed(context, write, decoded, None)
    draft, target = _newborn(context, place, obj, options)
    warnings += [*heard, *await consulting.agreed(context, dataclasses.replace(write, place=target), draft, None)]
    # Once more: webhooks take their time.
    _check_namespace(context, target)
    if options.dry_run:
        return Written(orjson.dumps(draft), warnings)
    try:
        record = await context.store.put(target.key, draft, None)
    except store.StaleWriteError as error:
        raise errors.already_exists(place.kind, target.name) from error
    return Written(record.raw, warnings)


def _newborn(
    context: Context, place: drafts.Place, obj: resources.Object, options: Options
) -> tuple[resources.Object, drafts.Place]:
    """The object as it will be stored, and where: under its name, or under a free one made from ``generateName``."""
    prefix = obj["metadata"].get("generateName") or ""
    attempts = _NAME_ATTEMPTS if prefix and not obj["metadata"].get("name") else 1
    for attempt in range(1, attempts + 1):
        name = context.new_name(prefix) if prefix else ""
        birth = drafts.Birth(name, context.new_uid(), context.now(), options.writer)
        draft = drafts.created(place, obj, birth)
        target = dataclasses.replace(place, name=draft["metadata"]["name"])
        if context.store.latest(target.key) is None:
            break
        if attempt == attempts:
            raise errors.already_exists(place.kind, target.name)
    _check_encodable(draft)
    return draft, target


def review(context: Context, place: drafts.Place, body: Any, options: Options) -> Written:
    """Answer an object of a kind that is never stored.

    Raises:
        ApiError: BadRequest, Invalid, MethodNotAllowed (the kind is stored).
    """
    reviewer = place.resource.review
    if reviewer is None:
        raise errors.MethodNotAllowedError("objects of this kind are stored", errors.details(place.kind))
    decoded, warnings = drafts.decoded(place, body, options.strictness)
    obj = place.resource.admission.default({key: each for key, each in decoded.items() if key != "status"})
    drafts.judge(place, obj, None)
    return Written(orjson.dumps(reviewer(obj, context.knows)), warnings)


def _unattended(context: Context, place: drafts.Place) -> Sequence[str]:
    """What is said of an object that nobody will do anything about."""
    text = place.resource.unattended
    return [text] if text and place.kind not in context.attended else []


def _check_namespace(context: Context, place: drafts.Place) -> None:
    if not place.kind.namespaced:
        return
    found = context.store.latest(records.Key(_NAMESPACES, "", place.namespace))
    if found is None:
        raise errors.not_found(resources.NAMESPACE, place.namespace)
    if found.deleting:
        why = f"namespace {place.namespace} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}
        text = f"unable to create new content in namespace {place.namespace} because it is being terminated"
        raise errors.forbidden(place.kind, place.name, text, [cause])


def _check_definition(context: Context, place: drafts.Place) -> None:
    found = context.store.latest(records.Key(_DEFINITIONS, "", errors.qualified(place.kind)))
    if found is not None and found.deleting:
        raise errors.MethodNotAllowedError(
            "create not allowed while custom resource definition is terminating", errors.details(place.kind)
        )


def _check_encodable(obj: resources.Object) -> None:
    """Refuse what could be read and cannot be written: JSON nested beyond any sense."""
    try:
        orjson.dumps(obj)
    except TypeError as error:
        raise errors.BadRequestError(f"the object cannot be stored: {error}") from error


def current(context: Context, place: drafts.Place) -> records.Record:
    """The latest state of the object at ``place``.

    Raises:
        NotFoundError: there is none.
    """
    record = context.store.latest(place.key)
    if record is None:
        raise errors.not_found(place.kind, place.name)
    return record


async def change(context: Context, place: drafts.Place, compute: Compute, options: Options) -> Written:
    """Replace the object by what ``compute`` makes of it. Nothing is written where nothing changes.

    Raises:
        ApiError: NotFound, Conflict, Invalid, BadRequest, and what ``compute`` raises.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await _changed(context, place, compute, options)
        except store.StaleWriteError:
            continue
    raise errors.conflict(place.kind, place.name)


async def _changed(context: Context, place: drafts.Place, compute: Compute, options: Options) -> Written:
    record = current(context, place)
    old = shown(record, place.resource)
    body = compute(shown(record, place.resource))
    decoded, told = drafts.decoded(place, body, options.strictness, options.part)
    write = consulting.Write(place, "UPDATE", options.part, options.dry_run, options.writer.manager)
    obj, heard = await consulting.changed(context, write, decoded, old)
    draft = drafts.updated(place, obj, old, drafts.Turn(options.part, context.now(), options.writer))
    _check_encodable(draft)
    warnings = [*told, *heard, *await consulting.agreed(context, write, draft, old)]
    if _same(draft, old):
        return Written(served(await context.store.settled(record), place.resource), warnings)
    if options.dry_run:
        return Written(orjson.dumps(draft), warnings)
    written = await _store(context, record, draft)
    return Written(served(written, place.resource), warnings)


async def amend(context: Context, record: records.Record, mutate: Callable[[resources.Object], None]) -> records.Record:
    """Let the server change an object: ``mutate`` gets a copy of it. Nothing is written where nothing changes.

    Raises:
        StaleWriteError: ``record`` is no longer the latest.
        StorageError: the disk refused.
    """
    draft = record.decode()
    mutate(draft)
    if _same(draft, record.decode()):
        return record
    return await _store(context, record, draft)


async def _store(context: Context, record: records.Record, draft: resources.Object) -> records.Record:
    """Keep the draft, or let go of an object that was only waiting for it."""
    if deletion.released(draft, strategies.of(record.key.resource)):
        return await context.store.remove(record, draft)
    return await context.store.put(record.key, draft, record)


async def delete(context: Context, place: drafts.Place, options: deletion.Options) -> Written:
    """Delete the object at ``place``, or begin to: the answer is the object while it stays, else what Kubernetes answers.

    Raises:
        NotFoundError: there is none.
        ConflictError: a precondition does not hold.
        ForbiddenError: it may not be deleted.
        ApiError: a webhook denies it.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await _deleted(context, place, options)
        except store.StaleWriteError:
            continue
    raise errors.conflict(place.kind, place.name)


async def _deleted(context: Context, place: drafts.Place, options: deletion.Options) -> Written:
    record = current(context, place)
    if place.name in place.strategy.immortal:
        raise errors.forbidden(place.kind, place.name, f"this {place.resource.singular} may not be deleted")
    obj = record.decode()
    _check_preconditions(place, obj["metadata"], options)
    warnings = await _delete_agreed(context, place, obj, options)
    decision = deletion.plan(obj, place.strategy, options, context.now())
    if isinstance(decision, deletion.Keep):
        return Written(await _keep(context, place, record, decision, options), warnings)
    raw = orjson.dumps(decision.final)
    if not options.dry_run:
        raw = (await context.store.remove(record, decision.final)).raw
    if place.strategy.returns_deleted:
        return Written(raw, warnings)
    return Written(orjson.dumps(_success(place, record)), warnings)


async def _delete_agreed(
    context: Context, place: drafts.Place, obj: resources.Object, options: deletion.Options
) -> Sequence[str]:
    """Ask both kinds of webhooks: there is nothing to change, and something to refuse."""
    if context.gate.idle():
        return ()
    write = consulting.Write(place, "DELETE", dry_run=options.dry_run)
    heard = await context.gate.mutate(write.asked(None, obj))
    return [*heard.warnings, *await consulting.agreed(context, write, None, obj)]


async def discard(context: Context, record: records.Record) -> None:
    """Delete an object that something larger takes along: a namespace, a kind. One that is gone or going already is left alone.

    Raises:
        StorageError: the disk refused.
    """
    resource = resource_of_record(context, record)
    if record.deleting or context.store.latest(record.key) is not record:
        return
    if resource is None:
        # A leftover of a kind that is gone: nobody could ever ask for it again.
        await context.store.remove(record)
        return
    place = drafts.Place(resource, record.key.namespace, record.key.name)
    await delete(context, place, deletion.Options(policy="Background", uid=record.uid))


async def _keep(
    context: Context, place: drafts.Place, record: records.Record, decision: deletion.Keep, options: deletion.Options
) -> bytes:
    if not decision.changed:
        return served(await context.store.settled(record), place.resource)
    if options.dry_run:
        return orjson.dumps(decision.obj)
    return served(await context.store.put(record.key, decision.obj, record), place.resource)


def _check_preconditions(place: drafts.Place, metadata: dict[str, Any], options: deletion.Options) -> None:
    for name, label, asked, found in (
        ("UID", "UID", options.uid, metadata["uid"]),
        ("ResourceVersion", "ResourceVersion", options.resource_version, metadata["resourceVersion"]),
    ):
        if asked and asked != found:
            why = f"Precondition failed: {name} in precondition: {asked}, {label} in object meta: {found}"
            raise errors.conflict(place.kind, place.name, why)


def _success(place: drafts.Place, record: records.Record) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**errors.details(place.kind, place.name), "uid": record.uid},
    }


def shown(record: records.Record, resource: contract.Resource) -> resources.Object:
    """A copy of the object as ``resource``, a version of its kind, shows it."""
    return record.decode() if _fits(record, resource) else orjson.loads(served(record, resource))


def served(record: records.Record, resource: contract.Resource) -> bytes:
    """The JSON of ``record`` as ``resource``, a version of its kind, shows it: the stored bytes wherever they fit."""
    if _fits(record, resource):
        return record.raw
    return record.seen(f"{resource.type.api_version} {resource.since}", functools.partial(_refreshed, record, resource))


def _fits(record: records.Record, resource: contract.Resource) -> bool:
    fresh = resource.refresh is None or record.revision > resource.since
    return fresh and record.api_version == resource.type.api_version


def _refreshed(record: records.Record, resource: contract.Resource) -> bytes:
    obj = record.decode()
    obj["apiVersion"] = resource.type.api_version
    made = orjson.dumps(obj if resource.refresh is None else resource.refresh(obj))
    return record.raw if made == record.raw else made


def _same(new: resources.Object, old: resources.Object) -> bool:
    # Bytes rather than ==, which holds 1 and true for equal.
    return orjson.dumps(new, option=orjson.OPT_SORT_KEYS) == orjson.dumps(old, option=orjson.OPT_SORT_KEYS)


def resource_of_record(context: Context, record: records.Record) -> contract.Resource | None:
    """The kind of a stored object as it is served now; None when its definition is gone."""
    group, _, plural = record.key.resource.partition("/")
    version = record.api_version.rpartition("/")[2]
    found = context.catalog.find(group, version, plural)
    if found is not None:
        return found
    return next(
        (each for each in context.catalog.served() if (each.type.group, each.type.plural) == (group, plural)), None
    )
