"""KVCaches of earlier releases, row by row."""

import copy
from typing import Any

import pytest

from brickyard.api.kinds import contract, resources, shapes
from brickyard.api.kinds.kvcache import admission, legacy

BACKEND = "kvcache.orchestration.aibrix.ai/backend"
MODE = "kvcache.orchestration.aibrix.ai/mode"
ETCD = {"etcd": {"runtime": {"image": "", "replicas": 1}}}
REDIS = {"redis": {"runtime": {"image": "redis:7", "replicas": 1}}}
DEFAULTED = "spec.metadata is not given"


def converted(spec: Any, annotations: Any = None) -> contract.Converted:
    """What becomes of a KVCache: the argument stays as it is, doing it twice changes nothing, the outcome is valid."""
    obj: resources.Object = {"metadata": {"annotations": annotations} if annotations else {}, "spec": spec}
    before = copy.deepcopy(obj)
    found = legacy.convert(obj)
    assert obj == before
    assert legacy.convert(found.obj) == found
    assert list(admission.Rules().validate(admission.Rules().default(found.obj), None)) == []
    return found


def part(found: contract.Converted, *path: str) -> Any:
    return shapes.at(found.obj, "spec", *path)


class TestToday:
    @pytest.mark.parametrize(
        "spec",
        [
            {},
            None,
            {"mode": "distributed"},
            {"cache": {"image": "a", "replicas": 2}},
            {"metadata": REDIS, "cache": {"replicas": 1}, "watcher": {"image": "w"}},
            {"metadata": {"redis": {"externalConnection": {"address": "r:6379"}}}},
            {"metadata": ETCD},
            {"service": {"type": "ClusterIP", "ports": [{"port": 9600}]}},
            # What today's schema refuses is no legacy form by itself.
            {"service": {"type": "ClusterIP"}},
        ],
    )
    @pytest.mark.parametrize("annotations", [None, {BACKEND: "infinistore"}, {MODE: "vineyard"}])
    def test_nothing_to_convert(self, spec: Any, annotations: Any) -> None:
        found = converted(spec, annotations)
        assert found.obj["spec"] == spec
        assert found.warnings == ()


