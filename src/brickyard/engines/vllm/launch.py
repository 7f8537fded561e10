"""Containers of vLLM's images as local processes of the machine's own vLLM. ``make vllm`` puts one into ``.venv-vllm``.

A bare name such as ``Qwen/Qwen3-0.6B`` stays vLLM's own affair, as does what its streaming loaders read; references with a scheme
are fetched first.
"""

from __future__ import annotations

import pathlib
import re
from typing import Final

from brickyard.engines import errors, installed, rewriting

IMAGES: Final = (
    "vllm/vllm-openai:*",
    "vllm/vllm-openai@*",
    "aibrix/vllm-openai:*",
    "aibrix/vllm-openai@*",
    "*/vllm-openai:*",
    "*/vllm:*",
)
MODULE: Final = "vllm.entrypoints.openai.api_server"
INSTALLATION: Final = installed.Installation("vLLM", "vllm", "BRICKYARD_VLLM", ".venv-vllm", "run `make vllm`")
_PYTHON: Final = re.compile(r"python[0-9.]*")
_FLAGS: Final = rewriting.Flags(
    files=frozenset({"--model", "--tokenizer", "serve"}),
    refused={"--uds": "serves on a socket file, where the gateway cannot reach it: remove it"},
    secrets={"--api-key": "VLLM_API_KEY"},
    loader="--load-format",
    streams=("runai_streamer", "tensorizer"),
    served="--served-model-name",
    named=frozenset({"--model", "serve"}),
)


def launcher(*, find: installed.Find | None = None) -> installed.Launcher:
    """Runs vLLM's containers. ``find`` stands in for the search of this machine."""
    return installed.Launcher(IMAGES, INSTALLATION, _FLAGS, _argv, find=find)


def _argv(program: pathlib.Path, line: tuple[str, ...], whole: bool) -> tuple[str, ...]:
    """``line`` with its program replaced by this machine's. ``whole``: the line names its program itself."""
    interpreter = str(program.with_name("python"))
    if not whole:
        # The image's entry point. It takes the model as --model, which `vllm serve` only takes as its first word.
        if line and not line[0].startswith("-"):
            return (str(program), "serve", *line)
        return (interpreter, "-P", "-m", MODULE, *line)
    name = pathlib.PurePosixPath(line[0]).name if line else ""
    if name == "vllm" and line[1:2] == ("serve",):
        return (str(program), *line[1:])
    if _PYTHON.fullmatch(name) and MODULE in line:
        return (interpreter, "-P", "-m", MODULE, *line[line.index(MODULE) + 1 :])
    shown = " ".join(line[:2])
    raise errors.ArgumentError(
        f"{shown!r} is not run here: the command of a vLLM container is `vllm serve` or `python3 -m {MODULE}`"
    )
