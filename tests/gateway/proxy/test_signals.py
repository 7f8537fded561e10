"""What an operator may tell a running gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pathlib
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from brickyard.gateway import settings, testing
from brickyard.gateway.proxy import server, signals


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    made = logging.getLogger(signals.ROOT)
    before = made.level
    yield made
    made.setLevel(before)


@contextlib.asynccontextmanager
async def serving(path: str = "") -> AsyncIterator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    options = settings.GatewaySettings(port=0, access_log=path)
    task = asyncio.ensure_future(server.serve(testing.FakeDirector(), options, stop, ready=lambda _port: ready.set()))
    try:
        await asyncio.wait_for(ready.wait(), 5)
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)


async def sent(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("usual", "other"), [(logging.INFO, logging.DEBUG), (logging.DEBUG, logging.INFO)])
async def test_usr1_says_more_and_then_as_much_as_before(logger: logging.Logger, usual: int, other: int) -> None:
    logger.setLevel(usual)
    async with serving():
        await sent(signal.SIGUSR1)
        assert logger.level == other
        await sent(signal.SIGUSR1)
        assert logger.level == usual
        await sent(signal.SIGUSR1)
    assert logger.level == usual


async def test_hup_opens_the_log_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "access.log"
    async with serving(str(path)):
        path.rename(tmp_path / "moved")
        await sent(signal.SIGHUP)
        # The next line makes the file: nothing has been asked here, so none is due.
        assert not path.exists()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


@pytest.mark.parametrize("path", ["", "-"])
async def test_hup_keeps_its_meaning_where_there_is_no_file(path: str) -> None:
    async with serving(path):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
