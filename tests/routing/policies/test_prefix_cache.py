"""prefix-cache: who holds most of the prompt, unless it has too much to do."""

from __future__ import annotations

import collections
import dataclasses
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.names import environment
from brickyard.assembly import routing_policies
from brickyard.routing import capabilities, contract, errors, pipeline, registry, testing
from brickyard.routing.ledgers import prefixes
from brickyard.routing.policies import least_request, prefix_cache

REGISTRY = registry.Registry([prefix_cache.POLICY, least_request.POLICY])
PROFILE = REGISTRY.profile(prefix_cache.NAME)


def table(in_flight: Sequence[int], percents: Sequence[int] | None) -> contract.EndpointSnapshot:
    made = testing.snapshot(*in_flight)
    if percents is None:
        return made
    return dataclasses.replace(made, data={prefixes.NAME: prefixes.Matches(tuple(percents), 100, 1)})


def choose(
    in_flight: Sequence[int], percents: Sequence[int] | None, rng: contract.Random | None = None
) -> contract.Decision:
    made = pipeline.route(testing.request(), table(in_flight, percents), PROFILE, 0.0, rng or testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    return made


class TestMatched:
    """Given what each holds and has in flight, then who may match."""

    @pytest.mark.parametrize(
        ("percents", "counts", "factor", "positions"),
        [
            ((100, 50, 10), (5, 10, 15), 1, [0, 1, 2]),
            ((100, 80, 60), (100, 10, 12), 1, [1, 2]),
            ((100, 100, 100), (5, 10, 15), -10, []),
            ((0, 0, 50, 60), (1, 2, 3, 4), 1, [2]),
            ((50, 50, 50), (5, 5, 5), 1, [0, 1, 2]),
            ((50,), (9,), 1, [0]),
            ((50,), (9,), -10, [0]),  # one alone does not deviate
            ((0, 0), (1, 1), 1, []),
            ((50, 0), (3, 0), 1, [0]),  # of two, deviation is half of the difference times the root of 2
            ((50, 50, 0), (1, 3, 0), 1, [0]),
        ],
    )
    def test_load(self, percents: Sequence[int], counts: Sequence[int], factor: float, positions: list[int]) -> None:
        assert prefix_cache.matched(percents, counts, 1000, factor) == positions

    @pytest.mark.parametrize(
        ("counts", "positions"),
        [((8, 0, 0), [0, 1, 2]), ((9, 0, 0), [1, 2]), ((9, 0, 1), [1]), ((8, 8, 8), [0, 1, 2])],
    )
    def test_the_threshold_is_8_and_9_is_too_much(self, counts: Sequence[int], positions: list[int]) -> None:
        assert prefix_cache.matched((1, 1, 1), counts, 8, 1000.0) == positions


@pytest.mark.parametrize(
    ("in_flight", "percents", "pod"),
    [
        ((5, 10, 15), (100, 50, 10), "a"),
        ((8, 4, 3), (100, 80, 60), "b"),  # a is above mean and deviation
        ((3, 1, 2), (50, 50, 50), "b"),  # of equal matches the one with least to do
        ((2, 0, 0), (100, 0, 0), "b"),  # the match has too much: least requests of all, the match not
        ((9, 0, 9), (100, 40, 90), "b"),  # uneven: only the idlest may match
        ((1, 0, 0), (0, 0, 0), "b"),
        ((1, 0, 2), None, "b"),  # no index
        ((2, 2, 2), (0, 30, 60), "c"),
        ((7,), (0,), "a"),
    ],
)
def test_rows(in_flight: Sequence[int], percents: Sequence[int] | None, pod: str) -> None:
    assert choose(in_flight, percents).endpoint.pod == pod


@pytest.mark.parametrize(
    ("held", "total", "pod"), [((9, 0), 1000, "b"), ((10, 0), 1000, "a"), ((1, 0), 101, "b"), ((2, 0), 101, "a")]
)
def test_less_than_a_percent_is_no_match(held: Sequence[int], total: int, pod: str) -> None:
    there = dataclasses.replace(table((1, 0), None), data={prefixes.NAME: prefixes.Matches(held, total, 1)})
    made = pipeline.route(testing.request(), there, PROFILE, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.endpoint.pod == pod
    assert made.totals[made.row] == max(made.totals)
    assert (max(made.totals) > prefix_cache.LEAST_MATCHED) is (pod == "a")


def test_equals_share_by_chance() -> None:
    rng = random.Random(5)
    counts = collections.Counter(choose((2, 2, 2, 2), (50, 50, 50, 0), rng).endpoint.pod for _ in range(900))
    assert set(counts) == {"a", "b", "c"}
    assert min(counts.values()) > 220


class Conversation:
    """Four idle endpoints; requests end at once unless they are held."""

    def __init__(self) -> None:
        self.there = testing.World([prefix_cache.POLICY], 4, random.Random(11))

    def ask(self, text: bytes) -> int:
        made = self.there.send(testing.request(prompt=text))
        self.there.end(made)
        return made.row


def test_a_sequence_of_prompts() -> None:
    """With blocks of 4 bytes: prefixes lead back, load leads away."""
    talk = Conversation()
    first = talk.ask(b"abcdegfh")
    assert talk.ask(b"abcdegfh") == first
    talk.there.in_flight[first] = 2
    second = talk.ask(b"abcd")
    assert second != first
    talk.there.in_flight[first] = 0
    assert talk.ask(b"abcdefghijkl") in {first, second}  # both hold abcd only
    for _ in range(3):
        assert talk.ask(b"abcdegfh") == first
    talk.there.in_flight[first] = 9
    assert talk.ask(b"abcdegfh") != first


def test_the_originals_sequence_of_prompts() -> None:
    """Four idle endpoints, blocks of 4 bytes: where each prompt goes, and why."""
    talk = Conversation()
    there = talk.there
    one = talk.ask(b"abcdegfh")
    there.in_flight[one] = 1
    other = talk.ask(b"wxyz")
    assert other != one  # nobody holds it: the fewest requests
    there.in_flight[other] = 1
    assert talk.ask(b"abcdegfh") == one  # its prefix is worth more than an idle endpoint
    there.in_flight[:] = [1] * 4
    there.in_flight[one] = 2  # above mean and deviation: its match is passed over
    two = talk.ask(b"abcd")
    assert two != one
    there.in_flight[one], there.in_flight[two] = 2, 0
    assert talk.ask(b"abcdefghijkl") == two  # both hold abcd, and two has less to do
    there.in_flight[:] = [0] * 4
    assert talk.ask(b"abcdefgh") == two  # two holds all of it by now, one the first block
    there.in_flight[two] = 9  # nine more than the idlest: only those may match
    assert talk.ask(b"abcdefghijkl") != two


def test_a_conversation_stays() -> None:
    talk, turns = Conversation(), b""
    rows = []
    for turn in range(5):
        turns += b"turn %d of a conversation " % turn
        rows.append(talk.ask(turns))
    assert len(set(rows)) == 1


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100)), min_size=1, max_size=8),
    st.integers(0, 2**32),
)
def test_nobody_above_its_share_is_preferred_for_its_cache(rows: list[tuple[int, int]], seed: int) -> None:
    counts, percents = [count for count, _ in rows], [percent for _, percent in rows]
    made = choose(counts, percents, random.Random(seed))
    eligible = prefix_cache.matched(percents, counts, 8, 1.0)
    if eligible:
        assert (percents[made.row], -counts[made.row]) == max((percents[at], -counts[at]) for at in eligible)
    else:
        assert counts[made.row] == min(counts)
    others = [score for at, score in enumerate(made.scores[0]) if at not in eligible]
    assert not others or not eligible or max(others) < min(made.scores[0][at] for at in eligible)
    assert all(0.0 <= score <= 1.0 for score in made.scores[0])


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 100)), min_size=2, max_size=6), st.data())
def test_holding_more_never_hurts(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    counts, percents = [count for count, _ in rows], [percent for _, percent in rows]
    at = data.draw(st.integers(0, len(rows) - 1))
    more = list(percents)
    more[at] = data.draw(st.integers(percents[at], 100))
    before, after = choose(counts, percents).scores[0], choose(counts, more).scores[0]
    assert sum(each > after[at] for each in after) <= sum(each > before[at] for each in before)


def test_a_mix_takes_the_share_alone() -> None:
    mixed = REGISTRY.profile("prefix-cache,least-request")
    made = pipeline.route(testing.request(), table((9, 0, 4), (100, 0, 50)), mixed, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.scores[0] == [1.0, 0.0, 0.5]
    assert made.measures == ([100, 0, 50], (9, 0, 4))


def test_a_mix_counts_whole_percent() -> None:
    thirds = dataclasses.replace(table((0, 0), None), data={prefixes.NAME: prefixes.Matches((2, 1), 3, 1)})
    made = pipeline.route(
        testing.request(), thirds, REGISTRY.profile("prefix-cache,least-request"), 0.0, testing.Dice()
    )
    assert isinstance(made, contract.Decision)
    assert made.measures[0] == [66, 33]


@pytest.mark.parametrize("facts", [None, prefixes.Matches((0, 0, 0), 0)], ids=["no index", "no full block"])
def test_a_mix_without_anything_to_match_goes_by_the_others(facts: prefixes.Matches | None) -> None:
    mixed = REGISTRY.profile("prefix-cache:9,least-request")
    there = dataclasses.replace(table((9, 0, 4), None), data={} if facts is None else {prefixes.NAME: facts})
    made = pipeline.route(testing.request(), there, mixed, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert (made.endpoint.pod, made.faults) == ("b", ())
    assert str(made.measures[0]) == "[nan, nan, nan]"


def test_words() -> None:
    scorer = PROFILE.scorers[0][0]
    assert isinstance(scorer, capabilities.Describes)
    assert scorer.describe(table((2,), (62,)), 0) == "62 % of the prompt cached, 2 requests in flight"
    assert prefix_cache.words(table((2,), None), 0) == "cached share unknown"


def test_variables() -> None:
    environ = {
        environment.PREFIX_CACHE_IMBALANCE_ABS_COUNT: "16",
        environment.PREFIX_CACHE_STANDARD_DEVIATION_FACTOR: "2",
    }
    loose = routing_policies.make("", environ).profile("prefix-cache")
    for profile, pod in ((PROFILE, "b"), (loose, "a")):
        made = pipeline.route(testing.request(), table((12, 0, 0, 0), (90, 0, 0, 0)), profile, 0.0, testing.Dice())
        assert isinstance(made, contract.Decision)
        assert made.endpoint.pod == pod


def test_the_originals_constants() -> None:
    assert prefix_cache.PrefixCacheParameters() == prefix_cache.PrefixCacheParameters(imbalance=8, deviations=1.0)
    assert prefix_cache.PrefixCacheParameters(imbalance=0).imbalance == 0


def test_parameters_out_of_range() -> None:
    with pytest.raises(errors.BadParameterError, match="imbalance"):
        registry.Registry([prefix_cache.POLICY], {"prefix-cache": {"imbalance": -1}})
