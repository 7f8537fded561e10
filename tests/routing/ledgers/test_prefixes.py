"""The ledger over a prefix index: one question per decision, and the chosen endpoint learns."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable, Mapping, Sequence

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


@pytest.mark.parametrize("prompt", [b"abcd", b"abcdefgh", b"abcdefghij", b"abcdefghijkl"])
def test_the_last_full_block_names_the_whole_prompt(prompt: bytes) -> None:
    there = world()
    assert matches(there.send(testing.request(prompt=prompt))).leaf == there.index.hashes("demo", prompt)[-1]


def test_what_is_held_is_never_old_and_answers_change_nothing() -> None:
    assert prefixes.Matches((1, 2), 3).age(testing.snapshot(0, 0)) == 0.0
    assert prefixes.Matches((0,), 0) == prefixes.Matches((0,), 0, 0, None)
    assert not prefixes.PrefixLedger(testing.FakeIndex(), testing.FakeIndex()).hears_answers


def test_what_is_sent_is_noted_once_when_it_is_sent() -> None:
    index = _Notes()
    ledger = prefixes.PrefixLedger(index, index)
    there = testing.World([prefix_cache.POLICY], 2, random.Random(1), ledgers={prefixes.NAME: ledger})
    for prompt, noted in ((b"abcdefgh", 1), (b"abc", 1), (b"abcd", 2)):  # three bytes fill no block
        made = there.send(testing.request(prompt=prompt))
        there.now += 1.0
        there.answer(made)
        there.end(made)
        assert there.choose(testing.request()).faults == ()
        assert len(index.noted) == noted
    assert [at for *_, at in index.noted] == [0.0, 2.0]


class _Notes(testing.FakeIndex):
    """Keeps what it is told, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[Sequence[int], str, float]] = []

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        self.noted.append((hashes, endpoint, now))


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


def test_rows_follow_the_endpoints_of_each_snapshot() -> None:
    """Endpoints change places, come and go: whoever holds it holds it, whatever row that is now."""
    there = world()
    made = there.send(testing.request(prompt=b"abcdefgh"))
    holder = made.endpoint
    for endpoints in (there.endpoints[::-1], there.endpoints[1:] + there.endpoints[:1], (holder,), there.endpoints):
        there.endpoints = endpoints
        there.in_flight, there.loads = [0] * len(endpoints), [None] * len(endpoints)
        there.heard_at = [0.0] * len(endpoints)
        found = matches(there.choose(testing.request(prompt=b"abcdefgh")))
        assert [bool(each) for each in found.held] == [each is holder for each in endpoints]
        assert found.holders == [endpoints.index(holder)]


def test_many_models_take_turns_without_mixing_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "MODELS_KEPT", 2)
    index = testing.FakeIndex()
    ledger = prefixes.PrefixLedger(index, index)
    tables = {
        model: testing.snapshot(0, 0, endpoints=[testing.endpoint(f"{model}-{row}") for row in range(2)])
        for model in ("a", "b", "c")
    }

    def asked(model: str) -> contract.Request:
        return contract.Request("r", model, "/", b"abcdefgh")

    for row, model in enumerate(("a", "b", "c")):
        index.add(index.hashes(model, b"abcdefgh"), tables[model].endpoints[row % 2].key, 0.0)
    for _ in range(2):
        for row, model in enumerate(("a", "b", "c")):
            held = ledger.facts(asked(model), tables[model], 0.0).held
            assert [bool(each) for each in held] == [row % 2 == 0, row % 2 == 1]


def test_who_looks_without_a_prompt_sees_nothing_and_is_not_asked_about() -> None:
    ledger = prefixes.PrefixLedger(testing.FakeIndex(), _NoIndex())
    assert ledger.facts(testing.request(prompt=b"abc"), testing.snapshot(0, 0), 0.0) == prefixes.Matches(
        [0, 0], 0, 0, ()
    )


class _NoIndex:
    """Nobody may ask it."""

    def match(self, hashes: Sequence[int], endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        raise AssertionError

    def add(self, hashes: Sequence[int], endpoint: str, now: float) -> None:
        raise AssertionError
