"""The verbs over real HTTP: what clients send, what they get, and how they are refused."""

import base64
from typing import Any

import pytest

from brickyard.embedded.apiserver import testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def config_map(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def pod(name: str = "p", **metadata: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "example/image:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def deployment(name: str = "web", replicas: int = 1) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod()["spec"]}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


class TestCreate:
    async def test_the_server_adds_identity_and_revision(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map(data={"k": "v"}))
        assert made["data"] == {"k": "v"}
        assert made["metadata"]["namespace"] == "default"
        assert made["metadata"].keys() >= {"uid", "creationTimestamp", "resourceVersion"}
        assert (await api.get(f"{CONFIG_MAPS}/a")).body == made

    async def test_kind_and_version_may_be_left_out(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, {"metadata": {"name": "a"}})
        assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")

    async def test_generate_name(self, api: testing.Api) -> None:
        made = [await api.created(PODS, {**pod(), "metadata": {"generateName": "p-"}}) for _ in range(3)]
        names = {each["metadata"]["name"] for each in made}
        assert len(names) == 3
        assert all(name.startswith("p-") and len(name) == 7 for name in names)

    async def test_what_belongs_to_the_server_is_not_taken_from_the_client(self, api: testing.Api) -> None:
        mine = {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7, "managedFields": []}
        made = await api.created(
            DEPLOYMENTS, {**deployment(), "metadata": {"name": "web", **mine}, "status": {"replicas": 9}}
        )
        assert made["metadata"]["uid"] != "mine"
        assert not made["metadata"]["creationTimestamp"].startswith("2001")
        assert made["metadata"]["generation"] == 1
        assert [each["manager"] for each in made["metadata"]["managedFields"]] == ["python-httpx2"]
        assert made.get("status", {}) == {}

    async def test_a_taken_name(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        reply = await api.post(CONFIG_MAPS, config_map())
        assert reply.code == 409
        assert reply.body == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": 'configmaps "a" already exists',
            "reason": "AlreadyExists",
            "details": {"name": "a", "kind": "configmaps"},
            "code": 409,
        }

    async def test_a_namespace_that_is_not_there(self, api: testing.Api) -> None:
        reply = await api.post("/api/v1/namespaces/nowhere/configmaps", config_map())
        assert (reply.code, reply.body["message"]) == (404, 'namespaces "nowhere" not found')

    async def test_a_namespace_that_is_going(self, api: testing.Api) -> None:
        await api.created("/api/v1/namespaces", {"metadata": {"name": "going"}})
        held = {**config_map(), "metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
        await api.created("/api/v1/namespaces/going/configmaps", held)
        await api.delete("/api/v1/namespaces/going")
        reply = await api.post("/api/v1/namespaces/going/configmaps", config_map())
        assert (reply.code, reply.body["reason"]) == (403, "Forbidden")
        assert reply.body["message"] == (
            'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated'
        )
        assert reply.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"

    async def test_an_invalid_object_names_every_fault(self, api: testing.Api) -> None:
        reply = await api.post(PODS, {"metadata": {"name": "Bad_Name"}, "spec": {"containers": []}})
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        assert reply.body["message"].startswith('Pod "Bad_Name" is invalid: [')
        assert {cause["field"] for cause in reply.body["details"]["causes"]} == {"metadata.name", "spec.containers"}

    async def test_dry_run_stores_nothing(self, api: testing.Api) -> None:
        reply = await api.post(f"{PODS}?dryRun=All", pod())
        assert reply.code == 201
        assert reply.body["spec"]["restartPolicy"] == "Always"
        assert (await api.get(f"{PODS}/p")).code == 404

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"[]", "must be of type ConfigMap"),
            (b"{", "json parse error"),
            (b'"\xff"', "json parse error"),
            (b'{"kind": "Pod"}', "must be of type ConfigMap"),
            (b'{"apiVersion": "v2"}', "does not match the expected API version (v1)"),
            (b'{"metadata": 3}', "cannot unmarshal"),
            (b'{"metadata": {"name": 3}}', "cannot unmarshal number"),
            (b'{"metadata": {"name": "a", "namespace": "other"}}', "does not match the namespace sent"),
            (b'{"metadata": {"name": "a", "resourceVersion": "4"}}', "resourceVersion should not be set"),
            (b'{"metadata": {"name": "a"}, "data": {"k": 1}}', "cannot unmarshal number"),
        ],
    )
    async def test_bodies_that_cannot_be_read(self, api: testing.Api, body: bytes, message: str) -> None:
        reply = await api.call("POST", CONFIG_MAPS, body)
        assert (reply.code, reply.body["reason"]) == (400, "BadRequest")
        assert message in reply.body["message"]

    async def test_yaml_is_read_and_written(self, api: testing.Api) -> None:
        body = b"kind: ConfigMap\nmetadata: {name: a}\ndata: {when: 2020-01-01, yes: 'no'}\n"
        reply = await api.call("POST", CONFIG_MAPS, body, content_type="application/yaml", accept="application/yaml")
        assert (reply.code, reply.headers["content-type"]) == (201, "application/yaml")
        assert "when: '2020-01-01'" in reply.body
        bomb = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
        reply = await api.call("POST", CONFIG_MAPS, bomb, content_type="application/yaml")
        assert (reply.code, "aliases" in reply.body["message"]) == (400, True)

    async def test_nesting_beyond_sense_is_refused(self, api: testing.Api) -> None:
        nested = b'{"metadata":{"name":"a"},"spec":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}"
        path = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/stormservices"
        assert (await api.call("POST", path, nested)).code == 400


