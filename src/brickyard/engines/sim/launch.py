"""Containers of the double's images as local processes of it.

The double ships with Brickyard: nothing needs to be installed. A container may keep the command of the engine it was written for
(``vllm serve …``, ``python3 -m sglang.launch_server …``): only its image changes, and what the command says is obeyed as far as
it means something without a model. Containers of AIBrix' mock run as the double with the mock's constants.
"""

from __future__ import annotations

import fnmatch
import pathlib
import re
import sys
from collections.abc import Sequence
from typing import Final

from brickyard.engines import commands, contract, errors

MODULE: Final = "brickyard.sim.engine"
"""Run as a process; this room does not know it otherwise."""
IMAGES: Final = ("brickyard/sim:*", "brickyard/sim@*", "brickyard/sim")
MOCKS: Final = ("aibrix/vllm-mock:*", "aibrix/vllm-mock@*", "*/vllm-mock:*", "*/vllm-mock@*")
_PYTHON: Final = re.compile(r"python[0-9.]*")
_IMITATED: Final = {
    # the word of a command line that names an engine, and the flags which make the double look like it
    "vllm": ("--engine", "vllm"),
    "vllm.entrypoints.openai.api_server": ("--engine", "vllm"),
    "sglang.launch_server": ("--engine", "sglang"),
    "trtllm-serve": ("--engine", "trtllm"),
    "app.py": (),
    MODULE: (),
}


class Launcher:
    """Fills ``engines.contract.Launcher``."""

    @property
    def images(self) -> tuple[str, ...]:
        return IMAGES + MOCKS

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        try:
            line = commands.words(container.command, container.args)
            given = _arguments(line, whole=container.command != ())
            bound = _bound(given, container)
        except errors.ArgumentError as error:
            raise contract.LaunchError("UnsupportedArgument", str(error)) from error
        mock = any(fnmatch.fnmatchcase(container.image, pattern) for pattern in MOCKS)
        first = ("--any-model", "--preset", "aibrix-mock") if mock else ()
        return contract.Launch(
            argv=(sys.executable, "-P", "-m", MODULE, *first, *bound), env={"POD_IP": container.address}
        )


def _arguments(line: Sequence[str], *, whole: bool) -> tuple[str, ...]:
    """The double's arguments out of ``line``. ``whole``: the line names its program itself."""
    if not whole or not line:
        return tuple(line)
    program, rest = pathlib.PurePosixPath(line[0]).name, tuple(line[1:])
    if _PYTHON.fullmatch(program):
        while rest[:1] in (("-u",), ("-m",), ("-P",)):
            rest = rest[1:]
        program, rest = pathlib.PurePosixPath(rest[0]).name if rest else "", rest[1:]
    flags = _IMITATED.get(program)
    if flags is None:
        raise errors.ArgumentError(
            f"{' '.join(line[:3])!r} is not run here: leave the command out and give the double's arguments, "
            f"or write the command of one of the engines it stands for: {', '.join(_IMITATED)}"
        )
    if program in ("vllm", "trtllm-serve") and rest[:1] == ("serve",):
        rest = rest[1:]
    return _after_model(flags, rest)


def _after_model(flags: tuple[str, ...], line: tuple[str, ...]) -> tuple[str, ...]:
    """``flags`` before those of ``line``, which override them; a model stays the first word."""
    named = bool(line) and not line[0].startswith("-")
    return (*line[:named], *flags, *line[named:])


def _bound(given: Sequence[str], container: contract.ContainerSpec) -> tuple[str, ...]:
    """``given`` with ``--host`` set to the pod's address, and a ``--port`` when it has none."""
    kept: list[str] = []
    items = iter(given)
    for item in items:
        if item == "--host":
            next(items, None)
        elif not item.startswith("--host="):
            kept.append(item)
    has_port = any(item == "--port" or item.startswith("--port=") for item in kept)
    return (*kept, "--host", container.address, *(() if has_port else ("--port", str(container.port))))
