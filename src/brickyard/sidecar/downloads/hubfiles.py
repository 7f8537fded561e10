"""Which files of a hub's repository serve its model. Pure.

| the reference names | fetched | an engine gets |
|---|---|---|
| a file | that file, and the other parts of a GGUF file in parts | the file, the first part |
| a quantisation | the GGUF file of it, all parts | the file, the first part |
| nothing, and the repository holds weights other than GGUF | configuration, tokenizer, and the weights in one format | the folder |
| nothing, and all weights are GGUF files | the file of the first quantisation that is there of ``PREFERRED`` | the file |

Repositories hold the same weights several times over; of these formats the first is taken: safetensors, PyTorch's pickles.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from brickyard.sidecar.downloads import errors, references

PREFERRED: Final = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "Q5_K_M", "Q8_0", "F16", "BF16")
_PART: Final = re.compile(r"(?P<stem>.*)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf", re.IGNORECASE)
_FORMATS: Final = ((".safetensors",), (".bin", ".pt", ".pth"))
_WEIGHTS: Final = frozenset(
    {*_FORMATS[0], *_FORMATS[1], ".gguf", ".onnx", ".h5", ".msgpack", ".ckpt", ".ot", ".tflite"}
)
_LEFT: Final = frozenset({".md", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".pdf", ".mp4"})
_DOUBLE: Final = ("original/", "metal/", "onnx/", "openvino/", "coreml/", "consolidated")
"""How paths begin under which a repository keeps its weights once more, for other programs."""
_SHOWN: Final = 12


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A file of a repository: its path, size in bytes, and what names its content; None and "" where untold."""

    path: str
    size: int | None = None
    sha256: str = ""
    git_oid: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """The files to fetch, and the one an engine gets; "" for their folder."""

    files: tuple[File, ...]
    entry: str = ""


def choose(reference: references.HubModel, files: Sequence[File], suffixes: frozenset[str] = frozenset()) -> Chosen:
    """What to fetch of ``files`` for ``reference``. ``suffixes``, such as ``.json``, are the only ones allowed in a folder.

    Raises:
        ModelNotFoundError: there is nothing of that kind; the message lists what there is.
        CorruptError: the listing holds a path that leads out of its folder.
    """
    if bad := next((file.path for file in files if not references.relative(file.path)), None):
        raise errors.CorruptError(f"{reference.text}: the repository lists {bad!r}, which leads out of its folder")
    if reference.path:
        return _named(reference, files)
    ggufs = [file for file in files if _suffix(file) == ".gguf"]
    if reference.quant:
        return _quantised(reference, ggufs, (reference.quant,))
    if ggufs and not any(_suffix(file) in formats for formats in _FORMATS for file in files):
        return _quantised(reference, ggufs, PREFERRED)
    return _folder(reference, files, suffixes)


def _suffix(file: File) -> str:
    return pathlib.PurePosixPath(file.path).suffix.lower()


def _named(reference: references.HubModel, files: Sequence[File]) -> Chosen:
    found = next((file for file in files if file.path == reference.path), None)
    if found is None:
        alike = [file for file in files if _suffix(file) == pathlib.PurePosixPath(reference.path).suffix.lower()]
        raise errors.ModelNotFoundError(
            f"hf://{reference.repository} has no file {reference.path}. {_offer(alike or files)}"
        )
    parts = _parts(found, files)
    return Chosen(parts, parts[0].path)


def _parts(file: File, files: Iterable[File]) -> tuple[File, ...]:
    """All parts of the GGUF file that ``file`` is a part of, in order; ``file`` itself when it is whole."""
    matched = _PART.fullmatch(file.path)
    if matched is None:
        return (file,)
    count = int(matched["parts"])
    names = [f"{matched['stem']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]
    by_path = {each.path: each for each in files}
    if missing := [name for name in names if name not in by_path]:
        raise errors.ModelNotFoundError(f"{file.path} comes in {count} parts, and {missing[0]} is not there")
    return tuple(by_path[name] for name in names)


def _quantised(reference: references.HubModel, ggufs: Sequence[File], quants: Sequence[str]) -> Chosen:
    # Projectors of images and drafts of speculation stand beside the model they belong to.
    models = [file for file in ggufs if not re.search(r"(^|/)(mmproj|imatrix)", file.path, re.IGNORECASE)]
    for quant in quants:
        pattern = re.compile(rf"(^|[^A-Za-z0-9]){re.escape(quant)}($|[^A-Za-z0-9_])", re.IGNORECASE)
        if of_quant := [file for file in models if pattern.search(pathlib.PurePosixPath(file.path).stem)]:
            # The plain file before its variants, which have longer names: UD-Q4_K_M, Q4_K_M-imat.
            first = min(of_quant, key=lambda file: (len(file.path), file.path))
            parts = _parts(first, models)
            return Chosen(parts, parts[0].path)
    whole = {_parts(file, models)[0].path: file for file in models if len(quants) > 1}
    if len(whole) == 1:
        parts = _parts(next(iter(whole.values())), models)
        return Chosen(parts, parts[0].path)
    asked = f" of quantisation {quants[0]}" if len(quants) == 1 else " that is chosen by itself"
    raise errors.ModelNotFoundError(f"hf://{reference.repository} has no GGUF file{asked}. {_offer(models)}")


def _folder(reference: references.HubModel, files: Sequence[File], suffixes: frozenset[str]) -> Chosen:
    wanted = [file for file in files if not file.path.lower().startswith(_DOUBLE) and not _hidden(file)]
    kept: tuple[str, ...] = next((each for each in _FORMATS if any(_suffix(file) in each for file in wanted)), ())
    chosen = tuple(
        file
        for file in wanted
        if (_suffix(file) in kept or _suffix(file) not in _WEIGHTS)
        and _suffix(file) not in _LEFT
        and (not suffixes or _suffix(file) in suffixes)
    )
    if not chosen:
        raise errors.ModelNotFoundError(f"hf://{reference.repository} has no file of a model. {_offer(files)}")
    return Chosen(chosen)


def _hidden(file: File) -> bool:
    return any(segment.startswith(".") for segment in file.path.split("/"))


def _offer(files: Sequence[File]) -> str:
    names = sorted(file.path for file in files)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"It has: {', '.join(names[:_SHOWN])}{more}" if names else "It has no files of that kind"
