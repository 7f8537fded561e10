"""Where manifests are read from: files, folders, standard input, URLs."""

from __future__ import annotations

import http.client
import pathlib
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence

from brickyard.api.kinds import resources
from brickyard.kube.objects import manifests
from brickyard.lib import errors

SUFFIXES = {".yaml", ".yml", ".json"}
LIMIT = 16 * 1024 * 1024
DEADLINE = 30.0


class WrongNamespace(errors.UsageError):
    """A manifest names another namespace than the command line."""


def objects(sources: Iterable[str], *, namespace: str | None, recursive: bool) -> list[tuple[str, resources.Object]]:
    """Every object of ``sources`` with the name of the text it stands in, in order; all is read before anything is returned.

    ``namespace`` is the one given on the command line, None when none was.

    Raises:
        UsageError: a source is not there, cannot be read, or holds no manifest.
        WrongNamespace: an object names another namespace than ``namespace``.
    """
    found = [
        (name, obj)
        for source in sources
        for name, text in read(source, recursive=recursive)
        for obj in manifests.parse(text, name)
    ]
    if namespace is not None:
        _check_namespaces(found, namespace)
    return found


def _check_namespaces(found: Sequence[tuple[str, resources.Object]], wanted: str) -> None:
    for name, obj in found:
        own = obj["metadata"].get("namespace") or wanted
        if own != wanted:
            text = f"{name}: {obj['kind']} {obj['metadata']['name']} is for namespace {own}, not {wanted}"
            raise WrongNamespace(text, hint=f"leave --namespace out, or give --namespace {own}")


def read(source: str, *, recursive: bool = False) -> Iterator[tuple[str, str]]:
    """Name and text of each file that ``source`` means; a folder means its manifests, in order of name.

    Raises:
        UsageError: it is not there, or cannot be read.
    """
    try:
        if source == "-":
            yield "standard input", _whole(sys.stdin.buffer.read(LIMIT + 1))
        elif source.startswith(("http://", "https://")):
            yield source, _download(source)
        else:
            for path in _files(pathlib.Path(source), recursive=recursive):
                with path.open("rb") as file:
                    yield str(path), _whole(file.read(LIMIT + 1))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise errors.UsageError(f"cannot read {source}: {_problem(error)}") from error


def _whole(data: bytes) -> str:
    if len(data) > LIMIT:
        raise ValueError(f"it is larger than {LIMIT // 1024**2} MiB")
    return data.decode("utf-8-sig")


def _download(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE) as answer:  # noqa: S310 - the scheme is http or https
        return _whole(answer.read(LIMIT + 1))


def _problem(error: Exception) -> str:
    """What went wrong, without the wrapping that urllib puts around it."""
    if isinstance(error, urllib.error.HTTPError):
        with error:
            return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return str(getattr(error.reason, "strerror", None) or error.reason)
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _files(path: pathlib.Path, *, recursive: bool) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    below = path.rglob("*") if recursive else path.iterdir()
    found = sorted(each for each in below if each.suffix in SUFFIXES and not each.is_dir())
    if not found:
        hint = "files ending in .yaml, .yml or .json are read" + (
            "" if recursive else "; with -R also in folders below"
        )
        raise errors.UsageError(f"no manifest in {path}", hint=hint)
    return found
