"""A house for tests of the whole agent."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest

from brickyard.embedded.kubelet.plan import container
from brickyard.embedded.kubelet.testing_agent import House
from brickyard.lib import backoff


@pytest.fixture
async def house(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(container, "START_BACKOFF", backoff.Backoff(0.05, 1.0, 0.05))
    async with House(tmp_path) as built:
        yield built
