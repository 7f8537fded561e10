import math

import pytest

from brickyard.sim.fleet import outcome


def served(endpoint: int, first: float, prompt: int = 100, cached: int = 0) -> outcome.Served:
    return outcome.Served(endpoint, 1.0, first, first + 2.0, prompt, cached, 5)


@pytest.mark.parametrize(("share", "found"), [(0.0, 1), (0.2, 1), (0.21, 2), (0.5, 3), (0.99, 5), (1.0, 5)])
def test_quantiles_are_values_that_occurred(share: float, found: float) -> None:
    assert outcome.quantile([5, 1, 4, 2, 3], share) == found


def test_figures_of_a_run() -> None:
    run = outcome.Outcome("any", 2, (served(0, 1.0, 300, 100), served(1, 3.0)), 1, 4)
    figures = run.figures()
    assert (figures.requests, figures.refused, figures.most_open) == (2, 1, 4)
    assert figures.hit_rate == 0.25
    assert (figures.mean, figures.p50, figures.p99) == (2.0, 1.0, 3.0)
    assert figures.total_mean == 4.0
    assert figures.between == 0.5
    assert figures.busiest == pytest.approx(200 * 2 / 300)
    assert figures.took == 5.0


def test_nothing_answered_is_no_number() -> None:
    figures = outcome.Outcome("any", 2, (), 3, 0).figures()
    assert figures.requests == 0
    assert figures.refused == 3
    assert math.isnan(figures.mean)
    assert math.isnan(figures.p99)
    assert math.isnan(figures.hit_rate)
