"""vLLM's ways to hand over, by connector.

| connector | to the prefill engine | to the decode engine |
|---|---|---|
| ``shfs`` | ``kv_transfer_params`` that ask for blocks to be kept | those of its answer, with its address as ``remote_host`` |
| ``nixl`` | nothing more | its whole answer as ``disagg_prefill_resp`` |
| ``mooncake`` | nothing more | nothing: the blocks are found in the store |
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Final

from brickyard.engines import bodies, contract, handover

_PARAMS: Final = "kv_transfer_params"
_ASKED: Final = {
    "do_remote_decode": True,
    "do_remote_prefill": False,
    "remote_engine_id": None,
    "remote_block_ids": None,
    "remote_host": None,
    "remote_port": None,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """Fills ``contract.HandOver``: the prefill engine keeps the blocks and says where, the decode engine fetches them."""

    at_once: bool = False

    def prefill(self, body: bytes, ticket: contract.Ticket) -> bytes:
        del ticket
        return handover.prefill(body, {_PARAMS: _ASKED})

    def decode(self, body: bytes, ticket: contract.Ticket, answer: bytes) -> bytes:
        told = bodies.object_of(bodies.members(answer, handover.ANSWER), _PARAMS, handover.ANSWER)
        if told is None:
            return body
        told["remote_host"] = bodies.value(ticket.host)
        return bodies.made(bodies.members(body, handover.REQUEST), {_PARAMS: bodies.raw(told)})


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """Fills ``contract.HandOver``: the decode engine reads the whole answer of the prefill engine."""

    at_once: bool = False

    def prefill(self, body: bytes, ticket: contract.Ticket) -> bytes:
        del ticket
        return handover.prefill(body, {})

    def decode(self, body: bytes, ticket: contract.Ticket, answer: bytes) -> bytes:
        del ticket
        told = bodies.raw(bodies.members(answer, handover.ANSWER))
        return bodies.made(bodies.members(body, handover.REQUEST), {"disagg_prefill_resp": told})


CONNECTORS: Final[Mapping[str, contract.HandOver]] = types.MappingProxyType(
    {"shfs": Kept(), "nixl": Whole(), "mooncake": handover.PLAIN}
)
