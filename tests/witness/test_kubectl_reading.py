"""kubectl reads: discovery, every output form, selection, watching, describing, explaining."""

from __future__ import annotations

import itertools
import json

import pytest
import yaml
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

Kubectl = clusters.Kubectl


def pods(kubectl: Kubectl) -> None:
    """Three pods, two of them alike."""
    documents = [
        manifests.pod("a", labels="app: x, tier: front"),
        manifests.pod("b", labels="app: x, tier: back", image="example/image:2"),
        manifests.pod("c", labels="app: z"),
    ]
    kubectl.apply("---\n".join(documents))


def test_what_there_is(kubectl: Kubectl) -> None:
    header, *rows = kubectl("api-resources", "-o", "wide").rows
    assert header == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND", "VERBS", "CATEGORIES"]
    verbs = "create,delete,deletecollection,get,list,patch,update,watch"
    assert ["pods", "po", "v1", "true", "Pod", verbs, "all"] in rows
    assert ["namespaces", "ns", "v1", "false", "Namespace", verbs] in rows
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment", verbs, "all"] in rows
    assert ["leases", "coordination.k8s.io/v1", "true", "Lease", verbs] in rows
    cluster_wide = kubectl("api-resources", "--namespaced=false", "-o", "name").out.split()
    assert "nodes" in cluster_wide
    assert "pods" not in cluster_wide
    grouped = kubectl("api-resources", "--api-group=apps", "-o", "name").out.split()
    assert {"deployments.apps", "replicasets.apps"} <= set(grouped)
    assert all(name.endswith(".apps") for name in grouped)
    kinds = kubectl(
        "api-resources", "--verbs=list,watch", "--categories=all", "--sort-by=name", "-o", "name"
    ).out.split()
    assert kinds == sorted(kinds)
    assert {"v1", "apps/v1", "autoscaling.aibrix.ai/v1alpha1"} <= set(kubectl.says("api-versions").split())


def test_who_and_where(kubectl: Kubectl, cluster: clusters.Cluster) -> None:
    assert f"is running at {cluster.url}" in kubectl.says("cluster-info").replace("\x1b[0;33m", "").replace(
        "\x1b[0m", ""
    )
    assert json.loads(kubectl.says("version", "-o", "json"))["serverVersion"]["gitVersion"].startswith("v1.")
    assert kubectl.says("get", "--raw", "/readyz") == "ok"
    assert json.loads(kubectl.says("get", "--raw", "/apis/apps/v1"))["kind"] == "APIResourceList"
    assert "NotFound" in kubectl.refused("get", "--raw", "/apis/nobody.example.com/v1")
    assert kubectl.says("auth", "can-i", "create", "deployments") == "yes\n"
    assert json.loads(kubectl.says("auth", "whoami", "-o", "json"))["status"]["userInfo"]["groups"]
    viewed = yaml.safe_load(kubectl.says("config", "view"))
    assert viewed["clusters"][0]["cluster"]["server"] == cluster.url
    assert cluster.kubeconfig.read_text() not in kubectl.says("config", "view")
    assert kubectl.says("config", "current-context").strip() == viewed["current-context"]


