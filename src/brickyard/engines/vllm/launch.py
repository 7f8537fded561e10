"""Containers of vLLM's images as local processes of the machine's own vLLM.

vLLM is gigabytes large and tied to the machine's accelerator, so it is never a dependency: it is found, in this order, by the
variable ``BRICKYARD_VLLM`` (the ``vllm`` program, or the environment it lies in), on ``PATH``, and in ``.venv-vllm`` beside the
working directory or beside the environment Brickyard runs in, which is where ``make vllm`` puts it.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from brickyard.engines import commands, contract, errors

IMAGES: Final = (
    "vllm/vllm-openai:*",
    "vllm/vllm-openai@*",
    "aibrix/vllm-openai:*",
    "aibrix/vllm-openai@*",
    "*/vllm-openai:*",
    "*/vllm:*",
)
ENV: Final = "BRICKYARD_VLLM"
MODULE: Final = "vllm.entrypoints.openai.api_server"
_PYTHON: Final = re.compile(r"python[0-9.]*")
_FILES: Final = frozenset({"--model", "--tokenizer"})


def find(environ: Mapping[str, str] = os.environ) -> pathlib.Path | None:
    """The ``vllm`` program of this machine, or None."""
    if named := environ.get(ENV):
        place = pathlib.Path(named).expanduser()
        return next((path for path in (place, place / "vllm", place / "bin" / "vllm") if path.is_file()), None)
    if found := shutil.which("vllm", path=environ.get("PATH")):
        return pathlib.Path(found)
    beside = (pathlib.Path.cwd(), pathlib.Path(sys.prefix).parent)
    return next((path for base in beside if (path := base / ".venv-vllm" / "bin" / "vllm").is_file()), None)


class Launcher:
    """Fills ``engines.contract.Launcher``."""

    def __init__(self, *, find: Callable[[], pathlib.Path | None] = find) -> None:
        self._find = find

    @property
    def images(self) -> tuple[str, ...]:
        return IMAGES

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        program = self._find()
        if program is None:
            raise contract.LaunchError(
                "EngineNotInstalled",
                f"vLLM is not installed here: run `make vllm`, or set {ENV} to the vllm program of an environment that has it",
            )
        try:
            argv = _argv(program.absolute(), commands.words(container.command, container.args), container.command != ())
            argv = _bind(argv, container)
        except errors.ArgumentError as error:
            raise contract.LaunchError("UnsupportedArgument", str(error)) from error
        return contract.Launch(argv=argv, models=_references(argv))


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


def _bind(argv: Sequence[str], container: contract.ContainerSpec) -> tuple[str, ...]:
    """``argv`` with ``--host`` set to the pod's address, and a ``--port`` when it has none."""
    kept: list[str] = []
    skip = False
    for item in argv:
        if skip:
            skip = False
        elif item == "--host":
            skip = True
        elif item == "--uds" or item.startswith("--uds="):
            raise errors.ArgumentError("--uds serves on a socket file, where the gateway cannot reach it: remove it")
        elif not item.startswith("--host="):
            kept.append(item)
    has_port = any(item == "--port" or item.startswith("--port=") for item in kept)
    port = () if has_port else ("--port", str(container.port))
    return (*kept, "--host", container.address, *port)


def _references(argv: Sequence[str]) -> tuple[str, ...]:
    """Model references that are items of their own: after ``--model`` or ``--tokenizer``, or as the model of ``vllm serve``.

    An absolute path is one: that it is missing is then said before the engine starts, not in its log.
    """
    heads = itertools.pairwise(argv)
    return tuple(
        dict.fromkeys(
            item for head, item in heads if item.startswith(("pypi://", "/")) and (head in _FILES or head == "serve")
        )
    )
