"""One pass, stage by stage."""

import math
from typing import Any, NamedTuple

import pytest

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import bounds, contract, decide, testing

KPA, APA, HPA = contract.Strategy.KPA, contract.Strategy.APA, contract.Strategy.HPA
EXACT: dict[str, Any] = {"up_tolerance": 0.0, "down_tolerance": 0.0}


def limits(made: contract.Recommendation) -> list[contract.Limit]:
    return [each.limit for each in made.steps]


def grown(own: contract.Settings, replicas: int, demand: float) -> testing.Workload:
    """A workload that was watched for a quarter of an hour under ``demand`` that left its size alone."""
    load = testing.Workload(own, replicas)
    load.under(demand, 900)
    assert load.replicas == replicas
    return load


class Row(NamedTuple):
    """Demand of one pass, of replicas that were watched long enough; ``desired`` is what comes out."""

    name: str
    current: int
    demand: float
    desired: int
    own: dict[str, Any]
    strategy: contract.Strategy = KPA
    target: float = 10


# One pass with a window of that one value: what the tables of the formulas say comes out of ``decide``.
ROWS = [
    Row("K1", 2, 20, 2, EXACT),
    Row("K4", 1, 0, 0, EXACT),
    Row("K5", 0, 15, 3, EXACT | {"activation_scale": 3}),
    Row("K6", 2, 100, 3, EXACT | {"up_rate": 1.5}),
    Row("K7", 4, 5, 2, EXACT),
    Row("A1", 2, 90, 3, {}, APA, 30),
    Row("A2", 2, 70, 3, {}, APA, 30),
    Row("A3", 2, 180, 4, {}, APA, 30),
    Row("A4", 2, 180, 5, {"up_rate": 2.5}, APA, 30),
    Row("A5", 6, 120, 4, {}, APA, 30),
    Row("A6", 6, 108, 4, {}, APA, 30),
    Row("A7", 6, 60, 3, {}, APA, 30),
    Row("A8", 6, 30, 2, {"down_rate": 2.5}, APA, 30),
    Row("A9", 2, 66, 2, {}, APA, 30),
    Row("A10", 2, 54, 2, {}, APA, 30),
    Row("an optimizer's wish", 1, 400, 4, {"up_rate": 10.0}, KPA, 100),
    Row("headroom over an optimizer's wish", 1, 400, 5, {"up_rate": 10.0}, KPA, 80),
]


class TestRows:
    @pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
    @pytest.mark.parametrize("whole", [False, True])
    def test_row(self, row: Row, whole: bool) -> None:
        metric = testing.metric(target=row.target, whole=whole or not row.current)
        own = testing.settings(row.strategy, metric, stable_window=5.0, panic_window=5.0, down_window=0.0, **row.own)
        load = testing.Workload(own, row.current)
        neutral, demand = row.target * row.current, row.demand
        for value in (neutral, neutral, demand):
            seen = testing.whole(value) if metric.form is contract.Form.WHOLE else testing.shared(value, row.current)
            made = load.look(seen)
            load.now += 10
        assert made.desired == row.desired
        assert made.algorithm == row.strategy.value.lower()

    def test_k2_panic_goes_up_by_the_shorter_window(self) -> None:
        own = testing.settings(**EXACT, panic_window=10.0)
        load = grown(own, 2, 20)
        made = load.look(testing.shared(100, 2))
        assert (made.desired, made.panicking_since) == (4, load.now)
        (told,) = made.metrics
        assert told.stable is not None
        assert told.stable.low < 30
        assert told.panic == contract.Span(60, 60)

    def test_below_the_threshold_the_shorter_window_has_no_say(self) -> None:
        """The last half minute would ask for six; it is no panic, and the two minutes ask for four."""
        own = testing.settings(**EXACT, stable_window=120.0, panic_window=30.0)
        load = testing.Workload(own, 4)
        load.step(testing.shared(20, 4), seconds=60)
        made = load.look(testing.shared(60, 4))
        (told,) = made.metrics
        assert (told.stable, told.panic) == (contract.Span(40, 40), contract.Span(60, 60))
        assert (made.asked, made.desired, made.panicking_since) == (4, 4, None)

    def test_k3_the_peak_is_kept(self) -> None:
        load = grown(testing.settings(**EXACT), 2, 20)
        load.under(200, 60)
        peak = load.replicas
        assert peak > 8
        calm = load.under(20, 120)
        assert all(each.desired == peak for each in calm)
        assert calm[-1].panicking_since is not None

    def test_a12_the_largest_of_two_sources(self) -> None:
        metrics = [testing.metric("a", 50, whole=True), testing.metric("b", 30, whole=True)]
        for count, wanted in ((1, 2), (2, 3)):
            own = testing.settings(APA, *metrics[:count], up_rate=4.0, bounds=(1, 6))
            made = testing.Workload(own, 1).look(testing.whole(70, "a"), testing.whole(70, "b"))
            assert made.desired == wanted
            assert made.reason == "apa above target"

    def test_a13_a_fixed_external_value(self) -> None:
        own = testing.settings(APA, testing.metric(target=40, whole=True), up_rate=4.0, bounds=(1, 4))
        load = testing.Workload(own, 1)
        load.run(600, lambda _: [testing.whole(100)])
        assert load.replicas == 3
        assert load.changes == [(1, 3)]

    @pytest.mark.parametrize(
        ("values", "mean"), [((30.0, 50.0), 40), ((10.0, 70.0), 40), ((40.0,), 40), ((0.0, 40.0, 80.0), 40)]
    )
    def test_mw4_one_value_of_several_pods(self, values: tuple[float, ...], mean: float) -> None:
        made = testing.Workload(testing.settings(APA), len(values)).look(testing.pods(*values))
        assert made.metrics[0].stable == contract.Span(mean, mean)

    def test_mw5_both_windows(self) -> None:
        load = testing.Workload(testing.settings(stable_window=120.0, panic_window=30.0), 1)
        load.step(testing.pods(10.0), seconds=60)
        load.replicas = 1
        (told,) = load.look(testing.pods(70.0)).metrics
        assert told.stable == contract.Span(40, 40)
        assert told.panic == contract.Span(70, 70)


