"""Volumes and names of a whole machine: what is written stays, whatever dies, and Services are found by name."""

from __future__ import annotations

import signal

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
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: http, port: 8000}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: db}, ports: [{name: http, port: 8080, targetPort: 8000}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {motd: hello}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: brickyard/host
          workingDir: /data
          command: [sh, -c, "echo $HOSTNAME >> who; exec python3 -m http.server --bind $BRICKYARD_POD_IP 8000"]
          readinessProbe: {httpGet: {path: /who, port: 8000}, periodSeconds: 1}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: conf, mountPath: /etc/conf, readOnly: true}
      volumes: [{name: conf, configMap: {name: conf}}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: asker}
spec:
  selector: {matchLabels: {app: asker}}
  template:
    metadata: {labels: {app: asker}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: brickyard/host, command: [sleep, "600"]}]
"""
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"


def asked(yard: yards.Yard, url: str) -> str:
    """What a container gets for ``url``."""
    done = yard.kubectl("exec", "ds/asker", "--", "python3", "-c", ASK, url, check=False)
    return done.stdout.strip()


def test_state_and_names(yard: yards.Yard) -> None:
    yard.kubectl("apply", "-f", "-", stdin=STATE)
    yard.kubectl("rollout", "status", "statefulset/db", "--timeout=60s")
    yard.kubectl("rollout", "status", "daemonset/asker", "--timeout=60s")
    assert yard.kubectl("exec", "db-0", "--", "cat", "/data/who", "/etc/conf/motd").stdout == "db-0\nhello"
    assert "Read-only" in yard.kubectl("exec", "db-0", "--", "touch", "/etc/conf/x", check=False).stderr

    # Names: of the Service, of a pod behind the headless one, and by the node's port.
    yards.until(lambda: asked(yard, "http://web:8080/who").startswith("db-"), what="web")
    assert asked(yard, "http://web.default.svc.cluster.local:8080/who").startswith("db-")
    yards.until(lambda: asked(yard, "http://db-1.db:8000/who") == "db-1", what="db-1.db")

    # A pod that dies, and then the machine's process: the data stays.
    yard.kubectl("delete", "pod", "db-0", "--wait=true")
    yards.until(lambda: yard.kubectl("get", "pod", "db-0", check=False).returncode == 0)
    yard.kubectl("wait", "--for=condition=Ready", "pod/db-0", "--timeout=60s")
    assert yard.kubectl("exec", "db-0", "--", "cat", "/data/who").stdout == "db-0\ndb-0\n"
    yard.part("machine").send_signal(signal.SIGKILL)
    yards.until(lambda: asked(yard, "http://db-0.db:8000/who") == "db-0\ndb-0", what="the machine is back")

    # All of it goes: claims with their volumes, volumes with their folders.
    yard.kubectl("delete", "statefulset/db", "daemonset/asker", "--timeout=60s")
    yard.kubectl("delete", "pvc", "--all", "--timeout=60s")
    yards.until(lambda: not yard.objects("persistentvolumes"), what="volumes are gone")
    assert list((yard.path / "volumes").iterdir()) == []
