"""Whatever a client sends, the answer is its fault or its result, never ours: no 5xx but the 501 and 504 that are meant.

Requests go to the ASGI application itself, so that thousands of them take seconds.
"""

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st
from tests.embedded.apiserver import inprocess

WORDS = st.sampled_from(["", "a", "default", "p", "v1", "x" * 300, "..", "%00", "\u2603", "A_b", "status", "-"])
PARTS = st.sampled_from(["", "/a", "/a/status", "/a/scale", "/a/log", "/a/finalize", "/a/exec", "//", "/a/b/c"])
PARAMETERS = st.sampled_from(
    [
        "limit",
        "continue",
        "labelSelector",
        "fieldSelector",
        "resourceVersion",
        "resourceVersionMatch",
        "dryRun",
        "fieldValidation",
        "gracePeriodSeconds",
        "propagationPolicy",
        "includeObject",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["0", "1", "-1", "All", "a=b", "a in (b", "true", "Strict", "Exact"])
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
FIELDS = st.sampled_from(
    [
        "metadata",
        "name",
        "namespace",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "resourceVersion",
        "uid",
        "spec",
        "status",
        "data",
        "containers",
        "template",
        "selector",
        "matchLabels",
        "replicas",
        "ports",
        "env",
        "conditions",
        "versions",
        "names",
        "group",
        "$patch",
        "$setElementOrder/containers",
        "op",
        "path",
        "from",
        "value",
        "kind",
        "apiVersion",
        "stringData",
        "x" * 70,
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(FIELDS, inner, max_size=5)),
    max_leaves=20,
)

POD_SPEC: dict[str, Any] = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "value": "b"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
            "resources": {"limits": {"cpu": "1"}},
        }
    ]
}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"x": "y"}}, "spec": POD_SPEC}
SELECTOR: dict[str, Any] = {"matchLabels": {"x": "y"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}
WIDGET_VERSION: dict[str, Any] = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}, "m": {"type": "string", "pattern": "^a"}},
                },
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
    "additionalPrinterColumns": [{"name": "N", "type": "string", "jsonPath": ".spec.n"}],
}
WIDGETS: dict[str, Any] = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [WIDGET_VERSION],
    },
}
NAMESPACED = "/api/v1/namespaces/default"
SEEDS: dict[str, dict[str, Any]] = {
    f"{NAMESPACED}/configmaps": {"data": {"k": "v"}, "binaryData": {"b": "AAAA"}},
    f"{NAMESPACED}/secrets": {"type": "Opaque", "stringData": {"k": "v"}, "data": {"b": "AAAA"}},
    f"{NAMESPACED}/pods": {
        "spec": {**POD_SPEC, "nodeName": "n", "volumes": [{"name": "v", "emptyDir": {}}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": []},
    },
    f"{NAMESPACED}/services": {"spec": {"ports": [{"port": 80, "targetPort": "http"}], "selector": {"x": "y"}}},
    f"{NAMESPACED}/events": {
        "metadata": {"name": "a", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "type": "Normal",
        "reason": "R",
        "count": 1,
        "lastTimestamp": "2020-01-01T00:00:00Z",
    },
    "/api/v1/namespaces": {"spec": {"finalizers": ["kubernetes"]}},
    "/api/v1/nodes": {"spec": {}, "status": {"capacity": {"cpu": "1"}, "conditions": [], "addresses": []}},
    "/apis/apps/v1/namespaces/default/deployments": {
        "spec": {
            "replicas": 1,
            "selector": SELECTOR,
            "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
            "template": TEMPLATE,
        },
        "status": {"replicas": 1, "conditions": [{"type": "Available", "status": "True"}]},
    },
    "/apis/apps/v1/namespaces/default/replicasets": {
        "spec": {"replicas": 1, "selector": SELECTOR, "template": TEMPLATE}
    },
    "/apis/coordination.k8s.io/v1/namespaces/default/leases": {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}},
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"port": 80}],
    },
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": WIDGETS,
    "/apis/example.com/v1/namespaces/default/widgets": {"spec": {"n": 1, "m": "a"}, "status": {"x": [1]}},
}
OWNERS = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}]
METADATA: dict[str, Any] = {
    "labels": {"x": "y"},
    "annotations": {"k": "v"},
    "finalizers": ["x.io/y"],
    "ownerReferences": OWNERS,
}
OPERATIONS: list[Any] = [
    {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
    {"op": "replace", "path": "/spec", "value": {}},
    {"op": "remove", "path": "/metadata/name"},
    {"op": "copy", "path": "/metadata/annotations/x", "from": "/metadata/name"},
    {"op": "move", "path": "/status", "from": "/spec"},
    {"op": "test", "path": "/spec", "value": None},
]


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*path, index))


