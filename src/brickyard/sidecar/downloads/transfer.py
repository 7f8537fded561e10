"""Brings one file here, over as many openings of its origin as it takes.

A connection that breaks or stalls is opened again where it stopped, as long as the other side still names the content as it did
before; patience ends after some failures in a row that brought not a byte. What has arrived is compared with what was announced:
size, checksum, or git's own name of it. The caller holds the lock on the target and sets the deadline.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import pathlib
import threading
from collections.abc import Callable
from typing import Final

from brickyard.lib import backoff, logs
from brickyard.sidecar.downloads import drafts, errors, remote, threads, wheels

log = logs.get(__name__)

Moved = Callable[[int], None]
"""Told how many bytes more there are than before; fewer when the file begins anew."""

_BLOCK: Final = 1 << 20
"""Bytes that go to the disk at once: a thread per network chunk would cost more than writing it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """When to give up.

    Attributes:
        stall: seconds without a byte after which a connection counts as broken.
        failures: failures in a row, without a byte gained, that are one too many.
        pause: how long to wait before opening again.
        longest: seconds of the longest pause that the other side may ask for.
    """

    stall: float = 30.0
    failures: int = 6
    pause: backoff.Backoff = backoff.Backoff(0.5, 2, 30)  # noqa: RUF009 - a frozen value
    longest: float = 120.0


PATIENCE: Final = Patience()


async def download(
    piece: remote.Piece,
    target: pathlib.Path,
    moved: Moved,
    patience: Patience = PATIENCE,
) -> wheels.Extracted:
    """Fetch ``piece`` to ``target``, taking up what lies there.

    Raises:
        DownloadError: it could not be had; what has arrived stays for the next call, unless it is wrong.
        OSError: the disk is full or cannot be written.
    """
    draft = drafts.Draft(target)
    abandon = threading.Event()
    try:
        await threads.run(functools.partial(draft.take_up, abandon), abandon)
        if piece.validator and draft.validator != piece.validator:
            await threads.run(functools.partial(draft.restart, "", None))
        moved(draft.size)
        return await _persist(piece, draft, moved, patience)
    finally:
        draft.close()


async def _persist(piece: remote.Piece, draft: drafts.Draft, moved: Moved, patience: Patience) -> wheels.Extracted:
    failures, most = 0, draft.size
    while True:
        try:
            if not draft.complete:
                await _read(piece, draft, moved, patience)
            return await _checked(piece, draft)
        except errors.DownloadError as error:
            if not error.passing:
                raise
            if isinstance(error, errors.CorruptError):
                await _discard(draft, moved)
            # What was gained once and thrown away does not count twice, else a liar is asked for ever.
            failures = 1 if draft.size > most else failures + 1
            most = max(most, draft.size)
            if failures > patience.failures:
                raise
            pause = _pause(error, failures, patience)
            log.info("download broke off and goes on", file=piece.path, bytes=draft.size, after=pause, why=str(error))
            await asyncio.sleep(pause)


async def _read(piece: remote.Piece, draft: drafts.Draft, moved: Moved, patience: Patience) -> None:
    """One opening of the origin, to its end."""
    timer = asyncio.timeout(patience.stall)
    try:
        async with timer, piece.origin.open(draft.size, draft.validator) as answer:
            _announced(piece, answer)
            if answer.start != draft.size or answer.start == 0:
                moved(-draft.size)
                await threads.run(functools.partial(draft.restart, answer.validator, answer.total))
            if answer.start != draft.size:
                raise errors.CorruptError(f"{piece.origin.label}: the answer begins where nobody asked: try again")
            draft.total = answer.total if answer.total is not None else piece.size
            await _store(answer, draft, moved, timer, patience.stall)
    except TimeoutError:
        raise errors.UnreachableError(
            f"{piece.origin.label}: nothing came for {patience.stall:g} s: check the network or try again later"
        ) from None
    if draft.total is not None and draft.size < draft.total:
        raise errors.UnreachableError(
            f"{piece.origin.label} broke off after {draft.size} of {draft.total} bytes: try again later"
        )
    draft.total = draft.size


def _announced(piece: remote.Piece, answer: remote.Answer) -> None:
    if piece.size is not None and answer.total is not None and answer.total != piece.size:
        raise errors.CorruptError(
            f"{piece.origin.label} has {answer.total} bytes where {piece.size} were announced: it changed, or a proxy answers for it"
        )


async def _store(
    answer: remote.Answer, draft: drafts.Draft, moved: Moved, timer: asyncio.Timeout, stall: float
) -> None:
    loop = asyncio.get_running_loop()
    block = bytearray()
    try:
        async for chunk in answer.chunks:
            timer.reschedule(loop.time() + stall)
            block += chunk
            if draft.total is not None and draft.size + len(block) > draft.total:
                block.clear()
                raise errors.CorruptError(f"more than the announced {draft.total} bytes came: try again later")
            if len(block) >= _BLOCK:
                await _write(draft, block, moved)
                timer.reschedule(loop.time() + stall)
    finally:
        # Also of a connection that broke: these bytes need not come twice.
        if block:
            if not timer.expired():
                timer.reschedule(None)
            await _write(draft, block, moved)


async def _write(draft: drafts.Draft, block: bytearray, moved: Moved) -> None:
    data = bytes(block)
    block.clear()
    await threads.run(functools.partial(draft.write, data))
    moved(len(data))


async def _checked(piece: remote.Piece, draft: drafts.Draft) -> wheels.Extracted:
    """The complete file, if it is what was announced."""
    found = await threads.run(draft.finish)
    wrong = ""
    if piece.size is not None and found.size != piece.size:
        wrong = f"has {found.size} bytes where {piece.size} were announced"
    elif piece.sha256 and found.sha256 != piece.sha256:
        wrong = f"has the checksum {found.sha256} where {piece.sha256} was announced"
    elif piece.git_oid and not piece.sha256 and await threads.run(draft.git_oid) != piece.git_oid:
        wrong = "is not the file that its repository names"
    if not wrong:
        return found
    raise errors.CorruptError(f"{piece.origin.label} {wrong}: it is damaged on the way or at its source")


def _pause(error: errors.DownloadError, failures: int, patience: Patience) -> float:
    """Seconds before the next try: our own back-off, or what the other side asks for, up to a bound."""
    asked = error.after if isinstance(error, errors.BusyError) else 0.0
    return max(patience.pause.delay(failures), min(asked, patience.longest))


async def _discard(draft: drafts.Draft, moved: Moved) -> None:
    moved(-draft.size)
    await threads.run(functools.partial(draft.restart, "", None))


async def whole(origin: remote.Origin, limit: int, patience: Patience = PATIENCE) -> bytes:
    """A small file in memory, asked for again while that can help.

    Raises:
        DownloadError: it could not be had, or has more than ``limit`` bytes.
    """
    failures = 0
    while True:
        try:
            return await _whole(origin, limit, patience.stall)
        except errors.DownloadError as error:
            failures += 1
            if not error.passing or failures > patience.failures:
                raise
            pause = _pause(error, failures, patience)
            log.info("asking again", what=origin.label, after=pause, why=str(error))
            await asyncio.sleep(pause)


async def _whole(origin: remote.Origin, limit: int, deadline: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(deadline), origin.open(0, "") as answer:
            async for chunk in answer.chunks:
                body += chunk
                if len(body) > limit:
                    raise errors.DownloadError(f"{origin.label}: more than {limit >> 20} MiB came, which is no listing")
    except TimeoutError:
        raise errors.UnreachableError(f"{origin.label}: no answer within {deadline:g} s: check the network") from None
    return bytes(body)
