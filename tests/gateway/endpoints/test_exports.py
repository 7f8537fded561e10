"""Engines' series told again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client import parser

from brickyard.api import names
from brickyard.assembly import engines
from brickyard.engines import contract
from brickyard.gateway.endpoints import exports
from brickyard.routing import contract as routing

PAGE = b"""
vllm:num_requests_running{engine="0",model_name="org/base"} 3
vllm:num_requests_waiting{engine="0",model_name="org/base"} 1
vllm:prompt_tokens_total{engine="0",model_name="org/base"} 12345
vllm:lora_requests_info{max_lora="4",running_lora_adapters="a,b",waiting_lora_adapters=""} 1.7e9
vllm:time_to_first_token_seconds_bucket{le="0.1",model_name="org/base"} 50
vllm:time_to_first_token_seconds_bucket{le="0.2",model_name="org/base"} 90
vllm:time_to_first_token_seconds_bucket{le="+Inf",model_name="org/base"} 100
vllm:time_to_first_token_seconds_sum{model_name="org/base"} 12
vllm:time_to_first_token_seconds_count{model_name="org/base"} 100
vllm:inter_token_latency_seconds_bucket{le="0.1",model_name="org/base"} 100
vllm:inter_token_latency_seconds_bucket{le="+Inf",model_name="org/base"} 100
vllm:inter_token_latency_seconds_sum{model_name="org/base"} 5
vllm:inter_token_latency_seconds_count{model_name="org/base"} 100
"""


def endpoint(
    name: str = "a", port: int = 8000, engine: str = "vllm", labels: Mapping[str, str] | None = None
) -> routing.Endpoint:
    return routing.Endpoint(f"ns/{name}:{port}", "ns", name, f"10.0.0.{ord(name)}", port, "demo", engine, labels or {})


class World:
    """Endpoints and a clock."""

    def __init__(
        self, *endpoints: routing.Endpoint, readers: Mapping[str, contract.SeriesReader] | None = None
    ) -> None:
        self.now = 1000.0
        self.present = {each.key: each for each in endpoints}
        self.made = exports.EngineSeries(readers or engines.series(), lambda: self.present, lambda: self.now, "gw-0")

    def hear(self, page: bytes = PAGE) -> None:
        for each in self.present.values():
            self.made.heard(each, page)

    def told(self) -> dict[tuple[str, str, str], float]:
        """By name, pod and model; read by a parser that is not ours."""
        families = parser.text_string_to_metric_families(self.made.page("").decode())
        rows = [
            ((sample.name, sample.labels["pod"], sample.labels["model"]), sample.value)
            for family in families
            for sample in family.samples
        ]
        assert len(dict(rows)) == len(rows)
        return dict(rows)


def test_numbers_stand_as_the_engine_tells_them_and_histograms_as_quantiles() -> None:
    world = World(endpoint())
    assert world.told() == {}
    world.hear()
    world.now += exports.FRESH
    world.hear(PAGE.replace(b"12345", b"12399"))
    told = world.told()
    base = {name: value for (name, pod, model), value in told.items() if (pod, model) == ("a", "org/base")}
    assert base.pop("time_to_first_token_seconds_p50") == pytest.approx(0.1)
    assert base.pop("time_to_first_token_seconds_p90") == pytest.approx(0.2)
    assert base.pop("time_to_first_token_seconds_p99") == pytest.approx(0.2)
    assert {name: value for name, value in base.items() if "_p" not in name or "prompt" in name} == {
        "num_requests_running": 3.0,
        "num_requests_waiting": 1.0,
        "prompt_tokens_total": 12399.0,
    }
    assert told["max_lora", "a", "demo"] == 4.0


def test_labels_are_fixed() -> None:
    world = World(endpoint(), endpoint("b", engine="sglang", labels={names.ROLE_SET_NAME: "rs", names.ROLE_NAME: "x"}))
    world.told()
    world.hear(PAGE + b"sglang:num_running_reqs 2\n")
    page = world.made.page("").decode()
    expected = {
        "namespace",
        "pod",
        "model",
        "engine_type",
        "roleset",
        "role",
        "role_replica_index",
        "gateway_pod",
        "port",
    }
    samples = [sample for family in parser.text_string_to_metric_families(page) for sample in family.samples]
    assert {sample.labels["engine_type"] for sample in samples} == {"vllm", "sglang"}
    assert {frozenset(sample.labels) for sample in samples} == {frozenset(expected)}
    assert {sample.labels["role"] for sample in samples} == {"", "x"}


def test_nobody_asks_nobody_reads() -> None:
    class Reader:
        names = frozenset({"num_requests_running"})
        pages = 0

        def read(self, page: bytes) -> dict[str, dict[str, contract.Value]]:
            self.pages += 1
            return {"num_requests_running": {"": float(len(page))}}

    reader = Reader()
    world = World(endpoint(), readers={"vllm": reader})
    world.hear()
    assert reader.pages == 0
    assert world.made.page("") == exports.EMPTY.encode()
    for _ in range(20):
        world.hear()
        world.now += exports.FRESH / 10
    assert reader.pages == 2, "an engine's pages are read as often as that and no more often"
    world.now += exports.WANTED
    world.hear(PAGE + b"x")
    assert reader.pages == 2
    assert world.told() == {}, "nothing is kept once nobody asks"


def test_an_adapter_that_fails_costs_its_own_lines(caplog: pytest.LogCaptureFixture) -> None:
    class Reader:
        names = frozenset[str]()

        def read(self, page: bytes) -> dict[str, dict[str, contract.Value]]:
            raise ValueError(page[:3])

    world = World(endpoint(engine="odd"), endpoint("b"), readers={**engines.series(), "odd": Reader()})
    world.told()
    world.hear()
    assert {pod for _, pod, _ in world.told()} == {"b"}
    assert "cannot be told again" in caplog.text


def test_who_is_gone_is_told_no_more() -> None:
    world = World(endpoint("a"), endpoint("b"))
    world.told()
    world.hear()
    del world.present["ns/a:8000"]
    assert {pod for _, pod, _ in world.told()} == {"b"}


def test_ranks_that_share_a_page_are_told_once_and_others_by_their_port() -> None:
    shared = {names.METRIC_PORT: "9000"}
    world = World(
        endpoint("a", 8000, labels=shared), endpoint("a", 8001, labels=shared), endpoint("b", 8000), endpoint("b", 8001)
    )
    world.made.page("")
    world.hear()
    page = world.made.page("").decode()
    lines = [line for line in page.splitlines() if line.startswith("num_requests_running{")]
    assert len(lines) == len(set(lines)) == 3
    assert sum('port="9000"' in line for line in lines) == 1


@pytest.mark.parametrize(
    ("role", "there", "gone"),
    [
        ("prefill", "time_to_first_token_seconds_p50", "inter_token_latency_seconds_p50"),
        ("decode", "inter_token_latency_seconds_p50", "time_to_first_token_seconds_p50"),
    ],
)
def test_halves_of_a_pair_tell_what_they_have_a_part_in(role: str, there: str, gone: str) -> None:
    world = World(endpoint(labels={names.ROLE_NAME: role}))
    world.told()
    world.hear()
    told = {name for name, _, _ in world.told()}
    assert there in told
    assert gone not in told


def test_models_of_one_engine_are_bounded_and_their_names_escaped() -> None:
    page = b"".join(b'vllm:num_requests_running{model_name="m\\"%03d"} 1\n' % n for n in range(200))
    world = World(endpoint())
    world.told()
    world.hear(page)
    models = {model for _, _, model in world.told()}
    assert len(models) == exports.MODELS
    assert 'm"000' in models