@st.composite
def mutated(draw: st.DrawFn, seed: Any) -> Any:
    """A good value with up to three places turned into something else."""
    value: Any = orjson.loads(orjson.dumps(seed))
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(paths_of(value))))
        if not path:
            return draw(VALUES)
        holder = value
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = draw(VALUES)
    return value


MEDIA = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "",
    ]
)
ACCEPTS = st.sampled_from(
    [
        "*/*",
        "application/json",
        "application/yaml",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
        "a;b;c,,;=",
    ]
)
BODIES = st.one_of(VALUES.map(orjson.dumps), st.binary(max_size=20))

Request = tuple[str, str, str, str, str, bytes]


@st.composite
def wild(draw: st.DrawFn) -> Request:
    """Anything anywhere."""
    known = draw(st.sampled_from(list(SEEDS))) + draw(PARTS)
    path = draw(st.sampled_from([known, "/" + "/".join(draw(st.lists(WORDS, max_size=6)))]))
    query = "&".join(f"{draw(PARAMETERS)}={draw(TEXTS)}" for _ in range(draw(st.integers(0, 2))))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]))
    return method, path, query, draw(MEDIA), draw(ACCEPTS), draw(BODIES)


@st.composite
def aimed(draw: st.DrawFn) -> Request:
    """A write of something almost right to where it belongs."""
    collection = draw(st.sampled_from(list(SEEDS)))
    seed = SEEDS[collection]
    name = seed.get("metadata", {}).get("name") or draw(st.sampled_from(["a", "b"]))
    metadata = draw(mutated(METADATA))
    named = {"name": name, **metadata} if isinstance(metadata, dict) else metadata
    body: Any = {**seed, "metadata": named} if draw(st.booleans()) else draw(mutated(seed))
    if isinstance(body, dict):
        body.setdefault("metadata", {"name": name})
    verb = draw(st.sampled_from(["create", "create", "replace", "merge", "strategic", "json", "delete"]))
    part = draw(st.sampled_from(["", "", "", "/status", "/scale"]))
    accept = draw(st.sampled_from(["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"]))
    query = draw(st.sampled_from(["", "", "fieldValidation=Strict", "dryRun=All"]))
    if verb == "create":
        return "POST", collection, query, "application/json", accept, orjson.dumps(body)
    path = f"{collection}/{name}"
    match verb:
        case "replace":
            return "PUT", path + part, query, "application/json", accept, orjson.dumps(body)
        case "delete":
            return "DELETE", path, "", "application/json", accept, b""
        case "json":
            operations = draw(mutated(draw(st.lists(st.sampled_from(OPERATIONS), max_size=3))))
            return "PATCH", path + part, query, "application/json-patch+json", accept, orjson.dumps(operations)
        case _:
            kind = "strategic-merge-patch" if verb == "strategic" else "merge-patch"
            return "PATCH", path + part, query, f"application/{kind}+json", accept, orjson.dumps(body)


@pytest.fixture(scope="module")
def served() -> Iterator[inprocess.InProcess]:
    with tempfile.TemporaryDirectory() as directory:
        started = inprocess.InProcess(pathlib.Path(directory), [WIDGETS])
        yield started
        started.close()


@pytest.mark.slow
@hypothesis.settings(
    max_examples=2000, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), print_blob=True
)
@hypothesis.given(request=st.one_of(aimed(), aimed(), aimed(), wild()))
def test_no_request_is_our_fault(served: inprocess.InProcess, request: Request) -> None:
    code, body = served.call(inprocess.Request(*request))
    assert code < 500 or code in (501, 504), (code, body)
    if code >= 400:
        found = orjson.loads(body)
        assert (found["kind"], found["code"], found["status"]) == ("Status", code, "Failure")
        assert found["message"]
    elif request[4] == "application/json" and body and not request[1].startswith("/healthz"):
        orjson.loads(body)
