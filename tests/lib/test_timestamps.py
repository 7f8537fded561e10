from __future__ import annotations

import pytest

from brickyard.lib import timestamps


def test_kubernetes_times_round_trip() -> None:
    assert timestamps.rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
    assert timestamps.rfc3339_micro(1_700_000_000.25) == "2023-11-14T22:13:20.250000Z"
    assert timestamps.parse_rfc3339("2023-11-14T22:13:20Z") == 1_700_000_000
    assert timestamps.parse_rfc3339("2023-11-14T22:13:20.250000Z") == 1_700_000_000.25


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        timestamps.parse_rfc3339("yesterday")