# legacy spec | path of today | value | warnings
ROWS: list[tuple[dict[str, Any], tuple[str, ...], Any, list[str]]] = [
    (
        {"replicas": 3},
        ("cache", "replicas"),
        3,
        ["spec.replicas is taken for spec.cache.replicas; write that instead", DEFAULTED],
    ),
    ({"etcdReplicas": 3}, ("cache",), None, ["spec.etcdReplicas has no effect; leave it out", DEFAULTED]),
    ({"replicas": 1}, ("metadata",), ETCD, ["spec.replicas is taken for", DEFAULTED]),
    ({"replicas": 1, "metadata": {}}, ("metadata",), ETCD, ["spec.replicas is taken for", DEFAULTED]),
    (
        {"metadata": {"etcd": {"image": "etcd:3", "replicas": 2, "resources": {"limits": {"cpu": "1"}}}}},
        ("metadata", "etcd", "runtime"),
        {"image": "etcd:3", "replicas": 2, "resources": {"limits": {"cpu": "1"}}},
        [
            "spec.metadata.etcd.image is taken for spec.metadata.etcd.runtime.image; write that instead",
            "spec.metadata.etcd.replicas is taken for spec.metadata.etcd.runtime.replicas; write that instead",
            "spec.metadata.etcd.resources is taken for spec.metadata.etcd.runtime.resources; write that instead",
        ],
    ),
    (
        {"metadata": {"redis": {"image": "redis:7"}}},
        ("metadata", "redis", "runtime"),
        {"image": "redis:7"},
        ["spec.metadata.redis.image is taken for spec.metadata.redis.runtime.image; write that instead"],
    ),
    (
        {"metadata": {"etcd": {"storage": {"size": "10Gi"}}}},
        ("metadata", "etcd", "runtime"),
        {"replicas": 1},
        ["spec.metadata.etcd.storage has no effect; leave it out"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"image": "a", "imagePullPolicy": "Always", "env": [{"name": "A"}]}},
        ("cache",),
        {"image": "a", "imagePullPolicy": "Always", "env": [{"name": "A"}]},
        [
            "spec.cacheSpec.image is taken for spec.cache.image; write that instead",
            "spec.cacheSpec.imagePullPolicy is taken for spec.cache.imagePullPolicy; write that instead",
            "spec.cacheSpec.env is taken for spec.cache.env; write that instead",
        ],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"resources": {"limits": {"cpu": "2"}}}},
        ("cache", "resources"),
        {"limits": {"cpu": "2"}},
        ["spec.cacheSpec.resources is taken for spec.cache.resources; write that instead"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"cpu": "4", "memory": "8Gi"}},
        ("cache", "resources"),
        {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}},
        ["spec.cacheSpec.cpu and spec.cacheSpec.memory are taken for spec.cache.resources"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"cpu": "4"}},
        ("cache", "resources", "limits"),
        {"cpu": "4", "memory": "2Gi"},
        ["spec.cacheSpec.cpu is taken for spec.cache.resources"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"memory": "8Gi"}},
        ("cache", "resources", "requests"),
        {"cpu": "1", "memory": "8Gi"},
        ["spec.cacheSpec.memory is taken for spec.cache.resources"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"cpu": "4", "resources": {"limits": {"cpu": "2"}}}},
        ("cache", "resources"),
        {"limits": {"cpu": "2"}},
        ["spec.cacheSpec.resources is taken for", "spec.cacheSpec.cpu is not read beside resources; leave it out"],
    ),
    (
        {"metadata": ETCD, "cacheSpec": {"replicas": 3, "sharedMemorySize": "1Gi"}},
        ("cache",),
        None,
        [
            "spec.cacheSpec.replicas has no effect; leave it out",
            "spec.cacheSpec.sharedMemorySize has no effect; leave it out",
        ],
    ),
    (
        {"metadata": ETCD, "service": {"type": "NodePort", "port": 9601, "nodePort": 30001}},
        ("service", "ports"),
        [{"name": "service", "port": 9601, "protocol": "TCP", "nodePort": 30001}],
        ["spec.service.port is taken for spec.service.ports with the port 9601; write those instead"],
    ),
    (
        {"metadata": ETCD, "replicas": 1, "service": {"type": "ClusterIP"}},
        ("service", "ports"),
        [{"name": "service", "port": 9600, "protocol": "TCP"}],
        [
            "spec.replicas is taken for",
            "spec.service without ports is taken for spec.service.ports with the port 9600; write those instead",
        ],
    ),
    (
        {"metadata": ETCD, "service": {"port": 9601, "ports": [{"port": 1}]}},
        ("service", "ports"),
        [{"port": 1}],
        ["spec.service.port has no effect; leave it out"],
    ),
    ({"mode": "centralized"}, ("metadata",), ETCD, [DEFAULTED]),
    ({"mode": "centralized", "cache": {"image": "a"}}, ("metadata",), ETCD, [DEFAULTED]),
]


class TestTable:
    @pytest.mark.parametrize(("spec", "path", "value", "warnings"), ROWS)
    def test_row(self, spec: dict[str, Any], path: tuple[str, ...], value: Any, warnings: list[str]) -> None:
        found = converted(spec)
        assert part(found, *path) == value
        assert len(found.warnings) == len(warnings)
        for said, wanted in zip(found.warnings, warnings, strict=True):
            assert said.startswith(wanted)

    @pytest.mark.parametrize(("spec", "path", "value", "warnings"), ROWS)
    def test_legacy_keys_stay(
        self, spec: dict[str, Any], path: tuple[str, ...], value: Any, warnings: list[str]
    ) -> None:
        del path, value, warnings
        found = converted(spec)
        for key in spec.keys() - {"metadata", "service"}:
            assert found.obj["spec"][key] == spec[key]


class TestImage:
    """The schema gives an image to an absent cache only."""

    @pytest.mark.parametrize(
        "spec", [{"replicas": 3}, {"cacheSpec": {"cpu": "1"}}, {"replicas": 3, "cache": {"replicas": 1}}]
    )
    def test_a_cache_that_came_to_be_has_one(self, spec: dict[str, Any]) -> None:
        assert part(converted(spec), "cache", "image") == "aibrix/kvcache:20241120"

    def test_an_absent_cache_is_left_to_the_schema(self) -> None:
        assert part(converted({"etcdReplicas": 1}), "cache") is None

    def test_one_that_is_given_later_comes_through(self) -> None:
        stored = converted({"replicas": 3}).obj
        stored["spec"]["cacheSpec"] = {"image": "own:1"}
        assert part(legacy.convert(stored), "cache", "image") == "own:1"


