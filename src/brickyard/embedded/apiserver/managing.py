"""Who wrote what: ``metadata.managedFields`` at every write, and server-side apply. Pure.

What the server itself decides is nobody's: identity, generation, what it adds to a new object, and the status of a kind that has it as
a part of its own. Each part of an object is tracked by itself: ``""``, ``status`` and ``scale``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, errors, structures
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import fieldsets, managedfields, merging, structure, threeway
from brickyard.lib import timestamps

SERVER: Final = "brickyard-apiserver"
"""The manager of what the server writes for itself."""
_NAME_LIMIT: Final = 128
_KUBECTL: Final = "kubectl"
"""Manager of ``kubectl apply --server-side``: for it alone the annotation of client-side apply counts as ownership."""

_NOBODYS_METADATA: Final = frozenset(
    {
        "name",
        "namespace",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "uid",
        "generation",
        "resourceVersion",
        "managedFields",
    }
)
_LASTING: Final[fieldsets.FieldSet] = {"f:metadata": {fieldsets.SELF: {}}}
"""The name and the like stay, though nobody owns them, when the last label goes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Writer:
    """Who writes and how. ``applied``: the object comes with the owners that ``apply`` found. ``force`` takes from other owners."""

    manager: str = SERVER
    applied: bool = False
    force: bool = False


THE_SERVER: Final = Writer()


def manager_name(asked: str, agent: str) -> str:
    """The manager of a request: what the client asked for (``fieldManager``), else the first word of its ``User-Agent``."""
    if asked:
        return asked
    name = "".join(each for each in agent.partition("/")[0] if each.isprintable())
    return name.encode()[:_NAME_LIMIT].decode(errors="ignore") or "unknown"


def name_fault(name: str) -> str:
    """What is wrong with a ``fieldManager`` that a client asked for; "" where nothing is."""
    if len(name.encode()) > _NAME_LIMIT:
        return f"Too long: may not be more than {_NAME_LIMIT} bytes"
    odd = [position for position, each in enumerate(name) if not each.isprintable()]
    if odd:
        shown = orjson.dumps(name).decode()
        return f"Invalid value: {shown}: should only contain printable characters"
    return ""


def added(resource: contract.Resource, sent: resources.Object, draft: resources.Object) -> fieldsets.FieldSet:
    """The fields that the server has put into ``draft``, which was ``sent``."""
    return structure.compare(structures.of(resource), _view(resource, sent, ""), _view(resource, draft, "")).changed


def created(
    resource: contract.Resource, draft: resources.Object, writer: Writer, now: float, nobodys: fieldsets.FieldSet
) -> None:
    """Say in a new ``draft`` who owns it; ``nobodys`` are the fields that the server has put into it."""
    metadata = draft["metadata"]
    sent = metadata.pop("managedFields", None)
    entries = managedfields.readable(sent) or []
    if not writer.applied:
        difference = structure.compare(structures.of(resource), {}, _view(resource, draft, ""))
        written = fieldsets.difference(difference.changed, nobodys)
        difference = dataclasses.replace(difference, changed=written)
        entries = managedfields.updated(entries, difference, _author(resource, writer, "", now))
    if entries:
        metadata["managedFields"] = entries


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """An update of ``part`` of the object ``old``."""

    resource: contract.Resource
    old: resources.Object
    part: str = ""


def updated(change: Change, draft: resources.Object, writer: Writer, now: float) -> None:
    """Say in ``draft``, which follows upon ``change.old``, who owns what now."""
    sent = draft["metadata"].get("managedFields")
    before = change.old["metadata"].get("managedFields") or []
    entries = sent if writer.applied else _updated(change, draft, writer, now)
    if entries != before or sent != before:
        metadata = {key: each for key, each in draft["metadata"].items() if key != "managedFields"}
        draft["metadata"] = {**metadata, "managedFields": entries} if entries else metadata


def _updated(change: Change, draft: resources.Object, writer: Writer, now: float) -> Sequence[managedfields.Entry]:
    resource, part = change.resource, change.part
    entries = _base(change, draft["metadata"].get("managedFields"))
    if not entries:
        # Nobody knows who wrote the rest, so the writer of a part is not told either until somebody applies.
        return entries
    old, new = _view(resource, change.old, part), _view(resource, draft, part)
    difference = structure.compare(structures.of(resource), old, new)
    if difference:
        entries = _fitted(resource, entries)
    return managedfields.updated(entries, difference, _author(resource, writer, part, now))


def _base(change: Change, sent: Any) -> Sequence[managedfields.Entry]:
    """The owners to go on from: a client may correct or reset them, not lose them by not knowing them, and not through a part."""
    before: list[managedfields.Entry] = change.old["metadata"].get("managedFields") or []
    if change.part or sent is None or sent == before:
        return before
    if managedfields.is_reset(sent):
        return []
    return managedfields.readable(sent) or before


def _author(resource: contract.Resource, writer: Writer, part: str, now: float) -> managedfields.Author:
    operation: managedfields.Operation = "Apply" if writer.applied else "Update"
    return managedfields.Author(writer.manager, operation, resource.type.api_version, timestamps.rfc3339(now), part)


