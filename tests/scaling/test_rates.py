"""How far one step may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import rates, testing


class TestLimits:
    @pytest.mark.parametrize(
        ("current", "up", "down", "most", "fewest"),
        [
            (0, 2.0, 2.0, 1, 0),
            (1, 2.0, 2.0, 2, 0),
            (2, 1.5, 2.0, 3, 1),
            (3, 2.0, 2.0, 6, 1),
            (10, 1.1, 1.1, 11, 9),
            (4, 2.0, 1.0, 8, 4),
            (5, 1.000001, 2.0, 6, 2),
            (6, 2.0, 2.5, 12, 2),
            (7, 1000.0, 1000.0, 7000, 0),
        ],
    )
    def test_a_step(self, current: int, up: float, down: float, most: int, fewest: int) -> None:
        found = rates.limits(testing.settings(up_rate=up, down_rate=down), current)
        assert (found.most, found.fewest) == (most, fewest)

    @pytest.mark.parametrize(
        ("current", "risen", "fallen", "most", "fewest"),
        [
            (4, 2, 0, 4, 2),  # two became four within the minute: no further
            (6, 2, 0, 8, 3),
            (2, 0, 2, 4, 2),  # four became two: no further
            (3, 0, 2, 6, 2),
            (2, 5, 0, 2, 1),  # never against what there is
        ],
    )
    def test_a_minute(self, current: int, risen: int, fallen: int, most: int, fewest: int) -> None:
        found = rates.limits(testing.settings(), current, risen, fallen)
        assert (found.most, found.fewest) == (most, fewest)

    @pytest.mark.parametrize(
        ("asked", "allowed", "by"),
        [(1, 2, rates.DOWN), (2, 2, ""), (5, 5, ""), (8, 8, ""), (9, 8, rates.UP), (0, 2, rates.DOWN)],
    )
    def test_cut(self, asked: int, allowed: int, by: str) -> None:
        assert rates.limits(testing.settings(), 4).cut(asked) == (allowed, by)

    @given(
        current=st.integers(0, 1000),
        up=st.floats(1.0001, 10),
        down=st.floats(1, 10),
        risen=st.integers(0, 50),
        fallen=st.integers(0, 50),
        asked=st.integers(0, 5000),
    )
    def test_standing_still_is_always_allowed(
        self, current: int, up: float, down: float, risen: int, fallen: int, asked: int
    ) -> None:
        found = rates.limits(testing.settings(up_rate=up, down_rate=down), current, risen, fallen)
        assert found.cut(current) == (current, "")
        allowed, by = found.cut(asked)
        assert (allowed == asked) == (by == "")
        assert min(asked, current) <= allowed <= max(asked, current, 1)