def test_tables(kubectl: Kubectl) -> None:
    pods(kubectl)
    header, *rows = kubectl("get", "pods").rows
    assert header == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert [row[:4] for row in rows] == [[name, "0/1", "Pending", "0"] for name in "abc"]
    wide = kubectl("get", "po", "-o", "wide").rows
    assert wide[0] == [*header, "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert kubectl("get", "pods", "-L", "tier", "-l", "app=x").rows[1][-1] == "front"
    assert "app=z" in kubectl.says("get", "pod", "c", "--show-labels", "--no-headers")
    assert kubectl("get", "po", "--show-kind", "--no-headers").rows[0][0] == "pod/a"
    everywhere = kubectl("get", "pods", "-A", "--field-selector", f"metadata.namespace={kubectl.namespace}").rows
    assert [row[:2] for row in everywhere] == [["NAMESPACE", "NAME"], *([kubectl.namespace, name] for name in "abc")]
    many = kubectl.says("get", "pods,services,configmaps", "--no-headers", "-o", "name").split()
    assert many == ["pod/a", "pod/b", "pod/c", "configmap/kube-root-ca.crt"]
    assert kubectl("get", "services").err == f"No resources found in {kubectl.namespace} namespace.\n"


def test_objects_in_every_form(kubectl: Kubectl) -> None:
    pods(kubectl)
    listed = kubectl.object("pods")
    assert (listed["kind"], [each["metadata"]["name"] for each in listed["items"]]) == ("List", ["a", "b", "c"])
    single = yaml.safe_load(kubectl.says("get", "pod", "a", "-o", "yaml"))
    assert single == listed["items"][0]
    assert kubectl.says("get", "pods", "-o", "name").split() == ["pod/a", "pod/b", "pod/c"]
    images = "{range .items[*]}{.metadata.name}={.spec.containers[0].image} {end}"
    assert (
        kubectl.says("get", "pods", "-l", "app=x", "-o", f"jsonpath={images}") == "a=example/image:1 b=example/image:2 "
    )
    assert json.loads(kubectl.says("get", "pod", "a", "-o", "jsonpath-as-json={.spec.containers[0].name}")) == ["main"]
    columns = "custom-columns=NAME:.metadata.name,TIER:.metadata.labels.tier"
    assert kubectl("get", "pods", "-o", columns).rows == [
        ["NAME", "TIER"],
        ["a", "front"],
        ["b", "back"],
        ["c", "<none>"],
    ]
    template = "{{range .items}}{{.metadata.name}}:{{.status.phase}};{{end}}"
    assert kubectl.says("get", "pods", "-o", f"go-template={template}") == "a:Pending;b:Pending;c:Pending;"
    assert "managedFields" in kubectl.says("get", "pod", "a", "-o", "yaml", "--show-managed-fields")
    assert "managedFields" not in single["metadata"]


def test_kyaml_is_yaml(kubectl: Kubectl) -> None:
    pods(kubectl)
    assert yaml.safe_load(kubectl.says("get", "pod", "a", "-o", "kyaml"))["metadata"]["name"] == "a"


def test_order_and_pages(kubectl: Kubectl) -> None:
    pods(kubectl)
    by_image = kubectl("get", "pods", "--sort-by=.spec.containers[0].image", "--no-headers").rows
    assert [row[0] for row in by_image][-1] == "b"
    assert [row[0] for row in kubectl("get", "pods", "--sort-by={.metadata.name}", "--no-headers").rows] == [
        "a",
        "b",
        "c",
    ]
    paged = kubectl("get", "pods", "--chunk-size=1", "-v=6", "--no-headers")
    assert [row[0] for row in paged.rows] == ["a", "b", "c"]
    assert sum("limit=1" in line and "200 OK" in line for line in paged.err.splitlines()) == 3


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["-l", "app=x"], ["a", "b"]),
        (["-l", "app==x,tier!=back"], ["a"]),
        (["-l", "app in (x, z),tier"], ["a", "b"]),
        (["-l", "!tier"], ["c"]),
        (["-l", "tier notin (front)"], ["b", "c"]),
        (["--field-selector", "metadata.name=b"], ["b"]),
        (["--field-selector", "metadata.name!=b,status.phase=Pending"], ["a", "c"]),
        (["--field-selector", "status.phase=Running"], []),
        (["-l", "app=x", "--field-selector", "metadata.name!=a"], ["b"]),
    ],
)
def test_selection(cluster: clusters.Cluster, flags: list[str], names: list[str]) -> None:
    kubectl = cluster.kubectl("selection")
    if kubectl("get", "namespace", "selection").code:
        kubectl.says("create", "namespace", "selection")
        pods(kubectl)
    assert kubectl.says("get", "pods", *flags, "-o", "name").split() == [f"pod/{name}" for name in names]


def test_selectors_that_mean_nothing_are_refused(kubectl: Kubectl) -> None:
    assert "field label not supported: spec.nobody" in kubectl.refused(
        "get", "pods", "--field-selector", "spec.nobody=1"
    )
    assert "unable to parse requirement" in kubectl.refused("get", "pods", "-l", "a in b")
    assert kubectl.refused("get", "pod", "nobody") == 'Error from server (NotFound): pods "nobody" not found\n'
    assert kubectl("get", "pod", "nobody", "--ignore-not-found") == clusters.Result(0, "", "")
    assert 'the server doesn\'t have a resource type "nonsense"' in kubectl.refused("get", "nonsense")


def test_watching_a_table(kubectl: Kubectl) -> None:
    pods(kubectl)
    with kubectl.started("get", "pods", "-w", "--no-headers") as watching:
        assert [line.split()[0] for line in clusters.lines(watching, 3)] == ["a", "b", "c"]
        kubectl.says(
            "patch", "pod", "b", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Running"}}'
        )
        assert clusters.lines(watching, 1)[0].split()[:3] == ["b", "0/1", "Running"]


