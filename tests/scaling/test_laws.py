"""What must hold whatever is measured."""

import dataclasses
import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.scaling import contract, rates, testing

STRATEGIES = [contract.Strategy.KPA, contract.Strategy.APA, contract.Strategy.HPA]
OWN = [contract.Strategy.KPA, contract.Strategy.APA]
VALUES = st.floats(0, 1000)
READINGS = st.one_of(VALUES, st.none(), st.just("timed out"))
ANYTHING = st.one_of(READINGS, st.sampled_from([math.nan, math.inf, -math.inf, -1.0, 1e308, 5e-324]))
PASSES = st.lists(st.tuples(st.lists(ANYTHING, max_size=6), st.floats(-100, 400)), min_size=1, max_size=25)
BOUNDS = st.tuples(st.integers(0, 5), st.integers(5, 30))
SETTINGS = st.builds(
    testing.settings,
    st.sampled_from(STRATEGIES),
    bounds=BOUNDS,
    up_rate=st.sampled_from([1.5, 2.0, 4.0, 1000.0]),
    down_rate=st.sampled_from([1.0, 1.5, 2.0, 1000.0]),
    up_tolerance=st.sampled_from([0.0, 0.1, 0.5]),
    down_tolerance=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    stable_window=st.sampled_from([1.0, 30.0, 180.0]),
    panic_window=st.sampled_from([1.0, 10.0, 30.0]),
    up_window=st.sampled_from([0.0, 60.0]),
    down_window=st.sampled_from([0.0, 60.0, 300.0]),
    activation_scale=st.sampled_from([1, 3]),
)


class TestAnything:
    """Values of every kind, clocks that go as they like."""

    @given(own=SETTINGS, replicas=st.integers(0, 40), passes=PASSES)
    @settings(max_examples=300)
    def test_bounds_rates_and_no_crash(
        self, own: contract.Settings, replicas: int, passes: list[tuple[list[float | str | None], float]]
    ) -> None:
        load = testing.Workload(own, replicas)
        most = own.bounds.maximum or 0
        for values, seconds in passes:
            current = load.replicas
            made = load.step(testing.pods(*values), seconds=seconds)
            assert made.current == current
            assert (made.next_at is None) == (made.next_why == "")
            assert made.next_at is None or made.next_at >= made.at
            if made.desired is None:
                assert made.asked is None
                continue
            if made.algorithm == contract.BOUNDARY_CHECK:
                assert made.desired in (0, own.bounds.minimum, most)
                continue
            assert own.bounds.minimum <= made.desired <= most
            if own.strategy is not contract.Strategy.HPA:
                limits = rates.limits(own, current)
                assert made.desired <= max(limits.most, own.activation_scale, own.bounds.minimum)
                assert made.desired >= min(limits.fewest, most)

    @given(own=SETTINGS, replicas=st.integers(0, 40), passes=PASSES)
    def test_steps_are_a_chain(
        self, own: contract.Settings, replicas: int, passes: list[tuple[list[float | str | None], float]]
    ) -> None:
        load = testing.Workload(own, replicas)
        for values, seconds in passes:
            made = load.step(testing.pods(*values), seconds=seconds)
            if made.algorithm == contract.BOUNDARY_CHECK or made.desired is None:
                assert made.steps == ()
                continue
            values_on_the_way = [made.asked, *(each.after for each in made.steps)]
            assert [each.before for each in made.steps] == values_on_the_way[:-1]
            assert values_on_the_way[-1] == made.desired
            assert all(each.before != each.after for each in made.steps)

    @given(own=SETTINGS, replicas=st.integers(0, 40), passes=PASSES, pods=st.permutations(range(6)))
    def test_the_order_of_pods_and_observations_does_not_matter(
        self,
        own: contract.Settings,
        replicas: int,
        passes: list[tuple[list[float | str | None], float]],
        pods: list[int],
    ) -> None:
        two = dataclasses.replace(own, metrics=(testing.metric("a"), testing.metric("b", 3)))
        here, there = testing.Workload(two, replicas), testing.Workload(two, replicas)
        for values, seconds in passes:
            seen = [testing.pods(*values, key="a"), testing.pods(*values[:3], key="b")]
            mixed = [
                dataclasses.replace(each, pods=tuple(each.pods[n] for n in pods if n < len(each.pods))) for each in seen
            ]
            one, other = here.step(*seen, seconds=seconds), there.step(*reversed(mixed), seconds=seconds)
            assert (one.desired, one.asked, one.next_at) == (other.desired, other.asked, other.next_at)

    @given(own=SETTINGS, replicas=st.integers(0, 40), passes=PASSES)
    def test_memory_is_bounded_and_copies_go_their_own_way(
        self, own: contract.Settings, replicas: int, passes: list[tuple[list[float | str | None], float]]
    ) -> None:
        load = testing.Workload(own, replicas)
        for values, seconds in passes:
            load.step(testing.pods(*values), seconds=seconds)
        assert len(load.memory) <= 2 * (own.stable_window + 2) + 3 * len(passes) + 3
        before = len(load.memory)
        other = testing.Workload(own, load.replicas, load.now)
        other.memory = load.memory.copied()
        one = other.step(testing.pods(1.0))
        assert len(load.memory) == before
        assert load.step(testing.pods(1.0)).desired == one.desired


