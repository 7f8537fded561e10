"""A fresh API server and a client for each test that asks for them."""

import pathlib
from collections.abc import AsyncIterator

import pytest

from brickyard.embedded.apiserver import testing


@pytest.fixture
async def server(tmp_path: pathlib.Path) -> AsyncIterator[testing.RunningServer]:
    async with testing.running(tmp_path) as running:
        yield running


@pytest.fixture
async def api(server: testing.RunningServer) -> AsyncIterator[testing.Api]:
    async with testing.connect(server) as connected:
        yield connected