class TestReasons:
    @pytest.mark.parametrize(
        ("strategy", "demand", "reason"),
        [
            (KPA, 60, "kpa above target"),
            (APA, 60, "apa above target"),
            (HPA, 60, "hpa above target"),
            (KPA, 30, "stable"),
            (KPA, 3, decide.ALL_BELOW),
            (APA, 3, decide.ALL_BELOW),
        ],
    )
    def test_the_original_s_words(self, strategy: contract.Strategy, demand: float, reason: str) -> None:
        own = testing.settings(strategy, down_window=0.0, panic_window=1.0, panic_threshold=100.0)
        load = grown(own, 3, 30)
        assert load.under(demand, 190)[-1 if demand == 30 else next_move(load, 19)].reason == reason

    @pytest.mark.parametrize(
        ("current", "bounds_", "desired", "reason"),
        [
            (0, (1, 5), 0, bounds.DISABLED),
            (9, (1, 5), 5, bounds.EXCEEDED),
            (1, (2, 5), 2, bounds.UNDERCUT),
        ],
    )
    def test_bounds_alone(self, current: int, bounds_: tuple[int, int], desired: int, reason: str) -> None:
        made = testing.Workload(testing.settings(bounds=bounds_), current).look(testing.shared(30, current))
        assert (made.desired, made.reason) == (desired, reason)
        assert (made.algorithm, made.asked, made.metrics) == (contract.BOUNDARY_CHECK, None, ())
        assert made.moves is (desired != current)


def next_move(load: testing.Workload, looked: int) -> int:
    """Index of the first move of the last ``looked`` passes."""
    return next(index for index, each in enumerate(load.made[-looked:]) if each.moves)