class TestFieldValidation:
    async def test_strict_refuses_unknown_fields(self, api: testing.Api) -> None:
        body = deployment()
        body["spec"]["replcas"] = 3
        reply = await api.post(f"{DEPLOYMENTS}?fieldValidation=Strict", body)
        assert reply.code == 400
        assert 'strict decoding error: unknown field "spec.replcas"' in reply.body["message"]

    async def test_warn_is_the_default_and_drops_them(self, api: testing.Api) -> None:
        body = deployment()
        body["spec"]["replcas"] = 3
        body["spec"]['odd "\n\u2603'] = 3
        reply = await api.post(DEPLOYMENTS, body)
        assert reply.code == 201
        assert '299 - "unknown field \\"spec.replcas\\""' in reply.headers["warning"]
        assert "replcas" not in reply.body["spec"]

    async def test_ignore_drops_them_in_silence(self, api: testing.Api) -> None:
        reply = await api.post(f"{CONFIG_MAPS}?fieldValidation=Ignore", config_map(oops=1))
        assert reply.code == 201
        assert "warning" not in reply.headers
        assert "oops" not in reply.body

    async def test_other_values_are_refused(self, api: testing.Api) -> None:
        reply = await api.post(f"{CONFIG_MAPS}?fieldValidation=Maybe", config_map())
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        assert reply.body["message"] == (
            'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Maybe": '
            'supported values: "", "Ignore", "Strict", "Warn"'
        )


