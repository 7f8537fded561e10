"""The roles of ``deploy/controllers`` are what the controllers need in a cluster, and nothing more.

The embedded API server enforces no roles, so the client does it here: it refuses what the manifest does not allow, as Kubernetes would,
and notes what it allowed. A run that meets every kind of target and every source of metrics must meet no refusal and leave no rule unused.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import urllib.parse
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import httpx2
import pytest
import yaml

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.assembly import controllers
from brickyard.controllers.podautoscaler import testing
from brickyard.embedded.apiserver import testing as servers
from brickyard.embedded.builtin import testing as builtin
from brickyard.kube.client import contract, errors, rest

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy" / "controllers"
DEADLINE = 30.0
SCALER = resources.POD_AUTOSCALER
SHED = resources.ResourceType("example.dev", "v1", "sheds", "Shed")
HEAD = {"rayStartParams": {}, "template": {"spec": {"containers": [{"name": "ray"}]}}}
LIST = "where the API does not stream lists"
RARE = {
    ("autoscaling.aibrix.ai", "podautoscalers", "get"): "after a conflict of two writers of one status",
    ("autoscaling.aibrix.ai", "podautoscalers/finalizers", "update"): "no request: where owners are checked",
    ("", "pods", "list"): LIST,
    ("autoscaling", "horizontalpodautoscalers", "list"): LIST,
    ("", "events", "patch"): "when the same event is told again, minutes later",
}


class Request(NamedTuple):
    """What a request asks of whom, as Kubernetes' authorizers see it."""

    group: str
    resource: str
    verb: str
    namespace: str
    name: str


VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
APPLY = contract.PatchKind.APPLY.value


def asked(method: str, url: str, media_type: str = "") -> Iterator[Request]:
    """The rights that a request takes; none for what everybody may read."""
    parsed = urllib.parse.urlsplit(url)
    root, *parts = parsed.path.strip("/").split("/")
    group, parts = ("", parts[1:]) if root == "api" else (parts[0], parts[2:])
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts:
        return
    resource, name, subresource = (*parts, "", "")[:3]
    resource += f"/{subresource}" if subresource else ""
    verb = VERBS.get(method, "get" if name else "list")
    if "watch=true" in parsed.query:
        verb = "watch"
    yield Request(group, resource, verb, namespace, name)
    if media_type == APPLY:
        yield Request(group, resource, "create", namespace, name)


def covers(rule: Mapping[str, Any], request: Request) -> bool:
    """Whether an RBAC rule allows ``request``."""
    names_ = rule.get("resourceNames")
    return (
        (request.group in rule["apiGroups"] or "*" in rule["apiGroups"])
        and any(_means(each, request.resource) for each in rule["resources"])
        and request.verb in rule["verbs"]
        and (names_ is None or request.name in names_)
    )


def _means(written: str, resource: str) -> bool:
    if written.startswith("*/"):
        return resource.partition("/")[2] == written[2:]
    return written in ("*", resource)


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def roles(kind: str) -> Sequence[Mapping[str, Any]]:
    return [rule for each in documents("rbac.yaml") if each["kind"] == kind for rule in each["rules"]]


class Guarded(rest.RestClient):
    """Asks for what the manifest's roles allow; everything else is refused, and kept in ``refused``."""

    allowed: set[Request]
    refused: set[Request]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        for each in (self._calls, self._streams):
            each.event_hooks = {**each.event_hooks, "request": [self._judge]}

    async def _judge(self, request: httpx2.Request) -> None:
        for each in asked(request.method, str(request.url), request.headers.get("content-type", "")):
            own = roles("Role") if each.namespace == names.SYSTEM_NAMESPACE else []
            if any(covers(rule, each) for rule in (*roles("ClusterRole"), *own)):
                self.allowed.add(each)
            else:
                self.refused.add(each)
                raise errors.Forbidden(f"{each} is forbidden", reason="Forbidden")


# A cluster with every kind of target.


