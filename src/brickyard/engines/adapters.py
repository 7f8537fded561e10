"""LoRA adapters over HTTP, in the protocol that vLLM began and SGLang follows: two paths, ``lora_name``, ``lora_path``. Pure.

Answers are judged by status first: 200 and 201 are success. Beyond that the engines differ in what they say of an adapter that is
not there when it shall go (vLLM 404, earlier 400; SGLang 400), so a refusal that says so counts as done.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import orjson

from brickyard.engines import contract, errors

_DONE: Final = frozenset({200, 201})
_LATER: Final = frozenset({408, 425, 429, 502, 503, 504})
"""What a server or proxy says that is not ready yet or has too much to do."""
_HUB: Final = ("huggingface://", "hf://")
_ABSENT: Final = ("cannot be found", "not found", "does not exist", "not loaded", "is not currently loaded")
_NO_PATH: Final = {"detail": "Not Found"}
"""What both engines' web framework says of a path that it does not have."""
_SWITCHES: Final = "adapters need --enable-lora, and vLLM the variable VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
_SHOWN: Final = 4096
"""Bytes of an answer that a message holds."""


@dataclasses.dataclass(frozen=True, slots=True)
class HttpProtocol:
    """Fills ``engines.contract.LoraProtocol``.

    Attributes:
        load_path: where to ask for an adapter.
        unload_path: where to send it away.
    """

    load_path: str
    unload_path: str

    def list(self) -> contract.Call:
        return contract.Call("GET", "/v1/models")

    def load(self, name: str, artifact: str) -> contract.Call:
        return contract.Call("POST", self.load_path, {"lora_name": name, "lora_path": _path(artifact)})

    def unload(self, name: str) -> contract.Call:
        return contract.Call("POST", self.unload_path, {"lora_name": name})

    def listed(self, status: int, body: bytes) -> frozenset[str]:
        if status not in _DONE:
            raise _refused("tell its models", status, body)
        content = _content(body)
        models = content.get("data") if isinstance(content, dict) else None
        if not isinstance(models, list):
            raise errors.LoraError("the engine's list of models has no `data`: is this an OpenAI-compatible server?")
        names = (model.get("id") for model in models if isinstance(model, dict))
        return frozenset(name for name in names if isinstance(name, str))

    def loaded(self, status: int, body: bytes) -> None:
        if status not in _DONE or _denied(body):
            raise _refused("load the adapter", status, body)

    def unloaded(self, status: int, body: bytes) -> None:
        if status in _DONE and not _denied(body):
            return
        said = body[:_SHOWN].decode(errors="replace").lower()
        absent = status in {400, 404} and "adapter" in said and any(words in said for words in _ABSENT)
        if not absent:
            raise _refused("unload the adapter", status, body)


def _path(artifact: str) -> str:
    """What the engine calls the artifact: a repository of the hub has no scheme there."""
    for scheme in _HUB:
        if artifact.startswith(scheme):
            artifact = artifact.removeprefix(scheme).strip("/")
            break
    if not artifact:
        raise errors.LoraError(
            "the artifact names nothing: write huggingface://organisation/name, or a path the engine sees"
        )
    return artifact


def _denied(body: bytes) -> bool:
    """Whether an answer that calls itself a success says in its body that it is none, as SGLang's may."""
    content = _content(body)
    return isinstance(content, dict) and content.get("success") is False


def _content(body: bytes) -> Any:
    """None for what is no JSON: vLLM's success is a sentence."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _refused(what: str, status: int, body: bytes) -> errors.LoraError:
    said = " ".join(body[:_SHOWN].decode(errors="replace").split())
    message = f"the engine did not {what}: it answered {status}" + (f", {said}" if said else "")
    if status == 404 and _content(body) == _NO_PATH:
        message += f" ({_SWITCHES})"
    return errors.LoraError(message, retriable=status in _LATER)
