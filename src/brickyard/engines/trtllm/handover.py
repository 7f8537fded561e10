"""TensorRT-LLM's way to hand over: the context engine's ``disaggregated_params`` go to the generation engine.

The request's name must be unique among all gateways, be a positive signed 64-bit number, and lie above those that the servers give out
themselves: milliseconds since 2023 (41 bits), the gateway's number (10 bits), a count (12 bits), shifted up past the servers' own.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Final

from brickyard.engines import bodies, contract, handover

_PARAMS: Final = "disaggregated_params"
_EPOCH: Final = 1_672_531_200_000
"""Milliseconds: the beginning of 2023."""
_OWN: Final = 1 << 42
"""Below this the servers name requests by themselves."""


def request_id(ticket: contract.Ticket) -> int:
    """The request's name."""
    passed = max(0, round(ticket.at * 1000) - _EPOCH) & ((1 << 41) - 1)
    name = passed << 22 | (ticket.machine & 0x3FF) << 12 | ticket.count & 0xFFF
    return name % (2**63 - 1 - _OWN) + _OWN


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """Fills ``contract.HandOver``."""

    at_once: bool = False

    def prefill(self, body: bytes, ticket: contract.Ticket) -> bytes:
        params = {"request_type": "context_only", "disagg_request_id": request_id(ticket)}
        return handover.prefill(body, {_PARAMS: params}, ("max_completion_tokens",))

    def decode(self, body: bytes, ticket: contract.Ticket, answer: bytes) -> bytes:
        del ticket
        told = bodies.members(answer, handover.ANSWER)
        params = bodies.object_of(told, _PARAMS, handover.ANSWER)
        if params is None:
            params = bodies.object_of(bodies.first(told, "choices"), _PARAMS, handover.ANSWER)
        if params is None:
            return body
        params["request_type"] = bodies.value("generation_only")
        asked = bodies.members(body, handover.REQUEST)
        return bodies.made(asked, {_PARAMS: bodies.raw(params), **_prompt(told, chat="messages" in asked)})


def _prompt(told: bodies.Members, *, chat: bool) -> dict[str, Any]:
    """The prompt's token ids, so that the generation engine need not make them again."""
    ids = told.get("prompt_token_ids")
    if ids is None or bytes(ids).strip() == b"null":
        return {}
    return {"prompt_token_ids" if chat else "prompt": ids}


CONNECTORS: Final[Mapping[str, contract.HandOver]] = types.MappingProxyType({"": Context()})
