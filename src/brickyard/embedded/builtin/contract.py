"""Values that the built-in controllers' plans are made of."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedEvent:
    """An event to record on the planned object. ``type`` is ``Normal`` or ``Warning``."""

    type: str
    reason: str
    message: str
