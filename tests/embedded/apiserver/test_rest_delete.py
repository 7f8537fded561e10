"""Deleting over real HTTP, and writes that only rehearse."""

from typing import Any

import pytest

from brickyard.embedded.apiserver import testing

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


def config_map(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **fields}


def pod(name: str = "p", **metadata: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "example/image:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


class TestDelete:
    async def test_at_once(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        reply = await api.delete(f"{CONFIG_MAPS}/a")
        assert reply.code == 200
        assert reply.body == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]},
        }
        again = await api.delete(f"{CONFIG_MAPS}/a")
        assert (again.code, again.body["message"]) == (404, 'configmaps "a" not found')

    async def test_preconditions(self, api: testing.Api) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        for preconditions in ({"uid": "another"}, {"resourceVersion": "1"}):
            reply = await api.delete(f"{CONFIG_MAPS}/a", {"preconditions": preconditions})
            assert (reply.code, "Precondition failed" in reply.body["message"]) == (409, True)
        fitting = {"uid": made["metadata"]["uid"], "resourceVersion": made["metadata"]["resourceVersion"]}
        assert (await api.delete(f"{CONFIG_MAPS}/a", {"preconditions": fitting})).code == 200

    async def test_a_pod_on_a_node_gets_its_grace(self, api: testing.Api) -> None:
        body = pod()
        body["spec"]["nodeName"] = "here"
        await api.created(PODS, body)
        first = (await api.delete(f"{PODS}/p")).body
        assert first["kind"] == "Pod"
        assert first["metadata"]["deletionGracePeriodSeconds"] == 30
        again = (await api.delete(f"{PODS}/p")).body
        assert again == first
        shorter = (await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 5})).body
        assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
        assert shorter["metadata"]["deletionTimestamp"] < first["metadata"]["deletionTimestamp"]
        last = await api.delete(f"{PODS}/p", {"gracePeriodSeconds": 0})
        assert (last.code, last.body["kind"]) == (200, "Pod")
        assert (await api.get(f"{PODS}/p")).code == 404

    async def test_a_pod_without_a_node_goes_at_once(self, api: testing.Api) -> None:
        await api.created(PODS, pod())
        assert (await api.delete(f"{PODS}/p")).code == 200
        assert (await api.get(f"{PODS}/p")).code == 404

    async def test_finalizers_hold_an_object_until_they_are_gone(self, api: testing.Api) -> None:
        held = {**config_map(), "metadata": {"name": "a", "finalizers": ["example.com/hold"]}}
        await api.created(CONFIG_MAPS, held)
        going = (await api.delete(f"{CONFIG_MAPS}/a")).body
        assert going["metadata"]["deletionTimestamp"]
        more = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": ["example.com/hold", "example.com/x"]}})
        assert more.code == 422
        assert "no new finalizers can be added" in more.body["message"]
        undone = await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"deletionTimestamp": None}})
        assert undone.body["metadata"]["deletionTimestamp"] == going["metadata"]["deletionTimestamp"]
        assert (await api.patch(f"{CONFIG_MAPS}/a", {"metadata": {"finalizers": []}})).code == 200
        assert (await api.get(f"{CONFIG_MAPS}/a")).code == 404

    async def test_dry_run_deletes_nothing(self, api: testing.Api) -> None:
        await api.created(CONFIG_MAPS, config_map())
        assert (await api.delete(f"{CONFIG_MAPS}/a?dryRun=All")).code == 200
        assert (await api.delete(f"{CONFIG_MAPS}/a", {"dryRun": ["All"]})).code == 200
        assert (await api.get(f"{CONFIG_MAPS}/a")).code == 200

    async def test_a_collection(self, api: testing.Api) -> None:
        for name, tier in (("a", "web"), ("b", "db"), ("c", "web")):
            await api.created(PODS, pod(name, labels={"tier": tier}))
        reply = await api.delete(f"{PODS}?labelSelector=tier%3Dweb")
        assert [each["metadata"]["name"] for each in reply.body["items"]] == ["a", "c"]
        assert [each["metadata"]["name"] for each in (await api.get(PODS)).body["items"]] == ["b"]

    async def test_a_collection_page_by_page(self, api: testing.Api) -> None:
        for name in ("a", "b", "c"):
            await api.created(CONFIG_MAPS, config_map(name))
        first = (await api.delete(f"{CONFIG_MAPS}?limit=1")).body
        assert [each["metadata"]["name"] for each in first["items"]] == ["a"]
        assert first["metadata"]["remainingItemCount"] == 2
        assert [each["metadata"]["name"] for each in (await api.get(CONFIG_MAPS)).body["items"]] == ["b", "c"]
        rest = (await api.delete(f"{CONFIG_MAPS}?limit=5&continue={first['metadata']['continue']}")).body
        assert [each["metadata"]["name"] for each in rest["items"]] == ["b", "c"]
        assert (await api.delete(f"{CONFIG_MAPS}?limit=some")).code == 400

    async def test_a_large_limit_of_a_collection_is_kept_too(self, api: testing.Api) -> None:
        for number in range(502):
            await api.created(CONFIG_MAPS, config_map(f"a{number:03}"))
        assert len((await api.delete(f"{CONFIG_MAPS}?limit=501")).body["items"]) == 501
        assert [each["metadata"]["name"] for each in (await api.get(CONFIG_MAPS)).body["items"]] == ["a501"]

    @pytest.mark.parametrize(
        "options",
        [
            [],
            {"gracePeriodSeconds": "x"},
            {"orphanDependents": 1},
            {"preconditions": "x"},
            {"dryRun": "All"},
        ],
    )
    async def test_options_that_make_no_sense(self, api: testing.Api, options: Any) -> None:
        await api.created(CONFIG_MAPS, config_map())
        assert (await api.delete(f"{CONFIG_MAPS}/a", options)).code == 400
        assert (await api.get(f"{CONFIG_MAPS}/a")).code == 200

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"propagationPolicy": "Sideways"},
                'propagationPolicy: Unsupported value: "Sideways": supported values: "Background", "Foreground", "Orphan"',
            ),
            (
                {"propagationPolicy": "Foreground", "orphanDependents": True},
                'propagationPolicy: Invalid value: "Foreground": orphanDependents and deletionPropagation cannot be both set',
            ),
            ({"dryRun": ["Some"]}, 'dryRun: Unsupported value: []string{"Some"}: supported values: "All"'),
        ],
    )
    async def test_options_that_contradict(self, api: testing.Api, options: Any, message: str) -> None:
        await api.created(CONFIG_MAPS, config_map())
        reply = await api.delete(f"{CONFIG_MAPS}/a", options)
        assert (reply.code, reply.body["reason"]) == (422, "Invalid")
        assert reply.body["message"] == f'DeleteOptions.meta.k8s.io "" is invalid: {message}'
        assert (await api.get(f"{CONFIG_MAPS}/a")).code == 200


