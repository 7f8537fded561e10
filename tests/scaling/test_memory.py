"""What is remembered between passes, and what a clock does to it."""

import pytest

from brickyard.scaling import contract, memory, testing


def watched(replicas: int = 4, demand: float = 40, seconds: float = 900) -> testing.Workload:
    load = testing.Workload(testing.settings(down_window=0.0), replicas)
    load.under(demand, seconds)
    return load


class TestMetrics:
    def test_those_of_the_settings_alone(self) -> None:
        load = watched()
        load.settings = testing.settings(contract.Strategy.KPA, testing.metric("other"))
        load.look(testing.shared(40, 4, "other"))
        assert list(load.memory.watches) == ["other"]

    def test_a_new_one_is_young(self) -> None:
        load = watched()
        load.settings = testing.settings(
            contract.Strategy.KPA, testing.metric(), testing.metric("other"), down_window=0.0
        )
        both = load.run(180, lambda _: [testing.shared(4, 4), testing.shared(4, 4, "other")])
        assert {each.desired for each in both} == {4}

    def test_another_target_needs_no_new_window(self) -> None:
        load = watched()
        load.settings = testing.settings(contract.Strategy.KPA, testing.metric(target=20), down_window=0.0)
        assert load.look(testing.shared(40, 4)).desired == 2

    def test_a_longer_window_is_young(self) -> None:
        load = watched()
        load.settings = testing.settings(stable_window=600.0, down_window=0.0)
        assert {each.desired for each in load.under(10, 400)} == {4}
        assert load.under(10, 20)[-1].desired == 2

    def test_a_shorter_window_is_not(self) -> None:
        load = watched()
        load.settings = testing.settings(stable_window=30.0, panic_window=10.0, down_window=0.0)
        load.under(10, 40)
        assert load.replicas < 4


class TestAdvice:
    @pytest.mark.parametrize("window", [0.0, 0.5, 5.0, 9.5, 10.0, 10.5, 25.0])
    def test_a_window_shorter_than_the_time_between_two_looks_holds_nothing_for_ever(self, window: float) -> None:
        load = testing.Workload(testing.settings(down_window=window), 4)
        load.under(40, 900)
        assert load.replicas == 4
        load.under(10, 400)
        assert load.replicas == 1


class TestClock:
    @pytest.mark.parametrize("by", [-0.5, -30.0, -3600.0, -1e9])
    def test_set_back_nothing_is_lost(self, by: float) -> None:
        load = watched()
        load.under(10, 100)
        before = load.look(testing.shared(10, 4)).metrics[0].stable
        load.now += by
        made = load.look(testing.shared(10, 4))
        assert made.metrics[0].stable is not None
        assert before is not None
        assert made.metrics[0].stable.low == pytest.approx(before.low, rel=0.1)
        assert made.metrics[0].covered > 100
        # The rest of the way is as long as it was.
        begin = load.now
        while load.replicas == 4:
            load.step(testing.shared(10, 4))
        assert load.now - begin < 200

    @pytest.mark.parametrize("by", [90.0, 3600.0, 1e9])
    def test_set_forward_windows_are_young_again(self, by: float) -> None:
        load = watched()
        load.now += by
        assert {each.desired for each in load.under(4, 180)} == {4}
        assert load.under(4, 10)[-1].desired == 2

    def test_set_back_in_panic(self) -> None:
        load = watched(2, 20)
        load.under(1000, 60)
        peak = load.replicas
        load.now -= 86_400
        calm = load.under(20, 120)
        assert {each.desired for each in calm} == {peak}
        assert calm[0].panicking_since is not None
        assert calm[0].panicking_since <= calm[0].at

    def test_set_forward_in_panic(self) -> None:
        load = watched(2, 20)
        load.under(200, 60)
        peak = load.replicas
        load.now += 86_400
        assert {each.desired for each in load.under(20, 170)} == {peak}


class TestChanges:
    def test_a_change_keeps_its_age_when_the_clock_is_set_back(self) -> None:
        found, own = memory.Memory(), testing.settings()
        found.begin(own, 2, 1000.0)
        found.begin(own, 4, 900.0)
        assert found.changed(959.0) == (2, 0)
        assert found.changed(960.0) == (0, 0)

    def test_within_a_minute(self) -> None:
        found, own = memory.Memory(), testing.settings(contract.Strategy.HPA)
        for at, replicas in ((0, 2), (10, 4), (20, 4), (30, 3), (40, 6)):
            found.begin(own, replicas, at)
        assert found.changed(40) == (5, 1)
        assert found.changed(59.9) == (5, 1)
        assert found.changed(60) == (3, 1)
        assert found.changed(80) == (3, 0)
        assert found.changed(90) == (0, 0)

    def test_the_first_look_is_no_change(self) -> None:
        found = memory.Memory()
        found.begin(testing.settings(), 7, 0)
        assert found.changed(0) == (0, 0)


class TestSize:
    def test_a_bucket_for_each_second(self) -> None:
        """A pass every half second, demand that goes up and down."""
        load = testing.Workload(testing.settings(stable_window=600.0), 4)
        for n in range(2000):
            load.replicas = 4
            load.step(testing.shared(n % 90, 4), seconds=0.5)
        assert len(load.memory) < 2 * 602 + 400
        assert load.look(testing.shared(1, 4)).metrics[0].covered == pytest.approx(600, abs=1)
