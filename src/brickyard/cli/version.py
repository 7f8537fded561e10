"""``brickyard version``."""

from __future__ import annotations

import brickyard


def version() -> None:
    """Print the version."""
    print(f"brickyard {brickyard.__version__}")
