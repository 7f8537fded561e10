"""LoRA adapters: which are loaded, and the answers vLLM gives when one cannot be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

from brickyard.sim.engine.core import errors

_MISSING: Final = ("nonexistent", "/invalid/")
"""Paths at which there is nothing, as tests of AIBrix name them: an engine double has no files to look for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Adapter:
    """``created`` in seconds since the epoch."""

    name: str
    path: str
    created: int


class Adapters:
    """The adapters of one engine. ``base`` are the names its own model goes by; ``limit`` how many may be loaded."""

    def __init__(self, base: frozenset[str], limit: int = 1000) -> None:
        self._base = base
        self._limit = limit
        self._loaded: dict[str, Adapter] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._loaded

    def __iter__(self) -> Iterator[Adapter]:
        return iter(self._loaded.values())

    def __len__(self) -> int:
        return len(self._loaded)

    def load(self, name: object, path: object, now: int, *, replace: bool = False) -> Adapter:
        """Load an adapter; ``replace`` one of the same name, which is otherwise an error.

        Raises:
            AdapterError: name or path are missing or taken, nothing lies at the path, or there are too many.
        """
        if not isinstance(name, str) or not isinstance(path, str) or not name or not path:
            raise errors.AdapterError(400, "InvalidUserInput", "Both 'lora_name' and 'lora_path' must be provided.")
        if name in self._base:
            raise errors.AdapterError(
                400, "InvalidUserInput", f"'{name}' is the name of the base model: choose another."
            )
        if name in self._loaded and not replace:
            raise errors.AdapterError(
                400, "InvalidUserInput", f"The lora adapter '{name}' has already been loaded. Unload it first."
            )
        if any(mark in path for mark in _MISSING):
            raise errors.AdapterError(404, "NotFoundError", f"No adapter found for '{name}' at '{path}'.")
        if name not in self._loaded and len(self._loaded) >= self._limit:
            raise errors.AdapterError(400, "InvalidUserInput", f"{self._limit} adapters are loaded, as many as may be.")
        self._loaded[name] = Adapter(name, path, now)
        return self._loaded[name]

    def unload(self, name: object) -> None:
        """Unload an adapter. Requests that run with it end as they began.

        Raises:
            AdapterError: the name is missing or unknown.
        """
        if not isinstance(name, str) or not name:
            raise errors.AdapterError(
                400, "InvalidUserInput", "'lora_name' needs to be provided to unload a LoRA adapter."
            )
        if name not in self._loaded:
            raise errors.AdapterError(400, "NotFoundError", f"The lora adapter '{name}' cannot be found.")
        del self._loaded[name]