class TestMonotone:
    """More demand never means fewer replicas."""

    @given(
        strategy=st.sampled_from(STRATEGIES),
        replicas=st.integers(1, 30),
        demands=st.lists(st.tuples(VALUES, st.floats(0, 100)), min_size=1, max_size=20),
        up=st.sampled_from([0.0, 0.1]),
    )
    def test_in_demand(
        self, strategy: contract.Strategy, replicas: int, demands: list[tuple[float, float]], up: float
    ) -> None:
        own = testing.settings(strategy, up_tolerance=up)
        less, more = testing.Workload(own, replicas), testing.Workload(own, replicas)
        for demand, extra in demands:
            one = less.look(testing.shared(demand, replicas)).desired
            other = more.look(testing.shared(demand + extra, replicas)).desired
            assert one is not None
            assert other is not None
            assert one <= other
            less.now = more.now = less.now + testing.PERIOD

    @given(replicas=st.integers(0, 30), demand=VALUES, targets=st.lists(st.floats(0.1, 100), min_size=2, max_size=2))
    def test_in_the_target(self, replicas: int, demand: float, targets: list[float]) -> None:
        asked = [
            testing.Workload(testing.settings(contract.Strategy.KPA, testing.metric(target=each, whole=True)), replicas)
            .look(testing.whole(demand))
            .asked
            for each in sorted(targets)
        ]
        assert asked[0] is not None
        assert asked[1] is not None
        assert asked[0] >= asked[1]

    @given(
        strategy=st.sampled_from(STRATEGIES),
        replicas=st.integers(1, 30),
        values=st.lists(VALUES, min_size=2, max_size=2),
    )
    def test_the_largest_of_several_metrics_counts(
        self, strategy: contract.Strategy, replicas: int, values: list[float]
    ) -> None:
        keys = ("a", "b")
        alone = [
            testing.Workload(testing.settings(strategy, testing.metric(key)), replicas)
            .look(testing.shared(value, replicas, key))
            .asked
            for key, value in zip(keys, values, strict=True)
        ]
        both = testing.Workload(testing.settings(strategy, *map(testing.metric, keys)), replicas)
        made = both.look(*(testing.shared(value, replicas, key) for key, value in zip(keys, values, strict=True)))
        assert made.asked == max(each for each in alone if each is not None)


