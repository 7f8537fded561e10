"""What the server does by itself: garbage collection, namespaces, custom kinds, old events."""

import pathlib
from typing import Any

import pytest

from brickyard.embedded.apiserver import expiry, namespaces, records, settings, store, testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
NAMESPACES = "/api/v1/namespaces"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"


def thing(name: str, *owners: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    references = [reference(owner) for owner in owners]
    return {"metadata": {"name": name, "ownerReferences": references, **metadata}}


def reference(owner: dict[str, Any], *, block: bool = False) -> dict[str, Any]:
    metadata = owner["metadata"]
    found = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]}
    return {**found, "blockOwnerDeletion": True} if block else found


class TestGarbageCollection:
    async def test_dependents_follow_their_owner_down_to_the_last(self, api: testing.Api) -> None:
        owner = await api.created(CONFIG_MAPS, thing("owner"))
        child = await api.created(SECRETS, thing("child", owner))
        await api.created(CONFIG_MAPS, thing("grandchild", child))
        await api.created(CONFIG_MAPS, thing("stranger"))
        await api.delete(f"{CONFIG_MAPS}/owner")
        await api.gone(SECRETS, "child")
        await api.gone(CONFIG_MAPS, "grandchild")
        assert (await api.get(f"{CONFIG_MAPS}/stranger")).code == 200

    async def test_one_living_owner_is_enough(self, api: testing.Api) -> None:
        first, second = [await api.created(CONFIG_MAPS, thing(name)) for name in ("first", "second")]
        await api.created(SECRETS, thing("child", first, second))
        await api.delete(f"{CONFIG_MAPS}/first")
        kept = await api.until(
            SECRETS, "child", lambda state: state is not None and len(state["metadata"]["ownerReferences"]) == 1
        )
        assert kept is not None
        assert kept["metadata"]["ownerReferences"][0]["uid"] == second["metadata"]["uid"]
        await api.delete(f"{CONFIG_MAPS}/second")
        await api.gone(SECRETS, "child")

    async def test_orphans_lose_the_reference_and_live(self, api: testing.Api) -> None:
        owner = await api.created(CONFIG_MAPS, thing("owner"))
        await api.created(SECRETS, thing("child", owner))
        await api.delete(f"{CONFIG_MAPS}/owner", {"propagationPolicy": "Orphan"})
        await api.gone(CONFIG_MAPS, "owner")
        child = (await api.get(f"{SECRETS}/child")).body
        assert "ownerReferences" not in child["metadata"]

    async def test_foreground_waits_for_those_that_block(self, api: testing.Api) -> None:
        owner = await api.created(CONFIG_MAPS, thing("owner"))
        blocking = {**thing("blocking", finalizers=["example.com/hold"])}
        blocking["metadata"]["ownerReferences"] = [reference(owner, block=True)]
        await api.created(SECRETS, blocking)
        await api.created(SECRETS, thing("free", owner))
        reply = await api.delete(f"{CONFIG_MAPS}/owner?propagationPolicy=Foreground")
        assert reply.body["metadata"]["finalizers"] == ["foregroundDeletion"]
        await api.gone(SECRETS, "free")
        await api.until(SECRETS, "blocking", lambda state: bool(state and state["metadata"].get("deletionTimestamp")))
        assert (await api.get(f"{CONFIG_MAPS}/owner")).code == 200
        await api.patch(f"{SECRETS}/blocking", {"metadata": {"finalizers": None}})
        await api.gone(CONFIG_MAPS, "owner")

    async def test_foreground_goes_down_the_tree(self, api: testing.Api) -> None:
        owner = await api.created(CONFIG_MAPS, thing("owner"))
        child = thing("child")
        child["metadata"]["ownerReferences"] = [reference(owner, block=True)]
        child = await api.created(SECRETS, child)
        leaf = thing("leaf", finalizers=["example.com/hold"])
        leaf["metadata"]["ownerReferences"] = [reference(child, block=True)]
        await api.created(SECRETS, leaf)
        await api.delete(f"{CONFIG_MAPS}/owner", {"propagationPolicy": "Foreground"})
        await api.until(SECRETS, "leaf", lambda state: bool(state and state["metadata"].get("deletionTimestamp")))
        waiting = (await api.get(f"{SECRETS}/child")).body
        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
        await api.patch(f"{SECRETS}/leaf", {"metadata": {"finalizers": None}})
        await api.gone(CONFIG_MAPS, "owner")
        assert (await api.get(f"{SECRETS}/child")).code == 404

    @pytest.mark.parametrize("size", [1, 2, 3])
    async def test_a_circle_of_owners_goes_in_the_foreground(self, api: testing.Api, size: int) -> None:
        ring = [await api.created(CONFIG_MAPS, thing(f"ring-{number}")) for number in range(size)]
        for number, each in enumerate(ring):
            owners = [reference(ring[number - 1], block=True)]
            path = f"{CONFIG_MAPS}/{each['metadata']['name']}"
            assert (await api.patch(path, {"metadata": {"ownerReferences": owners}})).code == 200
        await api.delete(f"{CONFIG_MAPS}/ring-0?propagationPolicy=Foreground")
        for each in ring:
            await api.gone(CONFIG_MAPS, each["metadata"]["name"])

    async def test_a_circle_is_broken_only_where_it_closes(self, api: testing.Api) -> None:
        first, second = [await api.created(CONFIG_MAPS, thing(name)) for name in ("first", "second")]
        for each, other in ((first, second), (second, first)):
            patch = {"metadata": {"ownerReferences": [reference(other, block=True)]}}
            await api.patch(f"{CONFIG_MAPS}/{each['metadata']['name']}", patch)
        held = thing("held", finalizers=["example.com/hold"])
        held["metadata"]["ownerReferences"] = [reference(first, block=True)]
        await api.created(SECRETS, held)
        await api.delete(f"{CONFIG_MAPS}/first?propagationPolicy=Foreground")
        await api.gone(CONFIG_MAPS, "second")
        waiting = (await api.get(f"{CONFIG_MAPS}/first")).body
        assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
        await api.patch(f"{SECRETS}/held", {"metadata": {"finalizers": None}})
        await api.gone(CONFIG_MAPS, "first")

    async def test_an_owner_that_never_lived_is_no_owner(self, api: testing.Api) -> None:
        ghost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "never"}}
        await api.created(SECRETS, thing("child", ghost))
        await api.gone(SECRETS, "child")

    async def test_an_owner_elsewhere_is_no_owner(self, api: testing.Api) -> None:
        owner = await api.created("/api/v1/namespaces/kube-system/configmaps", thing("owner"))
        await api.created(SECRETS, thing("child", owner))
        await api.gone(SECRETS, "child")

    async def test_nobody_can_tell_of_kinds_that_are_not_served(self, api: testing.Api) -> None:
        ghost = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "r", "uid": "unknown"}}
        await api.created(SECRETS, thing("child", ghost))
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "never"}}
        await api.created(SECRETS, thing("probe", probe))
        await api.gone(SECRETS, "probe")
        assert (await api.get(f"{SECRETS}/child")).code == 200

    async def test_a_restart_finishes_what_was_begun(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            owner = await api.created(CONFIG_MAPS, thing("owner"))
            child = await api.created(SECRETS, thing("child", owner))
        async with store.Store.open(tmp_path) as opened:
            # As if the process had died between the owner's end and its dependents'.
            record = opened.get(records.Key("/configmaps", "default", "owner"))
            assert record is not None
            await opened.remove(record)
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            await api.gone(SECRETS, child["metadata"]["name"])


class TestNamespaces:
    async def test_those_that_always_exist(self, api: testing.Api) -> None:
        found = (await api.get(NAMESPACES)).body["items"]
        assert {each["metadata"]["name"] for each in found} == set(namespaces.PERMANENT)
        for each in found:
            assert each["status"] == {"phase": "Active"}
            assert each["metadata"]["labels"]["kubernetes.io/metadata.name"] == each["metadata"]["name"]

    async def test_a_namespace_takes_everything_along(self, api: testing.Api) -> None:
        await api.created(NAMESPACES, {"metadata": {"name": "team"}})
        for number in range(5):
            await api.created(f"{NAMESPACES}/team/configmaps", thing(f"c{number}"))
        stormservices = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/team/stormservices"
        await api.created(stormservices, {"metadata": {"name": "s"}, "spec": {"selector": {}, "template": {}}})
        reply = await api.delete(f"{NAMESPACES}/team")
        assert reply.body["status"]["phase"] == "Terminating"
        await api.gone(NAMESPACES, "team")
        for path in (f"{NAMESPACES}/team/configmaps", stormservices):
            assert (await api.get(path)).body["items"] == []

    async def test_it_waits_for_finalizers_and_grace(self, api: testing.Api) -> None:
        await api.created(NAMESPACES, {"metadata": {"name": "team"}})
        pods, maps = f"{NAMESPACES}/team/pods", f"{NAMESPACES}/team/configmaps"
        spec = {"nodeName": "here", "containers": [{"name": "c", "image": "i"}]}
        await api.created(pods, {"metadata": {"name": "p"}, "spec": spec})
        await api.created(maps, thing("held", finalizers=["example.com/hold"]))
        await api.delete(f"{NAMESPACES}/team")
        for path, name in ((pods, "p"), (maps, "held")):
            await api.until(path, name, lambda state: bool(state and state["metadata"].get("deletionTimestamp")))
        await api.delete(f"{pods}/p", {"gracePeriodSeconds": 0})
        await api.gone(pods, "p")
        going = await api.until(NAMESPACES, "team", lambda state: "pods." not in str(state))
        assert going is not None
        assert going["status"]["phase"] == "Terminating"
        assert [(each["type"], each["status"], each["message"]) for each in going["status"]["conditions"]] == [
            (
                "NamespaceDeletionContentFailure",
                "False",
                "All content successfully deleted, may be waiting on finalization",
            ),
            (
                "NamespaceContentRemaining",
                "True",
                "Some resources are remaining: configmaps. has 1 resource instances",
            ),
            (
                "NamespaceFinalizersRemaining",
                "True",
                "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
            ),
        ]
        await api.patch(f"{maps}/held", {"metadata": {"finalizers": None}})
        await api.gone(NAMESPACES, "team")

    async def test_some_may_not_be_deleted_and_none_all_at_once(self, api: testing.Api) -> None:
        reply = await api.delete(f"{NAMESPACES}/default")
        assert reply.code == 403
        assert reply.body["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'
        assert (await api.delete(NAMESPACES)).code == 405

    async def test_an_empty_namespace_goes(self, api: testing.Api) -> None:
        await api.created(NAMESPACES, {"metadata": {"name": "team"}})
        await api.delete(f"{NAMESPACES}/team")
        await api.gone(NAMESPACES, "team")


def definition(**spec: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    full = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": versions, **spec}
    return {"metadata": {"name": "widgets.example.com"}, "spec": full}


class TestCustomKinds:
    async def test_served_from_the_moment_it_is_created(self, api: testing.Api) -> None:
        made = await api.created(DEFINITIONS, definition())
        assert {each["type"]: each["status"] for each in made["status"]["conditions"]} == {
            "NamesAccepted": "True",
            "Established": "True",
        }
        assert made["status"]["acceptedNames"]["plural"] == "widgets"
        assert made["status"]["storedVersions"] == ["v1"]
        widget = await api.created(WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 3}})
        assert widget["metadata"]["generation"] == 1
        found = (await api.get(WIDGETS)).body
        assert (found["kind"], len(found["items"])) == ("WidgetList", 1)

    async def test_deleting_it_takes_its_objects_along(self, api: testing.Api) -> None:
        await api.created(DEFINITIONS, definition())
        await api.created(WIDGETS, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
        await api.created(WIDGETS, {"metadata": {"name": "free"}})
        going = (await api.delete(f"{DEFINITIONS}/widgets.example.com")).body
        assert "Terminating" in {each["type"] for each in going["status"]["conditions"]}
        await api.gone(WIDGETS, "free")
        refused = await api.post(WIDGETS, {"metadata": {"name": "late"}})
        assert (refused.code, "terminating" in refused.body["message"]) == (405, True)
        async with api.watch(WIDGETS) as events:
            await api.patch(f"{WIDGETS}/held", {"metadata": {"finalizers": None}})
            await api.gone(DEFINITIONS, "widgets.example.com")
            types = [event["type"] async for event in events]
        assert types[-1] == "DELETED"
        assert (await api.get(WIDGETS)).code == 404
        await api.created(DEFINITIONS, definition())
        assert (await api.get(WIDGETS)).body["items"] == []

    async def test_an_update_is_served_at_once(self, api: testing.Api) -> None:
        await api.created(DEFINITIONS, definition())
        versions = definition()["spec"]["versions"]
        second = {**versions[0], "name": "v2", "storage": False}
        reply = await api.patch(f"{DEFINITIONS}/widgets.example.com", {"spec": {"versions": [*versions, second]}})
        assert reply.code == 200
        await api.created(WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 3}})
        newer = WIDGETS.replace("/v1/", "/v2/")
        assert (await api.get(f"{newer}/w")).body["apiVersion"] == "example.com/v2"
        assert (await api.get(newer)).body["items"][0]["apiVersion"] == "example.com/v2"
        async with api.watch(newer) as events:
            assert (await anext(events))["object"]["apiVersion"] == "example.com/v2"
            changed = await api.patch(f"{newer}/w", {"spec": {"size": 4}})
            assert (await anext(events))["object"] == changed.body
        assert (await api.get(f"{WIDGETS}/w")).body["spec"] == {"size": 4}

    async def test_kinds_and_objects_survive_a_restart(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            await api.created(DEFINITIONS, definition())
            made = await api.created(WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 3}})
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            assert (await api.get(f"{WIDGETS}/w")).body == made

    async def test_the_kinds_of_aibrix_are_there_and_changes_to_them_are_kept(self, tmp_path: pathlib.Path) -> None:
        autoscalers = "podautoscalers.autoscaling.aibrix.ai"
        storms = "stormservices.orchestration.aibrix.ai"
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            assert len((await api.get(DEFINITIONS)).body["items"]) >= 9
            shipped = (await api.get(f"{DEFINITIONS}/{autoscalers}")).body
            await api.patch(f"{DEFINITIONS}/{storms}", {"spec": {"names": {"shortNames": ["mine"]}}})
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            assert (await api.get(f"{DEFINITIONS}/{autoscalers}")).body == shipped
            kept = (await api.get(f"{DEFINITIONS}/{storms}")).body
            assert kept["spec"]["names"]["shortNames"] == ["mine"]

    async def test_a_name_that_is_taken_is_not_served(self, api: testing.Api) -> None:
        names = {"plural": "gadgets", "singular": "gadget", "kind": "Widget", "listKind": "WidgetList"}
        await api.created(DEFINITIONS, definition())
        other = {**definition(names=names), "metadata": {"name": "gadgets.example.com"}}
        await api.created(DEFINITIONS, other)
        refused = await api.until(
            DEFINITIONS,
            "gadgets.example.com",
            lambda state: bool(state and state["status"]["conditions"][0]["status"] == "False"),
        )
        assert refused is not None
        assert "already in use" in refused["status"]["conditions"][0]["message"]
        assert (await api.get("/apis/example.com/v1/gadgets")).code == 404


