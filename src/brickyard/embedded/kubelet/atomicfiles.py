"""Folders of files that change as a whole: whoever reads them sees all of the old content or all of the new.

    <folder>/key        ─► ..data/key       a link per first component
    <folder>/..data     ─► ..<digest>       replaced by one rename
    <folder>/..<digest>/key                 the content, in a folder named after it

That is how Kubernetes lays out ConfigMaps and Secrets, and what programs that watch them are written for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping

DATA = "..data"
_DIGEST = 16


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """Content and mode of one file."""

    payload: bytes
    mode: int = 0o644


def write(folder: pathlib.Path, content: Mapping[str, File]) -> bool:
    """Make ``folder`` hold exactly ``content``, by relative path; whether anything changed. Blocks.

    Raises:
        ValueError: a path leaves the folder, or one is a file and a folder at once.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        version = f"..{_digest(content)}"
        if _target(folder / DATA) == version:
            return False
        _fill(folder, version, content)
        _link(folder / DATA, version)
        names = {pathlib.PurePosixPath(path).parts[0] for path in content}
        for name in sorted(names):
            if _target(folder / name) != f"{DATA}/{name}":
                _link(folder / name, f"{DATA}/{name}")
        _sweep(folder, {DATA, version, *names})
    return True


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    """Containers of a pod start together, and each asks for its volumes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _digest(content: Mapping[str, File]) -> str:
    total = hashlib.sha256()
    for path, file in sorted(content.items()):
        total.update(f"{path}\0{file.mode:o}\0{len(file.payload)}\0".encode())
        total.update(file.payload)
    return total.hexdigest()[:_DIGEST]


def _target(link: pathlib.Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:
        return None


def _fill(folder: pathlib.Path, version: str, content: Mapping[str, File]) -> None:
    draft = pathlib.Path(tempfile.mkdtemp(dir=folder, prefix="..new-"))
    try:
        for path, file in content.items():
            _write_one(draft, path, file)
        shutil.rmtree(folder / version, ignore_errors=True)  # half of it, from somebody who was killed
        draft.rename(folder / version)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _write_one(draft: pathlib.Path, path: str, file: File) -> None:
    inside = pathlib.PurePosixPath(path)
    if inside.is_absolute() or not inside.parts or ".." in inside.parts:
        raise ValueError(f"path {path!r} leaves the volume")
    target = draft / inside
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            out.write(file.payload)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"path {path!r} is a file and a folder at once") from error
    target.chmod(file.mode)


def _link(link: pathlib.Path, target: str) -> None:
    draft = link.with_name(f"..link-{link.name}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    draft.replace(link)


def _sweep(folder: pathlib.Path, kept: set[str]) -> None:
    for each in folder.iterdir():
        if each.name in kept:
            continue
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
