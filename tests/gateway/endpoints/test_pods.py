"""What a pod object says about the endpoints it offers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.endpoints import pods, testing

MODEL, PORT, ENGINE, METRICS = (f"model.aibrix.ai/{name}" for name in ("name", "port", "engine", "metric-port"))
GROUP = "stormservice.orchestration.aibrix.ai/pod-group-index"


def read(**knobs: Any) -> pods.ModelPod:
    pod = pods.read(testing.FakePod(**knobs).object())
    assert pod is not None
    return pod


def test_an_ordinary_pod() -> None:
    pod = read(labels={PORT: "9000", "zone": "north"})
    assert (pod.key, pod.uid, pod.model, pod.unready) == ("default/demo-a", "u1", "demo", "")
    assert pod.created == 1767323045.0
    (endpoint,) = pod.endpoints
    assert endpoint.key == "default/demo-a:9000"
    assert endpoint.authority == "10.0.0.1:9000"
    assert (endpoint.namespace, endpoint.pod, endpoint.model, endpoint.engine) == ("default", "demo-a", "demo", "vllm")
    assert endpoint.labels["zone"] == "north"


class TestModel:
    def test_the_annotation_stands_in_for_names_that_are_no_label_values(self) -> None:
        assert read(model="", annotations={MODEL: "org/model:7b"}).model == "org/model:7b"

    def test_the_label_comes_first(self) -> None:
        assert read(model="a", annotations={MODEL: "b"}).model == "a"

    def test_without_either_it_is_no_model_pod(self) -> None:
        assert pods.read(testing.FakePod(model="").object()) is None


class TestPort:
    @pytest.mark.parametrize(
        ("label", "port"),
        [
            ("1", 1),
            ("65535", 65535),
            ("0", 8000),
            ("65536", 8000),
            ("http", 8000),
            ("", 8000),
            ("-5", 8000),
            ("80.5", 8000),
            ("٨", 8000),
            ("9" * 400, 8000),
        ],
    )
    def test_an_invalid_label_means_8000(self, label: str, port: int) -> None:
        assert [each.port for each in read(labels={PORT: label}).endpoints] == [port]

    def test_an_absent_label_means_8000(self) -> None:
        assert [each.port for each in read().endpoints] == [8000]


class TestEngine:
    @pytest.mark.parametrize(
        ("labels", "annotations", "engine"),
        [
            ({ENGINE: "sglang"}, {ENGINE: "xllm"}, "sglang"),
            ({}, {ENGINE: "xllm"}, "xllm"),
            ({}, {}, "vllm"),
        ],
    )
    def test_label_then_annotation_then_vllm(
        self, labels: dict[str, str], annotations: dict[str, str], engine: str
    ) -> None:
        assert read(labels=labels, annotations=annotations).endpoints[0].engine == engine


class TestRanks:
    def test_each_rank_has_a_port_of_its_own(self) -> None:
        pod = read(labels={PORT: "9000"}, env={"data-parallel-size": "3"})
        assert [each.key for each in pod.endpoints] == [f"default/demo-a:{port}" for port in (9000, 9001, 9002)]

    @pytest.mark.parametrize("size", ["1", "0", "", "-2", "many"])
    def test_anything_that_is_not_above_one_means_one(self, size: str) -> None:
        assert len(read(labels={PORT: "9000"}, env={"data-parallel-size": size}).endpoints) == 1

    def test_without_a_port_label_there_is_one_endpoint(self) -> None:
        assert [each.port for each in read(env={"data-parallel-size": "4"}).endpoints] == [8000]

    def test_ports_end_where_ports_end(self) -> None:
        pod = read(labels={PORT: "65534"}, env={"data-parallel-size": "9"})
        assert [each.port for each in pod.endpoints] == [65534, 65535]

    def test_a_variable_that_comes_from_elsewhere_is_not_read(self) -> None:
        obj = testing.FakePod(labels={PORT: "9000"}).object()
        obj["spec"]["containers"][0]["env"] = [{"name": "data-parallel-size", "valueFrom": {"fieldRef": {}}}]
        pod = pods.read(obj)
        assert pod is not None
        assert len(pod.endpoints) == 1


class TestMetricsPage:
    def test_it_is_on_the_models_port(self) -> None:
        assert pods.metrics_authority(read(labels={PORT: "9000"}).endpoints[0]) == "10.0.0.1:9000"

    def test_unless_a_label_says_otherwise(self) -> None:
        endpoint = read(labels={PORT: "9000", METRICS: "9400"}, address="fd00::1").endpoints[0]
        assert pods.metrics_authority(endpoint) == "[fd00::1]:9400"


class TestLeftOut:
    @pytest.mark.parametrize(
        ("labels", "offered"),
        [
            ({"ray.io/node-type": "worker"}, False),
            ({"ray.io/node-type": "head"}, True),
            ({GROUP: "0"}, True),
            ({GROUP: "1"}, False),
            ({GROUP: "12"}, False),
        ],
    )
    def test_only_the_head_of_a_group_listens(self, labels: dict[str, str], offered: bool) -> None:
        assert (pods.read(testing.FakePod(labels=labels).object()) is not None) is offered


class TestRoutable:
    """
    address   terminating   Ready   routable
    yes       no            yes     yes
    no        no            yes     no
    yes       yes           yes     no
    yes       no            no      no
    """

    @pytest.mark.parametrize(
        ("address", "terminating", "ready", "unready"),
        [
            ("10.0.0.1", False, True, ""),
            ("", False, True, "no address yet (Pending)"),
            ("10.0.0.1", True, True, "terminating"),
            ("10.0.0.1", False, False, "not ready (Running)"),
        ],
    )
    def test_table(self, address: str, terminating: bool, ready: bool, unready: str) -> None:
        pod = read(address=address, terminating=terminating, ready=ready)
        assert pod.unready == unready
        assert bool(pod.endpoints) is bool(address)

    def test_a_waiting_container_says_why(self) -> None:
        obj = testing.FakePod(ready=False).object()
        obj["status"]["containerStatuses"] = [
            {"state": {"running": {}}},
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ]
        pod = pods.read(obj)
        assert pod is not None
        assert pod.unready == "not ready (CrashLoopBackOff)"

    def test_a_container_that_was_begun_again_says_how_it_ended(self) -> None:
        obj = testing.FakePod(ready=False).object()
        ended = {"restartCount": 3, "lastState": {"terminated": {"exitCode": 137}}}
        obj["status"]["containerStatuses"] = [{"state": {"running": {}}, **ended}]
        pod = pods.read(obj)
        assert pod is not None
        assert pod.unready == "not ready (restarted 3 times, the last exit code was 137)"

    def test_an_absent_condition_is_not_ready(self) -> None:
        obj = testing.FakePod().object()
        obj["status"] = {"podIP": "10.0.0.1"}
        pod = pods.read(obj)
        assert pod is not None
        assert pod.unready == "not ready"


@pytest.mark.parametrize("field", ["labels", "annotations", "creationTimestamp", "spec", "status", "containers", "uid"])
def test_absent_and_null_fields_are_taken_as_empty(field: str) -> None:
    for absent in (True, False):
        obj = testing.FakePod(annotations={MODEL: "demo"}).object()
        for holder in (obj["metadata"], obj["spec"], obj):
            if field in holder and absent:
                del holder[field]
            elif field in holder:
                holder[field] = None
        pod = pods.read(obj)
        assert pod is not None
        assert pod.model == "demo"


@given(st.text(max_size=20))
def test_any_label_text_gives_a_port(text: str) -> None:
    (endpoint,) = read(labels={PORT: text}).endpoints
    assert 1 <= endpoint.port <= 65535
