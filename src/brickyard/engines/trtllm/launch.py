"""Containers of TensorRT-LLM's images as local processes of the machine's own ``trtllm-serve``.

The images have no entry point that serves, so ``args`` without ``command`` name their program too.
"""

from __future__ import annotations

import pathlib
from typing import Final

from brickyard.engines import errors, installed, rewriting

IMAGES: Final = (
    "nvcr.io/nvidia/tensorrt-llm/*",
    "*/tensorrt-llm:*",
    "*/tensorrt-llm@*",
    "*/trtllm:*",
    "*/trtllm@*",
)
PROGRAM: Final = "trtllm-serve"
INSTALLATION: Final = installed.Installation(
    "TensorRT-LLM",
    PROGRAM,
    "BRICKYARD_TRTLLM",
    ".venv-trtllm",
    "run `python -m venv .venv-trtllm && .venv-trtllm/bin/pip install tensorrt-llm` (an NVIDIA GPU is needed)",
)
_SERVE: Final = "serve"
_OTHERS: Final = frozenset({"disaggregated", "disaggregated_mpi_worker", "mm_embedding_serve"})
_FLAGS: Final = rewriting.Flags(files=frozenset({_SERVE, "--tokenizer"}))


def launcher(*, find: installed.Find | None = None) -> installed.Launcher:
    """Runs TensorRT-LLM's containers. ``find`` stands in for the search of this machine."""
    return installed.Launcher(IMAGES, INSTALLATION, _FLAGS, _argv, find=find)


def _argv(program: pathlib.Path, line: tuple[str, ...], whole: bool) -> tuple[str, ...]:
    name = pathlib.PurePosixPath(line[0]).name if line else ""
    rest = line[1:]
    if name != PROGRAM or rest[:1] == () or rest[0] in _OTHERS:
        shown = " ".join(line[:2])
        raise errors.ArgumentError(
            f"{shown!r} is not run here: the command of a TensorRT-LLM container is `{PROGRAM} MODEL`; "
            "prefill and decode pods are joined by the gateway, not by a server of their own"
        )
    # `serve` may be left out; with it, the model has a word before it by which it is found.
    return (str(program), _SERVE, *(rest[1:] if rest[0] == _SERVE else rest))
