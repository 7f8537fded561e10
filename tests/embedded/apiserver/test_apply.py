"""Server-side apply and the record of who owns what, over real HTTP."""

import asyncio
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from brickyard.embedded.apiserver import testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

PART = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "zone": {"type": "string", "default": "here"},
        "size": {"type": "integer"},
    },
}
WIDGET = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "widgets", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "replicas": {"type": "integer"},
                                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "parts": {
                                        "type": "array",
                                        "items": PART,
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name", "zone"],
                                    },
                                },
                            },
                            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
                        },
                    }
                },
            }
        ],
    },
}


class Client:
    """Applies and writes under the names of managers."""

    def __init__(self, api: testing.Api) -> None:
        self.api = api

    async def apply(self, path: str, body: Any, manager: str = "m", **query: str) -> testing.Reply:
        asked = "&".join(f"{key}={quote(value)}" for key, value in {"fieldManager": manager, **query}.items() if value)
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.api.call("PATCH", f"{path}?{asked}", content, content_type="application/apply-patch+yaml")

    async def applied(self, path: str, body: Any, manager: str = "m", **query: str) -> Any:
        reply = await self.apply(path, body, manager, **query)
        assert reply.code in (200, 201), reply.body
        return reply.body

    async def patched(self, path: str, body: Any, manager: str) -> Any:
        separator = "&" if "?" in path else "?"
        reply = await self.api.patch(f"{path}{separator}fieldManager={manager}", body)
        assert reply.code == 200, reply.body
        return reply.body


@pytest.fixture
def client(api: testing.Api) -> Client:
    return Client(api)


@pytest.fixture
async def widgets(api: testing.Api) -> str:
    await api.created(DEFINITIONS, WIDGET)
    async with asyncio.timeout(10):
        while (await api.get(WIDGETS)).code != 200:
            pass
    return WIDGETS


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def widget(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, **fields}


def managers(obj: Any) -> list[tuple[str, str, str]]:
    return [
        (each["manager"], each["operation"], each.get("subresource", ""))
        for each in obj["metadata"].get("managedFields", [])
    ]


def fields_of(obj: Any, manager: str, operation: str = "Apply") -> Any:
    found = [
        each["fieldsV1"]
        for each in obj["metadata"]["managedFields"]
        if (each["manager"], each["operation"]) == (manager, operation)
    ]
    assert len(found) == 1
    return found[0]


