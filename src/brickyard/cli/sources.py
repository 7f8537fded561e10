"""Where manifests are read from: files, folders, standard input, URLs."""

from __future__ import annotations

import pathlib
import sys
import urllib.request
from collections.abc import Iterator

from brickyard.lib import errors

SUFFIXES = {".yaml", ".yml", ".json"}
LIMIT = 16 * 1024 * 1024
DEADLINE = 30.0


def read(source: str) -> Iterator[tuple[str, str]]:
    """Name and text of each file that ``source`` means; a folder means its manifests, in order of name.

    Raises:
        UsageError: it is not there, or cannot be read.
    """
    try:
        if source == "-":
            yield "standard input", sys.stdin.read(LIMIT)
        elif source.startswith(("http://", "https://")):
            yield source, _download(source)
        else:
            for path in _files(pathlib.Path(source)):
                yield str(path), path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"cannot read {source}: {getattr(error, 'strerror', None) or error}") from error


def _download(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - the scheme is http or https
        text: bytes = answer.read(LIMIT)
    return text.decode()


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
    if not found:
        raise errors.UsageError(f"no manifest in {path}", hint="files ending in .yaml, .yml or .json are read")
    return found
