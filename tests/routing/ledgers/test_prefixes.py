"""The ledger over a prefix index: one question per decision, and the chosen endpoint learns."""

from __future__ import annotations

import gc
import random

import pytest

from brickyard.kvindex import blocks as kvblocks
from brickyard.kvindex import prefix
from brickyard.kvindex import settings as kvsettings
from brickyard.routing import contract, testing
from brickyard.routing.ledgers import prefixes
from brickyard.routing.policies import prefix_cache


def world() -> testing.World:
    return testing.World([prefix_cache.POLICY], 3, random.Random(1))


def matches(made: contract.Decision) -> prefixes.Matches:
    found = prefixes.INPUT.of(made.snapshot)
    assert found is not None
    return found


def test_the_chosen_endpoint_holds_the_prompt_from_then_on() -> None:
    there = world()
    first = there.send(testing.request(prompt=b"abcdefghij"))
    assert (list(matches(first).held), matches(first).total) == ([0, 0, 0], 8)
    second = there.choose(testing.request(prompt=b"abcdefXY"))
    assert matches(second).held[first.row] == 4
    assert sum(matches(second).held) == 4


def test_asking_without_sending_teaches_nothing() -> None:
    there = world()
    there.choose(testing.request(prompt=b"abcdefgh"))
    assert sum(matches(there.choose(testing.request(prompt=b"abcdefgh"))).held) == 0


def test_models_share_nothing() -> None:
    there = world()
    there.send(testing.request(prompt=b"abcdefgh"))
    other = contract.Request("r", "another", "/", b"abcdefgh")
    assert sum(matches(there.choose(other)).held) == 0


def test_a_prompt_is_hashed_once_per_request() -> None:
    there = world()
    there.send(testing.request(prompt=b"abcdefgh"))
    assert there.index.asked == 1


def test_a_prompt_is_not_kept_beyond_its_choice() -> None:
    index = testing.FakeIndex()
    ledger = prefixes.PrefixLedger(index, index)
    asked = testing.request(prompt=b"abcdefgh")
    there = testing.World([prefix_cache.POLICY], 2, random.Random(1), ledgers={prefixes.NAME: ledger})
    references = len(gc.get_referrers(asked))
    there.end(there.send(asked))
    assert len(gc.get_referrers(asked)) == references


@pytest.mark.parametrize("prompt", [b"", b"abc"])
def test_a_prompt_without_a_full_block_matches_nothing(prompt: bytes) -> None:
    there = world()
    made = there.send(testing.request(prompt=prompt))
    assert (matches(made).total, matches(made).leaf, matches(made).share(0), matches(made).percent(0)) == (0, 0, 0.0, 0)
    assert there.index.held == {}


@pytest.mark.parametrize(("blocks", "total", "percent"), [(1, 3, 33), (2, 3, 66), (3, 3, 100), (0, 3, 0)])
def test_percent_is_rounded_down(blocks: int, total: int, percent: int) -> None:
    found = prefixes.Matches((blocks,), total)
    assert found.percent(0) == percent
    assert found.share(0) == blocks / total
    assert found.row(0) == {"cached_bytes": blocks, "prompt_bytes": total, "percent": percent}


def test_the_real_index_fits() -> None:
    """Blocks widen with depth there: shares count bytes and not blocks."""
    hasher, index = kvblocks.Hasher(16), prefix.PrefixIndex(kvsettings.PrefixSettings())
    ledger = prefixes.PrefixLedger(hasher, index)
    there = testing.World([prefix_cache.POLICY], 3, random.Random(1), ledgers={prefixes.NAME: ledger})
    text = b"0123456789abcdef" * 64
    first = there.send(testing.request(prompt=text))
    there.end(first)
    assert matches(first).total == len(text)
    again = there.choose(testing.request(prompt=text))
    assert (again.row, matches(again).percent(first.row)) == (first.row, 100)
    half = there.choose(testing.request(prompt=text[:512] + b"x" * 512))
    assert matches(half).percent(first.row) == 50
    assert sum(matches(half).held) == 512