class TestUpdate:
    async def test_replace_keeps_what_belongs_to_the_server(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map(data={"k": "1"}))
        reply = await api.put(f"{CONFIG_MAPS}/a", config_map(data={"k": "2"}))
        assert reply.code == 200
        for field in ("uid", "creationTimestamp", "namespace"):
            assert reply.body["metadata"][field] == made["metadata"][field]
        assert int(reply.body["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

    async def test_an_older_revision_is_a_conflict(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        assert (await api.put(f"{CONFIG_MAPS}/a", {**made, "data": {"k": "1"}})).code == 200
        reply = await api.put(f"{CONFIG_MAPS}/a", {**made, "data": {"k": "2"}})
        assert (reply.code, reply.body["reason"]) == (409, "Conflict")
        assert reply.body["message"] == (
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
            "please apply your changes to the latest version and try again"
        )

    async def test_another_life_of_the_name_is_a_conflict(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        body = {**config_map(), "metadata": {"name": "a", "uid": "another"}}
        reply = await api.put(f"{CONFIG_MAPS}/a", body)
        assert reply.code == 409
        assert "UID in precondition: another" in reply.body["message"]

    async def test_no_change_is_no_revision(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map(data={"k": "1"}))
        assert (await api.put(f"{CONFIG_MAPS}/a", config_map(data={"k": "1"}))).body == made
        assert (await api.patch(f"{CONFIG_MAPS}/a", {"data": {"k": "1"}})).body == made

    async def test_names_must_agree(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        reply = await api.put(f"{CONFIG_MAPS}/a", config_map("b"))
        assert (reply.code, "does not match the name on the URL" in reply.body["message"]) == (400, True)
        assert (await api.put(f"{CONFIG_MAPS}/c", config_map("c"))).code == 404

    async def test_creation_time_cannot_change(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        reply = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}})
        assert (reply.code, "field is immutable" in reply.body["message"]) == (422, True)

    async def test_generation_counts_changes_of_the_spec_alone(self, api: testing.Api) -> None:
        await api.created(DEPLOYMENTS, deployment())
        changes = [
            ("", {"spec": {"replicas": 2}}, 2),
            ("", {"metadata": {"labels": {"x": "y"}}}, 2),
            ("/status", {"status": {"replicas": 1}}, 2),
            ("", {"spec": {"replicas": 2}}, 2),
            ("/scale", {"spec": {"replicas": 3}}, 3),
        ]
        for part, patch, generation in changes:
            assert (await api.patch(f"{DEPLOYMENTS}/web{part}", patch)).code == 200
            current = (await api.get(f"{DEPLOYMENTS}/web")).body
            assert current["metadata"]["generation"] == generation

    async def test_status_and_the_rest_are_written_apart(self, api: testing.Api) -> None:
        made = await api.created(DEPLOYMENTS, deployment())
        both = {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 4}}
        status = (await api.put(f"{DEPLOYMENTS}/web/status", both)).body
        assert (status["spec"]["replicas"], status["status"]["replicas"]) == (1, 4)
        whole = (await api.patch(f"{DEPLOYMENTS}/web", {"spec": {"replicas": 5}, "status": {"replicas": 9}})).body
        assert (whole["spec"]["replicas"], whole["status"]["replicas"]) == (5, 4)
        assert (await api.get(f"{DEPLOYMENTS}/web/status")).body == whole

    async def test_dry_run_changes_nothing(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        reply = await api.patch(f"{CONFIG_MAPS}/a?dryRun=All", {"data": {"k": "1"}})
        assert reply.body["data"] == {"k": "1"}
        assert (await api.get(f"{CONFIG_MAPS}/a")).body == made


class TestPatch:
    async def test_merge(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map(data={"a": "1", "b": "2"}))
        reply = await api.patch(f"{CONFIG_MAPS}/a", {"data": {"a": None, "c": "3"}})
        assert reply.body["data"] == {"b": "2", "c": "3"}

    async def test_json(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map(data={"a": "1"}))
        good = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "add", "path": "/data/b", "value": "2"}]
        assert (await api.patch(f"{CONFIG_MAPS}/a", good, "json-patch")).body["data"] == {"a": "1", "b": "2"}
        failing = [{"op": "test", "path": "/data/a", "value": "9"}]
        reply = await api.patch(f"{CONFIG_MAPS}/a", failing, "json-patch")
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        assert (await api.patch(f"{CONFIG_MAPS}/a", {"op": "add"}, "json-patch")).code == 400
        gone = [{"op": "remove", "path": ""}]
        assert (await api.patch(f"{CONFIG_MAPS}/a", gone, "json-patch")).code in (400, 422)

    async def test_strategic_merges_lists_by_key(self, api: testing.Api) -> None:
        await api.created(DEPLOYMENTS, deployment())
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example/image:2"}]}}}}
        reply = await api.patch(f"{DEPLOYMENTS}/web", patch, "strategic-merge-patch")
        containers = reply.body["spec"]["template"]["spec"]["containers"]
        assert [(each["name"], each["image"]) for each in containers] == [("c", "example/image:2")]
        assert containers[0]["imagePullPolicy"] == "IfNotPresent"

    async def test_custom_kinds_have_no_strategic_merge(self, api: testing.Api) -> None:
        path = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/stormservices"
        await api.created(path, {"metadata": {"name": "s"}, "spec": {"selector": {}, "template": {}}})
        reply = await api.patch(f"{path}/s", {"spec": {"replicas": 1}}, "strategic-merge-patch")
        assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")
        assert "application/merge-patch+json" in reply.body["message"]

    async def test_an_apply_is_not_read_as_cbor(self, api: testing.Api) -> None:
        reply = await api.call("PATCH", f"{CONFIG_MAPS}/a", b"{}", content_type="application/apply-patch+cbor")
        assert reply.code == 415

    async def test_a_patch_may_ask_for_a_revision(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        version = made["metadata"]["resourceVersion"]
        first = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"resourceVersion": version}, "data": {"k": "1"}})
        assert first.code == 200
        second = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"resourceVersion": version}, "data": {"k": "2"}})
        assert second.code == 409

    async def test_missing_objects_are_not_patched_into_being(self, api: testing.Api) -> None:
        assert (await api.patch(f"{CONFIG_MAPS}/a", {"data": {}})).code == 404


