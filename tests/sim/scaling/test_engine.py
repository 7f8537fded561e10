"""Stretches against the scheduler, step by step."""

from __future__ import annotations

import dataclasses

import hypothesis
import pytest
from hypothesis import strategies

from brickyard.sim.engine.core import params, presets, scheduler, work
from brickyard.sim.scaling import engine

GIVEN = params.Params(
    timing=params.Timing(
        request=0.002,
        step=0.01,
        prefill_token=1e-4,
        prefill_pair=1e-8,
        decode_sequence=1e-4,
        decode_kv_token=1e-6,
    ),
    max_num_seqs=8,
    max_num_batched_tokens=64,
    max_model_len=400,
    block_size=1,
    blocks=100_000,
    prefix_caching=False,
)
Asked = tuple[float, int, int]


def stretched(given: params.Params, asked: list[Asked]) -> tuple[list[tuple[float, float]], engine.Engine]:
    """First and last token of each, by stretches."""
    made = engine.Engine(given)
    jobs = [engine.Job(at, prompt, output) for at, prompt, output in asked]
    for job in jobs:
        while made.due <= job.arrived:
            made.advance()
        made.submit(job, job.arrived)
    while made.due < engine.IDLE:
        made.advance()
    return [(job.first_token, job.ended) for job in jobs], made


def stepped(given: params.Params, asked: list[Asked]) -> tuple[list[tuple[float, float]], scheduler.Scheduler]:
    """The same, by the scheduler's steps."""
    made = scheduler.Scheduler(given)
    left = list(enumerate(asked))
    found: dict[str, tuple[float, float]] = {}
    now = 0.0
    while True:
        while left and left[0][1][0] < now:
            _submit(made, *left.pop(0))
        step = made.step(now)
        if step is None:
            if not left:
                return [found[str(number)] for number in range(len(asked))], made
            now = left[0][1][0]
            _submit(made, *left.pop(0))
            continue
        for each in step.outputs:
            if each.finish is not None:
                found[each.job.id] = (each.finish.first_token, each.finish.finished)
        now = step.end


def _submit(made: scheduler.Scheduler, number: int, asked: Asked) -> None:
    at, prompt, output = asked
    made.submit(work.Job(str(number), b"abcd" * prompt, b"abcd" * output), at)


@hypothesis.given(
    strategies.lists(
        strategies.tuples(strategies.floats(0, 3), strategies.integers(1, 150), strategies.integers(1, 60)),
        min_size=1,
        max_size=25,
    )
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_stretches_take_as_long_as_their_steps(asked: list[Asked]) -> None:
    asked = sorted(
        (round(at, 3) + number * 1e-5 + 3.3e-6, prompt, output) for number, (at, prompt, output) in enumerate(asked)
    )
    quick, made = stretched(GIVEN, asked)
    slow, _ = stepped(GIVEN, asked)
    assert quick == [pytest.approx(each, abs=1e-7) for each in slow]
    assert made.open == made.running == made.waiting == 0
    assert made.kv_usage(1e9) == 0
    assert made.ended == len(asked)
    assert made.said == sum(output for _, _, output in asked)
    assert made.prompted == sum(prompt for _, prompt, _ in asked)


def test_what_finds_no_room_is_computed_again_as_the_scheduler_does() -> None:
    given = dataclasses.replace(GIVEN, blocks=300, max_num_batched_tokens=512, max_model_len=300)
    asked = [(0.001 * number, 60, 80) for number in range(6)]
    quick, made = stretched(given, asked)
    slow, witness = stepped(given, asked)
    assert made.preemptions == witness.preemptions > 0
    assert quick == [pytest.approx(each, abs=1e-7) for each in slow]
    assert made.kv_usage(1e9) == 0


def test_a_day_of_decoding_is_few_stretches() -> None:
    made = engine.Engine(presets.preset("a100/llama-3.1-8b"))
    made.submit(engine.Job(0.0, 100, 100_000), 0.0)
    stretches = 0
    while made.due < engine.IDLE:
        made.advance()
        stretches += 1
    assert stretches == 2


def test_what_is_told_in_the_middle_of_a_stretch() -> None:
    made = engine.Engine(GIVEN)
    made.submit(engine.Job(0.0, 50, 100), 0.0)
    assert (made.running, made.waiting, made.open) == (1, 0, 1)
    made.advance()
    half = made.kv_usage((made.due - 0.0) / 2)
    assert 50 / 100_000 < half < made.kv_usage(made.due) == pytest.approx(149 / 100_000)


def test_what_cannot_fit_is_known_before() -> None:
    made = engine.Engine(GIVEN)
    assert made.fits(engine.Job(0.0, 300, 100))
    assert not made.fits(engine.Job(0.0, 300, 101))


def test_abandoned_is_idle_and_gives_back_what_was_open() -> None:
    made = engine.Engine(dataclasses.replace(GIVEN, max_num_seqs=1))
    jobs = [engine.Job(0.0, 50, 100) for _ in range(3)]
    for job in jobs:
        made.submit(job, 0.0)
    made.advance()
    assert made.waiting == 2
    assert made.abandon() == [*jobs[1:], jobs[0]]
    assert (made.due, made.open, made.kv_usage(5.0)) == (engine.IDLE, 0, 0.0)
