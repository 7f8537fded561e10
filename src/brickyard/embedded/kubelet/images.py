"""What an image means on this machine: the command to run.

Three tables are asked in this order; the first whose pattern matches answers:

1. **Engine launchers** (``engines/*/launch.py``): ``vllm/vllm-openai:*``, ``ghcr.io/ggml-org/llama.cpp:*``, …
2. **The user's file** ``<data-dir>/images.yaml``, read anew at every start of a container::

       - image: "my/server:*"                 # a glob; without a tag it matches every tag
         command: [my-server, --listen, "$(BRICKYARD_POD_IP):8080"]

   ``command`` stands for the image's entry point: a container's own ``command`` replaces it, its ``args`` follow it, and
   ``$(NAME)`` is expanded from the container's environment.
3. **``brickyard/host``** (with any tag): no image at all. The container's ``command`` and ``args`` run as they are given, as a
   program of this machine.

Docker Hub's long names are the short ones (``docker.io/library/x`` is ``x``) and no tag means ``latest``, in images as in patterns.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from brickyard.embedded.kubelet import environment, errors
from brickyard.engines import contract
from brickyard.lib import yamltext

HOST_IMAGE = "brickyard/host"
FILE_NAME = "images.yaml"
_HUB = ("index.docker.io/", "docker.io/", "library/")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A line of ``images.yaml``."""

    image: str
    command: tuple[str, ...]


class Images:
    """The tables. ``launchers`` are asked in their order; ``file`` need not exist."""

    def __init__(self, launchers: Sequence[contract.Launcher], file: pathlib.Path) -> None:
        self._launchers = launchers
        self._file = file

    def launch(self, container: contract.ContainerSpec) -> contract.Launch:
        """The command for a container. Reads the user's file: call it from a thread.

        Raises:
            NotStarted: the image is not known here, or cannot be run as the container says.
        """
        for launcher in self._launchers:
            if any(matches(pattern, container.image) for pattern in launcher.images):
                return _ask(launcher, container)
        return self._own(container)

    def _own(self, container: contract.ContainerSpec) -> contract.Launch:
        try:
            entries = load(self._file)
        except errors.BadImageTable as error:
            raise errors.NotStarted("CreateContainerConfigError", str(error)) from error
        for entry in entries:
            if matches(entry.image, container.image):
                command = container.command or environment.expand_all(entry.command, container.env)
                return contract.Launch((*command, *container.args))
        if matches(HOST_IMAGE, container.image):
            if not container.command:
                text = f"image {HOST_IMAGE} runs the container's own command, and it has none: add `command`"
                raise errors.NotStarted("CreateContainerError", text)
            return contract.Launch((*container.command, *container.args))
        raise errors.NotStarted("ErrImageNeverPull", self._unknown(container.image))

    def _unknown(self, image: str) -> str:
        pattern = f"{_name(_short(image))}:*"
        return (
            f'image "{image}" has no command on this machine: add a line to {self._file}, such as '
            f'`- {{image: "{pattern}", command: [program, argument]}}`, or use image {HOST_IMAGE} with a command of its own'
        )


def _ask(launcher: contract.Launcher, container: contract.ContainerSpec) -> contract.Launch:
    try:
        return launcher.launch(container)
    except contract.LaunchError as error:
        raise errors.NotStarted(error.reason, str(error)) from error


def matches(pattern: str, image: str) -> bool:
    """Whether the glob ``pattern`` means ``image``."""
    short = _short(image)
    names = {image, short, short if _tagged(short) else f"{short}:latest"}
    pattern = _short(pattern)
    if not _tagged(pattern):
        names.add(_name(short))
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)


def _short(image: str) -> str:
    for prefix in _HUB:
        image = image.removeprefix(prefix)
    return image


def _tagged(image: str) -> bool:
    return "@" in image or ":" in image.rpartition("/")[2]


def _name(image: str) -> str:
    """Without tag and digest. A colon before the last slash is a registry's port."""
    base, slash, last = image.partition("@")[0].rpartition("/")
    return base + slash + last.partition(":")[0]


def load(file: pathlib.Path) -> list[Entry]:
    """The entries of the user's file; none when it does not exist.

    Raises:
        BadImageTable: it cannot be read, is no YAML, or an entry is not what it should be.
    """
    try:
        text = file.read_text()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise errors.BadImageTable(f"{file} cannot be read: {error}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise errors.BadImageTable(f"{file} is no YAML: {yamltext.fault(error)}") from error
    if content is None:
        return []
    if not isinstance(content, list):
        raise errors.BadImageTable(f"{file} must be a list of entries such as `- {{image: name, command: [program]}}`")
    return [_entry(file, number, each) for number, each in enumerate(content, start=1)]


def _entry(file: pathlib.Path, number: int, item: Any) -> Entry:
    where = f"{file}, entry {number}"
    if not isinstance(item, Mapping):
        raise errors.BadImageTable(f"{where}: write `image: …` and `command: […]`")
    if unknown := sorted(set(map(str, item)) - {"image", "command"}):
        raise errors.BadImageTable(f"{where}: unknown field {unknown[0]!r}; known are image and command")
    image, command = item.get("image"), item.get("command")
    if not isinstance(image, str) or not image:
        raise errors.BadImageTable(f"{where}: `image` must be a pattern such as my/server:*")
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command[:1]):
        raise errors.BadImageTable(f"{where} ({image}): `command` must be a list that begins with a program")
    if not all(isinstance(word, str | int | float) and not isinstance(word, bool) for word in command):
        raise errors.BadImageTable(f"{where} ({image}): every word of `command` must be text; put quotes around it")
    return Entry(image, tuple(str(word) for word in command))
