"""Counts of one window, by model. Clock-free: whoever writes records says when a window ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from brickyard.api.names import redis
from brickyard.gateway.optimizer import contract

Standings = Callable[[], Mapping[str, contract.Standing]]


def bucket(tokens: int) -> int:
    """The tenfold binary logarithm, rounded; 0 for nothing."""
    return round(math.log2(tokens) * contract.PRECISION) if tokens > 0 else 0


def key(model: str, at: int) -> str:
    """Where the record of ``model`` lies whose window ended at ``at``, Unix seconds."""
    return f"{redis.REQUEST_TRACE_PREFIX}{model}{redis.REQUEST_TRACE}{at}"


class Traces:
    """What ended since the last record, and what had arrived until then. ``standings`` tells how models stand; the data plane sets it."""

    def __init__(self) -> None:
        self.standings: Standings = dict
        self._ended: dict[str, dict[tuple[int, int], int]] = {}
        self._arrived: dict[str, int] = {}

    def note(self, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        """A request ended that used so many tokens."""
        counts = self._ended.setdefault(model, {})
        cell = (bucket(prompt_tokens), bucket(completion_tokens))
        counts[cell] = counts.get(cell, 0) + 1

    def begin(self) -> None:
        """Count from here: what came before belongs to no whole window."""
        self._ended = {}
        self._arrived = {model: standing.arrived for model, standing in self.standings().items()}

    def take(self) -> dict[str, contract.Record]:
        """The records of the window that ends now, by model; none for a model that had nothing to do."""
        ended, arrived, standings = self._ended, self._arrived, self.standings()
        self.begin()
        records: dict[str, contract.Record] = {}
        for model, standing in standings.items():
            counts = ended.get(model, {})
            total = standing.arrived - arrived.get(model, 0)
            if total or counts or standing.pending:
                records[model] = {
                    **{f"{read}:{written}": count for (read, written), count in counts.items()},
                    **contract.CONSTANTS,
                    "meta_total_reqs": total,
                    "meta_pending_reqs": standing.pending,
                    "meta_queueing_reqs": standing.queueing,
                }
        return records
