"""Rounding that binary fractions cannot tip."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import rounding


class TestUp:
    @pytest.mark.parametrize(
        ("value", "replicas"),
        [
            (0, 0),
            (0.001, 1),
            (1, 1),
            (1.001, 2),
            (3.3 / 1.1, 3),
            (1.1 * 10, 11),
            (0.1 + 0.2, 1),
            (3 * 1.1 / 1.1, 3),
            (1e300, rounding.MOST),
            (math.inf, rounding.MOST),
        ],
    )
    def test_row(self, value: float, replicas: int) -> None:
        assert rounding.up(value) == replicas

    @given(count=st.integers(0, 10**6), share=st.floats(0.01, 1000))
    def test_undoes_a_product(self, count: int, share: float) -> None:
        assert rounding.up(count * share / share) == count
        assert rounding.down(count * share / share) == count


class TestDown:
    @pytest.mark.parametrize(
        ("value", "replicas"), [(0, 0), (0.999, 0), (1, 1), (8 / (1 / 3) / 3, 8), (2.9999999999999996, 3), (2.99, 2)]
    )
    def test_row(self, value: float, replicas: int) -> None:
        assert rounding.down(value) == replicas

    @given(value=st.floats(0, 1e6))
    def test_never_above_up(self, value: float) -> None:
        assert rounding.down(value) - 1 <= value <= rounding.up(value) + 1e-3
        assert rounding.up(value) - rounding.down(value) in (0, 1)


class TestEdges:
    @pytest.mark.parametrize("edge", [1.1, 0.9, 30 * 1.1, 1e9, 3e-9])
    def test_the_edge_is_on_neither_side(self, edge: float) -> None:
        for value in (edge, math.nextafter(edge, math.inf), math.nextafter(edge, 0)):
            assert not rounding.above(value, edge)
            assert not rounding.below(value, edge)

    def test_beyond_it(self) -> None:
        assert rounding.above(33.0001, 33)
        assert rounding.below(26.9999, 27)
        assert rounding.above(0.001, 0)
        assert not rounding.below(0, 0)
