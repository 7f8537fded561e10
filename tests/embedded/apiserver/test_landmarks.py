"""Objects that every cluster has are there, stay there, and go with their namespace; reviews are answered; nobody is misled."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any, ClassVar

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import catalog, server, testing
from brickyard.embedded.apiserver.settings import ApiServerSettings

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"


class TestLandmarks:
    async def test_they_come_back(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path, landmarks=True) as running, testing.connect(running) as api:
            account = await api.until(ACCOUNTS, "default", lambda state: state is not None)
            assert account is not None
            await api.delete(f"{ACCOUNTS}/default")
            again = await api.until(
                ACCOUNTS,
                "default",
                lambda state: state is not None and state["metadata"]["uid"] != account["metadata"]["uid"],
            )
            assert again is not None
            found = await api.until(CONFIG_MAPS, "kube-root-ca.crt", lambda state: state is not None)
            assert found is not None
            assert found["data"]["ca.crt"] == running.ca.read_text()
            await api.patch(f"{CONFIG_MAPS}/kube-root-ca.crt", {"data": {"ca.crt": "broken"}})
            await api.until(
                CONFIG_MAPS,
                "kube-root-ca.crt",
                lambda state: state is not None and state["data"]["ca.crt"] == running.ca.read_text(),
            )

    async def test_they_say_where_the_server_listens_now(self, tmp_path: pathlib.Path) -> None:
        for _ in range(2):  # the second time on another port
            async with testing.running(tmp_path, landmarks=True) as running, testing.connect(running) as api:
                assert (await api.get(SLICE)).body["ports"][0]["port"] == running.port
                service = (await api.get("/api/v1/namespaces/default/services/kubernetes")).body
                assert service["spec"]["ports"] == [
                    {"name": "https", "protocol": "TCP", "port": 443, "targetPort": running.port}
                ]

    async def test_the_system_has_its_priorities(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path, landmarks=True) as running, testing.connect(running) as api:
            classes = (await api.get("/apis/scheduling.k8s.io/v1/priorityclasses")).body["items"]
        assert {each["metadata"]["name"]: each["value"] for each in classes} == {
            "system-cluster-critical": 2_000_000_000,
            "system-node-critical": 2_000_001_000,
        }

    async def test_a_namespace_that_goes_takes_them_along(self, tmp_path: pathlib.Path) -> None:
        async with testing.running(tmp_path, landmarks=True) as running, testing.connect(running) as api:
            await api.created("/api/v1/namespaces", {"metadata": {"name": "n"}})
            await api.until("/api/v1/namespaces/n/configmaps", "kube-root-ca.crt", lambda state: state is not None)
            await api.delete("/api/v1/namespaces/n")
            await api.gone("/api/v1/namespaces", "n")
            left = (await api.get("/api/v1/serviceaccounts")).body["items"]
        assert "n" not in {each["metadata"]["namespace"] for each in left}

    async def test_a_pod_gets_an_account_when_it_is_made_and_not_later(self, api: testing.Api) -> None:
        pods = "/api/v1/namespaces/default/pods"
        spec: dict[str, Any] = {"containers": [{"name": "c", "image": "x"}]}
        made = await api.created(pods, {"metadata": {"name": "a"}, "spec": spec})
        assert (made["spec"]["serviceAccountName"], made["spec"]["serviceAccount"]) == ("default", "default")
        named = await api.created(pods, {"metadata": {"name": "b"}, "spec": {**spec, "serviceAccount": "robot"}})
        assert (named["spec"]["serviceAccountName"], named["spec"]["serviceAccount"]) == ("robot", "robot")


class TestReviews:
    async def test_what_is_allowed(self, api: testing.Api) -> None:
        body = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": "default"}}}
        answered = await api.created(f"{AUTHORIZATION}/selfsubjectaccessreviews", body)
        assert answered["status"]["allowed"] is True
        assert "everything" in answered["status"]["reason"]
        other = await api.created(f"{AUTHORIZATION}/subjectaccessreviews", {"spec": {**body["spec"], "user": "u"}})
        assert other["status"]["allowed"] is True
        local = await api.created(
            f"{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews", {"spec": {**body["spec"], "user": "u"}}
        )
        assert local["status"]["allowed"] is True
        rules = await api.created(f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}})
        assert rules["status"]["resourceRules"][0]["verbs"] == ["*"]
        assert rules["status"]["incomplete"] is False

    async def test_who_asks(self, server: testing.RunningServer, api: testing.Api) -> None:
        me = await api.created(f"{AUTHENTICATION}/selfsubjectreviews", {})
        assert me["status"]["userInfo"]["groups"] == ["system:masters", "system:authenticated"]
        known = await api.created(f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": server.token}})
        assert known["status"]["authenticated"] is True
        assert known["status"]["user"] == me["status"]["userInfo"]
        unknown = await api.created(f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": "x", "audiences": ["a"]}})
        assert "authenticated" not in unknown["status"]
        assert unknown["status"]["error"]

    REFUSED: ClassVar[tuple[tuple[str, dict[str, Any], int], ...]] = (
        ("selfsubjectaccessreviews", {}, 422),
        ("selfsubjectaccessreviews", {"spec": {"resourceAttributes": {}, "nonResourceAttributes": {}}}, 422),
        ("subjectaccessreviews", {"spec": {"resourceAttributes": {"verb": "get"}}}, 422),
        ("selfsubjectrulesreviews", {"spec": {}}, 422),
        ("selfsubjectaccessreviews", {"spec": {"resourceAttributes": {"verb": 1}}}, 400),
        ("namespaces/default/selfsubjectaccessreviews", {}, 404),
        ("localsubjectaccessreviews", {}, 404),
        ("selfsubjectaccessreviews/a", {}, 404),
    )

    @pytest.mark.parametrize(("path", "body", "code"), REFUSED)
    async def test_what_is_no_question(self, api: testing.Api, path: str, body: dict[str, Any], code: int) -> None:
        assert (await api.post(f"{AUTHORIZATION}/{path}", body)).code == code

    async def test_they_are_never_stored(self, api: testing.Api) -> None:
        for method in ("GET", "DELETE", "PUT", "PATCH"):
            assert (await api.call(method, f"{AUTHORIZATION}/selfsubjectaccessreviews")).code == 405
        (listed,) = [
            each
            for each in (await api.get(AUTHORIZATION)).body["resources"]
            if each["name"] == "selfsubjectaccessreviews"
        ]
        assert listed["verbs"] == ["create"]


class TestUnattended:
    SET: ClassVar[dict[str, Any]] = {
        "metadata": {"name": "a"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }
    SETS = "/apis/apps/v1/namespaces/default/statefulsets"

    async def test_a_kind_nobody_acts_on_is_said_to_be_one_when_it_is_made(self, api: testing.Api) -> None:
        reply = await api.post(self.SETS, self.SET)
        assert "no controller on this machine runs StatefulSets" in reply.headers["warning"]
        changed = await api.patch(f"{self.SETS}/a", {"spec": {"replicas": 2}})
        assert "warning" not in changed.headers

    async def test_so_is_a_kind_of_another_project(self, api: testing.Api) -> None:
        routes = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes"
        reply = await api.post(routes, {"metadata": {"name": "a"}, "spec": {}})
        assert "nothing on this machine acts on HTTPRoute of gateway.networking.k8s.io" in reply.headers["warning"]

    async def test_so_is_one_of_ours_that_has_no_controller_yet(self, api: testing.Api) -> None:
        adapters = "/apis/model.aibrix.ai/v1alpha1/namespaces/default/modeladapters"
        spec = {"artifactURL": "s3://bucket/lora", "podSelector": {"matchLabels": {"a": "b"}}}
        reply = await api.post(adapters, {"metadata": {"name": "a"}, "spec": spec})
        assert "nothing on this machine acts on ModelAdapter of model.aibrix.ai" in reply.headers["warning"]

    async def test_a_kind_that_is_stored_and_no_more_anywhere_is_not(self, api: testing.Api) -> None:
        reply = await api.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "a"}})
        assert (reply.code, reply.headers.get("warning")) == (201, None)

    async def test_nor_is_a_kind_that_somebody_acts_on(self, tmp_path: pathlib.Path) -> None:
        stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            server.serve(
                ApiServerSettings(data_dir=tmp_path, port=0),
                catalog=catalog.BuiltinCatalog(),
                agent=server.Agent(),
                stop=stop,
                ready=ready.set_result,
                attended=[resources.STATEFUL_SET],
            )
        )
        try:
            at = await asyncio.wait_for(ready, 30)
            token, ca = (tmp_path / "token").read_text(), tmp_path / "pki" / "ca.crt"
            running = testing.RunningServer(at.url, at.port, at.kubeconfig, token, ca, stop.set, lambda: 0)
            async with testing.connect(running) as api:
                reply = await api.post(self.SETS, self.SET)
                assert (reply.code, reply.headers.get("warning")) == (201, None)
        finally:
            stop.set()
            await serving
