"""Endpoints from a file: what it may say, everything that is wrong with it, and what changes when it changes."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.gateway import errors
from brickyard.gateway.endpoints import filewatch, pods, standalone, table

TWO = """
models:
  - name: qwen3-8b
    engine: sglang
    endpoints: ["10.0.0.1:8001", "host2", "[::1]:8000", "::2"]
  - name: llama-pd
    rolesets:
      - name: rs0
        prefill: ["10.0.0.3:8000"]
        decode: ["10.0.0.4:8000", "10.0.0.5"]
"""


def test_every_address_is_a_ready_pod() -> None:
    found = standalone.read(TWO)
    assert [pod.endpoints[0].authority for pod in found] == [
        *("10.0.0.1:8001", "host2:8000", "[::1]:8000", "[::2]:8000"),
        *("10.0.0.3:8000", "10.0.0.4:8000", "10.0.0.5:8000"),
    ]
    assert {pod.model for pod in found} == {"qwen3-8b", "llama-pd"}
    assert all(pod.unready == "" and pod.key.startswith("standalone/") for pod in found)
    assert len({pod.key for pod in found}) == len(found)
    first, prefill = found[0].endpoints[0], found[4].endpoints[0]
    assert (first.engine, first.labels[names.MODEL_PORT]) == ("sglang", "8001")
    assert (prefill.engine, prefill.labels[names.ROLE_SET_NAME], prefill.labels[names.ROLE_NAME]) == (
        "vllm",
        "rs0",
        "prefill",
    )
    assert pods.metrics_authority(first) == "10.0.0.1:8001"


def test_names_of_different_models_stay_apart() -> None:
    found = standalone.read('models: [{name: a/b, endpoints: ["h"]}, {name: a_b, endpoints: ["h"]}]')
    assert len({pod.key for pod in found}) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no models"),
        ("models: {}", "names no models"),
        ("models: []", "names no models"),
        ("[", "no YAML"),
        ("models: [x]", r"models\[0\]: a model needs a name"),
        ("models: [{name: a}]", "a: it has no endpoints"),
        ("models: [{name: a, endpoints: [b], rolesets: [{name: r}]}]", "exclude each other"),
        ("models: [{name: a, rolesets: [{prefill: [b]}]}]", r"rolesets\[0\] needs a name"),
        ("models: [{name: a, rolesets: x}]", "rolesets must be a list"),
        ("models: [{name: a, endpoints: b}]", "must be a list of addresses"),
        ("models: [{name: a, endpoints: [5]}]", "5 is no address"),
        ('models: [{name: a, endpoints: ["h:0"]}]', "'h:0' is no address"),
        ('models: [{name: a, endpoints: ["h:65536"]}]', "is no address"),
        ('models: [{name: a, endpoints: ["h:x"]}]', "is no address"),
        ('models: [{name: a, endpoints: ["h:"]}]', "is no address"),
        ('models: [{name: a, endpoints: ["http://h"]}]', "is no address"),
        ('models: [{name: a, endpoints: ["h", "h:8000"]}]', "stands twice"),
        ("models: [{name: a, endpoints: [h]}, {name: a, endpoints: [i]}]", "the model stands twice"),
        ("models: [{name: a, endpoints: [h], engin: x}]", "no field 'engin'"),
        ("models: [{name: a, endpoints: [h], engine: 5}]", "engine must be a text"),
    ],
)
def test_what_is_wrong_is_told(text: str, words: str) -> None:
    with pytest.raises(errors.EndpointsFileError, match=words):
        standalone.read(text)


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(errors.EndpointsFileError) as caught:
        standalone.read('models: [{name: a}, {name: b, endpoints: ["x:y"]}, 5]')
    assert len(caught.value.faults) == 3


JSON = st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["models", "name", "endpoints", "rolesets", "prefill", "engine"]), inner, max_size=4), max_leaves=12)  # fmt: skip


@given(JSON)
def test_any_document_is_read_or_refused(document: object) -> None:
    assert isinstance(verdict(yaml.safe_dump({"models": document})), (tuple, errors.EndpointsFileError))


def verdict(text: str) -> tuple[pods.ModelPod, ...] | errors.EndpointsFileError:
    try:
        return standalone.read(text)
    except errors.EndpointsFileError as error:
        return error


def written(path: pathlib.Path, *addresses: str) -> pathlib.Path:
    path.write_text(yaml.safe_dump({"models": [{"name": "m", "endpoints": list(addresses)}]}))
    return path


def served(live: table.Table) -> list[str]:
    return [slot.endpoint.authority for slot in live.routable()]


def test_a_changed_file_changes_what_differs_and_keeps_the_counts(tmp_path: pathlib.Path) -> None:
    live = table.Table()
    file = filewatch.EndpointsFile(written(tmp_path / "e.yaml", "a", "b"), live)
    kept = next(slot.endpoint for slot in live.routable() if slot.endpoint.address == "b")
    live.enter(kept, 0.0)
    written(tmp_path / "e.yaml", "b", "c")
    file.look()
    assert served(live) == ["b:8000", "c:8000"]
    assert live.snapshot("m", 0.0).in_flight == (1, 0)
    assert live.inconsistencies() == []
    assert not file.load()


@pytest.mark.parametrize("broken", ["models: []", "[", None])
def test_a_broken_file_changes_nothing(
    tmp_path: pathlib.Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    live, path = table.Table(), tmp_path / "e.yaml"
    file = filewatch.EndpointsFile(written(path, "a"), live)
    path.unlink() if broken is None else path.write_text(broken)
    file.look()
    file.look()
    assert served(live) == ["a:8000"]
    assert sum("endpoints stay as they were" in record.getMessage() for record in caplog.records) == 1
    written(path, "c")
    file.look()
    assert served(live) == ["c:8000"]


def test_a_gateway_does_not_start_without_its_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.EndpointsFileError, match="cannot be read"):
        filewatch.EndpointsFile(tmp_path / "none.yaml", table.Table())


def test_a_gateway_does_not_start_with_an_empty_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "e.yaml"
    path.touch()
    with pytest.raises(errors.EndpointsFileError, match="names no models"):
        filewatch.EndpointsFile(path, table.Table())


def labels_of(text: str) -> list[dict[str, str]]:
    return [
        {name: value for name, value in pod.endpoints[0].labels.items() if "kv-" in name}
        for pod in standalone.read(text)
    ]


def test_engines_that_publish_kv_events() -> None:
    on = {"model.aibrix.ai/kv-events-enabled": "true"}
    ports = {"model.aibrix.ai/kv-events-port": "6557", "model.aibrix.ai/kv-replay-port": "6558"}
    usual = "models: [{name: m, kv_events: true, endpoints: [a, {address: 'b:1', kv_replay: 6558}]}]"
    assert labels_of(usual) == [on, {**on, "model.aibrix.ai/kv-replay-port": "6558"}]
    own = "models: [{name: m, endpoints: [a, {address: 'b:1', kv_events: 6557, kv_replay: 6558}]}]"
    assert labels_of(own) == [{}, {**on, **ports}]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("models: [{name: m, kv_events: 5557, endpoints: [a]}]", "true or false"),
        ("models: [{name: m, endpoints: [{address: a, kv_events: 0}]}]", "kv_events of 'a' must be a port"),
        ("models: [{name: m, endpoints: [{address: a, kv_events: true}]}]", "kv_events of 'a' must be a port"),
        ("models: [{name: m, endpoints: [{address: a, port: 1}]}]", "no field 'port' beside an address"),
        ("models: [{name: m, endpoints: [{kv_events: 5557}]}]", "None is no address"),
    ],
)
def test_what_cannot_be_said_of_kv_events(text: str, fault: str) -> None:
    with pytest.raises(errors.EndpointsFileError, match=fault):
        standalone.read(text)
