"""Create, update, delete and watch against a plain dict: the list, every get and every watcher's own copy agree with it."""

import asyncio
import pathlib
import tempfile
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from brickyard.embedded.apiserver import (
    catalog,
    context,
    deletion,
    drafts,
    errors,
    history,
    namespaces,
    paging,
    records,
    selection,
    shapes,
    store,
    streams,
    watch,
    writes,
)
from brickyard.kube.objects import selectors

NAMES = st.sampled_from(["a", "b", "c"])
SIDES = st.sampled_from(["in", "out"])
SELECTED = selectors.parse_labels("side=in")


class Copy:
    """A client's copy of what its selection shows, kept by list and watch alone."""

    def __init__(self, parts: context.Context, view: shapes.View, labels: selectors.LabelSelector) -> None:
        self.parts = parts
        self.view = view
        self.wanted = selection.Selection("default", labels)
        self.objects: dict[str, Any] = {}
        self.revision = 0
        self.relists = 0

    async def catch_up(self) -> None:
        """Read what a resumed watch has to tell, as a client would that reconnects; list anew when told to."""
        asked = streams.WatchQuery(str(self.revision) if self.revision else "")
        watcher = self.parts.watches
        stream = streams.lines(self.parts, self.view, self.wanted, asked)
        if not self.revision:
            self.objects.clear()
        reading = asyncio.ensure_future(self._read(stream))
        while len(watcher) == 0 and not reading.done():
            await asyncio.sleep(0)
        # What has happened is queued at once: closing the hub's watchers lets the stream end after it.
        self.parts.watches.close_all("/configmaps", watch.Closed.LEFT)
        if await reading:
            self.revision = 0
            self.relists += 1
            await self.catch_up()
            return
        self.revision = self.parts.store.revision

    async def _read(self, stream: Any) -> bool:
        """Apply a stream; whether it said that the revision is gone."""
        async for chunk in stream:
            for line in chunk.splitlines():
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410
                    return True
                self._apply(event)
        return False

    def _apply(self, event: dict[str, Any]) -> None:
        name = event["object"]["metadata"]["name"]
        match event["type"]:
            case "ADDED":
                assert name not in self.objects
                self.objects[name] = event["object"]
            case "MODIFIED":
                before = self.objects[name]["metadata"]["resourceVersion"]
                assert int(event["object"]["metadata"]["resourceVersion"]) > int(before)
                self.objects[name] = event["object"]
            case "DELETED":
                del self.objects[name]


class ServerMachine(stateful.RuleBasedStateMachine):
    """Rules act on the server and on ``model`` (name → object as last acknowledged) alike."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.model: dict[str, dict[str, Any]] = {}
        self.seen = 0
        self.loop.run_until_complete(self._open())
        self.copies = [Copy(self.parts, self.view, labels) for labels in (selectors.EVERYTHING, SELECTED)]

    async def _open(self) -> None:
        self.store = store.Store.open(pathlib.Path(self.directory.name), history.Limits(events=6))
        await self.store.__aenter__()
        self.parts = context.Context(self.store, catalog.BuiltinCatalog(), watch.Hub(self.store), paging.Pages())
        await namespaces.ensure(self.parts)
        resource = self.parts.catalog.find("", "v1", "configmaps")
        assert resource is not None
        self.resource = resource
        self.view = shapes.View(resource)

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.__aexit__())
        self.loop.close()
        self.directory.cleanup()

    def _place(self, name: str) -> drafts.Place:
        return drafts.Place(self.resource, "default", name)

    def _run(self, work: Any) -> dict[str, Any]:
        written: writes.Written = self.loop.run_until_complete(work)
        found: dict[str, Any] = orjson.loads(written.raw)
        return found

    def _note(self, name: str, obj: dict[str, Any]) -> None:
        version = int(obj["metadata"]["resourceVersion"])
        assert version > self.seen
        self.seen = version
        self.model[name] = obj

    @stateful.rule(name=NAMES, side=SIDES)
    def create(self, name: str, side: str) -> None:
        work = writes.create(
            self.parts, self._place(""), {"metadata": {"name": name, "labels": {"side": side}}}, writes.Options()
        )
        if name in self.model:
            try:
                self._run(work)
            except errors.AlreadyExistsError:
                return
            raise AssertionError("created twice")
        self._note(name, self._run(work))

    @stateful.rule(name=NAMES, side=SIDES, stale=st.booleans(), value=st.integers(0, 2))
    def update(self, name: str, side: str, stale: bool, value: int) -> None:
        known = self.model.get(name)
        body: dict[str, Any] = {"metadata": {"name": name, "labels": {"side": side}}, "data": {"k": str(value)}}
        if known is not None:
            body["metadata"]["resourceVersion"] = "1" if stale else known["metadata"]["resourceVersion"]
        work = writes.change(self.parts, self._place(name), lambda _: body, writes.Options())
        try:
            found = self._run(work)
        except errors.NotFoundError:
            assert known is None
        except errors.ConflictError:
            assert known is not None
            assert stale
        else:
            assert known is not None
            assert not stale
            if known["metadata"].get("deletionTimestamp"):
                # The body names no finalizers: the last of them are gone, and with them the object.
                del self.model[name]
                self.seen = max(self.seen, int(found["metadata"]["resourceVersion"]))
            elif found != known:
                self._note(name, found)

    @stateful.rule(name=NAMES, finalizers=st.sampled_from([[], ["example.com/a"], ["example.com/a", "example.com/b"]]))
    def finalizers(self, name: str, finalizers: list[str]) -> None:
        known = self.model.get(name)
        if known is None:
            return
        going = known["metadata"].get("deletionTimestamp")
        before = known["metadata"].get("finalizers") or []

        def compute(obj: dict[str, Any]) -> dict[str, Any]:
            return {**obj, "metadata": {**obj["metadata"], "finalizers": finalizers}}

        try:
            found = self._run(writes.change(self.parts, self._place(name), compute, writes.Options()))
        except errors.InvalidError:
            assert going
            assert set(finalizers) - set(before)
            return
        if going and not finalizers:
            del self.model[name]
            self.seen = max(self.seen, int(found["metadata"]["resourceVersion"]))
        elif found != known:
            self._note(name, found)

    @stateful.rule(name=NAMES)
    def delete(self, name: str) -> None:
        known = self.model.get(name)
        try:
            found = self._run(writes.delete(self.parts, self._place(name), deletion.Options()))
        except errors.NotFoundError:
            assert known is None
            return
        assert known is not None
        if not known["metadata"].get("finalizers"):
            assert found["status"] == "Success"
            del self.model[name]
        elif found != known:
            assert found["metadata"]["deletionTimestamp"]
            self._note(name, found)

    @stateful.rule(which=st.integers(0, 1))
    def a_copy_catches_up(self, which: int) -> None:
        copy = self.copies[which]
        self.loop.run_until_complete(copy.catch_up())
        expected = {
            name: obj
            for name, obj in self.model.items()
            if copy.wanted.labels.matches(obj["metadata"].get("labels") or {})
        }
        assert copy.objects == expected

    @stateful.invariant()
    def lists_and_gets_agree(self) -> None:
        records_found = self.parts.store.list("/configmaps", "default")
        assert {record.key.name: record.decode() for record in records_found} == self.model
        assert [record.key.name for record in records_found] == sorted(self.model)
        for name in "abc":
            record = self.parts.store.latest(records.Key("/configmaps", "default", name))
            assert (record.decode() if record else None) == self.model.get(name)


TestServer = pytest.mark.slow(ServerMachine.TestCase)
TestServer.settings = hypothesis.settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
