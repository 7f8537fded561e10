"""One running Brickyard with the demo model, shared by the tests that only use it."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Iterator

import pytest
from tests.e2e import yard as yards

from brickyard.sidecar.downloads import cache


@pytest.fixture(scope="session")
def model() -> None:
    """The demo's model, in the cache of whoever runs the tests."""
    asyncio.run(cache.ModelCache(pathlib.Path("~/.cache/brickyard/models").expanduser()).fetch(yards.MODEL))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, model: None) -> Iterator[yards.Yard]:
    """Up, with two ready replicas of the demo model. Tests leave it as they found it."""
    with yards.running(tmp_path_factory.mktemp("shared") / "data") as yard:
        yard.kubectl("apply", "-f", str(yards.DEMO))
        yard.kubectl("rollout", "status", "deployment/smollm2", "--timeout=60s")
        yield yard


@pytest.fixture
def yard(tmp_path: pathlib.Path, model: None) -> Iterator[yards.Yard]:
    """One of the test's own, up and empty."""
    with yards.running(tmp_path / "data") as own:
        yield own