class TestDryRun:
    @pytest.mark.parametrize(
        ("query", "shown"),
        [("dryRun=yes", '"yes"'), ("dryRun=", '""'), ("dryRun", '""'), ("dryRun=All&dryRun=x", '"All", "x"')],
    )
    async def test_a_rehearsal_that_there_is_not_is_no_performance(
        self, api: testing.Api, query: str, shown: str
    ) -> None:
        made = await api.created(CONFIG_MAPS, config_map())
        path = f"{CONFIG_MAPS}/a?{query}"
        merge = {"content_type": "application/merge-patch+json"}
        for kind, reply in (
            ("CreateOptions", await api.post(f"{CONFIG_MAPS}?{query}", config_map("b"))),
            ("UpdateOptions", await api.put(path, {**made, "data": {"k": "v"}})),
            ("PatchOptions", await api.call("PATCH", path, {"data": {"k": "v"}}, **merge)),
            ("DeleteOptions", await api.delete(path)),
            ("DeleteOptions", await api.delete(f"{CONFIG_MAPS}?{query}")),
        ):
            assert (reply.code, reply.body["reason"]) == (422, "Invalid")
            assert reply.body["message"] == (
                f'{kind}.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{{{shown}}}: supported values: "All"'
            )
        assert [each["metadata"] for each in (await api.get(CONFIG_MAPS)).body["items"]] == [made["metadata"]]

    async def test_all_that_is_wrong_is_named(self, api: testing.Api) -> None:
        reply = await api.post(f"{CONFIG_MAPS}?dryRun=x&fieldValidation=y", config_map())
        assert [each["field"] for each in reply.body["details"]["causes"]] == ["dryRun", "fieldValidation"]