def event(name: str, seen: str) -> records.Record:
    body = {"metadata": {"name": name, "creationTimestamp": "2020-01-01T00:00:00Z"}, "lastTimestamp": seen}
    return records.make(records.Key("/events", "default", name), 1, body)


class TestEvents:
    NOW = 1_600_000_000.0  # 2020-09-13T12:26:40Z

    @pytest.mark.parametrize(
        ("seen", "gone"),
        [
            ("2020-09-13T12:26:40Z", False),
            ("2020-09-13T11:26:41Z", False),
            ("2020-09-13T11:26:39Z", True),
            ("2020-09-13T12:26:40.123456Z", False),
            ("", True),
        ],
    )
    def test_age_counts_from_the_last_time(self, seen: str, gone: bool) -> None:
        found = expiry.expired([event("e", seen)], self.NOW, 3600.0, 10)
        assert bool(found) == gone

    def test_beyond_the_limit_the_oldest_go(self) -> None:
        events = [event(f"e{minute}", f"2020-09-13T12:{minute}:00Z") for minute in range(10, 20)]
        found = expiry.expired(events, self.NOW, 3600.0, 7)
        assert sorted(each.key.name for each in found) == ["e10", "e11", "e12"]

    async def test_old_events_are_gone_after_a_start(self, tmp_path: pathlib.Path) -> None:
        events = "/api/v1/namespaces/default/events"
        body = {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"},
            "lastTimestamp": "2020-01-01T00:00:00Z",
        }
        async with testing.running(tmp_path) as server, testing.connect(server) as api:
            await api.created(events, body)
        tuned = settings.ApiServerSettings(event_ttl=60.0)
        async with testing.running(tmp_path, settings=tuned) as server, testing.connect(server) as api:
            await api.gone(events, "e")
