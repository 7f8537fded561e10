"""Containers of xLLM's images as local processes of the machine's own ``xllm``.

Its flags are Google's: ``-port 1`` is ``--port=1``, and the last of several wins. The program is built from source, so it stands
wherever it was built: the variable or ``PATH`` tell.
"""

from __future__ import annotations

import pathlib
from typing import Final

from brickyard.engines import errors, installed, rewriting

IMAGES: Final = ("xllm/xllm-ai:*", "xllm/xllm-ai@*", "quay.io/jd_xllm/*", "*/xllm:*", "*/xllm-ai:*")
PROGRAM: Final = "xllm"
INSTALLATION: Final = installed.Installation(
    "xLLM",
    PROGRAM,
    "BRICKYARD_XLLM",
    ".venv-xllm",
    "build it from https://github.com/jd-opensource/xllm and put it on PATH",
)
_FLAGS: Final = rewriting.Flags(files=frozenset({"--model", "--draft_model"}), single_dash=True)


def launcher(*, find: installed.Find | None = None) -> installed.Launcher:
    """Runs xLLM's containers. ``find`` stands in for the search of this machine."""
    return installed.Launcher(IMAGES, INSTALLATION, _FLAGS, _argv, find=find)


def _argv(program: pathlib.Path, line: tuple[str, ...], whole: bool) -> tuple[str, ...]:
    if not whole and (not line or line[0].startswith("-")):
        return (str(program), *line)
    if line and pathlib.PurePosixPath(line[0]).name == PROGRAM:
        return (str(program), *line[1:])
    shown = " ".join(line[:2])
    raise errors.ArgumentError(f"{shown!r} is not run here: the command of an xLLM container is `{PROGRAM} --model …`")
