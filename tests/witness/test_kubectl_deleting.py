"""kubectl deletes and waits: cascades, finalizers, selectors, namespaces, and every form of ``wait``."""

from __future__ import annotations

import json

import pytest
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

Kubectl = clusters.Kubectl


def family(kubectl: Kubectl, *, blocking: bool = False) -> None:
    """A ConfigMap that owns another, which owns a third. ``blocking`` owners wait for what they own, when asked to."""
    kubectl.says("create", "configmap", "parent")
    for owner, name in (("parent", "child"), ("child", "grandchild")):
        uid = kubectl.path(f"cm/{owner}", ".metadata.uid")
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid, "blockOwnerDeletion": blocking}
        metadata = {"name": name, "ownerReferences": [reference]}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        kubectl.says("create", "-f", "-", stdin=json.dumps(body))


def left(kubectl: Kubectl) -> set[str]:
    return set(kubectl.says("get", "cm", "-o", "name").split()) - {"configmap/kube-root-ca.crt"}


def test_background(kubectl: Kubectl) -> None:
    family(kubectl)
    told = kubectl.says("delete", "cm", "parent")
    assert told == f'configmap "parent" deleted from {kubectl.namespace} namespace\n'
    kubectl.says("wait", "--for=delete", "cm/grandchild", "--timeout=20s")
    assert left(kubectl) == set()


