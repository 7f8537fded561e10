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


def test_kubernetes_times_round_trip() -> None:
    assert clock.rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert clock.rfc3339_micro(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert clock.parse_rfc3339("2023-11-14T22:13:20Z") == 1_700_000_000
    assert clock.parse_rfc3339("2023-11-14T22:13:20.250000Z") == 1_700_000_000.25


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        clock.parse_rfc3339("yesterday")
