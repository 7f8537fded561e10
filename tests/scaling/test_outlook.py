"""What comes next if the metrics stay as they are."""

import datetime
from typing import Any

import pytest

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract, testing

NOON = datetime.datetime(2026, 8, 3, 12, tzinfo=datetime.UTC).timestamp()


def next_change(load: testing.Workload, demand: float) -> float:
    """Unix time of the first pass with another answer."""
    desired = load.look(testing.shared(demand, load.replicas)).desired
    for _ in range(400):
        load.now += 10
        made = load.look(testing.shared(demand, load.replicas))
        if made.desired != desired:
            return made.at
    raise AssertionError("nothing changes")


class TestForeseen:
    @pytest.mark.parametrize(
        ("own", "before"),
        [
            ({"stable_window": 30.0, "panic_window": 10.0}, 600),  # stabilisation
            ({"stable_window": 30.0, "panic_window": 10.0, "down_window": 0.0}, 0),  # young
            ({"stable_window": 600.0, "panic_window": 10.0}, 0),  # young for longer than stabilised
        ],
    )
    def test_it_comes_true(self, own: dict[str, Any], before: float) -> None:
        load = testing.Workload(testing.settings(**own), 8)
        load.under(80, before)
        load.under(40, 20)
        made = load.look(testing.shared(40, 8))
        assert made.desired == 8
        assert made.next_at is not None
        found = next_change(load, 40)
        assert made.next_at <= found < made.next_at + 10
        assert "opens" in made.next_why

    def test_the_end_of_a_panic(self) -> None:
        load = testing.Workload(testing.settings(down_window=0.0), 2)
        load.under(20, 600)
        load.under(400, 30)
        load.under(20, 100)
        made = load.look(testing.shared(20, load.replicas))
        assert "in panic" in made.next_why
        assert made.next_at is not None
        found = next_change(load, 20)
        assert made.next_at <= found < made.next_at + 10

    def test_a_panic_without_end_in_sight(self) -> None:
        load = testing.Workload(testing.settings(panic_threshold=1.0), 3)
        made = load.look(testing.shared(30, 3))
        assert made.panicking_since is not None
        assert made.next_at is None

    def test_an_unread_metric_without_end_in_sight(self) -> None:
        own = testing.settings(contract.Strategy.KPA, testing.metric("a"), testing.metric("b"))
        load = testing.Workload(own, 4)
        load.run(60, lambda _: [testing.shared(500, 4, "a"), testing.shared(4, 4, "b")])
        made = load.run(100, lambda _: [testing.shared(4, 4, "a")])[-1]
        assert made.panicking_since is not None
        assert contract.Limit.UNKNOWN in [each.limit for each in made.steps]
        assert made.next_at is None

    def test_a_step_that_goes_on(self) -> None:
        made = testing.Workload(testing.settings(), 2).look(testing.shared(100, 2))
        assert (made.next_at, made.next_why) == (made.at, "it goes on towards 10 replicas")

    def test_nothing(self) -> None:
        made = testing.Workload(testing.settings(), 2).look(testing.shared(20, 2))
        assert (made.next_at, made.next_why) == (None, "")

    def test_at_the_maximum_nothing_goes_on(self) -> None:
        made = testing.Workload(testing.settings(bounds=(1, 4)), 4).look(testing.shared(100, 4))
        assert made.next_at is None


def scheduled(minimum: int | None, maximum: int | None, base: tuple[int, int]) -> contract.Settings:
    entry = {"name": "day", "startTime": "13:00", "endTime": "18:00", "minReplicas": minimum, "maxReplicas": maximum}
    found = {key: each for key, each in entry.items() if each is not None}
    hours = tuple(schedules.windows([found], schedules.Bounds(*base)))
    return testing.settings(bounds=base, hours=hours)


class TestSchedules:
    @pytest.mark.parametrize(
        ("minimum", "maximum", "base", "replicas", "demand", "changes"),
        [
            (5, None, (1, 10), 2, 20, True),  # a higher minimum
            (2, None, (1, 10), 2, 20, False),  # one that is met already
            (None, 3, (1, 10), 6, 60, True),  # a lower maximum
            (None, 20, (1, 4), 4, 80, True),  # more room for what is asked
            (None, 20, (1, 10), 2, 20, False),
        ],
    )
    def test_bounds_to_come(
        self,
        minimum: int | None,
        maximum: int | None,
        base: tuple[int, int],
        replicas: int,
        demand: float,
        changes: bool,
    ) -> None:
        load = testing.Workload(scheduled(minimum, maximum, base), replicas, NOON)
        made = load.look(testing.shared(demand, replicas))
        assert made.desired == replicas
        assert (made.next_at == NOON + 3600) is changes
        assert made.next_why.startswith("schedule day begins: ") is changes

    def test_the_end_of_one(self) -> None:
        load = testing.Workload(scheduled(5, 8, (1, 3)), 5, NOON + 7200)
        made = load.look(testing.shared(50, 5))
        assert (made.next_at, made.next_why) == (NOON + 6 * 3600, "schedule day ends: 1 to 3 replicas")

    def test_switched_off_until_a_schedule(self) -> None:
        made = testing.Workload(scheduled(4, None, (1, 10)), 0, NOON).look()
        assert (made.desired, made.next_at) == (0, NOON + 3600)
