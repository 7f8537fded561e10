"""Work on many objects of which some may be refused: each refusal is told where it happens, the rest goes on, the end fails."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.kube.client import errors, mapping
from brickyard.lib import errors as roots


class SomeRefused(roots.BrickyardError):
    """Not everything could be done; what was wrong has been told."""


class Refusals:
    """Counts what was refused out of ``total`` objects; ``done`` is what the others are, such as ``applied``."""

    def __init__(self, total: int, done: str) -> None:
        self._total = total
        self._done = done
        self._refused = 0

    @contextlib.contextmanager
    def told(self, name: str) -> Iterator[None]:
        """Tell a refusal within the block and go on; with one object in all, and when nobody answers, it is the command's own."""
        try:
            yield
        except (errors.KubeError, mapping.UnknownKind) as error:
            lost = isinstance(error, errors.Unreachable | errors.Unauthorized)
            if lost or self._total == 1:
                raise
            self._refused += 1
            first, *rest = lines(error)
            print(f"{name}: {first}", *rest, sep="\n", file=sys.stderr)
            if error.hint:
                print(f"  → {error.hint}", file=sys.stderr)

    def check(self) -> None:
        """Raise ``SomeRefused`` when something was."""
        if self._refused:
            raise SomeRefused(f"{self._refused} of {self._total} objects were not {self._done}: see above")


def lines(error: roots.BrickyardError) -> list[str]:
    """An error's message; of an object with several faults, each on a line of its own."""
    causes = error.causes if isinstance(error, errors.KubeError) else ()
    head, colon, _ = str(error).partition(": [")
    if len(causes) < 2 or not colon:
        return [str(error)]
    return [f"{head}:", *(f"  {each.get('field', '')}: {each.get('message', '')}" for each in causes)]


def title(kind: resources.ResourceType, name: str) -> str:
    """An object as kubectl names it: ``pod/one``, ``deployment.apps/one``."""
    return f"{kind.kind.lower()}{'.' + kind.group if kind.group else ''}/{name}"
