"""A real kopf operator with a kind of its own: handled, handled again after the API server was killed, and let go."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

OPERATOR = pathlib.Path(__file__).with_name("operator_of_toys.py")
GROUP = "toys.example.com"
GADGETS = f"gadgets.{GROUP}"


@contextlib.contextmanager
def operating(cluster: clusters.Cluster) -> Iterator[subprocess.Popen[bytes]]:
    """The operator while the block runs; it ends politely."""
    log = cluster.path / "operator.log"
    command = [str(clusters.BIN / "kopf"), "run", "--verbose", "--all-namespaces", "--standalone", str(OPERATOR)]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "TOYS_GROUP": GROUP}
    with log.open("ab") as written:
        process = subprocess.Popen(command, env=environment, stdout=written, stderr=written)
    try:
        yield process
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_an_operator_lives_through_a_crash(tmp_path: pathlib.Path) -> None:
    with clusters.running(tmp_path) as cluster:
        kubectl = cluster.kubectl()
        kubectl.apply(manifests.gadgets(GROUP))
        kubectl.says("wait", "--for=condition=Established", f"crd/{GADGETS}", "--timeout=10s")
        # Kept whole, the operator's notes in status would be pruned.
        free = [
            {
                "op": "add",
                "path": "/spec/versions/0/schema/openAPIV3Schema/properties/status/x-kubernetes-preserve-unknown-fields",
                "value": True,
            }
        ]
        kubectl.says("patch", "crd", GADGETS, "--type=json", "-p", json.dumps(free))
        kubectl.apply(manifests.gadget(GROUP, "early"))
        with operating(cluster):
            status = handled(kubectl, "early", "created")
            assert status["created"] == {"made": "of-early"}
            assert kubectl.path("cm/of-early", ".data.size") == "3"
            finalizers = kubectl.path(f"{GADGETS}/early", ".metadata.finalizers")
            assert "kopf" in finalizers
            assert "kopf.zalando.org/last-handled-configuration" in kubectl.path(
                f"{GADGETS}/early", ".metadata.annotations"
            )
            clusters.until(lambda: "Made" in kubectl("events", "--for", f"{GADGETS}/early").out, "an event")

            kubectl.says("patch", GADGETS, "early", "--type=merge", "-p", '{"spec":{"size":5}}')
            assert handled(kubectl, "early", "resized/spec.size")["resized/spec.size"] == {"from": 3, "to": 5}
            assert kubectl.path("cm/of-early", ".data.size") == "5"

            cluster.kill()
            cluster.start()

            kubectl.apply(manifests.gadget(GROUP, "late"))
            assert handled(kubectl, "late", "created")["created"] == {"made": "of-late"}
            kubectl.says("delete", GADGETS, "early", "--timeout=20s")
            gone = {"configmap/of-early", "configmap/free-of-early"}
            clusters.until(lambda: not gone & set(kubectl.says("get", "cm", "-o", "name").split()), "nothing is left")
            clusters.until(lambda: kubectl.path(f"{GADGETS}/late", ".status.selector"), "the timer ticks")
        # Without its operator nobody takes the finalizer away.
        kubectl.says("delete", GADGETS, "late", "--wait=false")
        assert kubectl.path(f"{GADGETS}/late", ".metadata.deletionTimestamp") != ""
        with operating(cluster):
            kubectl.says("wait", "--for=delete", f"{GADGETS}/late", "--timeout=20s")


def handled(kubectl: clusters.Kubectl, name: str, handler: str) -> dict[str, Any]:
    """The status once ``handler`` has left its result there."""

    def look() -> dict[str, Any] | None:
        status: dict[str, Any] = kubectl.object(GADGETS, name).get("status") or {}
        return status if handler in status else None

    found: dict[str, Any] = clusters.until(look, f"{handler} of {name} was handled", within=30.0)
    return found
