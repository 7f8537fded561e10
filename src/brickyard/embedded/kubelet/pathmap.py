"""Mount paths in a container's words, replaced by paths of this machine: the way of volumes where there are no mount namespaces.

A mount path is found wherever a path can begin in a text, and counts in whole components only: ``/models`` is found in
``--model=/models/x`` and in ``/a:/models``, not in ``/models2`` or ``/srv/models``. The longest mount path wins. Two things are never
replaced: what is on this machine and not in the volume (``/opt/venv/bin/python`` beneath an empty volume at ``/opt``: here the
machine's own files stand for the image's), and what has been replaced already.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping

_BEFORE = r"(?<![A-Za-z0-9_.\-/])"
_REST = r"(?P<rest>(?:/[^\s/:;,'\"=&|<>()\[\]{}]*)*)(?![A-Za-z0-9_.\-])"


class PathMap:
    """Replaces mount paths by local ones. ``exists`` tells what is on this machine."""

    def __init__(self, mounts: Mapping[str, pathlib.Path], exists: Callable[[str], bool] = os.path.lexists) -> None:
        self._targets = {path.rstrip("/") or "/": str(target) for path, target in mounts.items()}
        moved = [path for path, target in self._targets.items() if path not in ("/", target)]
        longest_first = "|".join(re.escape(path) for path in sorted(moved, key=len, reverse=True))
        self._pattern = re.compile(f"{_BEFORE}(?P<mount>{longest_first}){_REST}") if moved else None
        self._exists = exists

    def apply(self, text: str) -> str:
        """``text`` with every mount path in it replaced."""
        return text if self._pattern is None else self._pattern.sub(self._replace, text)

    def apply_all(self, words: Iterable[str]) -> tuple[str, ...]:
        """Each word with its mount paths replaced."""
        return tuple(self.apply(word) for word in words)

    def _replace(self, match: re.Match[str]) -> str:
        here = self._targets[match["mount"]] + match["rest"]
        inside = match["rest"].strip("/")
        if inside and self._exists(match[0]) and not self._exists(here):
            return match[0]
        return here
