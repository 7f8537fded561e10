"""A container's command and arguments as the words of one program. Pure.

Manifests often wrap an engine in ``sh -c "vllm serve … \\\\ …"``. No shell runs here, so a line that is one plain command is taken
apart into its words, and a line that needs a shell (pipes, variables, several commands) is refused with what to write instead.
"""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Sequence

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
    line = script.strip()
    if line.endswith("\\"):  # continued by the line end that was just stripped
        line += "\n"
    try:
        found = shlex.split(_joined(line))
    except ValueError as error:
        raise errors.ArgumentError(f"the shell line cannot be read: {error}") from error
    if found[:1] == ["exec"]:
        found = found[1:]
    if found and _ASSIGNMENT.match(found[0]):
        raise errors.ArgumentError(f"the shell line sets {found[0].partition('=')[0]}: put it into the container's env")
    return tuple(found)


def _joined(text: str) -> str:
    """``text`` as one line: continued lines are joined as a shell joins them.

    Raises:
        ArgumentError: a character outside the quotes that tame it would make a shell act.
    """
    kept: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        pair = text[position : position + 2]
        escape = character == "\\" and (not quote or (quote == '"' and pair[1:] in {'"', "\\", "\n"}))
        if escape:
            kept.append("" if pair[1:] == "\n" else pair)
        elif _acts(character, quote):
            raise errors.ArgumentError(
                f"the shell line holds {character!r}, and no shell runs here: write the command as a list, "
                "and a variable as $(NAME), which Kubernetes expands itself"
            )
        else:
            kept.append(character)
            quote = _after(character, quote)
        position += 2 if escape else 1
    return "".join(kept)


def _after(character: str, quote: str) -> str:
    """The open quote after ``character``, "" for none."""
    if character == quote:
        return ""
    return character if character in "'\"" and not quote else quote


def _acts(character: str, quote: str) -> bool:
    if character in _EXPANSIONS:
        return quote != "'"
    return not quote and character in _UNQUOTED
