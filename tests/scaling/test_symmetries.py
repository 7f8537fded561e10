"""What must not matter: units, the time of day, the order of metrics, how often somebody looks, who looked twice.

Each law runs one story twice, the second time told otherwise, and compares what is decided pass by pass.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract, decide, testing

STRATEGIES = list(contract.Strategy)
OWN = [contract.Strategy.KPA, contract.Strategy.APA]
LAW = settings(max_examples=25)
VALUE = st.integers(0, 400).map(lambda tenths: tenths / 4)
"""Quarters: sums of them are exact, so that another order or unit is no excuse."""
POD = st.one_of(VALUE, st.none(), st.just("timed out"))
ROW = st.lists(POD, min_size=1, max_size=5)


class Pass(NamedTuple):
    """One look: what the pods measure, and the seconds until the next."""

    values: Sequence[float | str | None]
    seconds: float


STORY = st.lists(st.builds(Pass, ROW, st.sampled_from([1.0, 5.0, 10.0, 15.0, 61.0])), min_size=1, max_size=15)
SETTINGS = st.builds(
    testing.settings,
    st.sampled_from(STRATEGIES),
    bounds=st.sampled_from([(0, 100), (1, 10), (2, 30)]),
    up_rate=st.sampled_from([1.5, 2.0, 10.0]),
    down_window=st.sampled_from([0.0, 20.0, 300.0]),
    up_window=st.sampled_from([0.0, 20.0]),
    stable_window=st.sampled_from([10.0, 60.0]),
    panic_window=st.sampled_from([5.0, 10.0]),
)


def told(
    own: contract.Settings, story: Sequence[Pass], replicas: int = 3, start: float = testing.START
) -> list[int | None]:
    """What is decided on in each pass; the workload obeys."""
    load = testing.Workload(own, replicas, start)
    return [load.step(testing.pods(*each.values), seconds=each.seconds).desired for each in story]


class TestUnits:
    @given(own=SETTINGS, story=STORY, factor=st.sampled_from([0.25, 0.5, 2.0, 1024.0, 2.0**40]))
    @LAW
    def test_a_metric_in_other_units_with_its_target_in_those(
        self, own: contract.Settings, story: list[Pass], factor: float
    ) -> None:
        scaled = dataclasses.replace(own, metrics=(testing.metric(target=10.0 * factor),))
        otherwise = [
            each._replace(values=[value * factor if isinstance(value, float) else value for value in each.values])
            for each in story
        ]
        assert told(own, story) == told(scaled, otherwise)

    @given(demand=VALUE, replicas=st.integers(1, 20), strategy=st.sampled_from(STRATEGIES))
    @LAW
    def test_a_sum_over_pods_is_a_value_of_the_whole(
        self, demand: float, replicas: int, strategy: contract.Strategy
    ) -> None:
        """Where every pod answers and does the same, it does not matter who adds up."""
        pods = testing.Workload(testing.settings(strategy), replicas)
        whole = testing.Workload(testing.settings(strategy, testing.metric(whole=True)), replicas)
        one = pods.look(testing.pods(*[demand] * replicas))
        other = whole.look(testing.whole(demand * replicas))
        assert (one.desired, one.asked) == (other.desired, other.asked)


class TestTime:
    @given(own=SETTINGS, story=STORY, days=st.integers(-9000, 9000))
    @LAW
    def test_another_day(self, own: contract.Settings, story: list[Pass], days: int) -> None:
        assert told(own, story) == told(own, story, start=testing.START + 86_400 * days)

    @given(own=SETTINGS, story=STORY)
    @LAW
    def test_who_looks_twice_at_once_sees_the_same(self, own: contract.Settings, story: list[Pass]) -> None:
        """A change of the spec brings a second look within the same moment: it decides no further than the first."""
        once, twice = testing.Workload(own, 3), testing.Workload(own, 3)
        for values, seconds in story:
            seen = testing.pods(*values)
            first = twice.look(seen).desired
            assert twice.look(seen).desired == first
            assert once.look(seen).desired == first
            once.replicas = twice.replicas = once.replicas if first is None else first
            once.now = twice.now = once.now + seconds

    @pytest.mark.parametrize("strategy", OWN)
    @pytest.mark.parametrize("demand", [4.0, 18.0, 30.0, 47.0, 95.0])
    def test_where_it_settles_is_no_matter_of_how_often_somebody_looks(
        self, strategy: contract.Strategy, demand: float
    ) -> None:
        ends = set()
        for period in (2.0, 10.0, 15.0, 30.0):
            load = testing.Workload(testing.settings(strategy), 3)
            load.run(2400, lambda each: [testing.shared(demand, each.replicas)], period)
            ends.add(load.replicas)
        assert len(ends) == 1


class TestOrder:
    @given(
        own=SETTINGS,
        story=st.lists(st.tuples(ROW, ROW, ROW), min_size=1, max_size=10),
        order=st.permutations([0, 1, 2]),
    )
    @LAW
    def test_of_the_metrics(
        self,
        own: contract.Settings,
        story: list[tuple[list[float | str | None], ...]],
        order: list[int],
    ) -> None:
        metrics = [testing.metric(key, target) for key, target in (("a", 10.0), ("b", 2.5), ("c", 40.0))]
        here = testing.Workload(dataclasses.replace(own, metrics=tuple(metrics)), 3)
        there = testing.Workload(dataclasses.replace(own, metrics=tuple(metrics[n] for n in order)), 3)
        for row in story:
            seen = [testing.pods(*values, key=each.key) for values, each in zip(row, metrics, strict=True)]
            one, other = here.step(*seen), there.step(*seen)
            assert (one.desired, one.asked, one.panicking_since) == (other.desired, other.asked, other.panicking_since)

    @given(own=SETTINGS, story=STORY)
    @LAW
    def test_a_metric_with_nothing_to_say_adds_nothing(self, own: contract.Settings, story: list[Pass]) -> None:
        """One that is read and at rest never asks for more than another."""
        assume(own.bounds.minimum <= 1)
        both = dataclasses.replace(own, metrics=(*own.metrics, testing.metric("idle", whole=True)))
        alone, beside = testing.Workload(own, 3), testing.Workload(both, 3)
        for values, seconds in story:
            one = alone.look(testing.pods(*values))
            other = beside.look(testing.pods(*values), testing.whole(0.0, "idle"))
            if one.desired is None:
                # Silence of the one still forbids the way down that the other asks for.
                assert other.desired is not None
                assert other.desired >= other.current
                return
            assert one.desired == other.desired
            alone.replicas = beside.replicas = one.desired
            alone.now = beside.now = alone.now + seconds


class TestBounds:
    @given(own=SETTINGS, story=STORY, size=st.integers(1, 20))
    @LAW
    def test_a_minimum_that_is_the_maximum_is_the_size(
        self, own: contract.Settings, story: list[Pass], size: int
    ) -> None:
        fixed = dataclasses.replace(own, bounds=schedules.Bounds(size, size))
        found = told(fixed, story, 3)
        assert found[0] in (None, size)
        assert set(found) <= {None, size}

    @given(
        own=SETTINGS, values=st.lists(VALUE, min_size=1, max_size=6), most=st.integers(1, 30), more=st.integers(0, 30)
    )
    @LAW
    def test_more_room_is_never_fewer_replicas(
        self, own: contract.Settings, values: list[float], most: int, more: int
    ) -> None:
        narrow = dataclasses.replace(own, bounds=schedules.Bounds(0, most))
        wide = dataclasses.replace(own, bounds=schedules.Bounds(0, most + more))
        current = min(len(values), most)
        seen = testing.pods(*values[:current])
        one = testing.Workload(narrow, current).look(seen).desired
        other = testing.Workload(wide, current).look(seen).desired
        assert one is not None
        assert other is not None
        assert one <= other

    @given(own=SETTINGS, story=STORY)
    @LAW
    def test_bounds_do_not_teach(self, own: contract.Settings, story: list[Pass]) -> None:
        """What the memory learns is what the metrics ask for, whatever the bounds make of it: they may be gone with the next look."""
        held = testing.Workload(dataclasses.replace(own, bounds=schedules.Bounds(3, 3)), 3)
        free = testing.Workload(dataclasses.replace(own, bounds=schedules.Bounds(0, 1000)), 3)
        for values, seconds in story:
            held.look(testing.pods(*values))
            free.look(testing.pods(*values))
            held.now = free.now = held.now + seconds
        held.settings = free.settings
        one, other = held.look(testing.pods(4.0)), free.look(testing.pods(4.0))
        assert (one.desired, one.asked, one.steps) == (other.desired, other.asked, other.steps)


class TestUselessValues:
    """NaN, infinite and negative values are silence, wherever they come and whatever else is measured."""

    @given(own=SETTINGS, story=STORY, useless=st.sampled_from([math.nan, math.inf, -math.inf, -1.0, -1e-300]))
    @LAW
    def test_at_pods(self, own: contract.Settings, story: list[Pass], useless: float) -> None:
        said = [
            each._replace(values=[useless if isinstance(one, str) else one for one in each.values]) for each in story
        ]
        assert told(own, said) == told(own, story)

    @pytest.mark.parametrize("useless", [math.nan, math.inf, -math.inf, -1.0])
    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("demand", [0.0, 10.0, 90.0])
    def test_of_the_whole(self, useless: float, strategy: contract.Strategy, demand: float) -> None:
        """Five minutes of nonsense in an hour: nothing is decided meanwhile, and afterwards it goes on as after silence."""
        own = testing.settings(strategy, testing.metric(whole=True))
        ends = []
        for nonsense in (useless, None):
            load = testing.Workload(own, 4)
            load.run(900, lambda _: [testing.whole(40.0)])
            seen = testing.whole(nonsense)
            meanwhile = [load.step(seen) for _ in range(30)]
            assert {each.desired for each in meanwhile} == {None}
            ends.append([each.desired for each in load.run(900, lambda _: [testing.whole(demand)])])
        assert ends[0] == ends[1]


class TestQuestions:
    """Whoever asks what would be changes nothing, when he asks a copy."""

    @given(own=SETTINGS, story=STORY, other=SETTINGS)
    @LAW
    def test_a_copy_of_the_memory_answers_for_other_settings(
        self, own: contract.Settings, story: list[Pass], other: contract.Settings
    ) -> None:
        plain, asked = testing.Workload(own, 3), testing.Workload(own, 3)
        for values, seconds in story:
            snapshot = contract.Snapshot(asked.replicas, (testing.dated(testing.pods(*values), asked.now),))
            decide.decide(other, asked.memory.copied(), snapshot, asked.now)
            one, two = (each.step(testing.pods(*values), seconds=seconds) for each in (plain, asked))
            assert one == two

    def test_equal_stories_have_equal_ends(self) -> None:
        own = testing.settings(contract.Strategy.KPA)
        story = [Pass([float(n % 7 * 9)] * 3, 10.0) for n in range(60)]
        first, second = told(own, story), told(own, story)
        assert first == second
        assert any(one != other for one, other in itertools.pairwise(first)), "a story in which something happens"
