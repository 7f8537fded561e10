from __future__ import annotations

import pytest

from brickyard.lib import clock


def test_a_manual_clock_moves_only_when_told() -> None:
    manual = clock.ManualClock(100.0)
    manual.advance(2.5)
    assert (manual.monotonic(), manual.wall()) == (102.5, 102.5)


def test_a_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        clock.ManualClock().advance(-1)


def test_the_system_clock_reads_both_clocks() -> None:
    system = clock.SystemClock()
    assert system.monotonic() <= system.monotonic()
    assert system.wall() > 1_700_000_000
