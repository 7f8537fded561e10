"""What pods use, may use and ask for, as kubectl's users see it."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BUSY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: brickyard/host
          command: [python3, -c, "while True: pass"]
          resources: {requests: {cpu: 100m, memory: 64Mi}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  maxReplicas: 2
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
"""
ONE = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: brickyard/host
      command: [python3, -c, "{code}"]
      resources: {{{resources}}}
"""
HUNGRY = "x = [bytearray(b'x' * 2**20) for _ in range(400)]; import time; time.sleep(600)"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[yards.Yard]:
    """Up and empty; the machine has no GPU that it would give away."""
    patch = pytest.MonkeyPatch()
    patch.setenv("CUDA_VISIBLE_DEVICES", "")
    with yards.running(pathlib.Path(tmp_path_factory.mktemp("resources")) / "data") as yard:
        patch.undo()
        yield yard


def apply(yard: yards.Yard, name: str, code: str, resources: str) -> None:
    yard.kubectl("apply", "-f", "-", stdin=ONE.format(name=name, code=code, resources=resources))


def pod(yard: yards.Yard, name: str) -> Any:
    return next(each for each in yard.objects("pods") if each["metadata"]["name"] == name)


def events(yard: yards.Yard, name: str) -> dict[str, str]:
    found = [each for each in yard.objects("events") if each["involvedObject"]["name"] == name]
    return {each["reason"]: each["message"] for each in found}


def test_an_autoscaler_follows_what_kubectl_top_shows(own: yards.Yard) -> None:
    own.kubectl("apply", "-f", "-", stdin=BUSY)

    def top() -> list[list[str]]:
        lines = own.kubectl("top", "pod", "-l", "app=busy", "--no-headers", check=False).stdout.splitlines()
        return [line.split() for line in lines if re.fullmatch(r"busy-\S+ +\d+m +\d+Mi *", line)]

    used = yards.until(lambda: [int(row[1][:-1]) for row in top()], what="kubectl top pod shows it")
    assert used[0] > 100
    yards.until(lambda: len(top()) == 2, within=60, what="the autoscaler makes another and it is measured too")
    assert "ValidMetricFound" in own.kubectl("describe", "hpa", "busy").stdout
    containers = own.kubectl("top", "pod", "-l", "app=busy", "--containers", "--no-headers").stdout.splitlines()
    assert [line.split()[1] for line in containers] == ["main", "main"]
    node = own.kubectl("top", "node", "--no-headers").stdout.split()
    assert re.fullmatch(r"\d+m", node[1])
    assert node[2].endswith("%")
    own.kubectl("delete", "hpa,deployment", "busy")


def test_a_container_over_its_memory_limit(own: yards.Yard) -> None:
    apply(own, "hungry", HUNGRY, "limits: {memory: 64Mi}")
    yards.until(lambda: pod(own, "hungry")["status"]["phase"] == "Failed", what="it is killed")
    end = pod(own, "hungry")["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)
    assert "OOMKilled" in own.kubectl("get", "pod", "hungry").stdout
    assert "its limit is 64 MiB" in events(own, "hungry")["OOMKilled"]


def test_a_pod_that_wants_a_gpu_where_there_is_none(own: yards.Yard) -> None:
    apply(own, "gpu", "pass", "limits: {nvidia.com/gpu: 1}")
    yards.until(lambda: "FailedScheduling" in events(own, "gpu"), what="it is told why it waits")
    assert events(own, "gpu")["FailedScheduling"] == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    assert pod(own, "gpu")["status"]["phase"] == "Pending"


def test_the_node_as_it_is_described(own: yards.Yard) -> None:
    apply(own, "asking", "import time; time.sleep(600)", "requests: {cpu: 1, memory: 900Ti}")
    yards.until(lambda: pod(own, "asking")["status"].get("phase") == "Running", what="too large a request runs")
    assert "900Ti of" in yards.until(lambda: events(own, "asking").get("Overcommitted"))
    (node,) = own.objects("nodes")
    told = own.kubectl("describe", "node", node["metadata"]["name"]).stdout
    for words in ("PIDPressure", "KubeletHasSufficientPID", "Allocatable:", "Allocated resources:", "asking"):
        assert words in told
