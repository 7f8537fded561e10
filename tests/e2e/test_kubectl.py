"""The real kubectl against a running Brickyard."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from tests.e2e import yard as yards

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOST = """\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
    - name: main
      image: brickyard/host
      command: [python3, -u, -c, "{code}"]
"""


def test_tables_yaml_and_describe(shared: yards.Yard) -> None:
    table = shared.kubectl("get", "deployments").stdout
    assert table.split()[:5] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert "2/2" in table
    assert "kind: Deployment" in shared.kubectl("get", "deployment", "smollm2", "-o", "yaml").stdout
    described = shared.kubectl("describe", "deployment", "smollm2").stdout
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    pod = shared.objects("pods", "model.aibrix.ai/name=smollm2")[0]["metadata"]["name"]
    told = shared.kubectl("describe", "pod", pod).stdout
    for word in ("Scheduled", "Started", "Ready", "True", "llama.cpp"):
        assert word in told


def test_endpoint_slices_follow_the_service(shared: yards.Yard) -> None:
    found = [each for each in shared.objects("endpointslices") if each["metadata"]["namespace"] == "default"]
    (piece,) = [each for each in found if each["metadata"]["name"] != "kubernetes"]
    addresses = {address for endpoint in piece["endpoints"] for address in endpoint["addresses"]}
    pods = shared.objects("pods", "model.aibrix.ai/name=smollm2")
    assert addresses == {pod["status"]["podIP"] for pod in pods}
    assert len(addresses) == 2


def test_the_nine_kinds_of_aibrix_are_served(shared: yards.Yard) -> None:
    names = shared.kubectl("api-resources", "-o", "name").stdout.split()
    assert len([name for name in names if name.endswith(".aibrix.ai")]) == 9


def test_scale_label_wait_logs_and_watch(shared: yards.Yard) -> None:
    manifest = HOST.format(name="talker", code="print('hello from inside'); import time; time.sleep(600)")
    watch = subprocess.Popen(
        [str(yards.BIN / "kubectl"), "get", "pods", "-l", "app=talker", "-w", "-o", "name"],
        env=shared.environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        shared.kubectl("apply", "-f", "-", stdin=manifest)
        assert watch.stdout is not None
        assert watch.stdout.readline() == "pod/talker\n"
        shared.kubectl("wait", "--for=condition=Ready", "pod/talker", "--timeout=30s")
        assert yards.until(lambda: shared.kubectl("logs", "talker").stdout) == "hello from inside\n"
        assert shared.brickyard("logs", "pod/talker", "--tail", "0").stdout == ""
        assert shared.brickyard("get", "pods/talker", "-o", "name").stdout == "pods/talker\n"
        shared.kubectl("label", "pod", "talker", "seen=yes")
        assert shared.kubectl("get", "pods", "-l", "seen=yes", "-o", "name").stdout == "pod/talker\n"
    finally:
        watch.terminate()
        watch.communicate(timeout=10)
        shared.kubectl("delete", "pod", "talker", "--ignore-not-found")
    assert shared.kubectl("get", "pod", "talker", check=False).returncode == 1


def test_scaling_up_and_down(shared: yards.Yard) -> None:
    shared.kubectl("scale", "deployment/smollm2", "--replicas=3")
    shared.kubectl("rollout", "status", "deployment/smollm2", "--timeout=60s")
    assert len(shared.objects("pods", "model.aibrix.ai/name=smollm2")) == 3
    shared.kubectl("scale", "deployment/smollm2", "--replicas=2")
    yards.until(lambda: len(shared.objects("pods", "model.aibrix.ai/name=smollm2")) == 2, what="two replicas again")
    shared.kubectl("rollout", "status", "deployment/smollm2", "--timeout=60s")


def test_a_bad_manifest_is_refused_with_the_field(shared: yards.Yard) -> None:
    manifest = yards.DEMO.read_text().replace("replicas: 2", "replcas: 2")
    refused = shared.kubectl("apply", "-f", "-", check=False, stdin=manifest)
    assert refused.returncode != 0
    assert 'unknown field "spec.replcas"' in refused.stderr
    ours = shared.brickyard("apply", "-f", "-", check=False, stdin=manifest)
    assert ours.returncode != 0
    assert 'unknown field "spec.replcas"' in ours.stderr


def test_an_unmapped_image_says_what_to_add(shared: yards.Yard) -> None:
    manifest = HOST.format(name="stranger", code="pass").replace("brickyard/host", "example.com/stranger:1")
    shared.kubectl("apply", "-f", "-", stdin=manifest)
    try:
        waiting = yards.until(lambda: waiting_state(shared, "stranger"), what="a waiting reason")
        assert waiting["reason"] == "ErrImageNeverPull"
        assert "example.com/stranger:1" in waiting["message"]
        assert "images.yaml" in waiting["message"]
        assert "ErrImageNeverPull" in shared.kubectl("get", "pod", "stranger").stdout
    finally:
        shared.kubectl("delete", "pod", "stranger")


def test_a_missing_model_file_says_which(shared: yards.Yard) -> None:
    manifest = yards.DEMO.read_text().split("---")[0].replace("smollm2", "lost").replace("replicas: 2", "replicas: 1")
    manifest = manifest.replace(yards.MODEL.replace("smollm2", "lost"), "/nowhere/model.gguf")
    shared.kubectl("apply", "-f", "-", stdin=manifest)
    try:
        pod = yards.until(lambda: shared.objects("pods", "model.aibrix.ai/name=lost"))[0]["metadata"]["name"]
        waiting = yards.until(lambda: waiting_state(shared, pod), what="a waiting reason")
        assert "/nowhere/model.gguf" in waiting["message"]
    finally:
        shared.kubectl("delete", "deployment", "lost")
        yards.until(lambda: not shared.objects("pods", "model.aibrix.ai/name=lost"), what="its pod goes with it")


def waiting_state(yard: yards.Yard, pod: str) -> dict[str, str] | None:
    found = json.loads(yard.kubectl("get", "pod", pod, "-o", "json").stdout)
    statuses = found.get("status", {}).get("containerStatuses") or []
    waiting: dict[str, str] | None = statuses[0]["state"].get("waiting") if statuses else None
    return waiting if waiting and waiting.get("message") else None


def test_a_crashing_container_backs_off_and_shows_why(shared: yards.Yard) -> None:
    manifest = HOST.format(name="crasher", code="import sys; print('no luck'); sys.exit(3)")
    shared.kubectl("apply", "-f", "-", stdin=manifest)
    try:
        yards.until(
            lambda: "CrashLoopBackOff" in shared.kubectl("get", "pod", "crasher").stdout, what="CrashLoopBackOff"
        )
        described = shared.kubectl("describe", "pod", "crasher").stdout
        assert "Exit Code:    3" in described
        assert "no luck" in shared.kubectl("logs", "crasher", "--previous", check=False).stdout + described
    finally:
        began = time.monotonic()
        shared.kubectl("delete", "pod", "crasher")
        assert time.monotonic() - began < 10
