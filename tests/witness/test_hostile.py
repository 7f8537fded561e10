"""What no client of good will sends: each of it is answered soon, as the sender's fault, and nothing of it stays in memory."""

from __future__ import annotations

import json
import pathlib
import socket
import ssl
import time
from collections.abc import Iterator

import httpx2
import hypothesis
import psutil
import pytest
from hypothesis import strategies as st
from tests.witness import cluster as clusters
from tests.witness import manifests

pytestmark = pytest.mark.slow

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
PATCH, MERGE, STRATEGIC, APPLY = (
    f"application/{kind}"
    for kind in ("json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml")
)
SOON = 5.0
ROOM = 150e6
"""Bytes that the server may have grown by after all of it: caches and what the allocator keeps."""
BIG = 2_900_000
_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
_DOUBLING = [{"op": "copy", "from": "/data", "path": f"/data/c{number}"} for number in range(60)]

BODIES: dict[str, tuple[str, bytes]] = {
    "deep lists": (JSON, b"[" * BIG),
    "deep closed lists": (JSON, b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep objects": (JSON, b'{"metadata": {"name": "x"}, "data": ' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"}"),
    "a number of many digits": (JSON, b'{"metadata": {"name": "x", "generation": ' + b"9" * 100_000 + b"}}"),
    "a number beyond floats": (JSON, b'{"metadata": {"name": "x", "generation": 1e999}}'),
    "no number": (JSON, b'{"metadata": {"name": "x", "generation": NaN}}'),
    "infinity": (JSON, b'{"metadata": {"name": "x", "generation": -Infinity}}'),
    "keys twice": (JSON, b'{"metadata": {"name": "x"}, "metadata": {"name": "y"}, "data": {"a": "1", "a": "2"}}'),
    "bytes that are no text": (JSON, b'{"metadata": {"name": "\xff\xfe"}}'),
    "half a surrogate": (JSON, b'{"metadata": {"name": "x"}, "data": {"k": "\\ud800"}}'),
    "a zero in text": (JSON, b'{"metadata": {"name": "x\\u0000y"}}'),
    "a byte order mark": (JSON, b'\xef\xbb\xbf{"metadata": {"name": "x"}}'),
    "one string": (JSON, b'"' + b"x" * BIG + b'"'),
    "many keys": (JSON, json.dumps({"metadata": {"name": "x"}, "data": {str(n): "" for n in range(150_000)}}).encode()),
    "many labels": (
        JSON,
        json.dumps({"metadata": {"name": "x", "labels": {f"l{n}": "" for n in range(50_000)}}}).encode(),
    ),
    "many owners": (
        JSON,
        json.dumps({"metadata": {"name": "x", "ownerReferences": [{"uid": str(n)} for n in range(50_000)]}}).encode(),
    ),
    "aliases of aliases": (YAML, _BOMB.encode()),
    "an alias of itself": (YAML, b"a: &a [*a]"),
    "a tag that makes objects": (YAML, b"!!python/object/apply:os.system [exit]"),
    "deep flow lists": (YAML, b"a: " + b"[" * 20_000),
    "deep blocks": (YAML, b"".join(b" " * n + b"a:\n" for n in range(1500))),
    "many documents": (YAML, b"---\na: b\n" * 10_000),
    "a number in base sixty": (YAML, b"metadata: {name: 190:20:30}"),
    "binary prefix alone": (PROTOBUF, b"k8s\x00"),
    "binary garbage": (PROTOBUF, b"k8s\x00" + bytes(range(256)) * 100),
    "binary of endless length": (PROTOBUF, b"k8s\x00\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    "binary in binary": (PROTOBUF, b"k8s\x00" + b"\x12\x80\x80\x01" * 100_000),
    "nothing": (JSON, b""),
    "null": (JSON, b"null"),
}
PATCHES: dict[str, tuple[str, bytes]] = {
    "copies that double": (PATCH, json.dumps(_DOUBLING).encode()),
    "very many operations": (PATCH, json.dumps([{"op": "test", "path": "/data/k", "value": "v"}] * 60_000).encode()),
    "an index beyond all": (
        PATCH,
        b'[{"op": "add", "path": "/metadata/finalizers/99999999999999999999", "value": "x"}]',
    ),
    "a pointer of many steps": (PATCH, json.dumps([{"op": "add", "path": "/a" * 100_000, "value": 1}]).encode()),
    "a move into itself": (PATCH, b'[{"op": "move", "from": "/metadata", "path": "/metadata/labels"}]'),
    "a deep merge": (MERGE, b'{"data":' * 100_000 + b"1" + b"}" * 100_000),
    "no object": (MERGE, b"[]"),
    "directives on nothing": (STRATEGIC, b'{"$patch": "replace", "$retainKeys": [1], "$setElementOrder/x": {"y": 1}}'),
    "a directive of no kind": (STRATEGIC, b'{"metadata": {"$patch": "explode"}}'),
    "apply of aliases": (APPLY, _BOMB.encode()),
    "apply of a stranger": (APPLY, b"apiVersion: v2\nkind: Nothing"),
    "apply with owners": (
        APPLY,
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"seed","managedFields":[{"manager":"x"}]}}',
    ),
}

LEGAL = {"many keys", "many labels", "very many operations", "directives on nothing"}
"""Strange and not wrong: a rehearsal of them may succeed."""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clusters.Cluster]:
    """A server of its own, which must be of the same size when all is over."""
    with clusters.running(tmp_path_factory.mktemp("victim")) as cluster:
        cluster.kubectl().says("create", "configmap", "seed", "--from-literal=k=v")
        assert cluster.process is not None
        process = psutil.Process(cluster.process.pid)
        before = process.memory_info().rss
        yield cluster
        assert process.memory_info().rss - before < ROOM
        assert cluster.kubectl().path("cm/seed", ".data") == '{"k":"v"}'