class TestTracking:
    async def test_a_create_is_its_writers(self, api: testing.Api) -> None:
        made = await api.created(f"{CONFIG_MAPS}?fieldManager=me", config_map(x="1"))
        (entry,) = made["metadata"]["managedFields"]
        assert entry == {
            "manager": "me",
            "operation": "Update",
            "apiVersion": "v1",
            "time": made["metadata"]["creationTimestamp"],
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {".": {}, "f:x": {}}},
        }

    @pytest.mark.parametrize(
        ("agent", "manager"),
        [("kubectl/v1.37 (linux)", "kubectl"), ("", "unknown"), ("x" * 200, "x" * 128), ("a\tb/1", "ab")],
    )
    async def test_without_a_name_it_is_the_agents(self, api: testing.Api, agent: str, manager: str) -> None:
        reply = await api.call("POST", CONFIG_MAPS, config_map(x="1"), user_agent=agent)
        assert managers(reply.body) == [(manager, "Update", "")]

    async def test_each_writer_owns_what_it_changed(self, api: testing.Api, client: Client) -> None:
        await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1", y="1"))
        changed = await client.patched(f"{CONFIG_MAPS}/a", {"data": {"y": "2", "z": "1"}}, "two")
        assert fields_of(changed, "one", "Update") == {"f:data": {".": {}, "f:x": {}}}
        assert fields_of(changed, "two", "Update") == {"f:data": {"f:y": {}, "f:z": {}}}

    async def test_status_and_scale_are_parts_of_their_own(self, api: testing.Api, client: Client) -> None:
        await api.created(f"{DEPLOYMENTS}?fieldManager=one", deployment(replicas=1))
        await client.patched(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}}, "two")
        await client.patched(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 3}}, "three")
        found = (await api.get(f"{DEPLOYMENTS}/web")).body
        assert sorted(managers(found)) == [
            ("one", "Update", ""),
            ("three", "Update", "scale"),
            ("two", "Update", "status"),
        ]
        assert fields_of(found, "three", "Update") == {"f:spec": {"f:replicas": {}}}
        assert fields_of(found, "two", "Update") == {"f:status": {"f:replicas": {}}}
        assert "f:replicas" not in fields_of(found, "one", "Update")["f:spec"]

    async def test_what_the_server_decides_is_nobodys(self, api: testing.Api) -> None:
        made = await api.created(f"{DEPLOYMENTS}?fieldManager=one", deployment())
        assert fields_of(made, "one", "Update").keys() == {"f:spec"}

    async def test_a_write_that_changes_nothing_is_not_recorded(self, api: testing.Api, client: Client) -> None:
        made = await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1"))
        assert await client.patched(f"{CONFIG_MAPS}/a", {"data": {"x": "1"}}, "two") == made
        assert (await api.put(f"{CONFIG_MAPS}/a?fieldManager=two", made)).body == made

    async def test_who_does_not_know_of_owners_does_not_lose_them(self, api: testing.Api) -> None:
        await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1"))
        changed = (await api.put(f"{CONFIG_MAPS}/a?fieldManager=two", config_map(x="1", y="1"))).body
        assert managers(changed) == [("one", "Update", ""), ("two", "Update", "")]

    @pytest.mark.parametrize("reset", [[], [{}]])
    async def test_owners_can_be_forgotten(self, api: testing.Api, client: Client, reset: Any) -> None:
        made = await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1"))
        made["metadata"]["managedFields"] = reset
        changed = (await api.put(f"{CONFIG_MAPS}/a", made)).body
        assert "managedFields" not in changed["metadata"]
        again = await client.patched(f"{CONFIG_MAPS}/a", {"data": {"y": "1"}}, "two")
        assert "managedFields" not in again["metadata"]
        refused = await client.apply(f"{CONFIG_MAPS}/a", config_map(x="2"))
        assert 'conflict with "before-first-apply" using v1: .data.x' in refused.body["message"]
        applied = await client.applied(f"{CONFIG_MAPS}/a", config_map(x="1"))
        assert managers(applied) == [("m", "Apply", ""), ("before-first-apply", "Update", "")]

    async def test_owners_can_be_corrected(self, api: testing.Api, client: Client) -> None:
        """As ``kubectl apply --server-side`` does with what client-side apply wrote."""
        made = await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1"))
        entry = {**made["metadata"]["managedFields"][0], "manager": "two", "operation": "Apply"}
        body = [
            {"op": "replace", "path": "/metadata/managedFields", "value": [entry]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]},
        ]
        reply = await api.patch(f"{CONFIG_MAPS}/a", body, "json-patch")
        assert managers(reply.body) == [("two", "Apply", "")]
        bare = {key: value for key, value in config_map().items() if key != "data"}
        assert (await client.applied(f"{CONFIG_MAPS}/a", bare, "two")).get("data") is None

    async def test_what_is_applied_empty_stays_there_empty(self, client: Client) -> None:
        for data in ({}, {"x": "1"}, {}):
            applied = await client.applied(f"{CONFIG_MAPS}/a", config_map(**data), "one")
            assert applied["data"] == data
        shared = await client.applied(f"{CONFIG_MAPS}/a", config_map(), "two")
        assert managers(shared) == [("one", "Apply", ""), ("two", "Apply", "")]

    async def test_nonsense_about_owners_does_not_count(self, api: testing.Api) -> None:
        made = await api.created(f"{CONFIG_MAPS}?fieldManager=one", config_map(x="1"))
        for spoilt in ([{"manager": "x"}], [{"operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV9"}]):
            made["metadata"]["managedFields"] = spoilt
            assert managers((await api.put(f"{CONFIG_MAPS}/a", made)).body) == [("one", "Update", "")]
        made["metadata"]["managedFields"] = "x"
        assert (await api.put(f"{CONFIG_MAPS}/a", made)).code == 400

    async def test_owners_are_not_written_through_a_part(self, api: testing.Api) -> None:
        made = await api.created(f"{DEPLOYMENTS}?fieldManager=one", deployment())
        made["metadata"]["managedFields"] = [{}]
        made["status"] = {"replicas": 1}
        changed = (await api.put(f"{DEPLOYMENTS}/web/status?fieldManager=two", made)).body
        assert managers(changed) == [("one", "Update", ""), ("two", "Update", "status")]

    async def test_many_writers_are_put_together(self, api: testing.Api, client: Client) -> None:
        await api.created(f"{CONFIG_MAPS}?fieldManager=m00", config_map(k00="1"))
        for number in range(1, 14):
            changed = await client.patched(f"{CONFIG_MAPS}/a", {"data": {f"k{number}": "1"}}, f"m{number:02}")
        names = [name for name, _, _ in managers(changed)]
        assert len(names) == 10
        assert "ancient-changes" in names


