"""Which endpoints hold how much of the prompt's beginning.

The index itself lies below routing; what it must be able to do is ``PrefixIndex``. The ledger asks it once per decision and, once an
endpoint is chosen, tells it that the endpoint will hold the whole prompt soon.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from brickyard.routing import contract

NAME: Final = "prefixes"


class PrefixIndex(Protocol):
    """Blocks of prompts by endpoint. A block's hash stands for it and everything before it."""

    def hashes(self, model: str, prompt: bytes) -> Sequence[int]:
        """One hash for each full block of ``prompt``; a rest that fills no block has none."""
        ...

    def match(self, model: str, hashes: Sequence[int], now: float) -> Mapping[str, int]:
        """Endpoint's key → how many blocks, from the first on without a gap, it holds. Endpoints that hold none may be left out."""
        ...

    def add(self, model: str, endpoint: str, hashes: Sequence[int], now: float) -> None:
        """The endpoint holds these blocks from now on."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Matches:
    """How many of the prompt's ``total`` blocks each row holds, contiguously from the first.

    ``leaf`` is the hash of the last full block: it names the whole prompt. 0 when there is none.
    """

    blocks: Sequence[int]
    total: int
    leaf: int = 0

    def share(self, row: int) -> float:
        """The share of the prompt that the row holds, 0..1."""
        return self.blocks[row] / self.total if self.total else 0.0

    def percent(self, row: int) -> int:
        """The same in whole percent, rounded down."""
        return self.blocks[row] * 100 // self.total if self.total else 0

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {"matched_blocks": self.blocks[row], "blocks": self.total, "percent": self.percent(row)}


class PrefixLedger:
    """An index at the service of policies."""

    def __init__(self, index: PrefixIndex) -> None:
        self._index = index
        self._asked: tuple[contract.Request | None, Sequence[int]] = (None, ())

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Matches:
        hashes = self._hashes(request)
        if not hashes:
            return Matches((0,) * len(snapshot.endpoints), 0)
        found = self._index.match(request.model, hashes, now)
        return Matches([found.get(each.key, 0) for each in snapshot.endpoints], len(hashes), hashes[-1])

    def observe(self, event: contract.Event) -> None:
        if isinstance(event, contract.Chosen):
            request = event.decision.request
            hashes = self._hashes(request)
            if hashes:
                self._index.add(request.model, event.decision.endpoint.key, hashes, event.at)

    def _hashes(self, request: contract.Request) -> Sequence[int]:
        """The prompt's hashes; those of the latest request are kept, since its choice follows the question at once."""
        if self._asked[0] is not request:
            self._asked = (request, self._index.hashes(request.model, request.prompt))
        return self._asked[1]


INPUT: Final = contract.Input(NAME, Matches)
