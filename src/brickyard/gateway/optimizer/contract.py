"""Records of requests, and where they are kept.

Every ten seconds, on the grid of ten seconds since the epoch, one record for each model that had anything to do: a JSON object of whole
numbers under ``aibrix:<model>_request_trace_<seconds>``, kept for ten minutes.

| key | number |
|---|---|
| ``<in>:<out>`` | requests that ended since the last record, by the tenfold binary logarithm of their tokens, rounded; 0 for none |
| ``meta_total_reqs`` | requests that arrived since then |
| ``meta_pending_reqs`` | requests being answered or waiting now |
| ``meta_queueing_reqs`` | of these, waiting in the gateway's queue |
| ``meta_v``, ``meta_interval_sec``, ``meta_precision`` | 4, 10, 10 |

Where several gateways write, their numbers add up: in the original the last one's replaces the others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from brickyard.gateway import errors
from brickyard.lib import values

VERSION: Final = 4
INTERVAL: Final = 10
"""Seconds between two records."""
PRECISION: Final = 10
"""Parts of a doubling that buckets of tokens tell apart."""
KEPT: Final = 600
"""Seconds for which a record is kept."""

CONSTANTS: Final = {"meta_v": VERSION, "meta_interval_sec": INTERVAL, "meta_precision": PRECISION}
"""What is the same in every record, and does not add up."""

Record = Mapping[str, int]


@values.value
class Standing:
    """A model's requests: that ever arrived, that are under way, that wait in the queue of these."""

    arrived: int
    pending: int
    queueing: int = 0


class RecordsAwayError(errors.GatewayError):
    """The store did not take the records."""


class Records(Protocol):
    """Where records are kept."""

    async def add(self, records: Mapping[str, Record]) -> None:
        """Add each record to whatever stands under its key. Answers within a second or two.

        Raises:
            RecordsAwayError: some may have been written.
        """
        ...