class TestUnread:
    def test_nothing_at_all(self) -> None:
        made = testing.Workload(testing.settings(), 3).look()
        assert (made.desired, made.moves) == (None, False)
        assert made.reason == "no metric could be read: waiting: it was not read"

    def test_no_metrics(self) -> None:
        own = contract.Settings(KPA, (), testing.settings().bounds)
        made = testing.Workload(own, 3).look()
        assert (made.desired, made.reason) == (None, "there is no metric to scale by")

    def test_one_of_two_forbids_the_way_down_alone(self) -> None:
        own = testing.settings(KPA, testing.metric("a"), testing.metric("b"), down_window=0.0)
        load = testing.Workload(own, 4)
        load.run(900, lambda each: [testing.shared(40, 4, "a"), testing.shared(40, 4, "b")])
        held = load.run(300, lambda each: [testing.shared(4, 4, "a")])
        assert {each.desired for each in held} == {4}
        assert limits(held[-1]) == [contract.Limit.UNKNOWN]
        assert "b cannot be read" in held[-1].steps[0].why
        risen = load.run(300, lambda each: [testing.shared(80, each.replicas, "a")])
        assert risen[-1].desired == 8

    def test_a_value_of_the_past_is_not_read(self) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 3)
        snapshot = contract.Snapshot(3, (testing.whole(30, at=load.now - 200),))
        made = decide.decide(load.settings, load.memory, snapshot, load.now)
        assert made.desired is None
        assert "3m20s old, older than the window of 3m" in made.reason

    def test_a_value_of_the_future_is_one_of_now(self) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 3)
        snapshot = contract.Snapshot(3, (testing.whole(60, at=load.now + 500),))
        assert decide.decide(load.settings, load.memory, snapshot, load.now).desired == 6

    def test_a_value_of_the_future_does_not_shut_out_those_after_it(self) -> None:
        """One reading of a clock that is ahead: the next, by a clock that is right, counts beside it."""
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 3)
        snapshot = contract.Snapshot(3, (testing.whole(30, at=load.now + 500),))
        decide.decide(load.settings, load.memory, snapshot, load.now)
        load.now += 10
        (told,) = load.look(testing.whole(60)).metrics
        assert told.stable == contract.Span(45, 45)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
    def test_values_that_are_none(self, value: float) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 3)
        assert load.look(testing.whole(value)).desired is None

    def test_one_silent_pod_of_three(self) -> None:
        load = grown(testing.settings(down_window=0.0), 3, 30)
        # What two do would need two replicas, and the third may do as much as its target.
        held = load.run(400, lambda _: [testing.pods(9.0, 9.0, "timed out")])
        assert {each.desired for each in held} == {3}
        assert held[-1].metrics[0].missing == ("pod-2: timed out",)
        # Nothing and at most its target is two replicas at most.
        assert load.run(400, lambda _: [testing.pods(1.0, 1.0, "timed out")])[-1].desired == 2

    def test_metrics_that_come_back(self) -> None:
        """Five minutes of silence, then hardly any demand: nobody knows what was in between, so a window goes by first."""
        load = grown(testing.settings(down_window=0.0), 4, 40)
        load.run(300, lambda _: [testing.pods("?", "?", "?", "?")])
        back = load.run(180, lambda each: [testing.shared(4, each.replicas)])
        assert {each.desired for each in back} == {4}
        assert limits(back[-1]) == [contract.Limit.DOWN_RATE, contract.Limit.YOUNG]
        assert load.under(4, 10)[-1].desired == 2


class TestZero:
    def test_asleep_and_nothing_to_do(self) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 0)
        made = load.look(testing.whole(0))
        assert (made.desired, made.reason) == (0, "stable")

    def test_asleep_without_pods_to_ask(self) -> None:
        made = testing.Workload(testing.settings(), 0).look(testing.pods())
        assert (made.desired, made.moves) == (0, False)

    @pytest.mark.parametrize("strategy", list(contract.Strategy))
    @pytest.mark.parametrize("demand", [0.001, 1, 500])
    def test_any_demand_wakes(self, strategy: contract.Strategy, demand: float) -> None:
        load = testing.Workload(testing.settings(strategy, testing.metric(whole=True)), 0)
        assert load.step(testing.whole(0)).desired == 0
        assert load.step(testing.whole(demand)).desired == 1

    def test_a_rush_is_met_step_by_step(self) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True)), 0)
        load.run(300, lambda _: [testing.whole(0)])
        made = load.run(50, lambda _: [testing.whole(900)])
        assert [each.desired for each in made] == [1, 2, 4, 8, 16]

    @pytest.mark.parametrize("strategy", [KPA, APA])
    def test_the_last_one_goes_when_nothing_was_asked_for_long(self, strategy: contract.Strategy) -> None:
        load = grown(testing.settings(strategy, testing.metric(whole=False)), 1, 10)
        load.under(0, 180)
        assert load.replicas == 1
        load.under(0, 400)
        assert load.replicas == 0

    @pytest.mark.parametrize("strategy", [KPA, APA])
    @pytest.mark.parametrize("replicas", [0, 1, 5])
    @pytest.mark.parametrize("value", [0.001, 1, 999])
    def test_presence_asks_for_one(self, strategy: contract.Strategy, replicas: int, value: float) -> None:
        there = contract.Metric("p", "p", 1e6, contract.Form.WHOLE, presence=True)
        made = testing.Workload(testing.settings(strategy, there), replicas).look(testing.whole(value, "p"))
        assert made.asked == 1
        assert "any number for one replica, asks for 1" in made.metrics[0].reason
        assert made.panicking_since is None

    def test_switched_off_by_hand_stays_off(self) -> None:
        load = testing.Workload(testing.settings(KPA, testing.metric(whole=True), bounds=(1, 5)), 0)
        assert {each.desired for each in load.run(600, lambda _: [testing.whole(500)])} == {0}

    @pytest.mark.parametrize(("night", "held"), [(0, 1), (3, 0)])
    def test_who_may_sleep_at_night_is_up_in_the_morning(self, night: int, held: int) -> None:
        """With a schedule that allows no replicas, having none is no sign that somebody switched it off."""
        hours = (schedules.Window("night", frozenset(range(7)), 60, 360, night, 5, own_minimum=True),)
        own = testing.settings(KPA, testing.metric(whole=True), bounds=(1, 5), hours=hours)
        load = testing.Workload(own, 0)
        assert load.look(testing.whole(0)).desired == held

    def test_activation_goes_before_the_rate(self) -> None:
        own = testing.settings(KPA, testing.metric(whole=True), activation_scale=3)
        made = testing.Workload(own, 0).look(testing.whole(1))
        assert (made.desired, made.steps) == (3, ())


