"""Recommendations of late."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import stabilisation


def advice(*rows: tuple[float, int]) -> stabilisation.Advice:
    found = stabilisation.Advice()
    for at, replicas in rows:
        found.note(at, replicas)
    return found


def replicas(found: stabilisation.Entry | None) -> int | None:
    return None if found is None else found.replicas


class TestWindow:
    def test_mw3_exactly_as_old_as_the_window_is_out(self) -> None:
        found = advice((0, 20), (10, 30), (20, 40))
        assert replicas(found.lowest(30, 20)) == 20
        found.note(30, 50)
        assert replicas(found.lowest(30, 30)) == 30
        assert replicas(found.highest(30, 30)) == 50

    def test_highest_and_lowest(self) -> None:
        found = advice((0, 3), (10, 9), (20, 1), (30, 5))
        assert found.highest(60, 30) == stabilisation.Entry(10, 9)
        assert found.lowest(60, 30) == stabilisation.Entry(20, 1)
        assert replicas(found.highest(15, 30)) == 5
        assert replicas(found.lowest(5, 30)) == 5

    def test_the_last_time_counts(self) -> None:
        assert advice((0, 9), (10, 9), (20, 3)).highest(60, 20) == stabilisation.Entry(10, 9)

    def test_no_window_holds_nothing(self) -> None:
        found = advice((0, 3))
        assert found.highest(0, 0) is None
        assert found.lowest(0, 0) is None

    def test_empty(self) -> None:
        assert stabilisation.Advice().highest(60, 0) is None

    def test_shift_keeps_ages(self) -> None:
        found = advice((100, 9), (110, 3))
        found.shift(-1000)
        assert found.highest(60, -880) == stabilisation.Entry(-900, 9)
        assert replicas(found.highest(20, -880)) == 3

    def test_a_copy_shares_nothing(self) -> None:
        found = advice((0, 1))
        other = found.copied()
        other.note(1, 9)
        assert replicas(found.highest(60, 1)) == 1


class TestBounded:
    def test_steadily_down(self) -> None:
        found = stabilisation.Advice()
        for n in range(10_000):
            found.note(n, 20_000 - n)
        assert len(found) <= 1001
        # Merging never makes anything expire earlier: the highest of any window is at least what it was.
        assert (replicas(found.highest(100, 9_999)) or 0) >= 20_000 - 9_900

    @pytest.mark.parametrize("window", [1, 30, 300])
    @given(rows=st.lists(st.tuples(st.floats(0, 60), st.integers(0, 20)), min_size=1, max_size=60))
    def test_same_as_a_list(self, window: int, rows: list[tuple[float, int]]) -> None:
        found, plain, now = stabilisation.Advice(), [], 0.0
        for gap, count in rows:
            now += gap
            found.note(now, count)
            plain.append((now, count))
            left = [each for at, each in plain if at > now - window]
            assert replicas(found.highest(window, now)) == max(left)
            assert replicas(found.lowest(window, now)) == min(left)
