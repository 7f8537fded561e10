"""The formulas, row by row, as their modules have them."""

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import contract, rates, rounding, testing
from brickyard.scaling.algorithms import apa, band, hpa, kpa

EXACT = band.Band()
TENTH = band.Band(0.1, 0.1)


def point(value: float) -> contract.Span:
    return contract.Span(value, value)


class TestBand:
    @pytest.mark.parametrize(
        ("low", "high", "move"),
        [
            (1.2, 1.2, band.Move.UP),
            (1.1, 1.1, band.Move.STAY),
            (1.0, 1.0, band.Move.STAY),
            (0.9, 0.9, band.Move.STAY),
            (0.8, 0.8, band.Move.DOWN),
            # What may be the case on both sides of an edge is not beyond it.
            (1.0, 1.5, band.Move.STAY),
            (0.5, 1.0, band.Move.STAY),
            (0.5, 2.0, band.Move.STAY),
            (1.15, 3.0, band.Move.UP),
            (0.0, 0.85, band.Move.DOWN),
        ],
    )
    def test_row(self, low: float, high: float, move: band.Move) -> None:
        assert TENTH.move(contract.Span(low, high)) is move

    @pytest.mark.parametrize("target", [0.1, 0.3, 3.0, 30.0, 7e9])
    @pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.3])
    def test_edges_belong_to_the_band_whatever_binary_fractions_make_of_them(self, target: float, share: float) -> None:
        own = band.Band(share, share)
        for factor in (1 + share, 1 - share):
            assert own.move(point(target * factor / target)) is band.Move.STAY
            assert own.move(point((target + (factor - 1) * target) / target)) is band.Move.STAY

    def test_a_share_of_one_downwards_never_moves(self) -> None:
        assert band.Band(0.1, 1.0).move(point(0)) is band.Move.STAY


class K(NamedTuple):
    """A row of KPA with target 10: demand of both windows; ``asked`` before the rates and ``allowed`` after them."""

    name: str
    current: int
    stable: float
    panic: float
    asked: int
    allowed: int
    panics: bool = False
    activation: int = 1
    rate: float = 2.0


KPA = [
    K("K1", 2, 20, 20, asked=2, allowed=2),
    K("K2", 2, 30, 40, asked=4, allowed=4, panics=True),
    K("K4", 1, 0, 0, asked=0, allowed=0),
    K("K5", 0, 15, 15, asked=3, allowed=1, activation=3),
    K("K6", 2, 100, 100, asked=10, allowed=3, panics=True, rate=1.5),
    K("K7", 4, 5, 5, asked=1, allowed=2),
]


class TestKpa:
    @pytest.mark.parametrize("row", KPA, ids=lambda row: row.name)
    def test_rows(self, row: K) -> None:
        """K5's activation goes before the rate; ``decide`` sees to that, and to K3's peak."""
        assert kpa.panics(point(row.panic), 10, row.current, 2.0) is row.panics
        found = kpa.ask(point(row.stable), 10, row.current, EXACT)
        if row.panics:
            found = max(found, kpa.ask(point(row.panic), 10, row.current, EXACT))
        found = kpa.activated(found, row.activation)
        assert found == row.asked
        assert rates.limits(testing.settings(up_rate=row.rate), row.current).cut(found)[0] == row.allowed

    @pytest.mark.parametrize(
        ("current", "low", "high", "asked"),
        [
            (0, 0, 0, 0),
            (0, 0.001, 0.001, 1),  # any demand wakes it: there is no band around nothing
            (0, 10, 10, 1),
            (0, 10.1, 10.1, 2),
            (3, 31, 31, 3),  # within the band
            (3, 33, 33, 3),  # on its edge
            (3, 33.1, 33.1, 4),
            (3, 27, 27, 3),
            (3, 26.9, 26.9, 3),  # below the band, and still too much for two
            (3, 20, 20, 2),
            (3, 20, 40, 3),  # between the two nothing moves
            (3, 0, 20, 2),  # down by what may be
            (3, 40, 90, 4),  # up by what must be
        ],
    )
    def test_intervals(self, current: int, low: float, high: float, asked: int) -> None:
        assert kpa.ask(contract.Span(low, high), 10, current, TENTH) == asked

    @pytest.mark.parametrize(
        ("demand", "ready", "over"),
        [(40, 2, True), (39.9, 2, False), (20, 1, True), (19.9, 1, False), (20, 0, True), (19.9, 0, False)],
    )
    def test_panic_begins_at_the_threshold(self, demand: float, ready: int, over: bool) -> None:
        assert kpa.panics(point(demand), 10, ready, 2.0) is over

    def test_only_what_is_certain_is_a_rush(self) -> None:
        assert not kpa.panics(contract.Span(10, 90), 10, 1, 2.0)

    @pytest.mark.parametrize(("asked", "activation", "found"), [(0, 3, 0), (1, 3, 3), (3, 3, 3), (5, 3, 5), (1, 1, 1)])
    def test_activation(self, asked: int, activation: int, found: int) -> None:
        assert kpa.activated(asked, activation) == found

    @pytest.mark.parametrize(
        ("current", "demand", "burst", "room"), [(3, 10, 0, 20), (3, 10, 25, -5), (0, 5, 0, -5), (2, 20, 0, 0)]
    )
    def test_room_for_a_burst(self, current: int, demand: float, burst: float, room: float) -> None:
        assert kpa.excess_burst_capacity(point(demand), testing.metric(), current, burst) == room


