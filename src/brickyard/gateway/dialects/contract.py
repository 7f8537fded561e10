"""A dialect reads one endpoint's request body as far as the gateway must know it, and no further.

The body travels to the engine byte for byte; a dialect only looks. What it refuses, an engine would refuse later and less
clearly; what it does not know, it lets pass: engines grow parameters faster than gateways do.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol


@dataclasses.dataclass(slots=True)
class Meaning:
    """What the gateway wants to know of a body.

    Attributes:
        model: the served model's name, never empty.
        stream: whether the client asked for server-sent events.
        user: the body's ``user`` field, "" when absent.
        output_limit: tokens that the answer may have at most, 0 when the body does not say.
        tells_usage: the stream will end with what it used without our asking.
        generates: the answer is text that a model writes, so that its tokens can be guessed where the engine tells none.
        priority: higher goes first where requests have to wait.
        prompt_at: where in the body the prompt begins; what stands before differs between requests that share a prompt.
        document: the body as JSON; None when it is none.
    """

    model: str
    stream: bool = False
    user: str = ""
    output_limit: int = dataclasses.field(default=0, compare=False)
    tells_usage: bool = dataclasses.field(default=True, compare=False)
    generates: bool = dataclasses.field(default=False, compare=False)
    priority: int = dataclasses.field(default=0, compare=False)
    prompt_at: int = dataclasses.field(default=0, compare=False)
    document: dict[str, Any] | None = dataclasses.field(default=None, compare=False, repr=False)


class Dialect(Protocol):
    """One POST endpoint of an engine's API."""

    @property
    def path(self) -> str:
        """The URL path, such as ``/v1/chat/completions``."""
        ...

    def read(self, body: bytes, content_type: bytes = b"") -> Meaning:
        """What ``body`` asks for. ``content_type``: the request's header, as sent; only forms look at it.

        Raises:
            RefusedError: 400; ``param`` names the field at fault.
        """
        ...
