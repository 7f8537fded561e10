"""Filters that every strategy runs first, whoever wrote it.

Each answers with the shared empty mapping unless it has something to do, which it sees from one field of the request.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Final

from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import selectors
from brickyard.routing import contract, errors

LONGEST: Final = 1000
"""Characters of a label filter; it is kept with the decision and clients write it."""


class NotTriedYet:
    """Removes endpoints that already failed this very request."""

    name = "not-tried-yet"

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        if not request.excluded:
            return contract.NOTHING_REMOVED
        excluded = request.excluded
        return {
            row: "already failed this request"
            for row, endpoint in enumerate(snapshot.endpoints)
            if endpoint.key in excluded
        }


class LabelFilter:
    """Keeps endpoints whose pod labels match the request's ``external-filter`` header, a Kubernetes label selector.

    Raises:
        BadLabelFilterError: the header is no selector, or too long.
    """

    name = "label-filter"

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        if not request.label_filter:
            return contract.NOTHING_REMOVED
        selector = _selector(request.label_filter)
        reason = f"does not match the label filter {request.label_filter!r}"
        return {row: reason for row, endpoint in enumerate(snapshot.endpoints) if not selector.matches(endpoint.labels)}


class HasRoom:
    """Removes full endpoints: as many requests of this gateway's as may be, or more waiting in the engine than may.

    Below 0 (``max_waiting``) and at 0 (``max_in_flight``) there is no limit.
    """

    name = "has-room"
    waits = True

    def __init__(self, max_in_flight: int, max_waiting: int = -1) -> None:
        self._max_in_flight = max_in_flight if max_in_flight > 0 else math.inf
        self._max_waiting = max_waiting if max_waiting >= 0 else math.inf

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        limit, out = self._max_in_flight, dict[int, str]()
        for row, count in enumerate(snapshot.in_flight):
            if count >= limit:
                out[row] = f"full: {limit} requests in flight, as many as may be"
        if self._max_waiting is not math.inf:
            for row, load in enumerate(snapshot.loads):
                if load is not None and load.waiting is not None and load.waiting > self._max_waiting:
                    out.setdefault(row, f"full: more than {self._max_waiting} requests wait in its engine")
        return out or contract.NOTHING_REMOVED


# Bounded, because clients write the texts; a client's own filter rarely changes from request to request.
@functools.lru_cache(maxsize=256)
def _selector(text: str) -> selectors.LabelSelector:
    if len(text) > LONGEST:
        raise errors.BadLabelFilterError(f"external-filter of {len(text)} characters is too long: at most {LONGEST}")
    try:
        return selectors.parse_labels(text)
    except object_errors.SelectorError as error:
        raise errors.BadLabelFilterError(
            f"external-filter {text!r} is no label selector: {error}; write for example zone=a,tier in (gold,silver)"
        ) from error


ALWAYS: Final[tuple[contract.Filter, ...]] = (NotTriedYet(), LabelFilter())
"""In this order, ahead of a policy's own."""
