"""What every test stands on."""

from __future__ import annotations

import asyncio

import hypothesis
import pytest

# The same examples everywhere and every time: a test that fails here fails there. How long one takes is the machine's matter, not the
# code's; what hangs is ended by the test's own time limit.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Say that the main thread has no event loop.

    Left unsaid, the asyncio plug-in asks the policy for "the loop before mine" and so makes one that nobody closes.
    """
    asyncio.set_event_loop(None)
