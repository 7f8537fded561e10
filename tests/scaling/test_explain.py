"""Recommendations in plain sentences."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import contract, explain, testing

KPA, APA, HPA = contract.Strategy.KPA, contract.Strategy.APA, contract.Strategy.HPA


class TestShort:
    def test_up(self) -> None:
        made = testing.Workload(testing.settings(panic_threshold=9.0), 2).look(testing.shared(30, 2))
        assert explain.short(made) == "from 2 to 3: waiting 30 over 3m, target 10 for each replica, asks for 3"

    def test_panic_and_rate(self) -> None:
        made = testing.Workload(testing.settings(), 2).look(testing.shared(70, 2))
        assert explain.short(made) == (
            "from 2 to 4: waiting 70 over 3m and 70 over 1m, target 10 for each replica, asks for 7; "
            "up rate: one step makes at most 2 of each"
        )

    def test_stays(self) -> None:
        made = testing.Workload(testing.settings(APA), 2).look(testing.pods(10.0, 11.0))
        assert explain.short(made) == "stays at 2: waiting 10.5 for each replica over 3m, target 10, asks for 2"

    def test_hpa(self) -> None:
        made = testing.Workload(testing.settings(HPA), 2).look(testing.pods(20.0, "?"))
        assert explain.short(made) == "stays at 2: waiting 20 to 30 now, target 10 for each replica, asks for 2"

    def test_bounds_alone(self) -> None:
        made = testing.Workload(testing.settings(bounds=(1, 4)), 9).look(testing.shared(30, 9))
        assert explain.short(made) == "from 9 to 4: current replicas exceed maximum (1 to 4 replicas)"

    def test_no_decision(self) -> None:
        made = testing.Workload(testing.settings(), 2).look(testing.pods("timed out", "refused"))
        assert explain.short(made) == (
            "stays at 2: no decision, no metric could be read: waiting: no pod could be measured (pod-0: timed out)"
        )

    def test_the_metric_that_asks_for_most(self) -> None:
        own = testing.settings(KPA, testing.metric("a"), testing.metric("b"), testing.metric("c"))
        made = testing.Workload(own, 3).look(testing.shared(30, 3, "a"), testing.shared(45, 3, "b"))
        told = explain.deciding(made)
        assert told is not None
        assert told.metric.key == "b"


class TestLines:
    def test_everything(self) -> None:
        own = testing.settings(bounds=(1, 10))
        load = testing.Workload(own, 4)
        load.look(testing.pods(15.0, 15.0, 15.0, 15.0))
        load.now += 10
        made = load.look(testing.pods(1.0, "timed out", None, 3.0))
        assert explain.lines(own, made) == (
            "At 2027-01-15T08:00:10Z there were 4 replicas.",
            "Strategy: KPA, demand of the whole workload over the target of one replica. Bounds: 1 to 10 replicas.",
            "waiting, target 10 for each replica",
            "  now        4 to 14 in all, 2 each: 2 pods measured, 1 not ready, 1 not measured",
            "  unread     pod-1: timed out",
            "  over 3m    32 to 37 (watched for 10s so far)",
            "  over 1m    32 to 37",
            "  that is    80% to 92.5% of the target (nothing moves from 90% to 110%)",
            "  asks for   4 replicas",
            "Outcome: stays at 4 replicas (stable).",
            "Room for a burst on top of the last 1m: 3 of waiting.",
            "Next: nothing goes down until the pods that were not read can be read.",
        )

    def test_panic(self) -> None:
        own = testing.settings()
        load = testing.Workload(own, 2)
        load.step(testing.shared(100, 2))
        told = explain.lines(own, load.look(testing.shared(10, 4)))
        assert told[2] == "In panic since 2027-01-15T08:00:00Z, for 10s: nothing goes down."
        assert "Short of room on top of the last 1m: 15 of waiting." in told

    def test_what_comes_next(self) -> None:
        load = testing.Workload(testing.settings(contract.Strategy.APA), 4)
        load.under(40, 900)
        load.under(12, 100)
        made = load.look(testing.shared(12, 4))
        told = explain.lines(load.settings, made)
        assert told[-3].startswith(
            "Stabilisation down: 4 instead of 3, because 4 replicas were recommended within the last 5m."
        )
        assert told[-2] == "Outcome: stays at 4 replicas (stable)."
        assert re.fullmatch(
            r"Next: if the metrics stay as they are, in 4m10s, at \S+Z, the way down towards 3 replicas opens; what .*\.",
            told[-1],
        )

    def test_the_next_pass(self) -> None:
        own = testing.settings(APA)
        made = testing.Workload(own, 2).look(testing.shared(100, 2))
        told = explain.lines(own, made)
        assert "  asks for   10 replicas; the up rate allows 4 in one step" in told
        assert told[-1] == "Next: if the metrics stay as they are, with the next look, it goes on towards 10 replicas."

    def test_unread(self) -> None:
        own = testing.settings(KPA, testing.metric(whole=True))
        told = explain.lines(own, testing.Workload(own, 2).look(testing.whole(None, why="HTTP 500")))
        assert "  now        not read" in told
        assert "  no answer  HTTP 500" in told
        assert "Outcome: no decision, so it stays at 2 replicas: no metric could be read." in told

    def test_notes(self) -> None:
        seen = dataclasses.replace(testing.pods(60.0, 60.0), notes=("a counter", "partial"))
        own = testing.settings(APA)
        made = testing.Workload(own, 2).look(seen)
        assert made.metrics[0].notes == ("a counter", "partial")
        told = explain.lines(own, made)
        assert told[4:6] == ("  note       a counter", "  note       partial")
        assert " asks for 12 (a counter; partial); up rate" in explain.short(made)

    def test_many_silent_pods(self) -> None:
        own = testing.settings()
        told = explain.lines(own, testing.Workload(own, 9).look(testing.pods(1.0, *["timeout"] * 8)))
        assert any(each.endswith("pod-5: timeout; and 3 pods more") for each in told)

    def test_bounds_alone(self) -> None:
        own = testing.settings(bounds=(1, 4))
        told = explain.lines(own, testing.Workload(own, 9).look(testing.shared(30, 9)))
        assert "Bounds alone decide, metrics are not asked: current replicas exceed maximum." in told
        assert "Outcome: from 9 to 4 replicas (current replicas exceed maximum)." in told

    def test_no_maximum(self) -> None:
        own = testing.settings(bounds=(1, None))
        told = explain.lines(own, testing.Workload(own, 1).look(testing.shared(10, 1)))
        assert told[1].endswith("Bounds: 1 replica or more.")

    def test_an_exact_metric(self) -> None:
        own = testing.settings(KPA, testing.metric(target=100, whole=True, exact=True))
        told = explain.lines(own, testing.Workload(own, 2).look(testing.whole(200)))
        assert "  that is    100% of the target (exact: no tolerance)" in told

    @given(
        strategy=st.sampled_from([KPA, APA, HPA]),
        replicas=st.integers(0, 12),
        passes=st.lists(st.lists(st.one_of(st.floats(), st.none(), st.just("?")), max_size=9), min_size=1, max_size=8),
    )
    def test_anything_can_be_told(
        self, strategy: contract.Strategy, replicas: int, passes: list[list[float | str | None]]
    ) -> None:
        own = testing.settings(strategy, bounds=(0, 10))
        load = testing.Workload(own, replicas)
        for values in passes:
            made = load.step(testing.pods(*values))
            assert all(each and "\n" not in each and "None" not in each for each in explain.lines(own, made))
            assert explain.short(made).startswith((f"from {made.current} to ", f"stays at {made.current}"))


class TestWorth:
    @pytest.mark.parametrize("strategy", [KPA, APA])
    def test_every_step_of_a_recommendation_is_told(self, strategy: contract.Strategy) -> None:
        own = testing.settings(strategy, bounds=(0, 30), stable_window=30.0, panic_window=10.0)
        load = testing.Workload(own, 2)
        told: set[contract.Limit] = set()
        for demand in (20, 400, 5, 90, 0):
            for made in load.under(demand, 400):
                text = "\n".join(explain.lines(own, made))
                for step in made.steps:
                    told.add(step.limit)
                    assert (
                        f"{step.limit.value.capitalize()}: {step.after} instead of {step.before}, because {step.why}."
                        in text
                    )
        assert {contract.Limit.UP_RATE, contract.Limit.MAXIMUM, contract.Limit.STABILISED_DOWN} <= told
