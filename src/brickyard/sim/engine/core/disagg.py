"""Hand-over of the KV cache from an engine that computes prompts to one that writes answers, as three engines speak of it.

| engine | in the prefill request | in its answer | in the decode request |
|---|---|---|---|
| vLLM | ``kv_transfer_params.do_remote_decode`` | ``kv_transfer_params`` with ``do_remote_prefill`` | that |
| TensorRT-LLM | ``disaggregated_params``, ``context_only`` | ``disaggregated_params`` | that, ``generation_only`` |
| SGLang | ``bootstrap_host``, ``_port``, ``_room`` | nothing | the same three, at the same time |

The double moves no data. It counts the tokens that were promised as computed, and lets them take the time they would take.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any

from brickyard.sim.engine.core import errors, tokens, work


class Role(enum.Enum):
    """Which half of a request this engine has."""

    PREFILL = "prefill"
    DECODE = "decode"


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """Where the two halves of a request meet in SGLang's manner."""

    host: str
    port: int
    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class Handover:
    """``remote`` are the tokens promised; ``request_id`` what TensorRT-LLM calls the request by; ``room`` is SGLang's."""

    engine: str
    role: Role
    remote: int = 0
    request_id: int | str | None = None
    room: Room | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Who hands over: the engine's own id, and the address others reach it by."""

    engine_id: str
    host: str | None = None
    port: int = 8200


def read(body: Mapping[str, Any], block_size: int, own_role: Role | None = None) -> Handover | None:
    """What ``body`` says about a hand-over; None when nothing. ``own_role`` decides where the body does not (SGLang).

    Raises:
        RejectedError: it says something that cannot be.
    """
    if (given := body.get("kv_transfer_params")) is not None:
        return _vllm(_object(given, "kv_transfer_params"), block_size)
    if (given := body.get("disaggregated_params")) is not None:
        return _trtllm(_object(given, "disaggregated_params"))
    if body.get("bootstrap_room") is not None and own_role is not None:
        return Handover("sglang", own_role, room=_room(body))
    return None


def _object(given: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise errors.RejectedError(f"{name} must be an object", name)
    return given


def _vllm(given: Mapping[str, Any], block_size: int) -> Handover | None:
    if given.get("do_remote_decode"):
        return Handover("vllm", Role.PREFILL)
    if not given.get("do_remote_prefill"):
        return None
    held = given.get("remote_block_ids") or ()
    if not isinstance(held, list | tuple):
        raise errors.RejectedError("kv_transfer_params.remote_block_ids must be a list", "kv_transfer_params")
    return Handover("vllm", Role.DECODE, remote=len(held) * block_size)


def _trtllm(given: Mapping[str, Any]) -> Handover | None:
    kind = given.get("request_type")
    request_id = given.get("disagg_request_id")
    if kind == "context_only":
        return Handover("trtllm", Role.PREFILL, request_id=request_id)
    if kind == "generation_only":
        return Handover("trtllm", Role.DECODE, remote=_opened(given.get("opaque_state")), request_id=request_id)
    if kind in (None, "context_and_generation"):
        return None
    raise errors.RejectedError(
        "disaggregated_params.request_type must be context_only, generation_only or context_and_generation",
        "disaggregated_params",
    )


def _room(body: Mapping[str, Any]) -> Room:
    host, port, number = body.get("bootstrap_host"), body.get("bootstrap_port", 8998), body["bootstrap_room"]
    if not isinstance(host, str) or type(port) is not int or type(number) is not int:
        raise errors.RejectedError(
            "bootstrap_host must be text, bootstrap_port and bootstrap_room whole numbers", "bootstrap_room"
        )
    return Room(host, port, number)


def _sealed(prompt: int) -> str:
    return base64.b64encode(json.dumps({"prompt_tokens": prompt}).encode()).decode()


def _opened(state: Any) -> int:
    try:
        return int(json.loads(base64.b64decode(state, validate=True))["prompt_tokens"])
    except (ValueError, TypeError, KeyError) as error:
        raise errors.RejectedError(
            "disaggregated_params.opaque_state is not what a context_only answer of this engine held",
            "disaggregated_params",
        ) from error


def answer(handover: Handover, job: work.Job, finish: work.Finish, me: Identity) -> Mapping[str, Any]:
    """What a prefill engine adds to its answer, at its top level; empty for the other half.

    TensorRT-LLM's ``disaggregated_params`` belong to the first choice: the key ``choice`` holds what goes there.
    """
    if handover.role is not Role.PREFILL or handover.engine == "sglang":
        return {}
    if handover.engine == "vllm":
        return {
            "kv_transfer_params": {
                "do_remote_decode": False,
                "do_remote_prefill": True,
                "remote_engine_id": me.engine_id,
                "remote_block_ids": list(finish.blocks),
                "remote_host": me.host,
                "remote_port": me.port,
            }
        }
    return {
        "prompt_token_ids": tokens.ids(job.prompt),
        "choice": {
            "disaggregated_params": {
                "request_type": "context_only",
                "disagg_request_id": handover.request_id,
                "first_gen_tokens": tokens.ids(job.output[: tokens.WIDTH]),
                "opaque_state": _sealed(finish.prompt),
            }
        },
    }
