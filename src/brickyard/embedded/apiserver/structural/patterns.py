"""Regular expressions of schemas, which are Go's: RE2, so that no pattern takes more than time linear in what it is matched with."""

from __future__ import annotations

from typing import Any

from brickyard.embedded.apiserver.cel import errors, strings


def compiled(pattern: str) -> Any:
    """``pattern`` for ``search``.

    Raises:
        ValueError: it is no regular expression.
    """
    try:
        return strings.pattern(pattern)
    except errors.EvaluationError as error:
        raise ValueError(str(error)) from error