class TestRates:
    def test_up(self) -> None:
        made = testing.Workload(testing.settings(), 2).look(testing.shared(100, 2))
        assert (made.asked, made.desired) == (10, 4)
        assert made.steps == (contract.Step(contract.Limit.UP_RATE, 10, 4, "one step makes at most 2 of each"),)
        assert made.metrics[0].limited_by == "up rate"
        assert (made.metrics[0].asked, made.metrics[0].replicas) == (10, 4)

    def test_down(self) -> None:
        load = grown(testing.settings(down_window=0.0, stable_window=5.0, panic_window=5.0), 8, 80)
        made = load.look(testing.shared(5, 8))
        assert (made.asked, made.desired, limits(made)) == (1, 4, [contract.Limit.DOWN_RATE])

    def test_hpa_counts_by_the_minute(self) -> None:
        """A HorizontalPodAutoscaler doubles in a minute, not in every pass."""
        load = testing.Workload(testing.settings(HPA), 2)
        sizes = [each.desired for each in load.run(130, lambda each: [testing.shared(500, each.replicas)])]
        assert sizes == [4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 16]

    def test_hpa_down_by_the_minute(self) -> None:
        load = testing.Workload(testing.settings(HPA, down_window=0.0), 16)
        sizes = [each.desired for each in load.run(130, lambda each: [testing.shared(1, each.replicas)])]
        assert sizes == [8, 8, 8, 8, 8, 8, 4, 4, 4, 4, 4, 4, 2]


