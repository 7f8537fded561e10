"""What the hand-overs of all engines have in common, and the one for engines that have none of their own. Pure.

The prefill engine is to compute the prompt and nothing else: one token, no stream.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from brickyard.engines import bodies, contract

ONE_TOKEN: Final = {"max_tokens": 1, "max_completion_tokens": 1, "stream": False}
DROPPED: Final = ("stream_options", "min_tokens")
REQUEST: Final = bodies.REQUEST
ANSWER: Final = "the prefill engine's answer"


def prefill(body: bytes, filled: dict[str, Any], dropped: tuple[str, ...] = ()) -> bytes:
    """``body`` for the prefill engine, with what its engine wants to be ``filled`` and ``dropped``.

    Raises:
        HandOverError: it is no JSON object.
    """
    gone = (*DROPPED, *dropped)
    limits = {name: value for name, value in ONE_TOKEN.items() if name not in gone}
    return bodies.made(bodies.members(body, REQUEST), {**limits, **filled}, gone)


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """Fills ``contract.HandOver`` for engines that find each other's blocks by themselves, as through a store they share."""

    at_once: bool = False

    def prefill(self, body: bytes, ticket: contract.Ticket) -> bytes:
        del ticket
        return prefill(body, {})

    def decode(self, body: bytes, ticket: contract.Ticket, answer: bytes) -> bytes:
        del ticket, answer
        return body


PLAIN: Final = Plain()
