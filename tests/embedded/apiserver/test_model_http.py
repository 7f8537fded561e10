"""ConfigMaps over HTTP against a small model: every way to write them, who owns which key, pages, and watches from any version.

The model of an apply: an applier owns the keys it names; a key of another with another value is a conflict, unless forced; a key it
named before and names no more goes, unless another owns it too. Whoever changes a key in another way takes it from all.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
import tempfile
from typing import Any
from urllib import parse

import hypothesis
import orjson
import pytest
from hypothesis import stateful
from hypothesis import strategies as st
from tests.embedded.apiserver import inprocess

from brickyard.embedded.apiserver import history

Request = inprocess.Request
Key = tuple[str, str]

SPACES = st.sampled_from(["default", "other"])
NAMES = st.sampled_from(["a", "b", "c"])
KEYS = st.sampled_from(["k", "l", "m"])
VALUES = st.sampled_from(["1", "2", "3"])
DATA = st.dictionaries(KEYS, VALUES, max_size=3)
APPLIERS = st.sampled_from(["one", "two"])
HAND = "hand"
PATCHES = st.sampled_from(["merge-patch", "strategic-merge-patch", "json-patch"])
HISTORY = 12


KEPT = {"labels": {"kept": "yes"}}
"""Always owned by somebody: an object that nobody owns anything of is not tracked again until it is applied to."""


@dataclasses.dataclass
class Thing:
    """An object as the model knows it. ``owners`` by manager: the keys of ``data`` it owns."""

    uid: str
    revision: int
    data: dict[str, str]
    owners: dict[str, set[str]]
    finalizers: list[str] = dataclasses.field(default_factory=list)
    deleting: bool = False

    def changed_by_hand(self, data: dict[str, str]) -> None:
        touched = {key for key in data if data[key] != self.data.get(key)}
        gone = self.data.keys() - data.keys()
        for owned in self.owners.values():
            owned.difference_update(touched | gone)
        self.owners.setdefault(HAND, set()).update(touched)
        self.data = dict(data)

    def conflicts(self, manager: str, data: dict[str, str]) -> set[str]:
        others = set().union(*(owned for name, owned in self.owners.items() if name != manager))
        return {key for key in data if key in others and data[key] != self.data.get(key)}

    def applied_by(self, manager: str, data: dict[str, str]) -> None:
        for name, owned in self.owners.items():
            if name != manager:
                owned.difference_update(self.conflicts(manager, {key: data[key] for key in data.keys() & owned}))
        others = set().union(*(owned for name, owned in self.owners.items() if name != manager))
        dropped = self.owners.get(manager, set()) - data.keys() - others
        self.data = {**{key: value for key, value in self.data.items() if key not in dropped}, **data}
        self.owners[manager] = set(data)


def path(space: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{space}/configmaps{'/' if name else ''}{name}"


def owners_of(obj: dict[str, Any]) -> dict[str, set[str]]:
    """The owners of keys of ``data`` as the server tells them."""
    found: dict[str, set[str]] = {}
    for entry in obj["metadata"].get("managedFields") or []:
        keys = {key.removeprefix("f:") for key in entry["fieldsV1"].get("f:data", {}) if key != "."}
        if keys:
            found[entry["manager"]] = keys
    return found


class ConfigMaps(stateful.RuleBasedStateMachine):
    """Rules act on the server and on ``things`` alike; ``log`` is every change in order, as watches must tell it."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.server = inprocess.InProcess(pathlib.Path(self.directory.name), limits=history.Limits(events=HISTORY))
        self.server.json(Request("POST", "/api/v1/namespaces", body=b'{"metadata": {"name": "other"}}'))
        self.things: dict[Key, Thing] = {}
        self.log: list[tuple[int, str, Key]] = []
        self.start = self.revision()

    def teardown(self) -> None:
        self.server.close()
        self.directory.cleanup()

    def revision(self) -> int:
        code, found = self.server.json(Request("GET", "/api/v1/configmaps"))
        assert code == 200
        return int(found["metadata"]["resourceVersion"])

    def write(self, method: str, key: Key, body: Any, media: str = "json", query: str = "") -> tuple[int, Any]:
        target = path(key[0], "" if method == "POST" else key[1])
        content = b"" if body is None else orjson.dumps(body)
        return self.server.json(
            Request(method, target, query or f"fieldManager={HAND}", f"application/{media}", body=content)
        )

    def note(self, key: Key, kind: str, obj: dict[str, Any]) -> None:
        """A write was acknowledged: its revision is new if it changed something, and old if not."""
        revision, thing = int(obj["metadata"]["resourceVersion"]), self.things[key]
        if revision == thing.revision:
            return
        assert revision > max([self.start, *(each for each, _, _ in self.log)])
        thing.revision = revision
        self.log.append((revision, kind, key))

    def gone(self, key: Key) -> None:
        del self.things[key]
        self.log.append((self.revision(), "DELETED", key))

    @stateful.rule(space=SPACES, name=NAMES, data=DATA)
    def create(self, space: str, name: str, data: dict[str, str]) -> None:
        key = (space, name)
        code, found = self.write("POST", key, {"metadata": {"name": name, **KEPT}, "data": data})
        if key in self.things:
            assert (code, found["reason"]) == (409, "AlreadyExists")
            return
        assert code == 201
        self.things[key] = Thing(found["metadata"]["uid"], 0, dict(data), {HAND: set(data)})
        self.note(key, "ADDED", found)

    @stateful.rule(space=SPACES, name=NAMES, data=DATA, stale=st.booleans())
    def replace(self, space: str, name: str, data: dict[str, str], stale: bool) -> None:
        key = (space, name)
        thing = self.things.get(key)
        version = str(thing.revision - 1 if stale else thing.revision) if thing else ""
        finalizers = thing.finalizers if thing else []
        metadata = {"name": name, "resourceVersion": version, "finalizers": finalizers, **KEPT}
        code, found = self.write("PUT", key, {"metadata": metadata, "data": data})
        if thing is None:
            assert code == 404
        elif stale:
            assert (code, found["reason"]) == (409, "Conflict")
        else:
            assert code == 200, found
            thing.changed_by_hand(data)
            self.note(key, "MODIFIED", found)

    @stateful.rule(space=SPACES, name=NAMES, field=KEYS, value=st.one_of(st.none(), VALUES), kind=PATCHES)
    def patch(self, space: str, name: str, field: str, value: str | None, kind: str) -> None:
        key = (space, name)
        thing = self.things.get(key)
        body: Any = {"data": {field: value}}
        # Whether an empty map is there to add to is told by no list, so nothing is added to one.
        if kind == "json-patch" and (thing is None or thing.data):
            present = thing is not None and field in thing.data
            operation = {"op": "add", "path": f"/data/{field}", "value": value}
            body = [{"op": "remove", "path": f"/data/{field}"} if value is None else operation]
            refused = value is None and not present
        else:
            refused = False
            kind = "merge-patch" if kind == "json-patch" else kind
        code, found = self.write("PATCH", key, body, f"{kind}+json")
        if thing is None:
            assert code == 404
        elif refused:
            assert code == 422
        else:
            assert code == 200, found
            thing.changed_by_hand(
                {each: text for each, text in {**thing.data, field: value}.items() if text is not None}
            )
            self.note(key, "MODIFIED", found)

    @stateful.rule(space=SPACES, name=NAMES, data=DATA, manager=APPLIERS, force=st.booleans())
    def apply(self, space: str, name: str, data: dict[str, str], manager: str, force: bool) -> None:
        key = (space, name)
        thing = self.things.get(key)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **KEPT}, "data": data}
        query = parse.urlencode({"fieldManager": manager, "force": str(force).lower()})
        code, found = self.write("PATCH", key, body, "apply-patch+yaml", query)
        if thing is None:
            assert code == 201, found
            self.things[key] = Thing(found["metadata"]["uid"], 0, dict(data), {manager: set(data)})
            self.note(key, "ADDED", found)
            return
        clash = thing.conflicts(manager, data)
        if clash and not force:
            assert code == 409
            assert {cause["field"] for cause in found["details"]["causes"]} == {f".data.{each}" for each in clash}
            return
        assert code == 200, found
        thing.applied_by(manager, data)
        self.note(key, "MODIFIED", found)

    @stateful.rule(space=SPACES, name=NAMES, held=st.booleans())
    def hold(self, space: str, name: str, held: bool) -> None:
        key = (space, name)
        thing = self.things.get(key)
        wanted = ["example.com/hold"] if held else None
        code, found = self.write("PATCH", key, {"metadata": {"finalizers": wanted}}, "merge-patch+json")
        if thing is None:
            assert code == 404
        elif thing.deleting and held and not thing.finalizers:
            raise AssertionError("deleted and not gone")
        else:
            assert code == 200, found
            thing.finalizers = wanted or []
            if thing.deleting and not held:
                self.gone(key)
            else:
                self.note(key, "MODIFIED", found)

    @stateful.rule(space=SPACES, name=NAMES, uid=st.sampled_from(["", "mine", "other"]))
    def delete(self, space: str, name: str, uid: str) -> None:
        key = (space, name)
        thing = self.things.get(key)
        wanted = {"mine": thing.uid if thing else "x", "other": "other"}.get(uid)
        code, found = self.write("DELETE", key, {"preconditions": {"uid": wanted}} if wanted else None)
        if thing is None:
            assert code == 404
        elif uid == "other":
            assert (code, found["reason"]) == (409, "Conflict")
        elif thing.finalizers:
            assert code == 200
            assert found["metadata"]["deletionTimestamp"]
            thing.deleting = True
            self.note(key, "MODIFIED", found)
        else:
            assert (code, found["status"]) == (200, "Success")
            self.gone(key)

    @stateful.rule(space=SPACES, dry=st.just("All"), name=NAMES, data=DATA)
    def rehearse(self, space: str, dry: str, name: str, data: dict[str, str]) -> None:
        before = self.revision()
        code, _ = self.write("POST", (space, name), {"metadata": {"name": name}, "data": data}, query=f"dryRun={dry}")
        assert code == (409 if (space, name) in self.things else 201)
        assert self.revision() == before

    @stateful.rule(back=st.integers(0, 2 * HISTORY), space=st.sampled_from(["", "default", "other"]))
    def watch_from(self, back: int, space: str) -> None:
        """A watch from a version tells every change since, once and in order; or it says that the version is too old."""
        since = self.log[-1 - back][0] if back < len(self.log) else self.start
        where = f"/api/v1/namespaces/{space}/configmaps" if space else "/api/v1/configmaps"
        code, events = self.server.watched(Request("GET", where, f"watch=true&resourceVersion={since}"))
        expected = [(revision, kind, key) for revision, kind, key in self.log if revision > since]
        if code == 410 or (events and events[0]["type"] == "ERROR"):
            assert len(expected) >= HISTORY
            return
        assert code == 200
        told = [
            (
                int(event["object"]["metadata"]["resourceVersion"]),
                event["type"],
                (event["object"]["metadata"]["namespace"], event["object"]["metadata"]["name"]),
            )
            for event in events
        ]
        assert told == [each for each in expected if space in ("", each[2][0])]

    @stateful.rule(limit=st.integers(1, 4))
    def pages_are_the_list(self, limit: int) -> None:
        names: list[Key] = []
        token = ""
        for _ in itertools.count():
            query = parse.urlencode({"limit": limit, "continue": token})
            code, page = self.server.json(Request("GET", "/api/v1/configmaps", query))
            assert code == 200
            assert len(page["items"]) <= limit
            names += [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in page["items"]]
            token = page["metadata"].get("continue", "")
            if not token:
                break
        assert names == sorted(self.things)

    @stateful.invariant()
    def everything_agrees(self) -> None:
        code, found = self.server.json(Request("GET", "/api/v1/configmaps"))
        assert code == 200
        items = {(each["metadata"]["namespace"], each["metadata"]["name"]): each for each in found["items"]}
        assert items.keys() == self.things.keys()
        for key, thing in self.things.items():
            obj = items[key]
            meta = obj["metadata"]
            assert (meta["uid"], int(meta["resourceVersion"])) == (thing.uid, thing.revision)
            assert obj.get("data", {}) == thing.data
            assert bool(meta.get("deletionTimestamp")) == thing.deleting
            assert meta.get("finalizers", []) == thing.finalizers
            assert owners_of(obj) == {name: keys for name, keys in thing.owners.items() if keys}


TestConfigMaps = pytest.mark.slow(ConfigMaps.TestCase)
TestConfigMaps.settings = hypothesis.settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
