"""The event that ends a stream which cannot go on, in the words of whoever reads it.

| clients of | event |
|---|---|
| ``/v1/messages`` | ``event: error`` with Anthropic's error object |
| ``/v1/responses`` | ``event: error``, numbered as the next one, with its fields twice |
| everything else | ``data:`` with OpenAI's error object, for which its libraries raise |

Twice, because OpenAI documents them flat and sends them nested under ``error``: libraries raise for the one or for the other.
"""

from __future__ import annotations

import re
from typing import Final

from brickyard.api.anthropic import errors as anthropic
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors

_ANTHROPIC: Final = b"/v1/messages"
_RESPONSES: Final = b"/v1/responses"
_NUMBERED: Final = re.compile(rb'"sequence_number":\s*([0-9]{1,15})(?![0-9])')


def event(error: errors.UpstreamError, path: bytes = b"", said: bytes = b"") -> bytes:
    """The event for clients of ``path``. ``said``: the end of the stream so far, as far as it is known.

    It begins with an empty line, so that it stands alone even when the engine's last event was cut.
    """
    if path.startswith(_ANTHROPIC):
        return b"\n\nevent: error\ndata: " + anthropic.body(error.status, str(error)) + b"\n\n"
    told = openai.ApiError(error.status, str(error), error.code)
    if path.startswith(_RESPONSES):
        return b"\n\nevent: error\ndata: " + told.event(_following(said)) + b"\n\n"
    return b"\n\ndata: " + told.body() + b"\n\n"


def _following(said: bytes) -> int:
    """The number after the last event's; 0 where none is known."""
    numbers = _NUMBERED.findall(said)
    return int(numbers[-1]) + 1 if numbers else 0