class TestStabilisation:
    def test_down_waits_for_the_highest_of_the_window(self) -> None:
        load = grown(testing.settings(stable_window=10.0, panic_window=10.0), 4, 40)
        passes = load.under(10, 400)
        first = next(index for index, each in enumerate(passes) if each.moves)
        assert 290 <= first * 10 <= 320
        assert limits(passes[first - 1])[-1] is contract.Limit.STABILISED_DOWN
        assert passes[first - 1].next_at == passes[first].at

    def test_a_dip_is_forgotten(self) -> None:
        load = grown(testing.settings(stable_window=10.0, panic_window=10.0), 4, 40)
        for _ in range(6):
            load.under(10, 250)
            load.under(40, 30)
        assert load.changes == []

    def test_up_waits_for_the_lowest_of_the_window(self) -> None:
        own = testing.settings(APA, up_window=60.0, stable_window=10.0, panic_window=10.0)
        load = grown(own, 4, 40)
        passes = load.under(80, 100)
        first = next(index for index, each in enumerate(passes) if each.moves)
        assert first == 5
        assert limits(passes[0]) == [contract.Limit.STABILISED_UP]
        assert passes[0].next_at is not None
        assert passes[0].next_at <= passes[first].at

    def test_the_first_replica_of_none_comes_at_once(self) -> None:
        queue = testing.metric(whole=True)
        own = testing.settings(KPA, queue, up_window=300.0, stable_window=10.0, panic_window=10.0)
        memory, made = decide.Memory(), []
        for at, demand, replicas in ((0, 0.0, 0), (10, 100.0, 0), (20, 100.0, 1)):
            now = testing.START + at
            seen = contract.Snapshot(replicas, (testing.whole(demand, at=now),))
            made.append(decide.decide(own, memory, seen, now))
        assert [each.desired for each in made] == [0, 1, 1]
        assert limits(made[1]) == [contract.Limit.UP_RATE]
        assert limits(made[2]) == [contract.Limit.UP_RATE, contract.Limit.STABILISED_UP], (
            "for the rest the window holds"
        )

    def test_who_takes_away_by_hand_is_not_put_right_by_what_was(self) -> None:
        """Ten were recommended all the time; somebody leaves four, and three are asked for: what was holds the way down, no more."""
        load = grown(testing.settings(APA, stable_window=10.0, panic_window=10.0), 10, 100)
        load.replicas = 4
        made = load.run(20, lambda _: [testing.pods(*[7.0] * 4)])[-1]
        assert (made.asked, made.desired) == (3, 4)
        assert limits(made) == [contract.Limit.STABILISED_DOWN]

    def test_who_adds_by_hand_is_not_put_right_by_what_was(self) -> None:
        """Two were enough; somebody makes it four, and six are asked for: what was holds the way up, no more."""
        load = grown(testing.settings(APA, stable_window=10.0, panic_window=10.0, up_window=60.0), 2, 20)
        load.replicas = 4
        made = load.run(20, lambda _: [testing.pods(*[15.0] * 4)])[-1]
        assert (made.asked, made.desired) == (6, 4)
        assert limits(made) == [contract.Limit.STABILISED_UP]

    @pytest.mark.parametrize("strategy", [KPA, APA])
    def test_what_cannot_be_read_for_a_moment_does_not_begin_the_wait_anew(self, strategy: contract.Strategy) -> None:
        """It forbids the way down while it lasts. That is no recommendation of what there is."""

        def until_down(unread: range) -> int:
            load = testing.Workload(testing.settings(strategy, testing.metric("a"), testing.metric("b")), 4)
            load.run(900, lambda _: [testing.shared(40, 4, "a"), testing.shared(40, 4, "b")])
            for look in range(200):
                seen = [testing.shared(4, 4, key) for key in ("ab" if look not in unread else "a")]
                if load.step(*seen).moves:
                    return look
            raise AssertionError(load.made[-1])

        assert until_down(range(30, 34)) == until_down(range(0))

    def test_part_of_the_way(self) -> None:
        """Ten were recommended long ago, six since: down to six, whatever is asked now."""
        load = grown(testing.settings(stable_window=10.0, panic_window=10.0), 10, 100)
        load.under(60, 200)
        load.under(20, 120)
        assert load.replicas == 6


class TestPanic:
    def test_from_beginning_to_end(self) -> None:
        load = grown(testing.settings(down_window=0.0), 2, 20)
        load.under(200, 100)
        began = load.made[-1].panicking_since
        assert began is not None
        peak = load.replicas
        passes = load.under(10, 600)
        last = max(index for index, each in enumerate(passes) if each.panicking_since is not None)
        assert {each.panicking_since for each in passes[: last + 1]} == {began}
        assert {each.desired for each in passes[: last + 1]} == {peak}
        assert peak // 2 <= (passes[last + 1].desired or 0) < peak
        assert any(contract.Limit.PANIC in limits(each) for each in passes)

    def test_pods_that_start_do_not_end_it(self) -> None:
        """Twenty replicas are ordered and two are ready: as long as those are overrun it is a rush."""
        load = testing.Workload(testing.settings(), 20)
        made = load.run(400, lambda _: [testing.pods(50.0, 50.0, *[None] * 18)])
        assert made[-1].panicking_since == testing.START
        assert made[-1].next_at is None, "no end in sight while it goes on"

    def test_another_strategy_ends_it(self) -> None:
        load = grown(testing.settings(), 2, 20)
        load.under(200, 20)
        load.settings = testing.settings(APA)
        assert load.under(200, 10)[0].panicking_since is None

    def test_unread_metrics_do_not_end_it(self) -> None:
        load = grown(testing.settings(), 2, 20)
        load.under(200, 60)
        silent = load.run(600, lambda each: [testing.pods(*["?"] * each.replicas)])
        assert {each.desired for each in silent} == {None}
        assert silent[-1].panicking_since is not None

    def test_scaled_up_by_hand_meanwhile(self) -> None:
        load = grown(testing.settings(), 2, 20)
        load.under(200, 60)
        load.replicas = 30
        assert {each.desired for each in load.under(20, 100)} == {30}

    def test_scaled_down_by_hand_meanwhile(self) -> None:
        """What was wanted at its peak is wanted until it ends."""
        load = grown(testing.settings(), 2, 20)
        load.under(200, 60)
        peak, load.replicas = load.replicas, 3
        made = load.step(testing.shared(10, 3))
        assert made.desired == peak
        assert limits(made)[-1] is contract.Limit.PANIC


