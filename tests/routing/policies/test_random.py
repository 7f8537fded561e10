"""random: every endpoint that is possible, with the same probability."""

from __future__ import annotations

import collections
import random
from collections.abc import Sequence

from brickyard.routing import contract, pipeline, registry, testing
from brickyard.routing.policies import random as policy

PROFILE = registry.Registry([policy.POLICY]).profile(policy.NAME)


def shares(
    table: contract.EndpointSnapshot, excluded: Sequence[str] = (), rounds: int = 6000
) -> collections.Counter[str]:
    rng = random.Random(2)
    counts: collections.Counter[str] = collections.Counter()
    for _ in range(rounds):
        made = pipeline.route(testing.request(excluded=excluded), table, PROFILE, 0.0, rng)
        assert isinstance(made, contract.Decision)
        counts[made.endpoint.pod] += 1
    return counts


def test_nobody_starves_and_load_does_not_matter() -> None:
    """1000 expected each; fewer than 800 has a chance below 1e-10."""
    counts = shares(testing.snapshot(0, 100, 0, 7, 1, 3))
    assert len(counts) == 6
    assert min(counts.values()) >= 800


def test_excluded_endpoints_get_nothing_and_the_rest_shares() -> None:
    counts = shares(testing.snapshot(0, 0, 0, 0), excluded=["default/b:8000", "default/d:8000"])
    assert set(counts) == {"a", "c"}
    assert min(counts.values()) >= 2600


def test_there_are_no_scores_to_mix() -> None:
    assert PROFILE.scorers == ()
    assert policy.POLICY.needs == frozenset()