class A(NamedTuple):
    """A row of APA: what each replica does, and what becomes of it after the rates."""

    name: str
    current: int
    value: float
    replicas: int
    target: float = 30
    up: float = 2.0
    down: float = 2.0


APA = [
    A("A1", 2, 45, 3),
    A("A2", 2, 35, 3),
    A("A3", 2, 90, 4),
    A("A4", 2, 90, 5, up=2.5),
    A("A5", 6, 20, 4),
    A("A6", 6, 18, 4),
    A("A7", 6, 10, 3),
    A("A8", 6, 5, 2, down=2.5),
    A("A9", 2, 33, 2),
    A("A10", 2, 27, 2),
    A("A11", 1, 10, 1, target=0),
    A("A12 with target 50", 1, 70, 2, target=50, up=4.0),
    A("A12 with target 30", 1, 70, 3, up=4.0),
]


class TestApa:
    @pytest.mark.parametrize("row", APA, ids=lambda row: row.name)
    def test_rows(self, row: A) -> None:
        own = testing.settings(contract.Strategy.APA, up_rate=row.up, down_rate=row.down)
        asked = apa.ask(point(row.value), row.target, row.current, TENTH)
        assert rates.limits(own, row.current).cut(asked)[0] == row.replicas

    @pytest.mark.parametrize(
        ("low", "high", "asked"),
        [(20, 45, 4), (40, 90, 6), (5, 20, 3), (33, 60, 4), (0, 26.9, 4), (0, 27, 4), (33.1, 33.1, 5)],
    )
    def test_intervals_of_four_replicas(self, low: float, high: float, asked: int) -> None:
        assert apa.ask(contract.Span(low, high), 30, 4, TENTH) == asked

    @pytest.mark.parametrize(
        ("demand", "mean", "current", "each"),
        [
            (point(40), point(10), 4, point(10)),
            # Two became four: the mean of the window still tells of two that were overrun.
            (point(40), point(20), 4, contract.Span(10, 20)),
            # Four became two: the demand of the window, if it is no demand but four latencies, belongs to four.
            (point(40), point(10), 2, contract.Span(10, 20)),
            (contract.Span(30, 40), contract.Span(10, 12), 4, contract.Span(7.5, 12)),
            (point(40), None, 4, point(10)),
            (point(40), point(10), 0, None),
        ],
    )
    def test_what_each_replica_does(
        self, demand: contract.Span, mean: contract.Span | None, current: int, each: contract.Span | None
    ) -> None:
        assert apa.per_replica(demand, mean, current) == each

    @given(current=st.integers(1, 50), value=st.floats(0, 1000), target=st.floats(0.1, 100))
    def test_same_as_kpa_while_the_number_of_pods_stays(self, current: int, value: float, target: float) -> None:
        mine = apa.ask(point(value), target, current, TENTH)
        theirs = kpa.ask(point(value * current), target, current, TENTH)
        assert mine == theirs


class TestHpa:
    @pytest.mark.parametrize(
        ("demand", "mean", "current", "asked"),
        [
            (point(30), point(15), 2, 3),
            (point(30), contract.Span(15, 30), 2, 3),  # 30 and one that is not ready
            (contract.Span(12, 22), contract.Span(6, 11), 2, 2),  # 12 and one that was not measured
            (contract.Span(4, 14), contract.Span(2, 7), 2, 2),  # 4 and one that was not measured
            (point(16), point(4), 4, 2),
            # Fewer pods than replicas: those there are speak for themselves alone, and never against their direction.
            (point(40), point(20), 4, 4),
            (point(50), point(25), 4, 5),
            (point(4), point(4), 1, 1),
            # More pods than replicas, as while they are replaced: five that do 8 each are no reason to have four.
            (point(40), point(8), 2, 2),
            # Of the whole.
            (point(45), None, 4, 5),
            (point(44), None, 4, 4),
            (point(36), None, 4, 4),
            (point(30), None, 4, 3),
            (point(45), None, 0, 5),
            (point(0), None, 0, 0),
        ],
    )
    def test_rows(self, demand: contract.Span, mean: contract.Span | None, current: int, asked: int) -> None:
        assert hpa.ask(demand, mean, 10, current, TENTH) == asked

    def test_nothing_to_compare_with(self) -> None:
        assert hpa.ratio(point(5), None, 10, 0) is None


class TestAbsurdNumbers:
    @given(
        demand=st.floats(0, 1e300),
        target=st.floats(min_value=5e-324, max_value=1e308),
        current=st.integers(0, rounding.MOST),
    )
    def test_every_answer_is_a_number_of_replicas(self, demand: float, target: float, current: int) -> None:
        value = point(demand)
        for found in (
            kpa.ask(value, target, current, TENTH),
            apa.ask(value, target, current, TENTH),
            hpa.ask(value, value, target, current, TENTH),
            hpa.ask(value, None, target, current, TENTH),
        ):
            assert 0 <= found <= rounding.MOST
        assert math.isfinite(demand)
