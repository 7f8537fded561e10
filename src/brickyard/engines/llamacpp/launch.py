"""Containers of llama.cpp's server images as local processes: ``python -m brickyard.engines.llamacpp.server``.

The process takes llama-server's own flags and variables, so a manifest that runs on Kubernetes is started with what it says,
except that it binds to the pod's address, that its metrics page is on, and that API keys travel in the environment, where
``ps`` does not show them.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from typing import Final

from brickyard.engines import commands, contract, errors, rewriting
from brickyard.engines.llamacpp import arguments, flags

IMAGES: Final = (
    "ghcr.io/ggml-org/llama.cpp:*",
    "ghcr.io/ggml-org/llama.cpp@*",
    "ghcr.io/ggerganov/llama.cpp:*",
    "ghcr.io/ggerganov/llama.cpp@*",
    "brickyard/llamacpp:*",
    "brickyard/llamacpp",
)
INSTALL: Final = "pip install 'brickyard[llamacpp]'"
_PROGRAM: Final = "llama-server"
_OURS: Final = frozenset({flags.HOSTS, flags.PORT, flags.API_KEYS, "endpoint_metrics", *flags.FETCHED})


def installed() -> bool:
    """Whether the wheel that holds the engine can be imported; it is not imported for the answer."""
    return importlib.util.find_spec("xllamacpp") is not None


class Launcher:
    """Fills ``engines.contract.Launcher``."""

    def __init__(self, *, python: str = sys.executable, available: Callable[[], bool] = installed) -> None:
        self._python = python
        self._available = available

    @property
    def images(self) -> tuple[str, ...]:
        return IMAGES

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        if not self._available():
            raise contract.LaunchError("EngineNotInstalled", f"llama.cpp is not installed here: run {INSTALL}")
        given = _parse(container)
        settings = arguments.settings(given)
        fetched = () if settings.get(flags.MODEL) else _fetched(settings)
        if not settings.get(flags.MODEL) and not fetched:
            message = "no model is named: add --model PATH.gguf or --model hf://OWNER/MODEL:Q4_K_M"
            raise contract.LaunchError("MissingArgument", message)
        settings = {**settings, **({flags.MODEL: fetched[-1]} if fetched else {})}
        port = str(settings.get(flags.PORT, container.port))
        bound = ("--host", container.address, "--port", port, "--metrics")
        return contract.Launch(
            argv=(*self._command(), *fetched, *_kept(given), *_alias(settings), *bound),
            env=_environment(settings),
            models=tuple(dict.fromkeys((*fetched[1:], *(path for each in given for path in _references(each))))),
        )

    def _command(self) -> tuple[str, ...]:
        # -P: the container's folder is the working directory and must not shadow modules.
        return (self._python, "-P", "-m", "brickyard.engines.llamacpp.server")


def _parse(container: contract.ContainerSpec) -> tuple[arguments.Argument, ...]:
    try:
        return arguments.parse(_flags(container), container.env)
    except errors.ArgumentError as error:
        raise contract.LaunchError("UnsupportedArgument", str(error)) from error


def _flags(container: contract.ContainerSpec) -> tuple[str, ...]:
    """The arguments of llama-server, whatever way the image and the manifest name the program."""
    tag = container.image.rpartition(":")[2] if ":" in container.image.rpartition("/")[2] else ""
    if tag.startswith("light"):
        raise errors.ArgumentError(f"image tag {tag!r} holds no server: use the tag server")
    line = commands.words(container.command, container.args)
    if container.command and line:
        program = pathlib.PurePosixPath(line[0]).name
        if program != _PROGRAM:
            raise errors.ArgumentError(
                f"{line[0]!r} is not run here: the command of a llama.cpp container is {_PROGRAM}"
            )
        return line[1:]
    if tag.startswith("full"):
        if line[:1] not in {("--server",), ("-s",)}:
            raise errors.ArgumentError(f"image tag {tag!r} serves only with --server as its first argument")
        return line[1:]
    return line


def _kept(given: tuple[arguments.Argument, ...]) -> tuple[str, ...]:
    """The items that stay as the manifest has them. The server finds its environment again, except for files that move."""
    kept = [each for each in given if not _OURS & each.settings.keys() and (each.flag.file or not each.inherited)]
    return tuple(item for each in kept for item in _items(each))


def _fetched(settings: dict[str, flags.Value]) -> tuple[str, ...]:
    """``--hf-repo``, ``--hf-file`` and ``--model-url`` as one reference after ``--model``; nothing when none of them is there."""
    repository, url = str(settings.get(flags.HUB_MODEL, "")), str(settings.get(flags.MODEL_URL, ""))
    if not repository:
        return ("--model", url) if url else ()
    name, _, quant = repository.partition(":")
    file = str(settings.get(flags.HUB_FILE, ""))
    part = f"/{file}" if file else f":{quant}" if quant else ""
    return ("--model", f"hf://{name}{part}")


def _items(argument: arguments.Argument) -> tuple[str, ...]:
    """The argument's items, one file per use: a model reference must be an item of its own to be replaced by its path."""
    files = argument.settings.get(argument.flag.target)
    if argument.flag.file and isinstance(files, tuple):
        return tuple(item for path in files for item in (argument.flag.name, path))
    return argument.argv


def _references(argument: arguments.Argument) -> tuple[str, ...]:
    items = _items(argument)[1:] if argument.flag.file else ()
    # An absolute path counts too: that it is missing is then said before the engine starts, not in its log.
    return tuple(item for item in items if "://" in item or item.startswith("/"))


def _alias(settings: dict[str, flags.Value]) -> tuple[str, ...]:
    """A fetched model's own file name: without an alias clients would be told the name of its place in the cache."""
    model = str(settings[flags.MODEL])
    if flags.ALIASES in settings or "://" not in model:
        return ()
    return ("--alias", rewriting.title(model))


def _environment(settings: dict[str, flags.Value]) -> dict[str, str]:
    keys = settings.get(flags.API_KEYS)
    return {"LLAMA_API_KEY": ",".join(keys)} if isinstance(keys, tuple) else {}
