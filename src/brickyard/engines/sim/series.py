"""What AIBrix calls the series of the double's page, whichever engine's page that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brickyard.engines import contract, series


class Imitated:
    """Reads a page as the engine would whose names stand on it: that of the first of ``readers`` that finds any."""

    def __init__(self, readers: Sequence[contract.SeriesReader]) -> None:
        self._readers = tuple(readers)
        self._names = frozenset[str]().union(*(reader.names for reader in self._readers))

    @property
    def names(self) -> frozenset[str]:
        return self._names

    def only(self, names: frozenset[str]) -> contract.SeriesReader:
        """Fills ``engines.series.Narrowing``."""
        known = [reader for reader in self._readers if reader.names & names]
        if not known:
            raise ValueError(f"none of {', '.join(sorted(names))} is on any of these pages")
        return Imitated([reader.only(names) if isinstance(reader, series.Narrowing) else reader for reader in known])

    def read(self, page: bytes) -> Mapping[str, Mapping[str, contract.Value]]:
        return next((found for reader in self._readers if (found := reader.read(page))), {})
