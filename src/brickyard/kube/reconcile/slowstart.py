"""Many creations, carefully: batches of 1, 2, 4, …, stopping at the first batch with a failure.

When every creation would fail for the same reason (a quota, a template that is refused), one request tells; when they work, n objects take
about log2(n) rounds.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from brickyard.kube.client import errors

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How many succeeded, and the first error or None. What was not tried and what failed make up the rest."""

    succeeded: int
    error: errors.KubeError | None = None


async def run(items: Sequence[T], action: Callable[[T], Awaitable[object]], *, first: int = 1) -> Outcome:
    """Call ``action`` for each item in growing batches, each batch at once; no batch begins after a failure.

    Errors other than ``KubeError`` are raised, after their batch has ended.
    """
    done, size = 0, max(1, first)
    while done < len(items):
        batch = items[done : done + size]
        results = await asyncio.gather(*(action(each) for each in batch), return_exceptions=True)
        failures = [each for each in results if isinstance(each, BaseException)]
        if failures:
            fault = next((each for each in failures if not isinstance(each, errors.KubeError)), None)
            if fault is not None:
                raise fault
            first_error = failures[0]
            return Outcome(
                done + len(batch) - len(failures), first_error if isinstance(first_error, errors.KubeError) else None
            )
        done += len(batch)
        size *= 2
    return Outcome(done)
