"""The runtime sidecar: the container that loads adapters into the engine beside it. Injected into pod templates that ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import shapes
from brickyard.api.names import environment, ports

DEFAULT_IMAGE: Final = "aibrix/runtime:v0.5.0"
VOLUME: Final = "adapter-storage"
MOUNT_PATH: Final = "/tmp/aibrix/adapters"  # noqa: S108 - where engine and sidecar look for adapters, inside the pod
_ENGINE_ENDPOINT: Final = f"http://localhost:{ports.ENGINE}"

_ENGINES: Final[Sequence[tuple[str, Sequence[Sequence[str]]]]] = (
    ("vllm", (("vllm",),)),
    ("sglang", (("sglang",),)),
    ("tgi", (("text-generation-inference",), ("tgi",))),
    ("triton", (("triton",),)),
    ("llamacpp", (("llama", "cpp"),)),
)
"""Engine, and the groups of words of which one group is wholly in its images' names. The first engine that fits an image is it."""


def injected(template: Any, image: str, engine: str) -> Any:
    """A pod template with the sidecar; ``template`` itself where it has one, or holds no containers.

    ``image`` "" means the default; ``engine`` "" means what the first known image says.
    """
    containers = shapes.sequence(template, "spec", "containers")
    if not containers or any(shapes.at(each, "name") == names.RUNTIME_CONTAINER for each in containers):
        return template
    sidecar = _sidecar(image or DEFAULT_IMAGE, engine or engine_of(containers))
    volumes = _with_volume(shapes.sequence(template, "spec", "volumes"))
    shaped = shapes.placed(template, ("spec", "containers"), [sidecar, *(_with_mount(each) for each in containers)])
    return shapes.placed(shaped, ("spec", "volumes"), volumes)


def engine_of(containers: Sequence[Any]) -> str:
    """The engine that the first container with a known image runs, else ``unknown``."""
    for each in containers:
        image = (shapes.text(each, "image") or "").lower()
        for engine, groups in _ENGINES:
            if any(all(word in image for word in group) for group in groups):
                return engine
    return "unknown"


def _sidecar(image: str, engine: str) -> Mapping[str, Any]:
    return {
        "name": names.RUNTIME_CONTAINER,
        "image": image,
        "command": ["aibrix_runtime", "--port", str(ports.RUNTIME)],
        "env": [
            {"name": environment.INFERENCE_ENGINE, "value": engine},
            {"name": environment.INFERENCE_ENGINE_ENDPOINT, "value": _ENGINE_ENDPOINT},
        ],
        "ports": [{"name": "metrics", "containerPort": ports.RUNTIME, "protocol": "TCP"}],
        "livenessProbe": _probe("/healthz", delay=3, period=2),
        "readinessProbe": _probe("/ready", delay=5, period=10),
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "500m", "memory": "512Mi"},
        },
        "volumeMounts": [{"name": VOLUME, "mountPath": MOUNT_PATH}],
    }


def _probe(path: str, *, delay: int, period: int) -> Mapping[str, Any]:
    return {"httpGet": {"path": path, "port": ports.RUNTIME}, "initialDelaySeconds": delay, "periodSeconds": period}


def _with_volume(volumes: Sequence[Any]) -> Sequence[Any]:
    """With the volume of adapters, which is an emptyDir whatever was meant by its name before."""
    named = [shapes.at(each, "name") == VOLUME for each in volumes]
    if not any(named):
        return [*volumes, _volume()]
    return [
        _volume() if found and not isinstance(each.get("emptyDir"), dict) else each
        for each, found in zip(volumes, named, strict=True)
    ]


def _volume() -> Mapping[str, Any]:
    return {"name": VOLUME, "emptyDir": {}}


def _with_mount(container: Any) -> Any:
    mounts = shapes.sequence(container, "volumeMounts")
    taken = any(shapes.at(each, "name") == VOLUME or shapes.at(each, "mountPath") == MOUNT_PATH for each in mounts)
    if taken or not isinstance(container, dict):
        return container
    return {**container, "volumeMounts": [*mounts, {"name": VOLUME, "mountPath": MOUNT_PATH}]}
