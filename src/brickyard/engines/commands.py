"""A container's command and arguments as the words of one program. Pure.

Manifests often wrap an engine in ``sh -c "vllm serve … \\\\ …"``. No shell runs here, so a line that is one plain command is taken
apart into its words, and a line that needs a shell (pipes, variables, several commands) is refused with what to write instead.
"""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator, Sequence

from brickyard.engines import errors

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_UNQUOTED = frozenset(";&|<>()*?\n")
_EXPANSIONS = frozenset("$`")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def words(command: Sequence[str], args: Sequence[str]) -> tuple[str, ...]:
    """``command`` followed by ``args``, taken out of a ``sh -c`` around them. Empty when both are.

    Raises:
        ArgumentError: the shell line is more than one plain command.
    """
    line = (*command, *args)
    if not line or pathlib.PurePosixPath(line[0]).name not in _SHELLS:
        return line
    options = [item for item in line[1:] if item.startswith("-")]
    script = [item for item in line[1:] if not item.startswith("-")]
    if not any(option.endswith("c") for option in options) or len(script) != 1:
        raise errors.ArgumentError(f"{line[0]} is no engine: write the engine's program and its arguments as a list")
    return _plain(script[0])


def _plain(script: str) -> tuple[str, ...]:
    text = script.replace("\\\n", " ").strip()
    for character in _meaningful(text):
        raise errors.ArgumentError(
            f"the shell line holds {character!r}, and no shell runs here: write the command as a list, "
            "and a variable as $(NAME), which Kubernetes expands itself"
        )
    try:
        found = shlex.split(text)
    except ValueError as error:
        raise errors.ArgumentError(f"the shell line cannot be read: {error}") from error
    if found[:1] == ["exec"]:
        found = found[1:]
    if found and _ASSIGNMENT.match(found[0]):
        raise errors.ArgumentError(f"the shell line sets {found[0].partition('=')[0]}: put it into the container's env")
    return tuple(found)


def _meaningful(text: str) -> Iterator[str]:
    """Characters that a shell would act upon, quotes and escapes observed."""
    quote = ""
    skip = False
    for character in text:
        if skip:
            skip = False
        elif character == "\\" and quote != "'":
            skip = True
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
        elif _acts(character, quote):
            yield character


def _acts(character: str, quote: str) -> bool:
    if character in _EXPANSIONS:
        return quote != "'"
    return not quote and character in _UNQUOTED