def _view(resource: contract.Resource, obj: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    """What of ``obj`` can be owned through ``part``."""
    if part == "status":
        return {"status": obj["status"]} if "status" in obj else {}
    seen = {key: each for key, each in obj.items() if key not in ("apiVersion", "kind", "metadata")}
    if "status" in resource.subresources:
        seen.pop("status", None)
    metadata = {key: each for key, each in (obj.get("metadata") or {}).items() if key not in _NOBODYS_METADATA}
    return {**seen, "metadata": metadata} if metadata else seen


def check(resource: contract.Resource, config: resources.Object) -> None:
    """Refuse an applied object that cannot be merged.

    Raises:
        BadRequestError: elements of its lists cannot be told apart.
    """
    try:
        merging.check(structures.of(resource), config)
    except object_errors.UnkeyedListError as error:
        raise errors.BadRequestError(
            f"failed to create typed patch object ({_label(resource, config)}): {error}"
        ) from error


def undeclared(resource: contract.Resource, config: resources.Object, path: str) -> errors.BadRequestError:
    """The refusal of an applied field that the kind does not have."""
    return errors.BadRequestError(
        f"failed to create typed patch object ({_label(resource, config)}): .{path}: field not declared in schema"
    )


def _label(resource: contract.Resource, config: resources.Object) -> str:
    metadata, kind = config["metadata"], resource.type
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.api_version}, Kind={kind.kind}"


@dataclasses.dataclass(frozen=True, slots=True)
class Applied:
    """An apply of ``config`` to ``part`` of an object."""

    resource: contract.Resource
    config: resources.Object
    part: str = ""


def apply(asked: Applied, live: resources.Object | None, writer: Writer, now: float) -> resources.Object:
    """The object to store, its owners with it. ``live`` is None where there is none yet.

    Raises:
        ConflictError: others own what would change, and the writer does not force it.
    """
    resource, config = asked.resource, asked.config
    author = _author(resource, dataclasses.replace(writer, applied=True), asked.part, now)
    scene = _scene(asked, live, author)
    wanted = _view(resource, config, asked.part)
    try:
        found = managedfields.applied(scene, wanted, author, force=writer.force)
    except object_errors.ApplyConflictError as error:
        allowed = _allowed_by_annotation(scene, resource) if writer.manager == _KUBECTL else frozenset()
        left = [(owner, path) for owner, path in error.conflicts if path not in allowed]
        if left:
            raise _conflict(object_errors.ApplyConflictError(left)) from error
        found = managedfields.applied(scene, wanted, author, force=True)
    obj = found.obj if live is not None else {**config, **found.obj}
    metadata = {**(config["metadata"] if live is None else {}), **(obj.get("metadata") or {}), **_asked(config)}
    if writer.manager == _KUBECTL and threeway.LAST_APPLIED in (metadata.get("annotations") or {}):
        metadata["annotations"] = {**metadata["annotations"], threeway.LAST_APPLIED: _annotation(config)}
    return {**obj, "metadata": {**metadata, "managedFields": found.entries}}


def _scene(asked: Applied, live: resources.Object | None, author: managedfields.Author) -> managedfields.Scene:
    node = structures.of(asked.resource)
    if live is None:
        return managedfields.Scene(node, {}, ())
    metadata = {key: each for key, each in live["metadata"].items() if key != "managedFields"}
    entries = live["metadata"].get("managedFields") or ()
    if not entries:
        everything = structure.compare(node, {}, _view(asked.resource, live, ""))
        entries = managedfields.before_first_apply(everything, author.api_version, author.time)
    return managedfields.Scene(node, {**live, "metadata": metadata}, _fitted(asked.resource, entries), _LASTING)


def _fitted(resource: contract.Resource, entries: Sequence[managedfields.Entry]) -> Sequence[managedfields.Entry]:
    """``entries`` as the kind is now: the schema of a custom kind may have changed since they were made."""
    return entries if resource.structure is None else managedfields.fitted(resource.structure, entries)


def _asked(config: resources.Object) -> dict[str, Any]:
    """The preconditions that an applied object brings along."""
    metadata = config.get("metadata") or {}
    return {key: metadata[key] for key in ("resourceVersion", "uid") if metadata.get(key)}


def _conflict(error: object_errors.ApplyConflictError) -> errors.ConflictError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": path}
        for owner, path in error.conflicts
    ]
    return errors.ConflictError(str(error), {"causes": causes})


def _allowed_by_annotation(scene: managedfields.Scene, resource: contract.Resource) -> frozenset[str]:
    """Fields that client-side apply wrote last and that still have its values: kubectl owns them under another name."""
    last = threeway.last_applied(dict(scene.live))
    if last.get("apiVersion") != resource.type.api_version:
        return frozenset()
    difference = structure.compare(scene.node, last, scene.live)
    fields = structure.mentioned(scene.node, last)
    for each in (difference.changed, difference.removed):
        fields = fieldsets.without(fields, each)
    return frozenset(fieldsets.text(path) for path in fieldsets.paths(fields))


def _annotation(config: resources.Object) -> str:
    """``config`` as client-side apply would have noted it."""
    metadata = dict(config["metadata"])
    annotations = {
        key: each for key, each in (metadata.get("annotations") or {}).items() if key != threeway.LAST_APPLIED
    }
    return orjson.dumps({**config, "metadata": {**metadata, "annotations": annotations}}).decode() + "\n"