class TestGiven:
    """Fields of today win."""

    @pytest.mark.parametrize(
        ("spec", "path", "value"),
        [
            ({"replicas": 3, "cache": {"replicas": 1}}, ("cache", "replicas"), 1),
            ({"cacheSpec": {"image": "old"}, "cache": {"image": "new"}}, ("cache", "image"), "new"),
            ({"cacheSpec": {"cpu": "4"}, "cache": {"resources": {}}}, ("cache", "resources"), {}),
            (
                {"metadata": {"etcd": {"image": "old", "runtime": {"image": "new"}}}},
                ("metadata", "etcd", "runtime"),
                {"image": "new"},
            ),
            ({"replicas": 3, "metadata": REDIS}, ("metadata",), REDIS),
        ],
    )
    def test_row(self, spec: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
        assert part(converted(spec), *path) == value

    def test_an_external_store_needs_no_runtime(self) -> None:
        store = {"externalConnection": {"address": "r:6379"}, "storage": {"size": "1Gi"}}
        found = converted({"metadata": {"redis": store}})
        assert part(found, "metadata", "redis") == store

    def test_centralized_with_a_store(self) -> None:
        assert part(converted({"mode": "centralized", "metadata": REDIS}), "metadata") == REDIS

    def test_centralized_on_another_backend_needs_no_etcd(self) -> None:
        assert part(converted({"mode": "centralized"}, {BACKEND: "infinistore"}), "metadata") is None

    def test_an_edit_comes_through(self) -> None:
        stored = converted({"replicas": 3, "cacheSpec": {"image": "a", "cpu": "1"}}).obj
        stored["spec"]["replicas"] = 5
        stored["spec"]["cacheSpec"] = {"image": "b", "cpu": "2"}
        found = legacy.convert(stored)
        assert part(found, "cache", "replicas") == 5
        assert part(found, "cache", "image") == "b"
        assert part(found, "cache", "resources", "limits", "cpu") == "2"

    def test_a_store_given_later_is_not_joined_by_an_etcd(self) -> None:
        stored = converted({"replicas": 3}).obj
        stored["spec"]["metadata"] = REDIS
        assert part(legacy.convert(stored), "metadata") == REDIS


class TestMode:
    """The annotation that named a backend."""

    @pytest.mark.parametrize(("mode", "backend"), [("distributed", "infinistore"), ("centralized", "vineyard")])
    @pytest.mark.parametrize("empty", [{}, {BACKEND: ""}])
    def test_row(self, mode: str, backend: str, empty: dict[str, str]) -> None:
        found = converted({}, {MODE: mode, **empty})
        assert found.obj["metadata"]["annotations"][BACKEND] == backend
        assert found.warnings == (f"annotation {MODE} is taken for {BACKEND}: {backend}; write that instead",)

    def test_a_backend_wins(self) -> None:
        assert converted({}, {MODE: "distributed", BACKEND: "hpkv"}).warnings == ()

    def test_an_edit_comes_through(self) -> None:
        stored = converted({}, {MODE: "distributed"}).obj
        stored["metadata"]["annotations"][MODE] = "centralized"
        assert legacy.convert(stored).obj["metadata"]["annotations"][BACKEND] == "vineyard"

    def test_the_infinistore_s_own_mode_means_nothing(self) -> None:
        assert converted({}, {"infinistore.kvcache.orchestration.aibrix.ai/mode": "distributed"}).warnings == ()


class TestShapes:
    @pytest.mark.parametrize(
        "spec",
        [
            [],
            "x",
            {"replicas": 1, "cache": "x"},
            {"replicas": [], "metadata": []},
            {"cacheSpec": "x"},
            {"cacheSpec": {"cpu": [], "env": 7}},
            {"service": {"port": "9600"}},
            {"replicas": 1, "service": []},
            {"metadata": {"etcd": {"image": 1, "runtime": "x"}}},
            {"metadata": {"other": {"image": 1}}},
        ],
    )
    def test_strange_shapes(self, spec: Any) -> None:
        obj = {"spec": spec}
        found = legacy.convert(obj)
        assert legacy.convert(found.obj) == found
