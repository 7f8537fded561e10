"""Which endpoints hold how much of the prompt's beginning.

The index itself lies below routing (``kvindex``); what is asked of it are ``Hasher`` and ``PrefixIndex``. The ledger asks once per decision
and, once an endpoint is chosen, tells that it will hold the whole prompt soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from brickyard.lib import values
from brickyard.routing import contract

NAME: Final = "prefixes"
MODELS_KEPT: Final = 256
"""Models whose rows are remembered."""


class Hasher(Protocol):
    """Cuts prompts into blocks. A block's hash stands for it, everything before it, and the model."""

    def hashes(self, model: str, prompt: bytes) -> Sequence[int]:
        """One hash for each full block of ``prompt``; a rest that fills no block has none."""
        ...

    def covered(self, blocks: int) -> int:
        """Bytes that the first ``blocks`` blocks hold."""
        ...


class PrefixIndex(Protocol):
    """Which endpoints were sent which blocks."""

    def match(self, hashes: Sequence[int], endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        """Key of each endpoint asked about → its blocks in a row from the first; those that have none may be left out."""
        ...

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        """The endpoint is sent the prompt of these blocks."""
        ...


@values.value
class Matches:
    """How many of the ``total`` bytes in the prompt's full blocks each row holds, from the first on.

    ``leaf`` is the hash of the last full block: it names the whole prompt. 0 when there is none. ``holders`` are the rows that hold
    something, in no order; None where nobody looked.
    """

    held: Sequence[int]
    total: int
    leaf: int = 0
    holders: Sequence[int] | None = None

    def share(self, row: int) -> float:
        """The share of the prompt that the row holds, 0..1."""
        return self.held[row] / self.total if self.total else 0.0

    def percent(self, row: int) -> int:
        """The same in whole percent, rounded down."""
        return self.held[row] * 100 // self.total if self.total else 0

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {"cached_bytes": self.held[row], "prompt_bytes": self.total, "percent": self.percent(row)}


class _Rows:
    """Which row an endpoint is, as long as a model's rows stay."""

    __slots__ = ("endpoints", "keys", "row_of")

    def __init__(self, endpoints: tuple[contract.Endpoint, ...]) -> None:
        self.endpoints = endpoints
        self.keys = tuple(endpoint.key for endpoint in endpoints)
        self.row_of = {key: row for row, key in enumerate(self.keys)}


class PrefixLedger:
    """An index at the service of policies."""

    hears_answers = False

    def __init__(self, hasher: Hasher, index: PrefixIndex) -> None:
        self._hasher = hasher
        self._index = index
        self._asked: tuple[contract.Request | None, Sequence[int]] = (None, ())
        self._tables: dict[str, _Rows] = {}

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Matches:
        hashes = self._hashes(request)
        held = [0] * len(snapshot.endpoints)
        if not hashes:
            return Matches(held, 0, 0, ())
        table = self._tables.get(request.model)
        if table is None or table.endpoints is not snapshot.endpoints:  # snapshots share them until a pod comes or goes
            table = self._table(request.model, snapshot.endpoints)
        covered, row_of, holders = self._hasher.covered, table.row_of, list[int]()
        depth = share = 0
        for key, blocks in self._index.match(hashes, table.keys, now).items():
            if blocks != depth:
                depth, share = blocks, covered(blocks)
            row = row_of[key]
            held[row] = share
            holders.append(row)
        return Matches(held, covered(len(hashes)), hashes[-1], holders)

    def _table(self, model: str, endpoints: tuple[contract.Endpoint, ...]) -> _Rows:
        if len(self._tables) >= MODELS_KEPT:
            self._tables.clear()
        table = self._tables[model] = _Rows(endpoints)
        return table

    def observe(self, event: contract.Event) -> None:
        if isinstance(event, contract.Chosen):
            hashes = self._hashes(event.decision.request)
            if hashes:
                self._index.add(hashes, event.decision.endpoint.key, event.at)
            self._asked = (None, ())  # a prompt may be megabytes: it goes when its request does

    def _hashes(self, request: contract.Request) -> Sequence[int]:
        """The prompt's hashes; those of the latest request are kept, since its choice follows the question at once."""
        if self._asked[0] is not request:
            self._asked = (request, self._hasher.hashes(request.model, request.prompt))
        return self._asked[1]


INPUT: Final = contract.Input(NAME, Matches)
