"""A dialect reads one endpoint's request body as far as the gateway must know it, and no further.

The body travels to the engine byte for byte; a dialect only looks. What it refuses, an engine would refuse later and less
clearly; what it does not know, it lets pass: engines grow parameters faster than gateways do.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol


@dataclasses.dataclass(slots=True)
class Meaning:
    """What the gateway wants to know of a body.

    Attributes:
        model: the served model's name, never empty.
        stream: whether the client asked for server-sent events.
        user: the body's ``user`` field, "" when absent.
    """

    model: str
    stream: bool = False
    user: str = ""


class Dialect(Protocol):
    """One POST endpoint of the OpenAI API."""

    @property
    def path(self) -> str:
        """The URL path, such as ``/v1/chat/completions``."""
        ...

    def read(self, body: bytes) -> Meaning:
        """What ``body`` asks for.

        Raises:
            RefusedError: 400; ``param`` names the field at fault.
        """
        ...