class TestMissing:
    """Not knowing never moves what knowing would have left, as long as a silent pod does no more than its target."""

    @given(
        strategy=st.sampled_from(STRATEGIES),
        passes=st.lists(
            st.lists(st.tuples(st.floats(0, 40), st.floats(0, 10), st.booleans()), min_size=3, max_size=3),
            min_size=1,
            max_size=12,
        ),
    )
    def test_full_knowledge_would_not_contradict(
        self, strategy: contract.Strategy, passes: list[list[tuple[float, float, bool]]]
    ) -> None:
        # Each pod: its value where it answers, its value where it does not (at most its target), and whether it does.
        own = testing.settings(strategy, down_window=0.0)
        blind, seeing = testing.Workload(own, 3), testing.Workload(own, 3)
        for row in passes:
            partly = blind.look(testing.pods(*(value if known else "?" for value, _, known in row)))
            fully = seeing.look(testing.pods(*(value if known else hidden for value, hidden, known in row)))
            assert fully.asked is not None
            if partly.asked is not None and len(blind.made) == len([x for x in blind.made if x.asked is not None]):
                assert not (partly.asked > 3 and fully.asked < partly.asked)
                assert not (partly.asked < 3 and fully.asked > partly.asked)
            blind.now = seeing.now = blind.now + testing.PERIOD

    @given(
        strategy=st.sampled_from(STRATEGIES),
        replicas=st.integers(1, 10),
        silence=st.sampled_from(["?", None, math.nan]),
    )
    def test_nothing_measured_is_no_decision(
        self, strategy: contract.Strategy, replicas: int, silence: float | str | None
    ) -> None:
        made = testing.Workload(testing.settings(strategy), replicas).look(testing.pods(*[silence] * replicas))
        assert made.desired is None
        assert not made.moves

    @given(strategy=st.sampled_from(STRATEGIES), demand=VALUES, replicas=st.integers(1, 10))
    def test_an_unread_metric_forbids_the_way_down(
        self, strategy: contract.Strategy, demand: float, replicas: int
    ) -> None:
        own = testing.settings(strategy, testing.metric("a"), testing.metric("b"), down_window=0.0, stable_window=5.0)
        load = testing.Workload(own, replicas)
        for _ in range(5):
            made = load.look(testing.shared(demand, replicas, "a"))
            assert made.desired is not None
            assert made.desired >= replicas
            load.now += 10


class TestConstantLoad:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize("replicas", [1, 2, 3, 11])
    @pytest.mark.parametrize("ratio", [0.3, 0.91, 1.0, 1.04, 1.3])
    def test_at_most_one_change_an_hour_under_noise(
        self, strategy: contract.Strategy, replicas: int, ratio: float
    ) -> None:
        """±5 % on each pod and pass, after the way to where it settles."""
        rng = random.Random(7)
        load = testing.Workload(testing.settings(strategy, bounds=(1, 100)), replicas)
        demand = 10.0 * replicas * ratio

        def noisy(each: testing.Workload) -> list[contract.Observation]:
            share = demand / each.replicas
            return [testing.pods(*(share * rng.uniform(0.95, 1.05) for _ in range(each.replicas)))]

        load.run(3600, noisy)
        settled = len(load.changes)
        load.run(7200, noisy)
        assert len(load.changes) - settled <= 2

    @given(
        strategy=st.sampled_from(OWN),
        replicas=st.integers(1, 20),
        demand=st.one_of(st.just(0.0), st.floats(1e-6, 300)),
        rate=st.sampled_from([1.5, 2.0, 4.0]),
    )
    @settings(max_examples=15, deadline=None)
    def test_it_settles_and_stays(self, strategy: contract.Strategy, replicas: int, demand: float, rate: float) -> None:
        """Never up and down again: constant demand is approached from one side."""
        load = testing.Workload(testing.settings(strategy, up_rate=rate, down_rate=rate), replicas)
        load.under(demand, 3600)
        changes = load.changes
        ways = {after > before for before, after in changes}
        assert len(ways) <= 1
        if load.replicas:
            assert demand / load.replicas <= 11.0 * (1 + 1e-9)
        else:
            assert demand == 0

    def test_a_latency_does_not_oscillate_either(self) -> None:
        """APA by a value that is not shared out among replicas, but falls as their number grows."""
        load = testing.Workload(testing.settings(contract.Strategy.APA, bounds=(1, 50)), 2)
        load.run(4 * 3600, lambda each: [testing.pods(*[45.0 / each.replicas] * each.replicas)])
        ways = [after > before for before, after in load.changes]
        assert sum(one != other for one, other in itertools.pairwise(ways)) == 0