class TestApaAfterAStep:
    def test_it_does_not_order_twice(self) -> None:
        """Two were overrun; four are enough. The window still holds what the two did."""
        load = grown(testing.settings(APA), 2, 20)
        load.under(40, 1200)
        assert load.replicas == 4

    def test_starting_pods_do_not_order_another(self) -> None:
        load = testing.Workload(testing.settings(APA), 4)
        made = load.look(testing.pods(20.0, 20.0, None, None))
        assert made.desired == 4
        assert made.metrics[0].stable == contract.Span(10, 20)


class TestBounds:
    @pytest.mark.parametrize(
        ("limits_", "demand", "desired", "limit"),
        [((0, 5), 100, 5, contract.Limit.MAXIMUM), ((3, 9), 5, 3, contract.Limit.MINIMUM)],
    )
    def test_the_last_word(self, limits_: tuple[int, int], demand: float, desired: int, limit: contract.Limit) -> None:
        own = testing.settings(bounds=limits_, down_window=0.0, stable_window=10.0, panic_window=10.0, down_rate=9.0)
        load = grown(own, 4, 40)
        load.under(demand, 10)
        made = load.step(testing.shared(demand, load.replicas))
        assert made.desired == desired
        assert made.steps[-1].limit is limit

    def test_new_bounds_hold_at_once(self) -> None:
        load = grown(testing.settings(), 4, 40)
        load.settings = testing.settings(bounds=(0, 3))
        assert load.look(testing.shared(40, 4)).desired == 3


class TestExcessBurstCapacity:
    def test_room(self) -> None:
        own = testing.settings(burst_capacity=5.0)
        assert testing.Workload(own, 3).look(testing.shared(18, 3)).excess_burst_capacity == 7

    def test_of_the_metric_with_least_room(self) -> None:
        own = testing.settings(KPA, testing.metric("a", 10), testing.metric("b", 1))
        made = testing.Workload(own, 3).look(testing.shared(10, 3, "a"), testing.shared(2.5, 3, "b"))
        assert made.excess_burst_capacity == pytest.approx(0.5)

    def test_presence_has_no_room_to_speak_of(self) -> None:
        there = contract.Metric("p", "p", 1e6, contract.Form.WHOLE, presence=True)
        own = testing.settings(KPA, testing.metric("a", 10), there)
        made = testing.Workload(own, 1).look(testing.shared(0, 1, "a"), testing.whole(3, "p"))
        assert made.excess_burst_capacity == 10

    @pytest.mark.parametrize("strategy", [APA, HPA])
    def test_kpa_alone(self, strategy: contract.Strategy) -> None:
        assert testing.Workload(testing.settings(strategy), 3).look(testing.shared(18, 3)).excess_burst_capacity is None


class TestOptimizer:
    """Somebody worked out how many: no tolerance."""

    @pytest.mark.parametrize(("exact", "desired"), [(True, 11), (False, 10)])
    def test_no_band(self, exact: bool, desired: int) -> None:
        metric = testing.metric(target=100, whole=True, exact=exact)
        assert testing.Workload(testing.settings(KPA, metric), 10).look(testing.whole(1100)).desired == desired

    def test_down_to_nothing(self) -> None:
        metric = testing.metric(target=100, whole=True, exact=True)
        load = testing.Workload(testing.settings(KPA, metric, down_window=0.0), 2)
        load.run(300, lambda _: [testing.whole(200)])
        load.run(400, lambda _: [testing.whole(0)])
        assert load.replicas == 0