def test_watching_what_happens_to_one_object(kubectl: Kubectl) -> None:
    pods(kubectl)
    with kubectl.started(
        "get", "pod", "a", "--watch-only", "-o", "jsonpath={.metadata.name} {.metadata.labels.n}{'\\n'}"
    ) as watching:
        # It says nothing when it begins, so things are made to happen until one is told of.
        numbers = itertools.count()
        for number in numbers:
            kubectl.says("label", "pod", "a", "b", f"n={number}", "--overwrite")
            if clusters.has_said(watching):
                break
        name, seen = clusters.lines(watching, 1)[0].split()
    assert name == "a"
    assert int(seen) <= number


def test_watch_events_in_order(kubectl: Kubectl) -> None:
    with kubectl.started("get", "configmaps", "-w", "--output-watch-events", "-l", "seen") as watching:
        kubectl.says("create", "configmap", "first")
        kubectl.says("label", "configmap", "first", "seen=once")
        told = clusters.lines(watching, 2)
        assert told[0].split() == ["EVENT", "NAME", "DATA", "AGE"]
        assert told[1].split()[:2] == ["ADDED", "first"]
        kubectl.says("patch", "configmap", "first", "-p", '{"data":{"k":"v"}}')
        kubectl.says("label", "configmap", "first", "seen-")
        changed, left = clusters.lines(watching, 2)
    assert changed.split()[:3] == ["MODIFIED", "first", "1"]
    assert left.split()[:2] == ["DELETED", "first"]


@pytest.mark.parametrize(
    ("kind", "manifest", "words"),
    [
        ("pod/a", manifests.pod("a"), ["Containers:", "Status:           Pending", "Image:        example/image:1"]),
        (
            "deployment/web",
            manifests.WEB,
            ["2 desired | 0 updated", "StrategyType:           RollingUpdate", "Pod Template:"],
        ),
        ("service/web", manifests.SERVICE, ["Type:", "ClusterIP", "TargetPort:", "80/TCP"]),
        ("configmap/settings", manifests.SETTINGS, ["Data\n====\na:\n----\n1"]),
    ],
)
def test_describe(kubectl: Kubectl, kind: str, manifest: str, words: list[str]) -> None:
    kubectl.apply(manifest)
    told = kubectl.says("describe", kind)
    assert "Namespace:" in told
    for word in words:
        assert word in told


def test_describe_shows_events(kubectl: Kubectl) -> None:
    kubectl.apply(manifests.pod("a"))
    uid = kubectl.path("pod/a", ".metadata.uid")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a.1", "namespace": kubectl.namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "a", "namespace": kubectl.namespace, "uid": uid},
        "type": "Warning",
        "reason": "Unlucky",
        "message": "there was no luck",
        "source": {"component": "tester"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 3,
    }
    kubectl.says("create", "-f", "-", stdin=json.dumps(event))
    assert "there was no luck" in kubectl.says("describe", "pod", "a")
    (row,) = kubectl("events", "--for", "pod/a", "--no-headers").rows
    assert (row[0].split("(")[0] != "", "Unlucky" in row, "Pod/a" in row) == (True, True, True)
    assert kubectl("events", "--types=Normal").rows[1:] == []
    assert "Unlucky" in kubectl.says("get", "events", "--field-selector", "involvedObject.name=a,type=Warning")


@pytest.mark.parametrize(
    "kind",
    [
        "namespace/default",
        "serviceaccount/default",
        "storageclass",
        "clusterrole",
        "node",
        "crd/podautoscalers.autoscaling.aibrix.ai",
    ],
)
def test_describe_of_what_every_cluster_has(cluster: clusters.Cluster, kind: str) -> None:
    name = kind.partition("/")[2]
    told = cluster.kubectl().says("describe", kind)
    assert not name or name in told


def test_explain(kubectl: Kubectl) -> None:
    assert "Label selector for pods." in kubectl.says("explain", "deploy.spec.selector")
    tree = kubectl.says("explain", "pods", "--recursive")
    assert "containerPort\t<integer> -required-" in tree
    assert "VERSION:    v2" in kubectl.says("explain", "horizontalpodautoscalers", "--api-version=autoscaling/v2")
    teaches = kubectl.says("explain", "podautoscaler.spec.metricsSources")
    assert "metricsSources" in teaches
    assert "FIELDS:" in teaches
    assert 'field "nonsense" does not exist' in kubectl.refused("explain", "pods.spec.nonsense")


def test_nobody_acts_as_another(kubectl: Kubectl) -> None:
    assert "impersonation is not served" in kubectl.refused("get", "pods", "--as=nobody")
