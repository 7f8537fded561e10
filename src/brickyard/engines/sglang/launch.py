"""Containers of SGLang's images as local processes of the machine's own SGLang.

The images have no entry point of their own, so ``args`` without ``command`` name their program too. Beside the server they hold
its router and the small load balancer of prefill and decode pods. A server gets ``--enable-metrics``: without it there is no page.
"""

from __future__ import annotations

import pathlib
import re
from typing import Final

from brickyard.engines import errors, installed, rewriting

IMAGES: Final = (
    "lmsysorg/sglang:*",
    "lmsysorg/sglang@*",
    "aibrix/sglang:*",
    "aibrix/sglang@*",
    "*/sglang:*",
    "*/sglang@*",
)
SERVER: Final = "sglang.launch_server"
MODULES: Final = (SERVER, "sglang_router.launch_router", "sglang.srt.disaggregation.mini_lb")
INSTALLATION: Final = installed.Installation(
    "SGLang",
    "sglang",
    "BRICKYARD_SGLANG",
    ".venv-sglang",
    "run `python -m venv .venv-sglang && .venv-sglang/bin/pip install sglang`",
)
_PYTHON: Final = re.compile(r"python[0-9.]*")
_METRICS: Final = "--enable-metrics"
_FLAGS: Final = rewriting.Flags(
    files=frozenset({"--model-path", "--model", "--tokenizer-path", "--speculative-draft-model-path"}),
    loader="--load-format",
    streams=("remote", "runai_streamer"),
    served="--served-model-name",
    named=frozenset({"--model-path", "--model"}),
)


def launcher(*, find: installed.Find | None = None) -> installed.Launcher:
    """Runs SGLang's containers. ``find`` stands in for the search of this machine."""
    return installed.Launcher(IMAGES, INSTALLATION, _FLAGS, _argv, find=find)


def _argv(program: pathlib.Path, line: tuple[str, ...], whole: bool) -> tuple[str, ...]:
    interpreter = str(program.with_name("python"))
    if not whole and (not line or line[0].startswith("-")):
        return _measured((interpreter, "-P", "-m", SERVER, *line))
    name = pathlib.PurePosixPath(line[0]).name if line else ""
    if name == "sglang" and line[1:2] == ("serve",):
        return _measured((str(program), *line[1:]))
    module = next((each for each in MODULES if each in line), "")
    if _PYTHON.fullmatch(name) and module:
        argv = (interpreter, "-P", "-m", module, *line[line.index(module) + 1 :])
        return _measured(argv) if module == SERVER else argv
    shown = " ".join(line[:3])
    raise errors.ArgumentError(
        f"{shown!r} is not run here: the command of an SGLang container is `sglang serve` or `python3 -m` "
        f"with one of {', '.join(MODULES)}"
    )


def _measured(argv: tuple[str, ...]) -> tuple[str, ...]:
    return argv if rewriting.has(argv, _FLAGS, _METRICS) else (*argv, _METRICS)
