"""The command line of AIBrix' controller manager, so that its Deployments start ours. Pure, but for what ``tell`` logs.

Go's flags have spellings that others do not: one dash or two, and switches with a value.

    -leader-elect             --leader-elect
    --leader-elect=true       --leader-elect
    --leader-elect=false      nothing, and what was said before is taken back

Flags about what ours does otherwise, or not at all, are taken off the line and told once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from brickyard.lib import logs

log = logs.get(__name__)

_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"0", "f", "false"})
_ADAPTERS: Final = "ModelAdapters have no controller in this process; load adapters through the engines' own API"


@dataclasses.dataclass(frozen=True, slots=True)
class Foreign:
    """A flag that means nothing here. ``switch``: it takes no value of its own. ``instead``: what to know or do."""

    switch: bool
    instead: str


FOREIGN: Final[Mapping[str, Foreign]] = {
    "--metrics-secure": Foreign(True, "the pages are plain HTTP and show no secrets; a NetworkPolicy can hide them"),
    "--enable-http2": Foreign(True, "the pages speak HTTP/1.1"),
    "--disable-webhook": Foreign(True, "this process serves no webhooks: the controller judges what it reads"),
    "--model-adapter-scheduler-policy": Foreign(False, _ADAPTERS),
    "--enable-runtime-sidecar": Foreign(True, _ADAPTERS),
    "--debug-mode": Foreign(True, _ADAPTERS),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What is left for our own parser, and which foreign flags were on the line, each once."""

    arguments: Sequence[str]
    foreign: Sequence[str]


def read(arguments: Sequence[str], options: Collection[str], switches: Collection[str]) -> Line:
    """``arguments`` as our own parser writes them. ``options`` are all of ours, ``switches`` those without a value."""
    kept: list[str] = []
    foreign: dict[str, None] = {}
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            kept += [word, *rest]
            break
        flag, equals, value = _dashed(word, options).partition("=")
        if flag in FOREIGN:
            foreign[flag] = None
            if not FOREIGN[flag].switch and not equals:
                next(rest, None)
        elif flag in switches and value.lower() in _TRUE:
            kept.append(flag)
        elif flag in switches and value.lower() in _FALSE:
            kept = [each for each in kept if each != flag]
        else:
            kept.append(flag + equals + value)
    return Line(kept, tuple(foreign))


def _dashed(word: str, options: Collection[str]) -> str:
    """With two dashes where that makes it a flag that somebody knows."""
    longer = f"-{word}"
    name = longer.partition("=")[0]
    return longer if word.startswith("-") and (name in options or name in FOREIGN) else word


def tell(foreign: Iterable[str]) -> None:
    """Say of each flag what to do instead. Call it once, at the start."""
    for flag in foreign:
        log.warning("a flag of AIBrix means nothing here", flag=flag, instead=FOREIGN[flag].instead)
