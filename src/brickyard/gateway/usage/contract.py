"""What was used."""

from __future__ import annotations

from brickyard.lib import values


@values.value
class Usage:
    """Tokens of one request.

    Attributes:
        prompt: tokens read, cached ones included.
        completion: tokens written, those of reasoning included.
        total: as the engine sums them up, else their sum.
        cached: of ``prompt``, those that the engine had in its cache; None when it does not say.
        estimated: the engine told nothing: these are guesses from lengths.
    """

    prompt: int
    completion: int
    total: int
    cached: int | None = None
    estimated: bool = False
