import dataclasses
import functools
import itertools
import random

import pytest

from brickyard.assembly import engines, routing_policies
from brickyard.routing import errors as routing_errors
from brickyard.sim.engine.core import params, presets
from brickyard.sim.fleet import fleet, outcome, trace

ENGINE = dataclasses.replace(presets.preset("a100/llama-3.1-8b"), block_size=64, blocks=1500, max_model_len=60_000)
"""A GPU that holds about twenty conversations: small enough for what is sent where to matter."""
TALK = trace.Conversations(number=80, every=0.7, think=8.0, turns=6.0)
EVERY = tuple(name for name in routing_policies.make().names() if not name.startswith("slo"))


def made(strategy: str, engine: params.Params = ENGINE, endpoints: int = 8, seed: int = 0) -> fleet.Fleet:
    given = fleet.Setup(strategy, engine, endpoints, seed=seed)
    return fleet.Fleet(given, routing_policies.make(), engines.readers())


@functools.cache
def talked(strategy: str) -> outcome.Figures:
    return made(strategy).run(TALK.arrivals()).figures()


def hot(rate: float, seconds: float, seed: int = 1) -> list[trace.Arrival]:
    """Everybody's prompt begins with the same sixteen blocks, and ends with one of its own."""
    rng = random.Random(seed)
    times = itertools.accumulate(rng.expovariate(rate) for _ in range(int(rate * seconds)))
    return [trace.Arrival(at, (*range(16), 1000 + n), 17 * trace.BLOCK, 100) for n, at in enumerate(times)]


def test_one_request_takes_what_its_engine_needs() -> None:
    timing = ENGINE.timing
    run = made("random", endpoints=1).run([trace.Arrival(2.0, (1,), 512, 1)])
    (only,) = run.served
    expected = timing.request + timing.step + 512 * timing.prefill_token + 512 * 512 // 2 * timing.prefill_pair
    assert only.first_token == pytest.approx(expected)
    assert only.total == only.first_token
    assert (only.arrived, only.prompt, only.cached, only.generated) == (2.0, 512, 0, 1)


def test_a_prompt_that_comes_again_is_found_where_it_was() -> None:
    arrivals = [trace.Arrival(5.0 * n, (1, 2, 3), 1500, 4) for n in range(3)]
    run = made("prefix-cache").run(arrivals)
    assert len({each.endpoint for each in run.served}) == 1
    assert [each.cached for each in run.served] == [0, 1472, 1472]


def test_a_run_is_the_same_again_and_another_with_another_seed() -> None:
    arrivals = TALK.arrivals()[:60]
    assert made("random").run(arrivals) == made("random").run(arrivals)
    assert made("random").run(arrivals) != made("random", seed=1).run(arrivals)


@pytest.mark.parametrize("strategy", EVERY)
def test_every_strategy_answers_everything_and_keeps_no_lease(strategy: str) -> None:
    built = made(strategy)
    arrivals = TALK.arrivals()[:60]
    run = built.run(arrivals)
    assert len(run.served) == len(arrivals)
    assert all(slot.in_flight == 0 for slot in built.director.table.routable())
    assert all(replica.open == 0 for replica in built.replicas)
    for replica in built.replicas:
        replica.scheduler.step(built.now + 1)
        replica.scheduler.validate()
        assert (replica.scheduler.running, replica.scheduler.waiting) == (0, 0)


def test_strategies_that_read_engines_loads_hear_them() -> None:
    built = made("least-kv-cache")
    built.run(TALK.arrivals()[:60])
    loads = [slot.load for slot in built.director.table.routable()]
    assert all(load is not None and load.kv_cache_usage is not None for load in loads)
    assert sum(load.prompt_tokens_total or 0 for load in loads if load is not None) > 0


def test_strategies_that_read_no_loads_cost_no_scrapes() -> None:
    built = made("random")
    built.run(TALK.arrivals()[:20])
    assert all(slot.load is None for slot in built.director.table.routable())


def test_what_no_engine_can_run_is_counted_and_harms_nobody() -> None:
    small = dataclasses.replace(ENGINE, max_model_len=1000)
    arrivals = [trace.Arrival(0.0, (1, 2), 1000, 9), trace.Arrival(0.0, (1,), 500, 9)]
    built = made("least-request", small)
    figures = built.run(arrivals).figures()
    assert (figures.requests, figures.refused) == (1, 1)
    assert all(slot.in_flight == 0 for slot in built.director.table.routable())


def test_nothing_arrives() -> None:
    assert made("least-latency").run([]).figures().requests == 0


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(routing_errors.PolicyError):
        made("no-such")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["prefix-cache", "prefix-cache-preble", "prefix-and-load"])
def test_prefixes_beat_chance_and_even_load(strategy: str) -> None:
    found, chance, even = talked(strategy), talked("random"), talked("least-request")
    assert found.hit_rate > 1.5 * chance.hit_rate
    assert found.hit_rate > 1.5 * even.hit_rate
    assert found.mean < 0.55 * chance.mean


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["prefix-cache", "prefix-cache-preble", "prefix-and-load"])
def test_a_prefix_that_all_share_draws_nobody_into_a_spiral(strategy: str) -> None:
    """Twenty requests a second are more than one of the engines can do and less than the fleet can."""
    arrivals = hot(20.0, 40.0)
    found = made(strategy).run(arrivals).figures()
    even = made("least-request").run(arrivals).figures()
    assert found.took < arrivals[-1].at + 10.0
    assert found.busiest < 1.2
    assert found.most_open <= even.most_open + 4
    assert found.p99 < 1.5 * even.p99
    assert found.mean <= 1.3 * even.mean


@pytest.mark.slow
def test_a_fleet_that_is_overrun_stays_even() -> None:
    """More comes than can be computed: queues grow everywhere alike, and the cache still saves work."""
    arrivals = hot(120.0, 15.0)
    found = made("prefix-and-load").run(arrivals).figures()
    even = made("least-request").run(arrivals).figures()
    assert found.most_open <= 1.2 * even.most_open
    assert found.took <= 1.1 * even.took
