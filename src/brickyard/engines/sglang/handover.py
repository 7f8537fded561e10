"""SGLang's way to hand over: both engines get the same room at once, and meet at the prefill engine's bootstrap server.

Nothing of the prefill engine's answer is needed, so the decode engine is asked at the same time; it waits by itself.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Final

from brickyard.engines import bodies, contract, handover

_ROOM: Final = ("bootstrap_host", "bootstrap_port", "bootstrap_room")
_GUARDED: Final = frozenset({*_ROOM, *handover.ONE_TOKEN, *handover.DROPPED})
_LARGEST: Final = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Meeting:
    """Fills ``contract.HandOver``. A client's own room is written over: two requests in one room would mix."""

    at_once: bool = True

    def prefill(self, body: bytes, ticket: contract.Ticket) -> bytes:
        bodies.once(body, _GUARDED, handover.REQUEST)
        return handover.prefill(body, _room(ticket))

    def decode(self, body: bytes, ticket: contract.Ticket, answer: bytes) -> bytes:
        del answer
        bodies.once(body, _GUARDED, handover.REQUEST)
        return bodies.made(bodies.members(body, handover.REQUEST), _room(ticket))


def _room(ticket: contract.Ticket) -> dict[str, object]:
    return dict(zip(_ROOM, (ticket.host, ticket.bootstrap_port, ticket.number & _LARGEST), strict=True))


CONNECTORS: Final[Mapping[str, contract.HandOver]] = types.MappingProxyType({"": Meeting()})
