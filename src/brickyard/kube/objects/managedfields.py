"""Who owns which fields of an object: ``metadata.managedFields`` after a write, and what an apply makes of an object.

write     entry of the writer                                          entries of others
update    what it had, less what it removed, and all it changed        lose what was changed or removed
apply     what it applies now, no more and no less                     keep what they had: a change to it is a conflict; with force
                                                                       they lose it

A manager is a name, an operation and a part of the object (``subresource``); of updates every API version counts by itself. Somebody
who owns nothing has no entry. An apply takes out what its manager applied last time, does not apply now and nobody else owns.

Entries are as the API shows them. Pure: the time is an argument.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import orjson

from brickyard.kube.objects import errors, fieldsets, merging, structure

Entry = dict[str, Any]
Operation = Literal["Apply", "Update"]

UPDATERS_KEPT: Final = 10
"""Entries of updates; beyond that the oldest are put together."""
_ANCIENT: Final = "ancient-changes"
_BEFORE: Final = "before-first-apply"
_ENTRY_FIELDS: Final = frozenset(
    {"manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Author:
    """Who writes, how, and when (``time`` as RFC 3339)."""

    manager: str
    operation: Operation
    api_version: str
    time: str
    subresource: str = ""

    def wrote(self, entry: Mapping[str, Any]) -> bool:
        """Whether ``entry`` is this author's."""
        return (
            entry.get("manager", "") == self.manager
            and entry.get("operation") == self.operation
            and entry.get("subresource", "") == self.subresource
            and (self.operation == "Apply" or entry.get("apiVersion") == self.api_version)
        )

    def entry(self, fields: fieldsets.FieldSet, time: str) -> Entry:
        """The entry that says this author owns ``fields`` since ``time``."""
        found = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if self.subresource:
            found["subresource"] = self.subresource
        return found


def owned(entry: Mapping[str, Any]) -> fieldsets.FieldSet:
    """The fields of an entry."""
    found: fieldsets.FieldSet = entry.get("fieldsV1") or fieldsets.LEAF
    return found