def test_foreground(kubectl: Kubectl) -> None:
    family(kubectl, blocking=True)
    kubectl.says("patch", "cm", "grandchild", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    kubectl.says("delete", "cm", "parent", "--cascade=foreground", "--wait=false")
    clusters.until(lambda: kubectl.path("cm/grandchild", ".metadata.deletionTimestamp"), "the grandchild is told to go")
    assert left(kubectl) == {"configmap/parent", "configmap/child", "configmap/grandchild"}
    assert kubectl.path("cm/parent", ".metadata.finalizers") == '["foregroundDeletion"]'
    kubectl.says("patch", "cm", "grandchild", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl.says("wait", "--for=delete", "cm/parent", "--timeout=20s")
    assert left(kubectl) == set()


def test_orphan(kubectl: Kubectl) -> None:
    family(kubectl)
    kubectl.says("delete", "cm", "parent", "--cascade=orphan")
    assert left(kubectl) == {"configmap/child", "configmap/grandchild"}
    assert kubectl.path("cm/child", ".metadata.ownerReferences") == ""
    assert kubectl.path("cm/grandchild", ".metadata.ownerReferences") != ""


def test_by_selector_by_name_and_all(kubectl: Kubectl) -> None:
    kubectl.apply("---\n".join(manifests.pod(name, labels=f"who: {name}") for name in ("a", "b", "c", "d")))
    kubectl.says("delete", "pods", "-l", "who in (a, b)")
    assert kubectl.says("get", "pods", "-o", "name").split() == ["pod/c", "pod/d"]
    assert "NotFound" in kubectl.refused("delete", "pod", "a")
    assert kubectl("delete", "pod", "a", "--ignore-not-found").code == 0
    kubectl.says("delete", "pod", "c", "--force", "--grace-period=0")
    kubectl.says("delete", "pods", "--all")
    assert kubectl.says("get", "pods", "-o", "name") == ""


def test_a_pod_of_a_node_goes_when_its_node_says_so(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a").replace("spec: {", "spec: {nodeName: nobody, "))
    kubectl.says("delete", "pod", "a", "--wait=false")
    assert kubectl.path("pod/a", ".metadata.deletionGracePeriodSeconds") == "30"
    assert kubectl("get", "pod", "a", "--no-headers").rows[0][2] == "Terminating"
    kubectl.says("delete", "pod", "a", "--now", "--wait=false")
    assert kubectl.path("pod/a", ".metadata.deletionGracePeriodSeconds") == "1"
    kubectl.says("delete", "pod", "a", "--force", "--grace-period=0")
    assert kubectl("get", "pod", "a").code == 1


def test_finalizers_hold(kubectl: Kubectl) -> None:
    kubectl.says("create", "configmap", "held")
    kubectl.says("patch", "cm", "held", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    assert "timed out waiting" in kubectl.refused("delete", "cm", "held", "--timeout=1s")
    assert kubectl.path("cm/held", ".metadata.deletionTimestamp") != ""
    refused = kubectl.refused("patch", "cm", "held", "-p", '{"metadata":{"finalizers":["example.com/more"]}}')
    assert "no new finalizers can be added if the object is being deleted" in refused
    kubectl.says("patch", "cm", "held", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
    assert kubectl("get", "cm", "held").code == 1


def test_a_namespace_takes_everything_with_it(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.ALL)
    kubectl.says("patch", "cm", "settings", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    kubectl.says("delete", "namespace", kubectl.namespace, "--wait=false")
    assert kubectl.path(f"namespace/{kubectl.namespace}", ".status.phase") == "Terminating"
    assert "because it is being terminated" in kubectl.refused("create", "configmap", "late")
    clusters.until(lambda: kubectl("get", "deploy,svc", "-o", "name").out == "", "the rest is gone")
    kubectl.says("patch", "cm", "settings", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    kubectl.says("wait", "--for=delete", f"namespace/{kubectl.namespace}", "--timeout=20s")
    assert f'namespaces "{kubectl.namespace}" not found' in kubectl.refused("create", "configmap", "later")


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_namespaces_that_must_be_are_kept(cluster: clusters.Cluster, name: str) -> None:
    assert "Forbidden" in cluster.kubectl().refused("delete", "namespace", name)


def test_wait_for_a_condition(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a"))
    assert "timed out waiting for the condition on pods/a" in kubectl.refused(
        "wait", "--for=condition=Ready", "pod/a", "--timeout=1s"
    )
    with kubectl.started("wait", "--for=condition=Ready", "pod/a", "--timeout=30s") as waiting:
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        kubectl.says("patch", "pod", "a", "--subresource=status", "-p", json.dumps(status))
        assert clusters.lines(waiting, 1) == ["pod/a condition met"]
    kubectl.says("wait", "--for=condition=Ready=true", "pods", "--all", "--timeout=5s")


def test_wait_for_a_value(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a"))
    with kubectl.started("wait", "--for=jsonpath={.status.phase}=Running", "pod/a", "--timeout=30s") as waiting:
        kubectl.says("patch", "pod", "a", "--subresource=status", "-p", '{"status":{"phase":"Running"}}')
        assert clusters.lines(waiting, 1) == ["pod/a condition met"]


def test_wait_for_a_birth(kubectl: Kubectl) -> None:
    with kubectl.started("wait", "--for=create", "cm/late", "--timeout=30s") as waiting:
        kubectl.says("create", "configmap", "late")
        assert clusters.lines(waiting, 1) == ["configmap/late condition met"]


def test_wait_for_an_end(kubectl: Kubectl) -> None:
    kubectl.says("create", "configmap", "short")
    kubectl.says("patch", "cm", "short", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}')
    with kubectl.started("wait", "--for=delete", "cm/short", "--timeout=30s") as waiting:
        kubectl.says("delete", "cm", "short", "--wait=false")
        kubectl.says("patch", "cm", "short", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
        assert clusters.lines(waiting, 1) == ["configmap/short condition met"]


def test_unserved_commands_fail_and_say_so(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a").replace("spec: {", "spec: {nodeName: nobody, "))
    running = '{"status":{"phase":"Running","containerStatuses":[]}}'
    kubectl.says("patch", "pod", "a", "--subresource=status", "--type=merge", "-p", running)
    for words in (("exec", "a", "--", "ls"), ("attach", "a"), ("port-forward", "pod/a", "0:80"), ("logs", "a")):
        result = kubectl(*words)
        assert result.code != 0, words
        assert result.err, words
    assert kubectl("top", "pods").code == 1
