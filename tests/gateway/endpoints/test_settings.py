"""How often engines are scraped."""

from __future__ import annotations

import pytest

from brickyard.gateway.endpoints import settings
from brickyard.lib import settings as lib_settings


@pytest.mark.parametrize(
    ("given", "needed", "pace"), [(0.0, True, 1.0), (0.0, False, 5.0), (0.3, True, 0.3), (9.0, False, 9.0)]
)
def test_a_pace_that_is_set_holds_else_it_follows_the_need(given: float, needed: bool, pace: float) -> None:
    assert settings.EndpointSettings(scrape_interval=given).pace(needed=needed) == pace


def test_durations_are_read_with_their_units() -> None:
    made = lib_settings.load(settings.EndpointSettings, {"BRICKYARD_GATEWAY_SCRAPE_INTERVAL": "250ms"})
    assert made.pace(needed=False) == 0.25