def is_reset(entries: Any) -> bool:
    """Whether a client asks to forget all owners: an empty list, or one empty entry."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def readable(entries: Any) -> list[Entry] | None:
    """Entries that a client wrote, each set in its one spelling; None where there are none or one of them is none."""
    if not isinstance(entries, list) or not entries:
        return None
    try:
        return [_readable(each) for each in entries]
    except errors.FieldSetError:
        return None


def _readable(entry: Any) -> Entry:
    if not isinstance(entry, dict) or entry.get("operation") not in ("Apply", "Update") or not entry.get("apiVersion"):
        raise errors.FieldSetError("an entry says its operation, Apply or Update, and its apiVersion")
    if entry.get("fieldsType") != "FieldsV1":
        raise errors.FieldSetError("the fields of an entry are of type FieldsV1")
    known = {key: each for key, each in entry.items() if key in _ENTRY_FIELDS and each}
    return {**known, "fieldsV1": fieldsets.parse(entry.get("fieldsV1") or {})}


def fitted(node: structure.Node, entries: Iterable[Entry]) -> list[Entry]:
    """Entries of a kind whose schema may have changed since they were made; the same ones where it has not."""
    found = []
    for entry in entries:
        fields = structure.fitted(node, owned(entry))
        found.append(entry if fields == owned(entry) else {**entry, "fieldsV1": fields})
    return found


def updated(entries: Sequence[Entry], difference: structure.Difference, author: Author) -> list[Entry]:
    """The entries after an update by ``author`` that did ``difference``."""
    if not difference:
        return list(entries)
    own = next((each for each in entries if author.wrote(each)), None)
    left = _reduced((each for each in entries if each is not own), difference)
    fields = fieldsets.without(owned(own), difference.removed) if own else fieldsets.LEAF
    fields = fieldsets.union(fields, difference.changed)
    if fields:
        time = author.time if difference.changed or own is None else own.get("time") or author.time
        left.append(author.entry(fields, time))
    return _sorted(_folded(left))


def _reduced(entries: Iterable[Entry], difference: structure.Difference) -> list[Entry]:
    """What others keep."""
    left = []
    for entry in entries:
        before = owned(entry)
        fields = fieldsets.difference(before, difference.changed)
        fields = fieldsets.without(fields, difference.removed)
        if fields:
            left.append(entry if fields == before else {**entry, "fieldsV1": fields})
    return left


def _folded(entries: list[Entry]) -> list[Entry]:
    """At most ``UPDATERS_KEPT`` entries of updates where their versions allow it: the oldest of a version become one."""
    excess = sum(each.get("operation") == "Update" for each in entries) - UPDATERS_KEPT
    if excess <= 0:
        return entries
    oldest = sorted((each for each in entries if each.get("operation") == "Update"), key=_age)
    kept = [each for each in entries if each.get("operation") != "Update"]
    folded: dict[str, list[Entry]] = {}
    for position, entry in enumerate(oldest):
        bucket = folded.setdefault(entry["apiVersion"], [])
        if excess <= 0:
            kept += oldest[position:]
            break
        excess -= bool(bucket)
        bucket.append(entry)
    for bucket in folded.values():
        kept += bucket if len(bucket) < 2 else [_ancient(bucket)]
    return kept


def _ancient(entries: Sequence[Entry]) -> Entry:
    fields = fieldsets.LEAF
    for each in entries:
        fields = fieldsets.union(fields, owned(each))
    last = entries[-1]
    return Author(_ANCIENT, "Update", last["apiVersion"], "").entry(fields, last.get("time") or "")


def _age(entry: Entry) -> tuple[str, str]:
    return entry.get("time") or "", entry.get("manager") or ""


def _sorted(entries: Iterable[Entry]) -> list[Entry]:
    """Appliers first, then by time: the order in which Kubernetes keeps them."""
    return sorted(
        entries,
        key=lambda each: (
            each.get("operation") or "",
            each.get("time") or "",
            each.get("manager") or "",
            each.get("apiVersion") or "",
            each.get("subresource") or "",
        ),
    )


def before_first_apply(difference: structure.Difference, api_version: str, time: str) -> list[Entry]:
    """Who owns an object whose owners nobody knows when it is first applied to; ``difference`` is that from nothing to the object."""
    return updated((), difference, Author(_BEFORE, "Update", api_version, time))


@dataclasses.dataclass(frozen=True, slots=True)
class Application:
    """What an apply comes to: the object, its entries."""

    obj: dict[str, Any]
    entries: list[Entry]


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """The object that is applied to, without ``managedFields``, and its entries. ``live`` is empty where there is no object yet.

    Members of ``lasting`` are never given up: what nobody owns in them stays when nobody owns anything in them any more.
    """

    node: structure.Node
    live: Mapping[str, Any]
    entries: Sequence[Entry]
    lasting: fieldsets.FieldSet = dataclasses.field(default_factory=dict)


def applied(scene: Scene, config: Mapping[str, Any], author: Author, *, force: bool) -> Application:
    """What becomes of an object to which ``author`` applies ``config``, which has passed ``merging.check``.

    Raises:
        ApplyConflictError: others own what would change, and ``force`` is not given.
    """
    node = scene.node
    own = next((each for each in scene.entries if author.wrote(each)), None)
    others = [each for each in scene.entries if each is not own]
    fields = structure.mentioned(node, config)
    merged: dict[str, Any] = merging.merge(node, scene.live, config)
    if own is not None:
        kept = [scene.lasting, fields, *map(owned, others)]
        wanted = functools.reduce(fieldsets.union, kept)
        merged = merging.remove(node, merged, _abandoned(node, owned(own), kept), wanted)
    difference = structure.compare(node, scene.live, merged)
    if not force:
        _refuse_conflicts(others, difference.changed)
    left = _reduced(others, difference)
    if fields:
        same = own is not None and not difference and fields == owned(own) and own["apiVersion"] == author.api_version
        left.append(own if same and own is not None else author.entry(fields, author.time))
    return Application(merged, _sorted(left))


def _abandoned(
    node: structure.Node, last: fieldsets.FieldSet, kept: Iterable[fieldsets.FieldSet]
) -> fieldsets.FieldSet:
    """What was applied last time and nobody wants now."""
    gone = structure.with_structs(node, last)
    for fields in kept:
        gone = fieldsets.difference(gone, structure.with_structs(node, fields))
    return gone


def _refuse_conflicts(others: Iterable[Entry], changed: fieldsets.FieldSet) -> None:
    found = [
        (_name(entry), fieldsets.text(path))
        for entry in sorted(others, key=_identity)
        for path in fieldsets.paths(fieldsets.intersection(owned(entry), changed))
    ]
    if found:
        raise errors.ApplyConflictError(found)


def _identity(entry: Entry) -> tuple[str, str, str, str]:
    return (
        entry.get("manager") or "",
        entry.get("operation") or "",
        entry.get("apiVersion") or "",
        entry.get("subresource") or "",
    )


def _name(entry: Entry) -> str:
    """The manager as messages of Kubernetes show it: ``"kubectl-edit" using apps/v1``."""
    name = orjson.dumps(entry.get("manager") or "").decode()
    if entry.get("subresource"):
        name += f" with subresource {orjson.dumps(entry['subresource']).decode()}"
    return f"{name} using {entry['apiVersion']}" if entry.get("operation") == "Update" else name