class TestGeneration:
    async def test_annotations_of_a_deployment_count_labels_and_those_of_others_do_not(self, api: testing.Api) -> None:
        made = await api.created(DEPLOYMENTS, deployment())
        assert made["metadata"]["generation"] == 1
        noted = await api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"annotations": {"k": "v"}}})
        assert noted.body["metadata"]["generation"] == 2
        labelled = await api.patch(f"{DEPLOYMENTS}/web", {"metadata": {"labels": {"k": "v"}}})
        assert labelled.body["metadata"]["generation"] == 2
        await api.created(PODS, pod())
        other = await api.patch(f"{PODS}/p", {"metadata": {"annotations": {"k": "v"}}})
        assert other.body["metadata"]["generation"] == 1


class TestScale:
    async def test_get_put_patch(self, api: testing.Api) -> None:
        made = await api.created(DEPLOYMENTS, deployment(replicas=2))
        await api.patch(f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 1}})
        scale = (await api.get(f"{DEPLOYMENTS}/web/scale")).body
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scale["metadata"]["uid"] == made["metadata"]["uid"]
        assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "app=web"})
        scale["spec"]["replicas"] = 4
        assert (await api.put(f"{DEPLOYMENTS}/web/scale", scale)).body["spec"] == {"replicas": 4}
        assert (await api.put(f"{DEPLOYMENTS}/web/scale", scale)).code == 409
        for kind in ("merge-patch", "strategic-merge-patch"):
            reply = await api.patch(f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 6}}, kind)
            assert (reply.code, reply.body["spec"]["replicas"]) == (200, 6)
        assert (await api.get(f"{DEPLOYMENTS}/web")).body["spec"]["replicas"] == 6

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"spec": {"replicas": -1}}, 422),
            ({"spec": {"replicas": "3"}}, 400),
            ({"spec": 3}, 400),
            ([], 400),
            ({"kind": "Deployment"}, 400),
            ({"metadata": {"name": "other"}}, 400),
        ],
    )
    async def test_scales_that_make_no_sense(self, api: testing.Api, body: Any, code: int) -> None:
        await api.created(DEPLOYMENTS, deployment())
        assert (await api.put(f"{DEPLOYMENTS}/web/scale", body)).code == code

    async def test_custom_kinds_scale_where_they_say(self, api: testing.Api) -> None:
        path = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/stormservices"
        await api.created(path, {"metadata": {"name": "s"}, "spec": {"replicas": 1, "selector": {}, "template": {}}})
        assert (await api.patch(f"{path}/s/scale", {"spec": {"replicas": 3}})).body["spec"] == {"replicas": 3}
        assert (await api.get(f"{path}/s")).body["spec"]["replicas"] == 3
        assert (await api.get(f"{CONFIG_MAPS}/a/scale")).code == 404