@pytest.fixture
def client(victim: clusters.Cluster) -> Iterator[httpx2.Client]:
    with connect(victim) as made:
        yield made


def connect(cluster: clusters.Cluster) -> httpx2.Client:
    trusted = ssl.create_default_context(cafile=str(cluster.data / "pki" / "ca.crt"))
    bearer = {"authorization": f"Bearer {(cluster.data / 'token').read_text().strip()}"}
    return httpx2.Client(base_url=cluster.url, verify=trusted, headers=bearer, timeout=SOON)


def answered(reply: httpx2.Response) -> int:
    """The code of an answer that is not the server's fault; a refusal is a ``Status``."""
    code: int = reply.status_code
    assert code < 500 or code in (501, 504), reply.text[:500]
    if code >= 400:
        assert reply.json()["kind"] == "Status"
        assert len(reply.content) < 100_000
    return code


@pytest.mark.parametrize("what", BODIES)
def test_bodies(client: httpx2.Client, what: str) -> None:
    media, body = BODIES[what]
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    for path in (CONFIG_MAPS, "/apis/autoscaling.aibrix.ai/v1alpha1/namespaces/default/podautoscalers"):
        began = time.monotonic()
        code = answered(client.post(path, params=query, content=body, headers={"content-type": media}))
        assert code >= 400 or what in LEGAL, what
        assert time.monotonic() - began < SOON


@pytest.mark.parametrize("what", PATCHES)
def test_patches(client: httpx2.Client, what: str) -> None:
    media, body = PATCHES[what]
    query = {"dryRun": "All", "fieldManager": "hostile"}
    began = time.monotonic()
    code = answered(client.patch(f"{CONFIG_MAPS}/seed", params=query, content=body, headers={"content-type": media}))
    assert code >= 400 or what in LEGAL, what
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    "query",
    [
        "labelSelector=" + "a%3Db," * 10_000,
        "labelSelector=" + "(" * 10_000,
        "labelSelector=a%20in%20(" + "b," * 5_000 + ")",
        "fieldSelector=" + "metadata.name%3Da," * 3_000,
        "limit=99999999999999999999999999",
        "limit=-1",
        "continue=" + "A" * 20_000,
        "resourceVersion=" + "9" * 5_000,
        "resourceVersion=-1",
        "watch=true&timeoutSeconds=99999999999999999999&resourceVersion=x",
        "&" * 30_000,
        "%",
        "%ff%fe=%00",
        "dryRun=Some",
        "pretty=maybe&limit=1",
    ],
    ids=lambda query: str(query)[:24],
)
def test_queries(client: httpx2.Client, query: str) -> None:
    began = time.monotonic()
    answered(client.get(f"{CONFIG_MAPS}?{query}"))
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000,
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"\x00" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http://elsewhere/ HTTP/1.1\r\nhost: elsewhere\r\n\r\n",
    ],
    ids=lambda raw: raw[:24].decode("latin-1").split("\r")[0],
)
def test_bytes_that_are_no_http(victim: clusters.Cluster, raw: bytes) -> None:
    trusted = ssl.create_default_context(cafile=str(victim.data / "pki" / "ca.crt"))
    with (
        socket.create_connection(("127.0.0.1", victim.port), timeout=SOON) as plain,
        trusted.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        try:
            secure.sendall(raw)
            answer = secure.recv(4096)
        except TimeoutError:
            answer = b""  # it waits for the rest, which is its right for as long as its deadline
        except OSError:
            answer = b""
    assert not answer or int(answer.split()[1]) in range(300, 500), answer[:200]
    with connect(victim) as client:
        assert client.get("/readyz").status_code == 200


def test_a_kind_with_an_evil_pattern(victim: clusters.Cluster, client: httpx2.Client) -> None:
    colour = "colour: {type: string,"
    note = f'note: {{type: string, pattern: "^(a+)+$"}}\n              {colour}'
    evil = manifests.gadgets("evil.example.com").replace(colour, note)
    kubectl = victim.kubectl()
    kubectl.apply(evil)
    kubectl.says("wait", "--for=condition=Established", "crd/gadgets.evil.example.com", "--timeout=10s")
    body = {
        "apiVersion": "evil.example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "g"},
        "spec": {"note": "a" * 40 + "!"},
    }
    began = time.monotonic()
    reply = client.post("/apis/evil.example.com/v1/namespaces/default/gadgets", json=body)
    assert answered(reply) == 422
    assert time.monotonic() - began < SOON


BEGINNINGS = [
    b"",
    b"{",
    b'{"metadata":{"name":"x"},',
    b"[{",
    b"a: ",
    b"k8s\x00",
    b"k8s\x00\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12",
]


@hypothesis.settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
@hypothesis.given(
    media=st.sampled_from([JSON, YAML, PROTOBUF, PATCH, MERGE, STRATEGIC, APPLY]),
    prefix=st.sampled_from(BEGINNINGS),
    rest=st.binary(max_size=60),
)
def test_noise(victim: clusters.Cluster, media: str, prefix: bytes, rest: bytes) -> None:
    client = _shared(victim)
    query = {"dryRun": "All", "fieldManager": "noise"}
    method, path = ("PATCH", f"{CONFIG_MAPS}/seed") if "patch" in media else ("POST", CONFIG_MAPS)
    answered(client.request(method, path, params=query, content=prefix + rest, headers={"content-type": media}))


_CLIENTS: dict[pathlib.Path, httpx2.Client] = {}


def _shared(cluster: clusters.Cluster) -> httpx2.Client:
    """One connection for all examples."""
    return _CLIENTS.setdefault(cluster.path, connect(cluster))


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    yield
    for client in _CLIENTS.values():
        client.close()
