"""``MemoryClient``: a Kubernetes API in a dict, for tests of whatever speaks to one.

It keeps the rules that a controller's correctness rests on: resource versions and conflicts, generateName and uid, generation,
finalizers and graceful pod deletion, the status subresource, patches, selectors, paging, watches that replay from a version. It does not
default or validate kinds, check that namespaces exist, keep field managers, or collect garbage: run the embedded API server where
those matter.

Knobs: ``seed`` puts objects in as they are, ``fail_next`` makes a coming call fail, ``break_watches`` ends the open watches with an error,
``expire`` forgets the history so that old versions are ``Gone``. ``calls`` tells what was asked.
"""

from __future__ import annotations

import asyncio
import collections
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

import orjson

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import meta, names, patch, paths, selectors, strategic
from brickyard.lib import clock, timestamps

HISTORY = 10_000
"""Events held for replay; a watch that falls behind by more is ``Gone``."""

_WITHOUT_STATUS = frozenset({"ConfigMap", "Secret", "Event", "EndpointSlice", "Lease", "ServiceAccount", "Endpoints"})
_WITHOUT_GENERATION = _WITHOUT_STATUS | {"Namespace", "Node", "Service"}

_EVERYTHING = contract.Query()
_AS_USUAL = contract.DeleteOptions()
_AS_OURS = contract.ApplyOptions()


class Call(NamedTuple):
    """One request, in the order it came. ``body`` is the object or patch sent, None otherwise."""

    verb: str
    kind: resources.ResourceType
    namespace: str
    name: str
    subresource: str = ""
    body: Any = None


class _Change(NamedTuple):
    version: int
    kind: resources.ResourceType
    type: contract.EventType
    old: resources.Object | None
    new: resources.Object


class _Failure(NamedTuple):
    error: errors.KubeError
    verb: str
    kind: resources.ResourceType | None


def _copy(obj: Any) -> Any:
    # Through JSON: what is no JSON fails here as it would on the wire.
    return orjson.loads(orjson.dumps(obj))