class TestApply:
    async def test_it_makes_what_is_not_there(self, api: testing.Api, client: Client) -> None:
        reply = await client.apply(
            f"{CONFIG_MAPS}/a", b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '1'}}"
        )
        assert reply.code == 201
        assert fields_of(reply.body, "m") == {"f:data": {"f:x": {}}}
        assert (await api.get(f"{CONFIG_MAPS}/a")).body == reply.body

    async def test_the_same_again_writes_nothing(self, client: Client) -> None:
        first = await client.applied(f"{DEPLOYMENTS}/web", deployment(replicas=2))
        reply = await client.apply(f"{DEPLOYMENTS}/web", deployment(replicas=2))
        assert (reply.code, reply.body) == (200, first)

    async def test_defaults_are_nobodys(self, client: Client) -> None:
        made = await client.applied(f"{DEPLOYMENTS}/web", deployment())
        assert made["spec"]["replicas"] == 1
        assert "f:replicas" not in fields_of(made, "m")["f:spec"]
        other = await client.applied(f"{DEPLOYMENTS}/web", {**deployment(), "spec": {"replicas": 5}}, "n")
        assert other["spec"]["replicas"] == 5

    async def test_what_is_left_out_goes_and_falls_back_to_its_default(self, client: Client) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", deployment(replicas=4, paused=True))
        left = await client.applied(f"{DEPLOYMENTS}/web", deployment())
        assert left["spec"]["replicas"] == 1
        assert "paused" not in left["spec"]
        assert left["metadata"]["generation"] == 2

    async def test_a_conflict_names_owner_and_field(self, client: Client) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", deployment(replicas=2))
        await client.patched(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 3}}, "kubectl-client-side-apply")
        reply = await client.apply(f"{DEPLOYMENTS}/web", deployment(replicas=2))
        owner = '"kubectl-client-side-apply" using apps/v1'
        assert reply.code == 409
        assert reply.body["reason"] == "Conflict"
        assert reply.body["message"] == f"Apply failed with 1 conflict: conflict with {owner}: .spec.replicas"
        assert reply.body["details"]["causes"] == [
            {"reason": "FieldManagerConflict", "message": f"conflict with {owner}", "field": ".spec.replicas"}
        ]

    async def test_force_takes_over(self, client: Client) -> None:
        await client.applied(f"{CONFIG_MAPS}/a", config_map(x="1"), "one")
        taken = await client.applied(f"{CONFIG_MAPS}/a", config_map(x="2"), "two", force="true")
        assert taken["data"] == {"x": "2"}
        assert managers(taken) == [("two", "Apply", "")]

    async def test_lists_are_merged_by_key(self, client: Client) -> None:
        base = deployment()
        containers = base["spec"]["template"]["spec"]["containers"]
        containers[0]["ports"] = [{"containerPort": 80}]
        await client.applied(f"{DEPLOYMENTS}/web", base, "one")
        side = {"name": "c", "ports": [{"containerPort": 80, "protocol": "UDP"}], "env": [{"name": "A", "value": "1"}]}
        template = {"spec": {"containers": [side, {"name": "d", "image": "j"}]}}
        both = await client.applied(f"{DEPLOYMENTS}/web", {**base, "spec": {"template": template}}, "two")
        first, second = both["spec"]["template"]["spec"]["containers"]
        assert (first["image"], second["image"]) == ("i:1", "j")
        assert [each["protocol"] for each in first["ports"]] == ["TCP", "UDP"]
        without = await client.applied(f"{DEPLOYMENTS}/web", {**base, "spec": {}}, "two")
        (only,) = without["spec"]["template"]["spec"]["containers"]
        assert "env" not in only
        assert [each["protocol"] for each in only["ports"]] == ["TCP"]

    async def test_a_dry_run_stores_nothing(self, api: testing.Api, client: Client) -> None:
        reply = await client.apply(f"{CONFIG_MAPS}/a", config_map(x="1"), dryRun="All")
        assert reply.code == 201
        assert (await api.get(f"{CONFIG_MAPS}/a")).code == 404
        await client.applied(f"{CONFIG_MAPS}/a", config_map(x="1"))
        tried = await client.applied(f"{CONFIG_MAPS}/a", config_map(x="2"), dryRun="All")
        assert tried["data"] == {"x": "2"}
        assert (await api.get(f"{CONFIG_MAPS}/a")).body["data"] == {"x": "1"}

    async def test_rules_hold_for_what_comes_out(self, client: Client) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", deployment())
        reply = await client.apply(f"{DEPLOYMENTS}/web", deployment(replicas=-1))
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        immutable = deployment(selector={"matchLabels": {"app": "other"}})
        assert (await client.apply(f"{DEPLOYMENTS}/web", immutable)).code == 422

    async def test_the_namespace_must_be_there(self, client: Client) -> None:
        body = {**config_map(), "metadata": {"name": "a", "namespace": "nowhere"}}
        reply = await client.apply("/api/v1/namespaces/nowhere/configmaps/a", body)
        assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')

    async def test_a_client_side_annotation_moves_along_for_kubectl_alone(
        self, api: testing.Api, client: Client
    ) -> None:
        note = "kubectl.kubernetes.io/last-applied-configuration"
        last = orjson.dumps(config_map(x="1", y="1")).decode()
        body = {**config_map(x="1", y="2"), "metadata": {"name": "a", "annotations": {note: last}}}
        await api.created(f"{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply", body)
        assert (await client.apply(f"{CONFIG_MAPS}/a", config_map(x="2"), "other")).code == 409
        refused = await client.apply(f"{CONFIG_MAPS}/a", config_map(x="2", y="3"), "kubectl")
        assert [each["field"] for each in refused.body["details"]["causes"]] == [".data.y"]
        taken = await client.applied(f"{CONFIG_MAPS}/a", config_map(x="2"), "kubectl")
        assert taken["data"] == {"x": "2", "y": "2"}
        assert orjson.loads(taken["metadata"]["annotations"][note])["data"] == {"x": "2"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "code", "message"),
        [
            ({"manager": ""}, 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
            ({"manager": "x" * 129}, 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes'),
            ({"manager": "a\nb"}, 422, 'fieldManager: Invalid value: "a\\nb": should only contain printable characters'),
            ({"force": "maybe"}, 400, 'invalid value for force: "maybe"'),
            ({"dryRun": "Some"}, 422, "dryRun: Unsupported value"),
        ],
    )  # fmt: skip
    async def test_queries(self, client: Client, query: dict[str, str], code: int, message: str) -> None:
        reply = await client.apply(f"{CONFIG_MAPS}/a", config_map(), **query)
        assert reply.code == code
        assert message in reply.body["message"]

    async def test_other_patches_are_not_forced(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        reply = await api.patch(f"{CONFIG_MAPS}/a?force=true", {})
        assert reply.code == 422
        assert "force: Forbidden: may not be specified for non-apply patch" in reply.body["message"]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "the body of an apply must be an object"),
            ({"metadata": {"name": "a"}}, "must say its apiVersion and kind"),
            ({**config_map(), "kind": "Secret"}, "the body is of kind 'Secret'"),
            ({**config_map(), "apiVersion": "v2"}, "does not match the expected API version"),
            ({**config_map(), "metadata": {"name": "b"}}, "the name of the object (b) does not match the name on the URL (a)"),
            ({**config_map(), "metadata": {"name": "a", "namespace": "x"}}, "does not match the namespace"),
            ({**config_map(), "metadata": {"name": "a", "managedFields": []}}, "metadata.managedFields must be nil"),
            ({**config_map(), "data": {"x": 1}}, "cannot unmarshal number"),
            (b"{a: [", "error converting YAML to JSON"),
        ],
    )  # fmt: skip
    async def test_bodies(self, client: Client, body: Any, message: str) -> None:
        for _ in range(2):
            reply = await client.apply(f"{CONFIG_MAPS}/a", body)
            assert reply.code == 400
            assert message in reply.body["message"]
            await client.api.post(CONFIG_MAPS, config_map())

    async def test_fields_that_do_not_exist(self, client: Client) -> None:
        body = {**config_map(), "dataa": {}}
        strict = await client.apply(f"{CONFIG_MAPS}/a", body, fieldValidation="Strict")
        assert (strict.code, 'unknown field "dataa"' in strict.body["message"]) == (400, True)
        lax = await client.apply(f"{CONFIG_MAPS}/a", body, fieldValidation="Ignore")
        assert lax.code == 400
        assert lax.body["message"] == (
            "failed to create typed patch object (default/a; v1, Kind=ConfigMap): .dataa: field not declared in schema"
        )

    async def test_a_list_that_is_a_whole_now_belongs_to_whoever_owned_its_elements(
        self, api: testing.Api, client: Client, widgets: str
    ) -> None:
        await client.applied(f"{widgets}/w", widget(spec={"parts": [{"name": "a"}, {"name": "b"}]}), "one")
        definition = (await api.get(f"{DEFINITIONS}/widgets.example.com")).body
        version = definition["spec"]["versions"][0]
        parts = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["parts"]
        parts["x-kubernetes-list-type"] = "atomic"
        del parts["x-kubernetes-list-map-keys"]
        assert (await api.put(f"{DEFINITIONS}/{definition['metadata']['name']}", definition)).code == 200
        config = widget(spec={"parts": [{"name": "c", "zone": "here"}]})
        async with asyncio.timeout(10):
            while (refused := await client.apply(f"{widgets}/w", config, "two", dryRun="All")).code == 200:
                assert len(refused.body["spec"]["parts"]) == 3  # the new schema is not served yet
        assert refused.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.parts'
        taken = await client.applied(f"{widgets}/w", config, "two", force="true")
        assert managers(taken) == [("two", "Apply", "")]

    async def test_elements_that_cannot_be_told_apart(self, client: Client) -> None:
        body = deployment()
        body["spec"]["template"]["spec"]["containers"] *= 2
        reply = await client.apply(f"{DEPLOYMENTS}/web", body)
        assert reply.code == 400
        assert reply.body["message"] == (
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): "
            '.spec.template.spec.containers: duplicate entries for key [name="c"]'
        )

    async def test_preconditions(self, client: Client) -> None:
        def named(**metadata: str) -> dict[str, Any]:
            return {**config_map(x="1"), "metadata": {"name": "a", **metadata}}

        lost = await client.apply(f"{CONFIG_MAPS}/a", named(uid="gone"))
        assert lost.code == 409
        assert (
            "uid mismatch: the provided object specified uid gone, and no existing object was found"
            in lost.body["message"]
        )
        made = await client.applied(f"{CONFIG_MAPS}/a", named())
        version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
        assert (await client.apply(f"{CONFIG_MAPS}/a", named(uid="other"))).code == 409
        assert (await client.apply(f"{CONFIG_MAPS}/a", named(resourceVersion="1"))).code == 409
        kept = await client.applied(f"{CONFIG_MAPS}/a", named(resourceVersion=version, uid=uid))
        assert kept["metadata"] == made["metadata"]

    async def test_a_part_of_nothing(self, client: Client) -> None:
        for part in ("status", "scale"):
            reply = await client.apply(f"{DEPLOYMENTS}/web/{part}", deployment() if part == "status" else SCALE)
            assert reply.code == 404


