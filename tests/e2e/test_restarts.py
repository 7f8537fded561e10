"""What stays when everything ends: objects and data. What does not: processes, also those whose numbers belong to others by now."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
from typing import Any

import openai
import psutil
import pytest
from tests.e2e import yard as yards

from brickyard.embedded.kubelet import views

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(not views.survey([]).mounts, reason="this machine allows no mount namespaces"),
]

STATE = """\
apiVersion: v1
kind: Secret
metadata: {name: mark}
stringData: {word: kiln}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: brickyard/host
          env: [{name: WORD, valueFrom: {secretKeyRef: {name: mark, key: word}}}]
          command: [sh, -c, "echo $WORD >> /data/starts; exec sleep 600"]
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: once}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: brickyard/host
          command: [sh, -c, "echo ran >> /data/runs"]
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: once}}]
"""
KINDS = "deployments,replicasets,statefulsets,jobs,secrets,services,persistentvolumeclaims,persistentvolumes"


def identities(yard: yards.Yard, kinds: str) -> dict[tuple[str, str], str]:
    """(kind, name) → uid."""
    return {(each["kind"], each["metadata"]["name"]): each["metadata"]["uid"] for each in yard.objects(kinds)}


def written(yard: yards.Yard, name: str) -> list[str]:
    """The lines of the one file of this name on any volume."""
    (file,) = (yard.path / "volumes").rglob(name)
    return file.read_text().splitlines()


def database(yard: yards.Yard) -> dict[str, Any]:
    (pod,) = yard.objects("pods", "app=db")
    return pod


def restarts(yard: yards.Yard) -> int:
    states = database(yard)["status"].get("containerStatuses") or [{"restartCount": -1, "ready": False}]
    return int(states[0]["restartCount"]) if states[0]["ready"] else -1


def answers(yard: yards.Yard) -> bool:
    with openai.OpenAI(base_url=f"{yard.gateway}/v1", api_key="unused", max_retries=0, timeout=5) as ai:
        try:
            return bool(ai.completions.create(model="brick", prompt="a", max_tokens=2).choices)
        except openai.APIError:
            return False


def power_off(yard: yards.Yard) -> None:
    """Everything ends at once, shims too, and nobody can write anything down."""
    doomed = [yard.part("up"), *yard.processes()]
    engines = [each for each in doomed if "brickyard.cli.main" not in " ".join(each.cmdline())]
    shims = [parent for each in engines if (parent := each.parent()) is not None and parent.pid != 1]
    for each in [*shims, *doomed]:
        each.suspend()
    for each in [*shims, *doomed]:
        each.kill()
    psutil.wait_procs([*shims, *doomed], timeout=10)
    assert yard.processes() == []


def reboot(yard: yards.Yard, stranger: psutil.Process) -> None:
    """The records are of another boot, and the number that the database had is the stranger's in this one."""
    for path in (yard.path / "pods").glob("*/record.json"):
        record = json.loads(path.read_text())
        assert record["boot"] == pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        record["boot"] = "0" * 8
        if record["pod"]["metadata"]["name"] == "db-0":
            known = record["containers"]["main"]
            start = pathlib.Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19]
            known["process"] = known["shim"] = {"pid": stranger.pid, "start_time": int(start)}
            known["memory"]["container_id"] = f"process://{stranger.pid}-{start}"
        path.write_text(json.dumps(record))


def test_down_and_up_and_power_off_and_up(yard: yards.Yard) -> None:
    yard.kubectl("apply", "-f", "-", stdin=STATE)
    yard.brickyard("serve", "brick", "--engine", "sim")
    yard.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    yard.kubectl("wait", "--for=condition=Complete", "job/once", "--timeout=60s")
    assert (written(yard, "starts"), written(yard, "runs")) == (["kiln"], ["ran"])
    objects, pod = identities(yard, KINDS), database(yard)["metadata"]["uid"]

    yard.down()
    assert yard.processes() == []
    yard.up()
    yards.until(lambda: restarts(yard) == 1, what="the same pod runs again")
    yards.until(lambda: answers(yard), what="the model answers again")
    assert written(yard, "starts") == ["kiln"] * 2

    power_off(yard)
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as bystander:
        try:
            reboot(yard, psutil.Process(bystander.pid))
            yard.up()
            yards.until(lambda: restarts(yard) == 2, what="the same pod runs again, one start later")
            yards.until(lambda: answers(yard), what="the model answers again")
            assert bystander.poll() is None, "whose number it is now has nothing to do with the container"
        finally:
            os.killpg(bystander.pid, signal.SIGKILL)
    assert written(yard, "starts") == ["kiln"] * 3
    assert written(yard, "runs") == ["ran"], "what is complete does not run again"
    assert identities(yard, KINDS) == objects
    assert database(yard)["metadata"]["uid"] == pod
    last = database(yard)["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 137
    assert last["reason"] == "ContainerStatusUnknown"
