"""The same key to the same endpoint, unless that one has too much already: consistent hashing with bounded loads.

The key is the session key, else the user, else the beginning of the prompt. Each endpoint weighs the hash of key and endpoint
(rendezvous hashing), which orders the endpoints for that key; the first whose requests in flight are below

    bound = ceil(load_factor * (requests in flight over all candidates + 1) / candidates)

is taken. At least one always is. An endpoint that comes or goes moves only the keys that it gets or had, and no endpoint ever has more than
``load_factor`` times the mean. A request without any key goes to the fewest in flight.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
from collections.abc import Sequence

from brickyard.lib import settings
from brickyard.routing import contract, pickers, scorers

NAME = "consistent-hash"


@dataclasses.dataclass(frozen=True)
class ConsistentHashParameters:
    """Strategy `consistent-hash`: how uneven it may get, and what of a prompt is its key."""

    load_factor: float = settings.field(
        1.25,
        env="BRICKYARD_CONSISTENT_HASH_LOAD_FACTOR",
        help="The most requests an endpoint may have, as a multiple of the mean; above 1.",
    )
    prefix_bytes: int = settings.field(
        1024,
        env="BRICKYARD_CONSISTENT_HASH_PREFIX_BYTES",
        help="Bytes of a prompt that are its key, 0 for none; a conversation changes its key until it is that long.",
    )

    def __post_init__(self) -> None:
        if not 1 < self.load_factor < math.inf:
            raise ValueError("load_factor must be above 1")
        if self.prefix_bytes < 0:
            raise ValueError("prefix_bytes must be 0 or more")


class Bounded:
    """The place in the key's order, those with room before those without; requests in flight without a key."""

    name = NAME

    def __init__(self, parameters: ConsistentHashParameters) -> None:
        self._factor = parameters.load_factor
        self._prefix = parameters.prefix_bytes

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        counts = scorers.in_flight(request, snapshot, rows)
        key = self.key(request)
        if key is None:
            return scorers.lowest(counts)
        bound = math.ceil(self._factor * (sum(counts) + 1) / len(rows))
        endpoints, some = snapshot.endpoints, len(rows)
        places = [_place(_seed(endpoints[row].key) ^ key) for row in rows]
        order = sorted(
            range(some), key=[place + (count >= bound) for place, count in zip(places, counts, strict=True)].__getitem__
        )
        scores = [0.0] * some
        for place, at in enumerate(order):
            scores[at] = 1.0 - place / some
        return scores

    def key(self, request: contract.Request) -> int | None:
        """What the request is told apart by; None when it has nothing."""
        text = request.session_key.encode(errors="surrogateescape") or request.user.encode(errors="surrogateescape")
        text = text or request.prompt[: self._prefix]
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) if text else None

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        return f"in the key's order, {scorers.told_in_flight(snapshot, row)}"


def _place(mixed: int) -> float:
    """Where an endpoint stands in a key's order, in [0, 1): splitmix64's last rounds."""
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ mixed >> 27) * _ODD) & _MASK
    return (mixed >> 11) / (1 << 53)


_ODD = 0x94D049BB133111EB
_MASK = (1 << 64) - 1


@functools.lru_cache(maxsize=16384)
def _seed(endpoint: str) -> int:
    return int.from_bytes(hashlib.blake2b(endpoint.encode(), digest_size=8).digest())


def profile(parameters: ConsistentHashParameters) -> contract.Profile:
    """One scorer and the best of it."""
    return contract.Profile(NAME, filters=(), scorers=((Bounded(parameters), 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.BETA,
    summary="the same key to the same endpoint, within a bound on its load",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.PROMPT, contract.Need.SESSION, contract.Need.USER}),
    build=profile,
    parameters=ConsistentHashParameters,
)
