"""One lock file per reference, so that replicas and processes share a download instead of repeating it.

``flock`` belongs to the open file: two holders in one process exclude each other like two processes do, and a killed holder's lock
is gone with it. The files stay: removing one while another process waits for it would let both in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

_POLL: Final = 0.1
"""Seconds between two tries. A blocking wait would hold a thread that nothing can call back."""


@contextlib.asynccontextmanager
async def held(path: pathlib.Path, waiting: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Hold the lock at ``path``; ``waiting`` is called before each further try. The caller sets the deadline.

    Raises:
        OSError: the file cannot be opened.
    """
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while not _try(descriptor):
            await waiting()
            await asyncio.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR}:
            return False
        raise
    return True
