"""Engines that the machine has, or has not: where they are found, and how a container becomes a process of them.

Engines are gigabytes large and tied to the machine's accelerator, so none is a dependency: an installation is found, in this order,
by a variable (the program itself, or the environment it lies in), on ``PATH``, and in a folder beside the working directory or
beside the environment Brickyard runs in.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping

from brickyard.engines import commands, contract, errors, eventbus, rewriting

Find = Callable[[], pathlib.Path | None]
Command = Callable[[pathlib.Path, tuple[str, ...], bool], tuple[str, ...]]
"""Program, the container's words and whether these name their program themselves → the line to run; raises ``ArgumentError``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """An engine that a machine may have.

    Attributes:
        title: what people call it.
        program: the file name of its program.
        variable: the environment variable that tells where it is, and hides every other place.
        folder: the virtual environment beside us in which it is looked for.
        remedy: how to get it, as an imperative.
    """

    title: str
    program: str
    variable: str
    folder: str
    remedy: str

    def find(self, environ: Mapping[str, str] = os.environ) -> pathlib.Path | None:
        """The program, or None."""
        if named := environ.get(self.variable):
            place = pathlib.Path(named).expanduser()
            places = (place, place / self.program, place / "bin" / self.program)
            return next((path for path in places if path.is_file()), None)
        if found := shutil.which(self.program, path=environ.get("PATH")):
            return pathlib.Path(found)
        beside = (pathlib.Path.cwd(), pathlib.Path(sys.prefix).parent)
        paths = (base / self.folder / "bin" / self.program for base in beside)
        return next((path for path in paths if path.is_file()), None)

    def missing(self) -> contract.LaunchError:
        """What a container's status says when there is no such program."""
        return contract.LaunchError(
            "EngineNotInstalled",
            f"{self.title} is not installed here: {self.remedy}, "
            f"or set {self.variable} to the {self.program} program of an environment that has it",
        )


class Launcher:
    """Fills ``engines.contract.Launcher`` for an engine that the machine may have."""

    def __init__(
        self,
        images: tuple[str, ...],
        installation: Installation,
        flags: rewriting.Flags,
        command: Command,
        *,
        find: Find | None = None,
    ) -> None:
        """``find`` stands in for the installation's own search."""
        self._images = images
        self._installation = installation
        self._flags = flags
        self._command = command
        self._find = find or installation.find

    @property
    def images(self) -> tuple[str, ...]:
        return self._images

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        program = self._find()
        if program is None:
            raise self._installation.missing()
        try:
            line = commands.words(container.command, container.args)
            argv = self._command(program.absolute(), line, container.command != ())
            flags = rewriting.settled(argv, self._flags)
            argv = rewriting.bind(argv, flags, container)
        except errors.ArgumentError as error:
            raise contract.LaunchError("UnsupportedArgument", str(error)) from error
        argv, hidden = rewriting.hide(eventbus.bound(argv, container.address), flags)
        argv = (*argv, *rewriting.called(argv, flags))
        return contract.Launch(argv=argv, env=hidden, models=rewriting.references(argv, flags))
