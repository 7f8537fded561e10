"""The official Python client as a foreign witness: typed objects, custom objects, the dynamic client, watches."""

import asyncio
import pathlib
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch

from brickyard.embedded.apiserver import testing

pytestmark = pytest.mark.slow

STORMS = ("orchestration.aibrix.ai", "v1alpha1", "default", "stormservices")


# The client's own annotations make every field optional; what is witnessed here is what comes back.
Client: Any = client
Watch: Any = watch.Watch
DynamicClient: Any = dynamic.DynamicClient
new_client: Any = config.new_client_from_config


def typed_objects(kubeconfig: pathlib.Path) -> None:
    with new_client(str(kubeconfig)) as connection:
        core, apps = Client.CoreV1Api(connection), Client.AppsV1Api(connection)
        container = Client.V1Container(
            name="c", image="i", resources=Client.V1ResourceRequirements(limits={"cpu": "1"})
        )
        body = Client.V1Pod(metadata=Client.V1ObjectMeta(name="a"), spec=Client.V1PodSpec(containers=[container]))
        made = core.create_namespaced_pod("default", body)
        assert (made.status.phase, made.spec.restart_policy) == ("Pending", "Always")
        assert core.patch_namespaced_pod("a", "default", {"metadata": {"labels": {"x": "y"}}}).metadata.labels == {
            "x": "y"
        }
        assert core.delete_namespaced_pod("a", "default").metadata.name == "a"
        with pytest.raises(client.ApiException) as caught:
            core.read_namespaced_pod("a", "default")
        assert (caught.value.status, caught.value.reason) == (404, "Not Found")
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        web = apps.create_namespaced_deployment("default", {"metadata": {"name": "web"}, "spec": spec})
        assert (web.spec.replicas, web.status.ready_replicas) == (1, None)
        scale = apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})
        assert (scale.spec.replicas, scale.status.selector) == (3, "a=b")
        fresh = apps.read_namespaced_deployment("web", "default")
        fresh.spec.paused = True
        assert apps.replace_namespaced_deployment("web", "default", fresh).spec.paused is True
        web.spec.replicas = 5
        with pytest.raises(client.ApiException) as caught:
            apps.replace_namespaced_deployment("web", "default", web)
        assert caught.value.status == 409


def custom_objects(kubeconfig: pathlib.Path) -> None:
    with new_client(str(kubeconfig)) as connection:
        custom = Client.CustomObjectsApi(connection)
        body = {
            "apiVersion": "orchestration.aibrix.ai/v1alpha1",
            "kind": "StormService",
            "metadata": {"name": "s"},
            "spec": {"replicas": 1, "selector": {}, "template": {}},
        }
        assert custom.create_namespaced_custom_object(*STORMS, body)["metadata"]["generation"] == 1
        patched = custom.patch_namespaced_custom_object(*STORMS, "s", {"spec": {"replicas": 2}})
        assert patched["metadata"]["generation"] == 2
        status = custom.patch_namespaced_custom_object_status(*STORMS, "s", {"status": {"replicas": 2}})
        assert status["metadata"]["generation"] == 2
        found = DynamicClient(connection).resources.get(api_version=body["apiVersion"], kind="StormService")
        assert [each.metadata.name for each in found.get(namespace="default").items] == ["s"]


def watches(kubeconfig: pathlib.Path) -> None:
    with new_client(str(kubeconfig)) as connection:
        core = Client.CoreV1Api(connection)
        since = core.list_namespaced_config_map("default").metadata.resource_version
        for name in ("a", "b"):
            core.create_namespaced_config_map("default", {"metadata": {"name": name}})
        core.delete_namespaced_config_map("a", "default")
        told = []
        for event in Watch().stream(core.list_namespaced_config_map, "default", resource_version=since):
            told.append((event["type"], event["object"].metadata.name))
            if len(told) == 3:
                break
        assert told == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]


@pytest.mark.parametrize("witness", [typed_objects, custom_objects, watches])
async def test_the_official_client_cannot_tell(server: testing.RunningServer, witness: Any) -> None:
    await asyncio.to_thread(witness, server.kubeconfig)