class MemoryClient:
    """Fills ``contract.Client``. ``latency`` seconds pass in every call; the default gives other tasks one turn."""

    def __init__(self, clock_: clock.Clock | None = None, *, latency: float = 0.0, seed: int = 0) -> None:
        self.calls: list[Call] = []
        self.streams: dict[str, list[bytes]] = {}
        self.latency = latency
        self._clock = clock_ or clock.SystemClock()
        self._rng = random.Random(seed)  # noqa: S311 - names in tests, the same in every run
        self._version = 1
        self._objects: dict[resources.ResourceType, dict[meta.Key, resources.Object]] = collections.defaultdict(dict)
        self._history: collections.deque[_Change] = collections.deque(maxlen=HISTORY)
        self._forgotten = 1
        self._failures: list[_Failure] = []
        self._changed = asyncio.Event()
        self._broken: tuple[int, errors.KubeError] = (0, errors.Gone("never"))

    # Knobs.

    def seed(self, kind: resources.ResourceType, *objs: resources.Object) -> list[resources.Object]:
        """Store objects as they are, status included; uid, versions and creationTimestamp are added where absent."""
        return [_copy(self._store(kind, self._identified(kind, _copy(each)))) for each in objs]

    def all(self, kind: resources.ResourceType) -> list[resources.Object]:
        """Every object of a kind, by namespace and name."""
        held = self._objects[kind]
        return [_copy(held[key]) for key in sorted(held)]

    def fail_next(
        self, error: errors.KubeError, *, verb: str = "", kind: resources.ResourceType | None = None, times: int = 1
    ) -> None:
        """Let the next ``times`` calls that match fail with ``error``, before they change anything."""
        self._failures += [_Failure(error, verb, kind)] * times

    def break_watches(self, error: errors.KubeError) -> None:
        """End every open watch with ``error``."""
        self._broken = (self._broken[0] + 1, error)
        self._wake()

    def expire(self) -> None:
        """Forget the history: watches that start from an older version than now's are ``Gone``."""
        self._history.clear()
        self._forgotten = self._version

    def wrote(self, verb: str = "", kind: resources.ResourceType | None = None) -> list[Call]:
        """Recorded calls that write, narrowed to a verb or a kind."""
        reads = ("get", "list", "watch", "stream")
        writes = [each for each in self.calls if each.verb not in reads]
        return [each for each in writes if verb in ("", each.verb) and kind in (None, each.kind)]

    # contract.Client.

    async def get(self, kind: resources.ResourceType, name: str, namespace: str = "") -> resources.Object:
        await self._called(Call("get", kind, namespace, name))
        return dict(_copy(self._held(kind, meta.Key(namespace, name))))

    async def list(self, kind: resources.ResourceType, query: contract.Query = _EVERYTHING) -> contract.ObjectList:
        await self._called(Call("list", kind, query.namespace, ""))
        chosen = _chooser(query)
        found = [(key, obj) for key, obj in sorted(self._objects[kind].items()) if chosen(obj)]
        version = str(self._version)
        if query.continue_token:
            version, after = orjson.loads(query.continue_token)
            if int(version) < self._forgotten:
                raise errors.Gone("The provided continue parameter is too old", reason="Expired")
            found = [(key, obj) for key, obj in found if key > meta.Key(*after)]
        token = ""
        if query.limit and len(found) > query.limit:
            found = found[: query.limit]
            token = orjson.dumps([version, list(found[-1][0])]).decode()
        return contract.ObjectList([_copy(obj) for _, obj in found], version, token)

    async def create(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        await self._called(Call("create", kind, *meta.key(obj), "", _copy(obj)))
        new = _copy(obj)
        if meta.resource_version(new):
            raise errors.BadRequest("resourceVersion should not be set on objects to be created", reason="BadRequest")
        if kind.kind not in _WITHOUT_STATUS:
            new.pop("status", None)
        new["metadata"] = {key: value for key, value in new["metadata"].items() if key not in ("uid", "generation")}
        identified = self._identified(kind, new)
        if meta.key(identified) in self._objects[kind]:
            raise _refusal(errors.AlreadyExists, kind, meta.name(identified), "already exists")
        return dict(_copy(self._store(kind, identified)))

    async def update(
        self, kind: resources.ResourceType, obj: resources.Object, subresource: str = ""
    ) -> resources.Object:
        key = meta.key(obj)
        await self._called(Call("update", kind, *key, subresource, _copy(obj)))
        return self._replace(kind, key, _copy(obj), subresource)

    async def patch(
        self,
        kind: resources.ResourceType,
        target: tuple[str, str],
        patch: Any,
        patch_kind: contract.PatchKind = contract.PatchKind.MERGE,
        subresource: str = "",
    ) -> resources.Object:
        await self._called(Call("patch", kind, *target, subresource, _copy(patch)))
        key = meta.Key(*target)
        held = self._held(kind, key)
        before = _scale(held) if subresource == "scale" else held
        return self._replace(kind, key, _copy(_patched(before, patch, patch_kind)), subresource)

    async def apply(
        self, kind: resources.ResourceType, obj: resources.Object, how: contract.ApplyOptions = _AS_OURS
    ) -> resources.Object:
        """Creates or merges. Nobody's ownership is kept here: nothing conflicts, and what is no longer named stays."""
        key = meta.key(obj)
        await self._called(Call("apply", kind, *key, how.subresource, _copy(obj)))
        if key not in self._objects[kind]:
            if how.subresource:
                raise _refusal(errors.NotFound, kind, key.name, "not found")
            new = {
                name: value for name, value in _copy(obj).items() if name != "status" or kind.kind in _WITHOUT_STATUS
            }
            return dict(_copy(self._store(kind, self._identified(kind, new))))
        return self._replace(kind, key, _copy(patch.merge_patch(self._held(kind, key), obj)), how.subresource)

    async def delete(
        self,
        kind: resources.ResourceType,
        target: tuple[str, str],
        options: contract.DeleteOptions = _AS_USUAL,
    ) -> resources.Object:
        await self._called(Call("delete", kind, *target, "", options))
        held = self._held(kind, meta.Key(*target))
        if options.uid and options.uid != meta.uid(held):
            problem = f"the UID in the precondition ({options.uid}) does not match the UID in record ({meta.uid(held)})"
            raise _refusal(errors.Conflict, kind, target[1], f"cannot be deleted: {problem}")
        grace = _grace(kind, held, options)
        if not grace and not meta.finalizers(held):
            return dict(_copy(self._remove(kind, held)))
        dying = _copy(held)
        now = self._clock.wall()
        if not meta.is_deleting(dying) or grace < (dying["metadata"].get("deletionGracePeriodSeconds") or 0):
            dying["metadata"]["deletionTimestamp"] = timestamps.rfc3339(now + grace)
            dying["metadata"]["deletionGracePeriodSeconds"] = grace
        return dict(_copy(dying if dying == held else self._store(kind, dying)))

    async def watch(self, kind: resources.ResourceType, query: contract.Query) -> AsyncIterator[contract.WatchEvent]:
        await self._called(Call("watch", kind, query.namespace, ""))
        chosen, broken = _chooser(query), self._broken[0]
        if query.initial_events or query.resource_version in ("", "0"):
            at = self._version
            for first in self._beginning(kind, query, at):
                yield first
        else:
            at = int(query.resource_version)
        while True:
            if self._broken[0] != broken:
                raise self._broken[1]
            if at < self._forgotten:
                raise errors.Gone(f"too old resource version: {at} ({self._forgotten})", reason="Expired")
            fresh = self._since(at)
            for change in fresh:
                at = change.version
                if change.kind == kind and (event := _seen(change, chosen)) is not None:
                    yield event
            if not fresh:
                await self._changed.wait()

    def _beginning(self, kind: resources.ResourceType, query: contract.Query, at: int) -> Sequence[contract.WatchEvent]:
        chosen = _chooser(query)
        events = [contract.WatchEvent(contract.EventType.ADDED, each) for each in self.all(kind) if chosen(each)]
        if query.initial_events:
            told = {"resourceVersion": str(at), "annotations": {contract.INITIAL_EVENTS_END: "true"}}
            bookmark = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": told}
            events.append(contract.WatchEvent(contract.EventType.BOOKMARK, bookmark))
        return events

    async def stream(self, path: str, params: dict[str, str]) -> AsyncIterator[bytes]:
        del params
        await asyncio.sleep(self.latency)
        if path not in self.streams:
            raise errors.NotFound(f"the server could not find the requested resource {path}", reason="NotFound")
        return _chunks(list(self.streams[path]))

    # The store.

    async def _called(self, call: Call) -> None:
        self.calls.append(call)
        await asyncio.sleep(self.latency)
        for index, failure in enumerate(self._failures):
            if failure.verb in ("", call.verb) and failure.kind in (None, call.kind):
                del self._failures[index]
                raise failure.error

    def _held(self, kind: resources.ResourceType, key: meta.Key) -> resources.Object:
        try:
            return self._objects[kind][key]
        except KeyError:
            raise _refusal(errors.NotFound, kind, key.name, "not found") from None

    def _identified(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        given = obj.setdefault("metadata", {})
        if not given.get("name") and given.get("generateName"):
            given["name"] = names.generate(given["generateName"], self._rng)
        given.setdefault("uid", str(uuid.UUID(int=self._rng.getrandbits(128), version=4)))
        given.setdefault("creationTimestamp", timestamps.rfc3339(self._clock.wall()))
        if kind.kind not in _WITHOUT_GENERATION:
            given.setdefault("generation", 1)
        return {"apiVersion": kind.api_version, "kind": kind.kind, **obj}

    def _replace(
        self, kind: resources.ResourceType, key: meta.Key, obj: resources.Object, subresource: str
    ) -> resources.Object:
        held = self._held(kind, key)
        if meta.resource_version(obj) not in ("", meta.resource_version(held)):
            text = "the object has been modified; please apply your changes to the latest version and try again"
            raise _refusal(errors.Conflict, kind, key.name, text, verb="Operation cannot be fulfilled on ")
        if meta.uid(obj) not in ("", meta.uid(held)):
            raise _refusal(errors.Conflict, kind, key.name, "was replaced: its uid is another one")
        new = _replaced(kind, held, obj, subresource)
        new = {
            **new,
            "metadata": dict(new["metadata"]),
        }  # may be the held one's own, which history and watches still hold
        if new != held:
            if kind.kind not in _WITHOUT_GENERATION and new.get("spec") != held.get("spec"):
                new["metadata"]["generation"] = meta.generation(held) + 1
            gone = meta.is_deleting(new) and not meta.finalizers(new)
            graceful = new["metadata"].get("deletionGracePeriodSeconds")
            new = self._remove(kind, new) if gone and not graceful else self._store(kind, new)
        return dict(_copy(_scale(new) if subresource == "scale" else new))

    def _store(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        key = meta.key(obj)
        old = self._objects[kind].get(key)
        self._stamp(obj)
        self._objects[kind][key] = obj
        change = contract.EventType.ADDED if old is None else contract.EventType.MODIFIED
        self._record(_Change(self._version, kind, change, old, obj))
        return obj

    def _remove(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        old = self._objects[kind].pop(meta.key(obj))
        last = _copy(obj)
        self._stamp(last)
        self._record(_Change(self._version, kind, contract.EventType.DELETED, old, last))
        return dict(last)

    def _stamp(self, obj: resources.Object) -> None:
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)

    def _record(self, change: _Change) -> None:
        if len(self._history) == HISTORY:
            self._forgotten = self._history[0].version
        self._history.append(change)
        self._wake()

    def _since(self, version: int) -> Sequence[_Change]:
        newest_first = itertools.takewhile(lambda each: each.version > version, reversed(self._history))
        return list(newest_first)[::-1]

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _refusal(
    error: type[errors.KubeError], kind: resources.ResourceType, name: str, problem: str, verb: str = ""
) -> errors.KubeError:
    where = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return error(f'{verb}{where} "{name}"{":" if verb else ""} {problem}', reason=error.__name__, details=details)


def _chooser(query: contract.Query) -> Callable[[resources.Object], bool]:
    try:
        labels = selectors.parse_labels(query.label_selector)
        fields = selectors.parse_fields(query.field_selector)
    except object_errors.SelectorError as error:
        raise errors.BadRequest(str(error), reason="BadRequest") from error

    def chosen(obj: resources.Object) -> bool:
        in_namespace = query.namespace in ("", meta.namespace(obj))
        return (
            in_namespace
            and labels.matches(meta.labels(obj))
            and fields.matches(lambda path: str(paths.get(obj, path, "")))
        )

    return chosen


def _seen(change: _Change, chosen: Callable[[resources.Object], bool]) -> contract.WatchEvent | None:
    """What a watch with a selector is told: an object that enters it is added, one that leaves it deleted."""
    was = change.old is not None and chosen(change.old)
    is_now = change.type is not contract.EventType.DELETED and chosen(change.new)
    if not was and not is_now:
        return None
    kinds = {
        (False, True): contract.EventType.ADDED,
        (True, True): contract.EventType.MODIFIED,
        (True, False): contract.EventType.DELETED,
    }
    return contract.WatchEvent(kinds[was, is_now], _copy(change.new))


def _patched(obj: resources.Object, body: Any, kind: contract.PatchKind) -> Any:
    try:
        match kind:
            case contract.PatchKind.MERGE:
                return patch.merge_patch(obj, body)
            case contract.PatchKind.JSON:
                return patch.json_patch(obj, body)
            case contract.PatchKind.STRATEGIC:
                return strategic.strategic_merge(obj, body, obj["apiVersion"], obj["kind"])
            case contract.PatchKind.APPLY:
                raise errors.UnsupportedMediaType(
                    "MemoryClient knows no server-side apply", reason="UnsupportedMediaType"
                )
    except object_errors.UnsupportedPatchError as error:
        raise errors.UnsupportedMediaType(str(error), reason="UnsupportedMediaType") from error
    except object_errors.PatchConflictError as error:
        raise errors.Invalid(str(error), reason="Invalid") from error
    except object_errors.PatchError as error:
        raise errors.BadRequest(str(error), reason="BadRequest") from error


_FIXED = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)


def _replaced(
    kind: resources.ResourceType, held: resources.Object, obj: resources.Object, subresource: str
) -> resources.Object:
    """What is stored when ``obj`` is written over ``held``: a subresource changes its own part, the object all but that."""
    if subresource == "scale":
        return paths.put(held, "spec.replicas", paths.get(obj, "spec.replicas", 0))
    if subresource == "status":
        if kind.kind in _WITHOUT_STATUS:
            raise errors.NotFound(f"{kind.plural} have no status", reason="NotFound")
        rest = {key: value for key, value in held.items() if key != "status"}
        return {**rest, "status": obj["status"]} if "status" in obj else rest
    fixed = {key: value for key, value in meta.metadata(held).items() if key in _FIXED}
    free = {key: value for key, value in meta.metadata(obj).items() if key not in _FIXED}
    new: resources.Object = {
        **obj,
        "apiVersion": held["apiVersion"],
        "kind": held["kind"],
        "metadata": {**free, **fixed},
    }
    if kind.kind in _WITHOUT_STATUS:
        return new
    new.pop("status", None)
    return {**new, "status": held["status"]} if "status" in held else new


def _scale(obj: resources.Object) -> resources.Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {key: value for key, value in meta.metadata(obj).items() if key in kept},
        "spec": {"replicas": paths.get(obj, "spec.replicas", 0)},
        "status": {"replicas": paths.get(obj, "status.replicas", 0)},
    }


def _grace(kind: resources.ResourceType, obj: resources.Object, options: contract.DeleteOptions) -> int:
    """Seconds that a node agent gets to stop a pod; a pod that no node holds, or that has ended, needs none."""
    if kind != resources.POD or not paths.get(obj, "spec.nodeName"):
        return 0
    if paths.get(obj, "status.phase") in ("Succeeded", "Failed"):
        return 0
    own = int(paths.get(obj, "spec.terminationGracePeriodSeconds", 30))
    return own if options.grace_period_seconds is None else options.grace_period_seconds


async def _chunks(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for each in chunks:
        await asyncio.sleep(0)
        yield each
