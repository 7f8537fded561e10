"""The room's errors.

BrickyardError
└── SizeError     a size or budget that cannot be kept; the message names the least that can
"""

from __future__ import annotations

from brickyard.lib import errors


class SizeError(errors.UsageError):
    """A block size or a budget is out of its range."""
