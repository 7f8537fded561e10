"""Panic: begins, goes on, ends."""

from brickyard.scaling import panic


def told(*looks: tuple[float, bool], window: float = 60.0) -> panic.Panic:
    found = panic.Panic()
    for now, over in looks:
        found.update(over=over, now=now, stable_window=window)
    return found


class TestPanic:
    def test_calm(self) -> None:
        assert told((0, False), (10, False)).since is None

    def test_begins(self) -> None:
        assert told((0, False), (10, True)).since == 10

    def test_goes_on_from_its_beginning(self) -> None:
        found = told((10, True), (30, True), (50, False))
        assert (found.since, found.rushed) == (10, 30)

    def test_ends_after_a_stable_window_below(self) -> None:
        found = told((10, True), (30, False), (69, False))
        assert found.since == 10
        found.update(over=False, now=70, stable_window=60)
        assert found.since is None

    def test_a_rush_in_between_begins_the_wait_anew(self) -> None:
        found = told((10, True), (30, False), (65, True), (120, False))
        assert found.since == 10
        found.update(over=False, now=125, stable_window=60)
        assert found.since is None

    def test_peak(self) -> None:
        found = told((0, True))
        assert found.hold(4, 2) == 4
        assert found.hold(3, 4) == 4
        assert found.hold(1, 9) == 9
        # Somebody took seven away by hand: they come back.
        assert found.hold(1, 2) == 9
        found.end()
        found.update(over=True, now=5, stable_window=60)
        assert found.hold(1, 2) == 2

    def test_shift(self) -> None:
        found = told((100, True))
        found.shift(-50)
        assert (found.since, found.rushed) == (50, 50)
        calm = told((100, False))
        calm.shift(-50)
        assert calm.since is None

    def test_a_copy_shares_nothing(self) -> None:
        found = told((0, True))
        found.copied().end()
        assert found.since == 0
