"""Many engines in virtual time, as a simulator of routing uses them: no clock, no loop, minutes of load in a second."""

import heapq
import itertools
import random
from collections.abc import Callable, Sequence

import pytest

from brickyard.sim.engine.core import presets, scheduler, speech, statistics, work

ENGINES = 4
PARAMS = presets.preset("a100/llama-3.1-8b")
Route = Callable[[work.Job, Sequence[scheduler.Scheduler], random.Random], int]


def load(requests: int, per_second: float, seed: int = 1) -> list[tuple[float, work.Job]]:
    """Users of sixteen applications, each with a long system prompt of its own."""
    chance = random.Random(seed)
    shared = [speech.say(chance.randrange(4096), 1500) for _ in range(16)]
    now = 0.0
    made: list[tuple[float, work.Job]] = []
    for number in range(requests):
        now += chance.expovariate(per_second)
        prompt = chance.choice(shared) + speech.say(chance.randrange(4096), chance.randrange(20, 200))
        output = speech.say(chance.randrange(4096), chance.randrange(20, 120))
        made.append((now, work.Job(f"r{number}", prompt, output)))
    return made


def simulate(
    jobs: Sequence[tuple[float, work.Job]], route: Route
) -> tuple[list[statistics.Statistics], dict[str, work.Finish]]:
    """Arrivals and ends of steps, in the order of their times."""
    engines = [scheduler.Scheduler(PARAMS) for _ in range(ENGINES)]
    counted = [statistics.Statistics() for _ in range(ENGINES)]
    busy = [False] * ENGINES
    order = itertools.count()
    chance = random.Random(7)
    ends: dict[str, work.Finish] = {}
    agenda: list[tuple[float, int, work.Job | None, int, work.Step | None]] = []
    for at, arrival in jobs:
        heapq.heappush(agenda, (at, next(order), arrival, 0, None))
    while agenda:
        now, _, job, place, step = heapq.heappop(agenda)
        if job is not None:
            place = route(job, engines, chance)
            engines[place].submit(job, now)
        if step is not None:
            busy[place] = False
            counted[place].step(step)
            for output in step.outputs:
                if output.finish:
                    counted[place].finish(output.finish, "length")
                    ends[output.job.id] = output.finish
        if not busy[place] and (begun := engines[place].step(now)) is not None:
            busy[place] = True
            heapq.heappush(agenda, (begun.end, next(order), None, place, begun))
    for engine in engines:
        engine.validate()
        assert (engine.running, engine.waiting) == (0, 0)
    return counted, ends


def at_random(_job: work.Job, engines: Sequence[scheduler.Scheduler], chance: random.Random) -> int:
    return chance.randrange(len(engines))


def idlest(_job: work.Job, engines: Sequence[scheduler.Scheduler], _chance: random.Random) -> int:
    return min(range(len(engines)), key=lambda place: engines[place].running + engines[place].waiting)


def by_prefix(job: work.Job, engines: Sequence[scheduler.Scheduler], _chance: random.Random) -> int:
    return sum(job.prompt[:64]) % len(engines)


def first_token(ends: dict[str, work.Finish], share: float) -> float:
    waits = sorted(finish.first_token - finish.arrived for finish in ends.values())
    return waits[int(share * (len(waits) - 1))]


@pytest.mark.parametrize("route", [at_random, idlest, by_prefix])
def test_nothing_is_lost(route: Route) -> None:
    jobs = load(300, 20.0)
    counted, ends = simulate(jobs, route)
    assert ends.keys() == {job.id for _, job in jobs}
    assert sum(each.generated_tokens for each in counted) == sum(len(job.output) // 4 for _, job in jobs)
    assert sum(each.prompt_tokens for each in counted) == sum(len(job.prompt) // 4 for _, job in jobs)


def test_the_same_load_gives_the_same_result() -> None:
    first, second = (simulate(load(100, 20.0), idlest)[1] for _ in range(2))
    assert first == second


def test_where_a_prefix_is_known_there_is_less_to_compute() -> None:
    """What prefix-aware routing is for: each application's prompt is computed once, not once on every engine."""
    hits = {}
    for route in (at_random, by_prefix):
        counted, _ = simulate(load(200, 10.0), route)
        hits[route] = sum(each.cached_tokens for each in counted) / sum(each.prompt_tokens for each in counted)
    assert hits[by_prefix] > hits[at_random] + 0.05


def test_more_load_means_longer_waits() -> None:
    waits = [first_token(simulate(load(200, rate), idlest)[1], 0.9) for rate in (2.0, 20.0, 200.0)]
    assert waits == sorted(waits)
    assert waits[2] > 2 * waits[0]


def test_the_idlest_engine_is_the_better_choice_for_the_unlucky() -> None:
    chance, idle = (first_token(simulate(load(400, 16.0), route)[1], 0.95) for route in (at_random, idlest))
    assert idle < chance
