"""How sources read."""

from __future__ import annotations

import dataclasses

from brickyard.lib import settings


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Deadlines and bounds of what autoscalers read over HTTP."""

    page_timeout: float = settings.field(2.0, help="Seconds that one page may take.")
    deadline: float = settings.field(5.0, help="Seconds that all pages of one metric may take together.")
    connections: int = settings.field(256, help="Pages read at the same time.")
    late_connections: int = settings.field(32, help="Of these, for pages that were late the last time.")
    fresh: float = settings.field(
        2.0, help="Seconds for which a page that one autoscaler read is good enough for another."
    )
    largest_page: int = settings.field(8 * 2**20, help="Bytes; a page that goes on beyond is given up.")