class TestList:
    async def test_selectors(self, api: testing.Api) -> None:
        for name, tier in (("a", "web"), ("b", "db"), ("c", "web")):
            await api.created(PODS, pod(name, labels={"tier": tier}))
        await api.patch(f"{PODS}/c/status", {"status": {"phase": "Running"}})

        async def names(query: str) -> list[str]:
            return [each["metadata"]["name"] for each in (await api.get(f"{PODS}?{query}")).body["items"]]

        assert await names("") == ["a", "b", "c"]
        assert await names("labelSelector=tier%3Dweb") == ["a", "c"]
        assert await names("labelSelector=tier+notin+(web)") == ["b"]
        assert await names("fieldSelector=metadata.name%3Db") == ["b"]
        assert await names("fieldSelector=status.phase%3DRunning&labelSelector=tier") == ["c"]
        assert await names("fieldSelector=status.phase!%3DRunning") == ["a", "b"]
        refused = await api.get(f"{PODS}?fieldSelector=spec.image%3Dx")
        assert (refused.code, "field label not supported: spec.image" in refused.body["message"]) == (400, True)
        assert (await api.get(f"{PODS}?labelSelector=a%3D%3D%3Db")).code == 400

    async def test_pages_show_one_moment(self, api: testing.Api) -> None:
        for number in range(7):
            await api.created(CONFIG_MAPS, config_map(f"c{number}"))
        first = (await api.get(f"{CONFIG_MAPS}?limit=3")).body
        assert [each["metadata"]["name"] for each in first["items"]] == ["c0", "c1", "c2"]
        assert first["metadata"]["remainingItemCount"] == 4
        await api.delete(f"{CONFIG_MAPS}/c5")
        await api.created(CONFIG_MAPS, config_map("c55"))
        second = (await api.get(f"{CONFIG_MAPS}?limit=3&continue={first['metadata']['continue']}")).body
        third = (await api.get(f"{CONFIG_MAPS}?limit=3&continue={second['metadata']['continue']}")).body
        seen = [each["metadata"]["name"] for page in (first, second, third) for each in page["items"]]
        assert seen == [f"c{number}" for number in range(7)]
        assert {page["metadata"]["resourceVersion"] for page in (first, second, third)} == {
            first["metadata"]["resourceVersion"]
        }
        assert "continue" not in third["metadata"]

    async def test_tokens_fit_their_own_list_only(self, api: testing.Api) -> None:
        for number in range(3):
            await api.created(CONFIG_MAPS, config_map(f"c{number}"))
        token = (await api.get(f"{CONFIG_MAPS}?limit=1")).body["metadata"]["continue"]
        assert (await api.get(f"{PODS}?limit=1&continue={token}")).code == 400
        assert (await api.get(f"{CONFIG_MAPS}?limit=1&continue=nonsense")).code == 400

    async def test_a_list_that_is_no_longer_held_goes_on_as_it_is_now(self, api: testing.Api) -> None:
        for number in range(3):
            await api.created(CONFIG_MAPS, config_map(f"c{number}"))
        forgotten = base64.urlsafe_b64encode(b'["gone",1,"default","c0"]').decode().rstrip("=")
        reply = await api.get(f"{CONFIG_MAPS}?limit=1&continue={forgotten}")
        assert (reply.code, reply.body["reason"]) == (410, "Expired")
        assert reply.body["message"].startswith("The provided continue parameter is too old")
        await api.created(CONFIG_MAPS, config_map("c11"))
        names, token = [], reply.body["metadata"]["continue"]
        while token:
            page = (await api.get(f"{CONFIG_MAPS}?limit=2&continue={token}")).body
            names.append([each["metadata"]["name"] for each in page["items"]])
            token = page["metadata"].get("continue")
        assert names == [["c1", "c11"], ["c2"]]

    async def test_revisions(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        at = int(made["metadata"]["resourceVersion"])
        listed = (await api.get(CONFIG_MAPS)).body
        assert int(listed["metadata"]["resourceVersion"]) >= at
        for query, code in (
            ("resourceVersion=0", 200),
            (f"resourceVersion={at}&resourceVersionMatch=NotOlderThan", 200),
            (f"resourceVersion={listed['metadata']['resourceVersion']}&resourceVersionMatch=Exact", 200),
            ("resourceVersion=1&resourceVersionMatch=Exact", 410),
            (f"resourceVersion={at + 1000}", 504),
            ("resourceVersion=abc", 400),
            ("resourceVersionMatch=Exact", 422),
            ("resourceVersion=0&resourceVersionMatch=Exact", 422),
            ("sendInitialEvents=true", 422),
            ("continue=abc", 400),
            ("continue=eyJhIjoxfQ", 400),
            ("resourceVersion=1&resourceVersionMatch=Nearly", 422),
            ("limit=-1", 400),
            ("watch=perhaps", 400),
        ):
            assert (await api.get(f"{CONFIG_MAPS}?{query}")).code == code, query

    async def test_all_namespaces_and_large_lists(self, api: testing.Api) -> None:
        for number in range(600):
            await api.created(CONFIG_MAPS, config_map(f"c{number}"))
        await api.created("/api/v1/namespaces/kube-system/configmaps", config_map())
        at_once = (await api.get("/api/v1/configmaps?limit=500")).body
        assert "continue" not in at_once["metadata"]
        found = (await api.get("/api/v1/configmaps")).body
        assert (found["kind"], found["apiVersion"], len(found["items"])) == ("ConfigMapList", "v1", 601)

    async def test_tables_and_metadata(self, api: testing.Api) -> None:
        await api.created(PODS, pod())
        table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
        for path in (PODS, f"{PODS}/p"):
            found = (await api.get(path, accept=table)).body
            assert found["kind"] == "Table"
            assert [column["name"] for column in found["columnDefinitions"]][:2] == ["Name", "Ready"]
            assert found["rows"][0]["cells"][0] == "p"
            assert found["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        partial = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        found = (await api.get(PODS, accept=partial)).body
        assert found["kind"] == "PartialObjectMetadataList"
        assert found["items"][0].keys() == {"kind", "apiVersion", "metadata"}


class TestPaths:
    @pytest.mark.parametrize(
        ("method", "path", "code"),
        [
            ("GET", "/api/v1/nonsense", 404),
            ("GET", "/apis/apps/v9/deployments", 404),
            ("GET", "/apis/apps/v1/namespaces/default/deployments/x/nonsense", 404),
            ("GET", "/api/v1/namespaces//pods", 404),
            ("GET", "/api/v1/pods/name", 404),
            ("GET", "/api/v1/namespaces/default/nodes", 404),
            ("GET", "/nonsense", 404),
            ("POST", "/api/v1/pods", 405),
            ("DELETE", "/api/v1/pods", 405),
            ("POST", f"{PODS}/x", 405),
            ("PUT", PODS, 405),
            ("DELETE", f"{PODS}/x/status", 405),
            ("POST", "/version", 405),
            ("POST", f"{PODS}/x/exec", 404),
            ("GET", f"{PODS}/x/attach", 404),
            ("GET", f"{PODS}/x/portforward", 404),
            ("PUT", f"{PODS}/x/binding", 405),
            ("GET", f"{PODS}/x/eviction", 405),
            ("GET", f"{PODS}/x/proxy/some/where", 501),
            ("OPTIONS", PODS, 405),
        ],
    )
    async def test_what_is_not_served_is_a_status(self, api: testing.Api, method: str, path: str, code: int) -> None:
        reply = await api.call(method, path)
        assert (reply.code, reply.body["kind"], reply.body["code"]) == (code, "Status", code)

    async def test_accept(self, api: testing.Api) -> None:
        protobuf = "application/vnd.kubernetes.protobuf"
        assert (await api.get(PODS, accept=f"{protobuf},application/json")).code == 200
        assert (await api.get(PODS, accept=protobuf)).code == 406
        assert (await api.get(PODS, accept="application/json;as=Poem;g=meta.k8s.io;v=v1")).code == 406
        envelope = b"k8s\x00\n\x0f\n\x02v1\x12\tNamespace\x12\x07\n\x05\n\x03foo"
        made = await api.call("POST", "/api/v1/namespaces", envelope, content_type=protobuf)
        assert (made.code, made.body["metadata"]["name"]) == (201, "foo")
        for body in (b"", b"k8s", envelope[:-4], envelope.replace(b"Namespace", b"Nonsensee")):
            assert (await api.call("POST", "/api/v1/namespaces", body, content_type=protobuf)).code in (400, 415)
        reply = await api.call("POST", CONFIG_MAPS, b"k8s", content_type="application/x-unknown")
        assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")

    async def test_head(self, api: testing.Api) -> None:
        reply = await api.call("HEAD", PODS)
        assert (reply.code, reply.body) == (200, "")
        assert (await api.call("HEAD", f"{PODS}/x")).code == 404

    async def test_an_object_is_no_older_than_was_asked(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        revision = int(made["metadata"]["resourceVersion"])
        for since in ("", "0", str(revision)):
            assert (await api.get(f"{CONFIG_MAPS}/a?resourceVersion={since}")).code == 200
        future = await api.get(f"{CONFIG_MAPS}/a?resourceVersion={revision + 1}")
        assert (future.code, future.body["reason"]) == (504, "Timeout")
        assert (await api.get(f"{CONFIG_MAPS}/a?resourceVersion=x")).code == 400

    async def test_namespaces_finalize(self, api: testing.Api) -> None:
        made = await api.created("/api/v1/namespaces", {"metadata": {"name": "n"}, "spec": {"finalizers": ["x.y/z"]}})
        assert made["spec"]["finalizers"] == ["kubernetes"]
        assert made["status"] == {"phase": "Active"}
        reply = await api.put("/api/v1/namespaces/n/finalize", {**made, "spec": {"finalizers": ["example.com/mine"]}})
        assert reply.body["spec"]["finalizers"] == ["example.com/mine"]
        rehearsed = await api.put("/api/v1/namespaces/n/finalize?dryRun=All", {**reply.body, "spec": {}})
        assert rehearsed.body["spec"]["finalizers"] == []
        assert (await api.get("/api/v1/namespaces/n")).body["spec"]["finalizers"] == ["example.com/mine"]
        lost = await api.put("/api/v1/namespaces/n/finalize", {**made, "spec": {}})
        assert (lost.code, lost.body["reason"]) == (409, "Conflict")
        kept = await api.put("/api/v1/namespaces/n", {**reply.body, "spec": {"finalizers": []}})
        assert kept.body["spec"]["finalizers"] == ["example.com/mine"]
