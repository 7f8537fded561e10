"""What AIBrix calls the series of the double's page, whichever engine's page that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brickyard.engines import contract


class Imitated:
    """Reads a page as the engine would whose names stand on it: that of the first of ``readers`` that finds any."""

    def __init__(self, readers: Sequence[contract.SeriesReader]) -> None:
        self._readers = tuple(readers)
        self._names = frozenset[str]().union(*(reader.names for reader in self._readers))

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def read(self, page: bytes) -> Mapping[str, Mapping[str, contract.Value]]:
        return next((found for reader in self._readers if (found := reader.read(page))), {})
