import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.sim.engine.core import params, scheduler, speech, statistics, work

VALUES = st.lists(st.floats(0, 100))


@given(VALUES)
def test_histograms_count_like_prometheus(values: list[float]) -> None:
    made = statistics.Histogram((1.0, 10.0, 50.0))
    for value in values:
        made.observe(value)
    assert made.cumulative() == [
        (bound, sum(value <= bound for value in values)) for bound in (1.0, 10.0, 50.0, math.inf)
    ]
    assert made.count == len(values)
    assert made.sum == pytest.approx(sum(values))


def test_what_steps_add_up_to() -> None:
    engine = scheduler.Scheduler(params.Params(timing=params.Timing(step=1.0), block_size=4))
    counted = statistics.Statistics()
    engine.submit(work.Job("a", b"abcd" * 9, speech.say(0, 3)), 0.0)
    engine.submit(work.Job("b", b"abcd" * 9, speech.say(0, 1)), 0.0)
    now = 10.0
    while made := engine.step(now):
        counted.step(made)
        for output in made.outputs:
            if output.finish:
                counted.finish(output.finish, "length")
        now = made.end
    counted.abort()
    assert (counted.prompt_tokens, counted.generated_tokens, counted.steps, counted.busy) == (18, 4, 3, 3.0)
    assert counted.cached_tokens == engine.hits == 8  # of the second, which shares what the first computes
    assert counted.finished == {"stop": 0, "length": 2, "abort": 1, "error": 0}
    assert (counted.first_token.count, counted.first_token.sum) == (2, 22.0)
    assert (counted.between.count, counted.between.sum) == (2, 2.0)
    assert (counted.per_token.count, counted.per_token.sum) == (1, 1.0)
    assert (counted.latency.sum, counted.queue.sum, counted.inference.sum) == (24.0, 20.0, 4.0)
    assert (counted.prefill.sum, counted.decode.sum) == (2.0, 2.0)
    assert (counted.prompt.sum, counted.generation.sum) == (18.0, 4.0)
    assert (counted.iteration.count, counted.iteration.sum) == (3, 12.0)


def test_a_rate_over_a_window() -> None:
    rate = statistics.Rate(5.0)
    assert rate.at(0.0, 0.0) == 0.0
    assert rate.at(2.0, 10.0) == 5.0
    assert rate.at(4.0, 10.0) == 2.5
    assert rate.at(20.0, 10.0) == 0.0


@given(st.lists(st.floats(0.001, 3.0), min_size=3, max_size=200))
def test_a_steady_rate_is_told_as_it_is(gaps: list[float]) -> None:
    rate = statistics.Rate(5.0)
    now = 0.0
    rate.at(now, 0.0)
    for gap in gaps:
        now += gap
        assert rate.at(now, now * 7.0) == pytest.approx(7.0)
    assert len(rate._samples) <= 66
