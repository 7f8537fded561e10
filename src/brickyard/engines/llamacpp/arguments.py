"""Reads a llama-server command line and its ``LLAMA_ARG_*`` environment by the table in ``flags``. Pure.

As llama-server does: the command line wins over the environment, the last use of a flag over an earlier one, and underscores in
a long flag are dashes.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence

from brickyard.engines import errors
from brickyard.engines.llamacpp import flags

_BY_NAME = {name: flag for flag in flags.FLAGS for name in flag.names}
_BY_ENV = {flag.env: flag for flag in flags.FLAGS if flag.env}
_TRUE = frozenset({"1", "true", "on", "enabled"})
_FALSE = frozenset({"0", "false", "off", "disabled"})


@dataclasses.dataclass(frozen=True, slots=True)
class Argument:
    """One flag with its text as written; a switch has none.

    Attributes:
        settings: what it fills, by attribute path.
        inherited: it comes from the environment, where the server finds it again.
    """

    flag: flags.Flag
    text: str | None
    settings: Mapping[str, flags.Value]
    inherited: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        """The argument as items of a command line."""
        return (self.flag.name,) if self.text is None else (self.flag.name, self.text)


def parse(args: Sequence[str], environ: Mapping[str, str]) -> tuple[Argument, ...]:
    """The arguments in effect: those of the environment that the command line leaves alone, then the command line's.

    Raises:
        ArgumentError: a flag or variable is unknown or refused, or a value is missing or wrong; the message names it.
    """
    given = _command_line(args)
    filled = {target for argument in given for target in argument.settings}
    return (*(each for each in _environment(environ) if not filled & each.settings.keys()), *given)


def settings(arguments: Iterable[Argument]) -> dict[str, flags.Value]:
    """What ``arguments`` fill, by attribute path."""
    merged: dict[str, flags.Value] = {}
    for argument in arguments:
        for target, value in argument.settings.items():
            before = merged.get(target)
            if argument.flag.many and isinstance(before, tuple) and isinstance(value, tuple):
                merged[target] = (*before, *value)
            else:
                merged[target] = value
    return merged


def usage() -> str:
    """Every flag that is honoured, with its variable; one a line."""
    lines = [f"  {', '.join(flag.names)}{'' if flag.switch else ' VALUE'}\t{flag.env}".rstrip() for flag in flags.FLAGS]
    width = max(len(line.partition("\t")[0]) for line in lines) + 2
    return "llama-server's flags that are honoured here, and their variables:\n" + "\n".join(
        line.expandtabs(width) for line in lines
    )


def _command_line(args: Sequence[str]) -> list[Argument]:
    found: list[Argument] = []
    position = 0
    while position < len(args):
        flag = _lookup(args[position])
        position += 1
        if flag.switch:
            found.append(Argument(flag, None, flag.fixed))
            continue
        text, taken = _following(flag, args[position : position + 1])
        position += taken
        found.append(_valued(flag, text, flag.name))
    return found


def _following(flag: flags.Flag, rest: Sequence[str]) -> tuple[str, int]:
    """The text of ``flag`` and how many items it takes."""
    if flag.bare is not None and (not rest or rest[0].startswith("-")):
        return flag.bare, 0
    if not rest or rest[0] in _BY_NAME:
        raise errors.ArgumentError(f"{flag.name} needs a value after it{f', not {rest[0]}' if rest else ''}")
    return rest[0], 1


def _valued(flag: flags.Flag, text: str, source: str) -> Argument:
    try:
        return Argument(flag, text, {flag.target: flag.convert(text)})
    except ValueError as error:
        shown = "its value" if flag.target == flags.API_KEYS else repr(text)
        raise errors.ArgumentError(f"{source} cannot take {shown}: {error}") from error


def _lookup(written: str) -> flags.Flag:
    name = written.replace("_", "-") if written.startswith("--") else written
    if (flag := _BY_NAME.get(name)) is not None:
        return flag
    if name in flags.REFUSED:
        raise errors.ArgumentError(f"{written} is not served here: {flags.REFUSED[name]}")
    raise errors.ArgumentError(_unknown(name, written))


def _unknown(name: str, written: str) -> str:
    head, equals, value = name.partition("=")
    if equals and head in _BY_NAME:
        return f"{head} takes its value as an argument of its own: write {head} {value}"
    if not written.startswith("-"):
        return f"unexpected argument {written!r}: llama-server takes flags only, such as --model {written}"
    nearest = difflib.get_close_matches(name, _BY_NAME, n=1)
    meant = f" (did you mean {nearest[0]}?)" if nearest else ""
    known = ", ".join(sorted(flag.name for flag in flags.FLAGS))
    return f"unknown llama-server argument {written!r}{meant}. Known here: {known}"


def _environment(environ: Mapping[str, str]) -> list[Argument]:
    found = []
    for name, text in environ.items():
        if name in flags.REFUSED:
            raise errors.ArgumentError(f"{name} is not served here: {flags.REFUSED[name]}")
        flag = _BY_ENV.get(name)
        if flag is None and name.startswith("LLAMA_ARG_"):
            raise errors.ArgumentError(f"unknown variable {name}. Known here: {', '.join(sorted(_BY_ENV))}")
        if flag is not None:
            argument = _switched(flag, text, name) if flag.switch else _valued(flag, text, name)
            found.append(dataclasses.replace(argument, inherited=True))
    return found


def _switched(flag: flags.Flag, text: str, name: str) -> Argument:
    lowered = text.strip().lower()
    if lowered in _TRUE:
        return Argument(flag, None, flag.fixed)
    if lowered in _FALSE:
        # A preset of several settings has no opposite: turned off, it says nothing.
        opposite = {target: not value for target, value in flag.fixed.items()} if len(flag.fixed) == 1 else {}
        return Argument(flag, None, opposite)
    raise errors.ArgumentError(f"{name} cannot take {text!r}: write true or false")
