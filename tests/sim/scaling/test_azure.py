"""What KPA and APA are for: an hour of people's conversations as it was, and five hours like it; replicas need two minutes."""

from __future__ import annotations

import pathlib

import pytest

from brickyard.cli import replaying
from brickyard.sim.scaling import outcome

TRACE = pathlib.Path(__file__).parents[4] / "shared/data/azure_llm_2023_conv.csv"
DAYS = range(6)
CHOSEN = {
    "HPA": ("num_requests_running=10", "HPA"),
    "KPA": ("num_requests_running=7", "KPA,panic-threshold=1.5"),
    "APA": ("num_requests_running=7", "APA"),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRACE.exists(), reason=f"needs Azure's trace of 2023: {TRACE}"),
]


@pytest.fixture(scope="module")
def days() -> dict[str, list[outcome.Figures]]:
    return {name: [figures(day, *chosen) for day in DAYS] for name, chosen in CHOSEN.items()}


def figures(day: int, metric: str, strategy: str) -> outcome.Figures:
    source = replaying.Source(TRACE, seed=day)
    like = replaying.Like("a10/llama-3.1-8b", cold_start=120, limit=5, replicas=6)
    _, (found,) = replaying.run(source, like, replaying.Ways(metrics=(metric,), strategies=(strategy,)))
    return found.figures


@pytest.mark.parametrize("strategy", ["KPA", "APA"])
def test_a_third_fewer_oscillations_at_least_and_nobody_is_late_for_it(
    days: dict[str, list[outcome.Figures]], strategy: str
) -> None:
    mine, formula = days[strategy], days["HPA"]
    assert sum(day.requests for day in mine) == 6 * 19_366
    assert 3 * sum(day.oscillations for day in mine) <= 2 * sum(day.oscillations for day in formula)
    assert sum(day.events for day in mine) < sum(day.events for day in formula)
    assert [day.missed for day in mine] == [day.missed for day in formula] == [0.0] * len(DAYS)