SCALE = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}


class TestParts:
    async def test_a_status_is_applied_by_itself(self, api: testing.Api, client: Client) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", {**deployment(), "status": {"replicas": 7}}, "one")
        assert (await api.get(f"{DEPLOYMENTS}/web")).body["status"] == {}
        body = {
            **deployment(replicas=9),
            "status": {"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
        }
        found = await client.applied(f"{DEPLOYMENTS}/web/status", body, "two")
        assert found["spec"]["replicas"] == 1
        assert found["status"]["replicas"] == 1
        assert sorted(managers(found)) == [("one", "Apply", ""), ("two", "Apply", "status")]
        assert fields_of(found, "two") == {
            "f:status": {
                "f:replicas": {},
                "f:conditions": {'k:{"type":"Available"}': {".": {}, "f:type": {}, "f:status": {}}},
            }
        }
        body["status"] = {"replicas": 1}
        assert "conditions" not in (await client.applied(f"{DEPLOYMENTS}/web/status", body, "two"))["status"]
        await client.patched(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 2}}, "three")
        refused = await client.apply(f"{DEPLOYMENTS}/web/status", body, "two")
        assert (
            'conflict with "three" with subresource "status" using apps/v1: .status.replicas' in refused.body["message"]
        )

    async def test_a_scale_is_applied_by_itself(self, api: testing.Api, client: Client) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", deployment(), "one")
        scaled = await client.applied(f"{DEPLOYMENTS}/web/scale", SCALE, "two")
        assert (scaled["kind"], scaled["spec"]) == ("Scale", {"replicas": 3})
        found = (await api.get(f"{DEPLOYMENTS}/web")).body
        assert ("two", "Apply", "scale") in managers(found)
        assert fields_of(found, "two") == {"f:spec": {"f:replicas": {}}}
        refused = await client.apply(f"{DEPLOYMENTS}/web", deployment(replicas=1), "one")
        assert refused.body["message"] == (
            'Apply failed with 1 conflict: conflict with "two" with subresource "scale": .spec.replicas'
        )
        taken = await client.applied(f"{DEPLOYMENTS}/web", deployment(replicas=1), "one", force="true")
        assert managers(taken) == [("one", "Apply", "")]
        assert (await client.apply(f"{DEPLOYMENTS}/web/scale", SCALE, "two")).code == 409

    @pytest.mark.parametrize(
        "body", [{"spec": {"replicas": 1}}, {**SCALE, "spec": {"replicas": -1}}, {**SCALE, "kind": "X"}]
    )
    async def test_what_is_no_scale(self, client: Client, body: Any) -> None:
        await client.applied(f"{DEPLOYMENTS}/web", deployment())
        assert (await client.apply(f"{DEPLOYMENTS}/web/scale", body)).code in (400, 422)


