"""From readings to an interval."""

import math

import pytest

from brickyard.scaling import contract, demand, testing

METRIC = testing.metric()
WHOLE = testing.metric(whole=True)
Pod = float | str | None


def read(*values: Pod, replicas: int = 2) -> demand.Reading:
    return demand.read(METRIC, testing.pods(*values), replicas)


class TestPods:
    @pytest.mark.parametrize(
        ("values", "total", "mean", "counts"),
        [
            ((12.0, 9.0), (21, 21), (10.5, 10.5), (2, 0, 0)),
            ((12.0, 9.0, "?"), (21, 31), (7, 31 / 3), (2, 0, 1)),
            ((12.0, 9.0, None), (21, 21), (7, 10.5), (2, 1, 0)),
            ((12.0, "?", None), (12, 22), (4, 11), (1, 1, 1)),
            ((0.0,), (0, 0), (0, 0), (1, 0, 0)),
            ((12.0, math.nan), (12, 22), (6, 11), (1, 0, 1)),
            ((12.0, math.inf), (12, 22), (6, 11), (1, 0, 1)),
            ((12.0, -3.0), (12, 22), (6, 11), (1, 0, 1)),
        ],
    )
    def test_rows(
        self,
        values: tuple[Pod, ...],
        total: tuple[float, float],
        mean: tuple[float, float],
        counts: tuple[int, int, int],
    ) -> None:
        found = read(*values)
        assert found.total == contract.Span(*total)
        assert found.mean == contract.Span(*mean)
        assert (found.measured, found.unready, found.lacking) == counts
        assert found.why == ""

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            (("?", None), "no pod could be measured (pod-0: ?)"),
            ((None, None), "no pod is ready"),
            ((), "there are no pods"),
            ((math.nan,), "no pod could be measured (pod-0: its value is nan)"),
            ((-2.5,), "no pod could be measured (pod-0: its value is -2.5)"),
            (("",), "no pod could be measured (pod-0: no reason is known)"),
        ],
    )
    def test_nothing_measured_is_no_observation(self, values: tuple[Pod, ...], why: str) -> None:
        found = read(*values)
        assert (found.total, found.mean, found.why) == (None, None, why)

    def test_why_nothing_could_be_read(self) -> None:
        found = demand.read(METRIC, contract.Observation(METRIC.key, 0, why="the API is not there"), 0)
        assert (found.total, found.why) == (None, "the API is not there")

    def test_no_pods_of_no_replicas_do_nothing(self) -> None:
        found = read(replicas=0)
        assert (found.total, found.mean, found.why) == (contract.Span(0, 0), None, "")

    def test_the_first_silent_ones_are_named(self) -> None:
        found = read(1.0, *(f"timeout {n}" for n in range(7)), replicas=8)
        assert found.missing == tuple(f"pod-{n + 1}: timeout {n}" for n in range(5))
        assert found.lacking == 7

    def test_sums_are_exact_and_stay_numbers(self) -> None:
        assert read(*[0.1] * 10).total == contract.Span(1.0, 1.0)
        found = read(1.7e308, 1.7e308).total
        assert found is not None
        assert math.isfinite(found.high)

    def test_the_time_of_the_measurement(self) -> None:
        assert demand.read(METRIC, testing.pods(1.0, at=7.0), 1).at == 7.0


class TestWhole:
    @pytest.mark.parametrize("value", [0.0, 3.5, 1e12])
    def test_a_value(self, value: float) -> None:
        found = demand.read(WHOLE, testing.whole(value), 2)
        assert (found.total, found.mean) == (contract.Span(value, value), None)

    @pytest.mark.parametrize(
        ("value", "why", "told"),
        [
            (None, "", "it has no value"),
            (None, "timed out", "timed out"),
            (math.nan, "", "its value is nan"),
            (math.inf, "", "its value is inf"),
            (-1.0, "", "its value is -1"),
        ],
    )
    def test_none(self, value: float | None, why: str, told: str) -> None:
        found = demand.read(WHOLE, testing.whole(value, why=why), 2)
        assert (found.total, found.why) == (None, told)

    def test_without_an_observation(self) -> None:
        assert demand.read(WHOLE, None, 2) == demand.Reading(None, why="it was not read")
