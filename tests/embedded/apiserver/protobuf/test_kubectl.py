"""The real kubectl as witness: what its typed commands send in binary is stored as what the same commands write down as JSON."""

from __future__ import annotations

import asyncio
import os
import pathlib
import sys
from typing import Any

import orjson
import pytest

from brickyard.embedded.apiserver import testing

KUBECTL = pathlib.Path(sys.executable).with_name("kubectl")
SERVERS_OWN = ("creationTimestamp", "generation", "resourceVersion", "managedFields", "uid")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl is not installed beside this Python"),
]

CREATES = {
    "namespace": "namespace one",
    "config map": "configmap one --from-literal=a=1 --from-literal=b=",
    "secret": "secret generic one --from-literal=a=1 --type=example.com/kind",
    "registry": "secret docker-registry one --docker-server=x --docker-username=u --docker-password=p",
    "deployment": "deployment one --image=x:1 --image=y --replicas=0 --port=80",
    "command": "deployment one --image=x:1 -- run --fast",
    "service": "service clusterip one --tcp=80:http --tcp=81:8081",
    "headless": "service clusterip one --clusterip=None",
    "node port": "service nodeport one --tcp=80 --node-port=30080",
    "external": "service externalname one --external-name=example.com",
    "account": "serviceaccount one",
}


class Kubectl:
    """kubectl with a kubeconfig and a home of its own."""

    def __init__(self, kubeconfig: pathlib.Path, home: pathlib.Path) -> None:
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    async def __call__(self, *words: str, body: str = "") -> tuple[int, str, str]:
        """Exit code, output and errors."""
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(body.encode()), 30)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        return process.returncode or 0, out.decode(), err.decode()

    async def create(self, flag: str, *words: str) -> Any:
        """The object that ``kubectl create`` prints with this flag, which stands first as a command of the container may end it."""
        code, out, err = await self("create", flag, "-o", "json", *words)
        assert code == 0, err
        return orjson.loads(out)


@pytest.fixture
def kubectl(server: testing.RunningServer, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(server.kubeconfig, tmp_path)


def collection(obj: dict[str, Any]) -> str:
    if obj["kind"] == "Namespace":
        return "/api/v1/namespaces"
    group = "/apis/apps/v1" if obj["kind"] == "Deployment" else "/api/v1"
    return f"{group}/namespaces/default/{obj['kind'].lower()}s"


def settled(obj: dict[str, Any]) -> dict[str, Any]:
    """Without what each object has of its own."""
    metadata = {key: each for key, each in obj["metadata"].items() if key not in SERVERS_OWN}
    return {**obj, "metadata": metadata}


@pytest.mark.parametrize("command", CREATES.values(), ids=CREATES.keys())
async def test_binary_and_json_come_to_the_same(kubectl: Kubectl, api: testing.Api, command: str) -> None:
    words = command.split()
    written = await kubectl.create("--dry-run=client", *words)
    expected = await api.call("POST", f"{collection(written)}?dryRun=All&fieldValidation=Strict", written)
    assert expected.code == 201, expected.body
    code, _, log = await kubectl("create", "-v=8", *words)
    assert code == 0, log
    # What is asserted here is worth something only if kubectl did choose the binary form.
    assert "Content-Type: application/vnd.kubernetes.protobuf" in log
    stored = await api.get(f"{collection(written)}/one")
    assert settled(stored.body) == settled(expected.body)


async def test_a_dry_run_stores_nothing(kubectl: Kubectl) -> None:
    made = await kubectl.create("--dry-run=server", "deployment", "one", "--image=x:1")
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"
    assert (await kubectl("get", "deployment", "one"))[0] == 1


async def test_refusals_of_binary_bodies_read_as_on_a_cluster(kubectl: Kubectl) -> None:
    assert (await kubectl("create", "configmap", "one"))[0] == 0
    _, _, err = await kubectl("create", "configmap", "one")
    assert err == 'error: failed to create configmap: configmaps "one" already exists\n'
    _, _, err = await kubectl("create", "deployment", "Upper", "--image=x:1")
    assert 'Deployment.apps "Upper" is invalid: metadata.name: Invalid value: "Upper"' in err
    _, _, err = await kubectl("create", "configmap", "one", "-n", "nowhere")
    assert 'namespaces "nowhere" not found' in err


async def test_a_namespace_comes_and_goes(kubectl: Kubectl) -> None:
    for words in ("create namespace team", "create configmap one -n team", "delete namespace team --timeout=20s"):
        code, _, err = await kubectl(*words.split())
        assert code == 0, err
    assert 'namespaces "team" not found' in (await kubectl("get", "namespace", "team"))[2]


@pytest.mark.parametrize("verb", ["apply", "create", "delete"])
async def test_a_kind_that_is_not_served_is_named_in_kubectls_own_words(kubectl: Kubectl, verb: str) -> None:
    body = "{apiVersion: networking.example.com/v1, kind: Route, metadata: {name: one}}"
    code, _, err = await kubectl(verb, "-f", "-", body=body)
    assert code == 1
    assert 'no matches for kind "Route" in version "networking.example.com/v1"' in err
    assert "ensure CRDs are installed first" in err
    assert "content type" not in err