class TestRestart:
    """An empty memory knows nothing of what went before, so it takes nothing away."""

    @given(
        strategy=st.sampled_from(OWN),
        replicas=st.integers(1, 30),
        stable=st.sampled_from([30.0, 180.0, 600.0]),
        down=st.sampled_from([0.0, 60.0, 300.0]),
        demands=st.lists(st.floats(0, 100), min_size=1, max_size=62),
    )
    def test_nothing_goes_down_within_a_stable_window(
        self, strategy: contract.Strategy, replicas: int, stable: float, down: float, demands: list[float]
    ) -> None:
        load = testing.Workload(testing.settings(strategy, stable_window=stable, down_window=down), replicas)
        for demand in demands:
            if load.now - testing.START >= stable:
                break
            made = load.step(testing.shared(demand, load.replicas))
            assert made.desired is not None
            assert made.desired >= made.current

    @pytest.mark.parametrize("strategy", OWN)
    def test_but_bounds_hold_at_once(self, strategy: contract.Strategy) -> None:
        load = testing.Workload(testing.settings(strategy, bounds=(1, 4)), 9)
        assert load.step(testing.shared(0, 9)).desired == 4

    @pytest.mark.parametrize("strategy", OWN)
    def test_then_it_goes_down(self, strategy: contract.Strategy) -> None:
        load = testing.Workload(testing.settings(strategy, down_window=0.0), 8)
        load.under(10, 180)
        assert load.replicas == 8
        load.under(10, 10)
        assert load.replicas == 4

    @given(demand=st.floats(0, 100), after=st.integers(1, 60))
    @settings(max_examples=40, deadline=None)
    def test_in_the_middle_of_a_rush(self, demand: float, after: int) -> None:
        """The new one begins calm, and holds what the old one made until it has seen a stable window itself."""
        load = testing.Workload(testing.settings(), 2)
        load.under(30, 300)
        load.under(200, 10 * after)
        grown = load.replicas
        fresh = testing.Workload(load.settings, grown, load.now)
        fresh.under(demand, 170)
        assert all(after >= before for before, after in fresh.changes)


class TestClock:
    """Whatever the clock does, it takes no replicas away."""

    @given(
        strategy=st.sampled_from(OWN),
        leap=st.one_of(st.floats(-1e6, -0.1), st.floats(61, 1e6)),
        down=st.sampled_from([0.0, 60.0, 300.0]),
        rush=st.integers(1, 30),
    )
    @settings(max_examples=80, deadline=None)
    def test_a_leap_right_after_a_rush(self, strategy: contract.Strategy, leap: float, down: float, rush: int) -> None:
        """With demand gone and then a leap, the way down is no shorter than it would have been without one."""
        load = testing.Workload(testing.settings(strategy, down_window=down), 10)
        load.under(100, 600)
        load.under(100, 10 * rush)
        load.under(5, 10)
        assert load.replicas == 10
        plain = testing.Workload(load.settings, load.replicas, load.now)
        plain.memory = load.memory.copied()
        load.now += leap
        leapt = _until_down(load)
        assert leapt >= _until_down(plain) - testing.PERIOD


def _until_down(load: testing.Workload) -> float:
    """Seconds with hardly any demand until the first replica goes."""
    begin, replicas = load.now, load.replicas
    while load.replicas >= replicas:
        load.step(testing.shared(5, load.replicas))
        assert load.now - begin < 3600
    return load.now - begin
