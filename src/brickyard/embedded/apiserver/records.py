"""What the store keeps of an object: its bytes, and beside them the few fields that lists, watches and owners are looked up by.

An object is serialised once, when it is written; every list, watch and read afterwards shares those bytes. Other fields are
decoded on demand (``Record.field``) and remembered, because only clients with field selectors ask for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import orjson

from brickyard.api.kinds import resources

_MOST_SEEN = 4

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Key(NamedTuple):
    """Where an object lives. ``resource`` is ``group/plural`` (all versions of a kind are one collection)."""

    resource: str
    namespace: str
    name: str


def resource_of(kind: resources.ResourceType) -> str:
    """The collection of a kind: ``apps/deployments``, ``/pods``."""
    return f"{kind.group}/{kind.plural}"


def key_of(kind: resources.ResourceType, namespace: str, name: str) -> Key:
    """Where an object of ``kind`` lives; the namespace of a cluster-wide kind is ""."""
    return Key(resource_of(kind), namespace if kind.namespaced else "", name)


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """An object at a revision. ``raw`` is its JSON, ``resourceVersion`` included. Shared and never changed."""

    key: Key
    revision: int
    raw: bytes
    api_version: str
    uid: str
    labels: Mapping[str, str]
    owners: tuple[str, ...]
    """UIDs of its owner references."""
    finalizers: tuple[str, ...]
    deleting: bool
    _fields: dict[str, str] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    _seen: dict[str, bytes] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def decode(self) -> resources.Object:
        """A copy of the object that the caller may change."""
        obj: resources.Object = orjson.loads(self.raw)
        return obj

    def seen(self, under: str, make: Callable[[], bytes]) -> bytes:
        """Its JSON under another schema, made at the first asking. That of a few schemas is kept."""
        found = self._seen.get(under)
        if found is None:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            found = self._seen[under] = make()
        return found

    def field(self, path: str) -> str:
        """The text of a dotted path as field selectors compare it; "" where there is nothing."""
        if path == "metadata.name":
            return self.key.name
        if path == "metadata.namespace":
            return self.key.namespace
        found = self._fields.get(path)
        if found is None:
            found = self._fields[path] = _text_at(self.decode(), path)
        return found


def make(key: Key, revision: int, obj: resources.Object) -> Record:
    """The record of ``obj``, whose ``metadata.resourceVersion`` becomes ``revision``.

    Raises:
        TypeError: ``obj`` holds what JSON cannot carry.
    """
    obj["metadata"]["resourceVersion"] = str(revision)
    return _describe(key, revision, orjson.dumps(obj), obj)


def load(key: Key, revision: int, raw: bytes) -> Record:
    """The record of bytes read back from disk."""
    return _describe(key, revision, raw, orjson.loads(raw))


def _describe(key: Key, revision: int, raw: bytes, obj: resources.Object) -> Record:
    metadata = obj["metadata"]
    return Record(
        key=key,
        revision=revision,
        raw=raw,
        api_version=obj.get("apiVersion", ""),
        uid=metadata.get("uid", ""),
        labels=metadata.get("labels") or {},
        owners=tuple(owner.get("uid", "") for owner in metadata.get("ownerReferences") or ()),
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


def _text_at(obj: Any, path: str) -> str:
    for part in path.split("."):
        if not isinstance(obj, dict):
            return ""
        obj = obj.get(part)
    if obj is None or isinstance(obj, dict | list):
        return ""
    if isinstance(obj, bool):
        return "true" if obj else "false"
    return str(obj)


class Change:
    """One revision of the world: what an object became, and what it was before.

    ``record`` of a deletion is the last state at the deletion's revision. The watch lines are made at the first asking and shared by
    all watchers after that.
    """

    __slots__ = ("_lines", "previous", "record", "type")

    def __init__(self, kind: ChangeType, record: Record, previous: Record | None) -> None:
        self.type: ChangeType = kind
        self.record = record
        self.previous = previous
        self._lines: dict[ChangeType, bytes] = {}

    @property
    def revision(self) -> int:
        return self.record.revision

    def departed(self) -> Record:
        """What a watcher is told when the object leaves its selection: the state it knew, at this change's revision."""
        if self.type == "DELETED" or self.previous is None:
            return self.record
        return make(self.record.key, self.revision, self.previous.decode())

    def line(self, seen_as: ChangeType) -> bytes:
        """This change as one line of a JSON watch stream, for a watcher to whom it is a ``seen_as``."""
        line = self._lines.get(seen_as)
        if line is None:
            record = self.departed() if seen_as == "DELETED" else self.record
            line = self._lines[seen_as] = watch_line(seen_as, record.raw)
        return line


def watch_line(kind: str, raw: bytes) -> bytes:
    """A watch event around an object's JSON."""
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), raw)