def shed_definition() -> resources.Object:
    number = {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": number, "status": number}}
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }
    words = {"plural": "sheds", "singular": "shed", "kind": "Shed", "listKind": "ShedList"}
    spec = {"group": SHED.group, "scope": "Namespaced", "names": words, "versions": [version]}
    return {"metadata": {"name": f"sheds.{SHED.group}"}, "spec": spec}


async def scaled(client: rest.RestClient, kind: resources.ResourceType, obj: resources.Object) -> None:
    """``obj``, and an autoscaler that wants two of it."""
    made = builtin.unstored(obj)
    name = made["metadata"]["name"]
    await client.create(kind, made)
    if "status" in obj:
        stored = await client.get(kind, name, "default")
        await client.update(kind, {**stored, "status": obj["status"]}, subresource="status")
    ref = testing.target(name, kind.kind, kind.api_version)
    await client.create(
        SCALER, builtin.unstored(testing.autoscaler(f"of-{kind.plural}", scaleTargetRef=ref, minReplicas=2))
    )


async def furnish(client: rest.RestClient) -> None:
    for plain, kind in (
        (builtin.deployment("web", 1), resources.DEPLOYMENT),
        (builtin.stateful_set("web", 1), resources.STATEFUL_SET),
        (builtin.replica_set("web", 1), resources.REPLICA_SET),
    ):
        await scaled(client, kind, plain)
    shed = {"metadata": testing.metadata("web"), "spec": {"replicas": 1}, "status": {"selector": "app=shed"}}
    await scaled(client, SHED, {"apiVersion": SHED.api_version, "kind": SHED.kind, **shed})
    fleet = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "fleet"}},
        "template": {"spec": {"headGroupSpec": HEAD}},
    }
    await scaled(client, resources.RAY_CLUSTER_FLEET, {"metadata": testing.metadata("web"), "spec": fleet})
    await scaled(client, resources.STORM_SERVICE, testing.storm_service("web", prefill=(1, 1)))
    await client.create(resources.STORM_SERVICE, builtin.unstored(testing.storm_service("pd", prefill=(1, 1))))
    ref = testing.target("pd", "StormService", resources.STORM_SERVICE.api_version)
    role: dict[str, Any] = {"subTargetSelector": {"roleName": "prefill"}, "minReplicas": 2, "scaleTargetRef": ref}
    await client.create(SCALER, builtin.unstored(testing.autoscaler("of-role", **role)))
    await client.create(resources.DEPLOYMENT, builtin.unstored(builtin.deployment("measured", 1)))
    metrics = [
        {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"},
        {"metricSourceType": "custom", "targetMetric": "queue", "targetValue": "5"},
        {"metricSourceType": "external", "targetMetric": "queue", "targetValue": "5"},
    ]
    measured = testing.autoscaler("measured", scaleTargetRef=testing.target("measured"), metricsSources=metrics)
    await client.create(SCALER, builtin.unstored(measured))
    await client.create(resources.DEPLOYMENT, builtin.unstored(builtin.deployment("delegated", 1)))
    hpa = testing.autoscaler("delegated", scaleTargetRef=testing.target("delegated"), scalingStrategy="HPA")
    await client.create(SCALER, builtin.unstored(hpa))


@contextlib.asynccontextmanager
async def working(kubeconfig: pathlib.Path, period: str = "0.3s") -> AsyncIterator[None]:
    """The controllers, as the Deployment starts them."""
    stop = asyncio.Event()
    said = controllers.Said(kubeconfig, metrics_address="127.0.0.1:0", probes_address="0", elect=True)
    given = controllers.load({"BRICKYARD_AUTOSCALER_PERIOD": period}, said)
    work = asyncio.create_task(controllers.serve(said, given, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(work, DEADLINE)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_every_right_is_used_and_none_is_missing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guarded, "allowed", set(), raising=False)
    monkeypatch.setattr(Guarded, "refused", set(), raising=False)
    async with (
        servers.running(tmp_path) as server,
        rest.RestClient.from_kubeconfig(server.kubeconfig) as client,
    ):
        await client.create(resources.CUSTOM_RESOURCE_DEFINITION, shed_definition())
        await furnish(client)
        monkeypatch.setattr(rest, "RestClient", Guarded)
        async with working(server.kubeconfig):
            await until(lambda: any(each.verb == "create" and each.group == "autoscaling" for each in Guarded.allowed))
            await client.patch(SCALER, ("default", "delegated"), {"spec": {"scalingStrategy": "KPA"}})
            wanted = [covering(rule) for rule in (*roles("ClusterRole"), *roles("Role"))]
            await until(lambda: Guarded.refused or all(each() for each in wanted))
    assert not Guarded.refused
    surplus = {right for rule in (*roles("ClusterRole"), *roles("Role")) for right in unused(rule)}
    assert surplus <= RARE.keys()


def unused(rule: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What ``rule`` allows and nobody asked for; of what it names by stars, one use is enough."""
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                one = {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
                if not any(covers(one, each) for each in Guarded.allowed):
                    yield group, resource, verb


def covering(rule: Mapping[str, Any]) -> Callable[[], bool]:
    return lambda: set(unused(rule)) <= RARE.keys()


# The rest of the manifests.


def test_the_manifests_belong_together() -> None:
    [deployment], [service] = documents("deployment.yaml"), documents("service.yaml")
    kinds = {each["kind"]: each for each in documents("rbac.yaml")}
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"] == service["spec"]["selector"]
    assert pod["spec"]["serviceAccountName"] == kinds["ServiceAccount"]["metadata"]["name"]
    ports = {each["name"] for each in pod["spec"]["containers"][0]["ports"]}
    assert ports == {"metrics", "probes"}
    assert service["spec"]["ports"][0]["targetPort"] in ports
    listed = documents("kustomization.yaml")[0]["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(each.name for each in DEPLOY.iterdir())
    lease = kinds["Role"]["rules"][1]["resourceNames"]
    assert lease == [controllers.LEASE.name]
    assert kinds["Role"]["metadata"]["namespace"] == controllers.LEASE.namespace
    for binding, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
        assert kinds[binding]["roleRef"]["name"] == kinds[role]["metadata"]["name"]
        assert kinds[binding]["subjects"][0]["name"] == kinds["ServiceAccount"]["metadata"]["name"]


@pytest.mark.slow
async def test_the_manifests_are_taken_as_they_are(tmp_path: pathlib.Path) -> None:
    async with servers.running(tmp_path) as server, rest.RestClient.from_kubeconfig(server.kubeconfig) as client:
        for name in documents("kustomization.yaml")[0]["resources"]:
            for each in documents(name):
                group, _, version = each["apiVersion"].rpartition("/")
                kind = next(
                    found
                    for found in vars(resources).values()
                    if isinstance(found, resources.ResourceType) and (found.group, found.kind) == (group, each["kind"])
                )
                assert kind.version == version
                await client.apply(kind, each, contract.ApplyOptions())


@pytest.mark.parametrize(
    ("method", "url", "right"),
    [
        ("GET", "https://h/api/v1/pods?watch=true", ("", "pods", "watch", "", "")),
        ("GET", "https://h/apis/apps/v1/namespaces/a/deployments/b", ("apps", "deployments", "get", "a", "b")),
        ("PUT", "https://h/apis/g/v1/namespaces/a/x/b/scale", ("g", "x/scale", "update", "a", "b")),
        ("POST", "https://h/api/v1/namespaces/a/events", ("", "events", "create", "a", "")),
        ("GET", "https://h/apis/metrics.k8s.io/v1/namespaces/a/pods", ("metrics.k8s.io", "pods", "list", "a", "")),
    ],
)
def test_rights_that_requests_take(method: str, url: str, right: tuple[str, ...]) -> None:
    assert list(asked(method, url)) == [Request(*right)]


def test_applying_takes_two_rights_and_looking_around_none() -> None:
    assert [each.verb for each in asked("PATCH", "https://h/api/v1/namespaces/a/x/b", APPLY)] == ["patch", "create"]
    assert list(asked("GET", "https://h/apis/apps/v1")) == []