class TestCustomKinds:
    async def test_lists_are_merged_as_the_schema_says(self, client: Client, widgets: str) -> None:
        await client.applied(f"{widgets}/w", widget(spec={"parts": [{"name": "a", "size": 1}, {"name": "b"}]}), "one")
        spec = {"parts": [{"name": "a", "zone": "there"}, {"name": "b", "size": 2}]}
        both = await client.applied(f"{widgets}/w", widget(spec=spec), "two")
        assert both["spec"]["parts"] == [
            {"name": "a", "zone": "here", "size": 1},
            {"name": "a", "zone": "there"},
            {"name": "b", "zone": "here", "size": 2},
        ]
        left = await client.applied(f"{widgets}/w", widget(spec={}), "one")
        assert [(each["name"], each["zone"]) for each in left["spec"]["parts"]] == [("a", "there"), ("b", "here")]

    async def test_the_last_label_goes(self, client: Client, widgets: str) -> None:
        named = {"name": "w", "labels": {"a": "b"}, "annotations": {"c": "d"}}
        made = await client.applied(f"{widgets}/w", widget(spec={"replicas": 1}) | {"metadata": named})
        left = await client.applied(f"{widgets}/w", widget(spec={"replicas": 1}))
        assert left["metadata"]["uid"] == made["metadata"]["uid"]
        assert "labels" not in left["metadata"]
        assert "annotations" not in left["metadata"]

    async def test_unknown_parts_are_shared_by_field(self, client: Client, widgets: str) -> None:
        await client.applied(f"{widgets}/w", widget(spec={"free": {"a": {"x": 1}}}), "one")
        both = await client.applied(f"{widgets}/w", widget(spec={"free": {"a": {"y": 2}, "l": [1]}}), "two")
        assert both["spec"]["free"] == {"a": {"x": 1, "y": 2}, "l": [1]}
        reply = await client.apply(f"{widgets}/w", widget(spec={"free": {"l": [2]}}), "one")
        assert reply.body["details"]["causes"][0]["field"] == ".spec.free.l"

    async def test_status_and_scale(self, client: Client, widgets: str) -> None:
        await client.applied(f"{widgets}/w", widget(spec={"replicas": 1}), "one")
        found = await client.applied(f"{widgets}/w/status", widget(status={"phase": "Good"}), "two")
        assert (found["spec"], found["status"]) == ({"replicas": 1}, {"phase": "Good"})
        scale = {**SCALE, "metadata": {"name": "w"}}
        assert (await client.apply(f"{widgets}/w/scale", scale, "three")).code == 409
        assert (await client.applied(f"{widgets}/w/scale", scale, "three", force="true"))["spec"] == {"replicas": 3}

    async def test_unknown_fields_are_refused(self, client: Client, widgets: str) -> None:
        reply = await client.apply(f"{widgets}/w", widget(spec={"odd": 1}), fieldValidation="Ignore")
        assert reply.code == 400
        assert ".spec.odd: field not declared in schema" in reply.body["message"]

    async def test_a_definition_is_applied_like_anything_else(self, api: testing.Api, client: Client) -> None:
        body = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **WIDGET}
        assert (await client.apply(f"{DEFINITIONS}/widgets.example.com", body)).code == 201
        assert (await client.apply(f"{DEFINITIONS}/widgets.example.com", body)).code == 200


async def test_every_kind_that_can_be_created_can_be_applied(api: testing.Api, client: Client) -> None:
    """What was made by a create is applied by another manager without a conflict: it holds nothing new."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    bodies: list[dict[str, Any]] = [config_map(x="1"), deployment(), service]
    for body in bodies:
        group = "/apis/apps/v1" if body["kind"] == "Deployment" else "/api/v1"
        collection = f"{group}/namespaces/default/{body['kind'].lower()}s"
        made = await api.created(collection, body)
        applied = await client.applied(f"{collection}/{body['metadata']['name']}", body)
        assert {**applied, "metadata": None} == {**made, "metadata": None}
        assert applied["metadata"]["uid"] == made["metadata"]["uid"]
