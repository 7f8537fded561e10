"""What engines did lately, from counters that only grow."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.routing import contract, testing
from brickyard.routing.ledgers import rates

ENDPOINTS = (testing.endpoint("a"), testing.endpoint("b"))


def load(tokens: float | None, finished: float | None = None, queued: float | None = None) -> serving.EngineLoad:
    return serving.EngineLoad(prompt_tokens_total=tokens, finished_total=finished, queue_seconds_total=queued)


class Scrapes:
    """Pages of two engines, as a ledger hears them."""

    def __init__(self) -> None:
        self.ledger = rates.RatesLedger()
        self.loads: tuple[serving.EngineLoad | None, ...] = (None, None)
        self.heard = (-math.inf, -math.inf)

    def __call__(self, now: float, *loads: serving.EngineLoad | None) -> rates.Rates:
        """``loads`` are heard at ``now``."""
        self.loads = loads
        self.heard = tuple(now if each is not None else -math.inf for each in loads)  # type: ignore[assignment]  # as many as there are endpoints
        return self.look(now)

    def look(self, now: float) -> rates.Rates:
        ages = tuple(now - at for at in self.heard)
        snapshot = contract.EndpointSnapshot(ENDPOINTS, (0, 0), self.loads, ages, 1)
        return self.ledger.facts(testing.request(), snapshot, now)


def test_growth_between_two_pages() -> None:
    scrapes = Scrapes()
    assert scrapes(10.0, load(100.0), None).done == [None, None]
    done = scrapes(14.0, load(180.0), None).done
    assert done[0] is not None
    assert (done[0].seconds, done[0].prompt_tokens, done[0].finished) == (4.0, 80.0, None)
    assert done[1] is None


def test_per_request() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0, 0.0, 1.0), None)
    done = scrapes(5.0, load(80.0, 4.0, 3.0), None).done[0]
    assert done is not None
    assert (done.per_request(done.prompt_tokens), done.per_request(done.queue_seconds)) == (20.0, 0.5)
    assert done.per_request(done.decode_seconds) is None
    assert dataclasses.replace(done, finished=0.0).per_request(5.0) is None
    assert dataclasses.replace(done, finished=None).per_request(5.0) is None


def test_only_the_last_minute_counts() -> None:
    scrapes = Scrapes()
    for second in range(0, 200, 5):
        done = scrapes(float(second), load(second * 10.0 if second >= 100 else 0.0), None).done[0]
    assert done is not None
    assert (done.seconds, done.prompt_tokens) == (60.0, 600.0)


def test_an_idle_engine_did_nothing_even_if_its_page_stays_the_same() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), None)
    page = load(500.0)
    scrapes(5.0, page, None)
    for second in range(10, 90, 5):
        done = scrapes(float(second), page, None).done[0]
    assert done is not None
    assert done.prompt_tokens == 0.0


def test_a_restart_begins_anew() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(1000.0), None)
    assert scrapes(5.0, load(10.0), None).done[0] is None
    done = scrapes(9.0, load(50.0), None).done[0]
    assert done is not None
    assert (done.seconds, done.prompt_tokens) == (4.0, 40.0)


def test_an_engine_that_falls_silent_is_forgotten() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), None)
    scrapes(5.0, load(10.0), None)
    assert scrapes(9.0, None, None).done[0] is None
    assert scrapes(10.0, load(20.0), None).done[0] is None


def test_pages_in_quick_succession_do_not_crowd_the_window() -> None:
    scrapes = Scrapes()
    for tick in range(2000):
        rate = scrapes(tick * 0.05, load(float(tick)), None)
    done = rate.done[0]
    assert done is not None
    assert 59.0 <= done.seconds <= 61.5
    assert done.prompt_tokens == pytest.approx(done.seconds / 0.05)


def test_the_same_table_is_not_made_twice() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), None)
    assert scrapes.look(1.0) is scrapes.look(2.0)


def test_an_endpoint_that_left_and_came_back_starts_anew() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), load(0.0))
    alone = contract.EndpointSnapshot(ENDPOINTS[:1], (0,), (load(5.0),), (0.0,), 2)
    scrapes.ledger.facts(testing.request(), alone, 2.0)
    done = scrapes(4.0, load(9.0), load(90.0)).done
    assert done[0] is not None
    assert done[1] is None


def test_age_is_that_of_the_oldest_engine_that_counts() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), load(0.0))
    found = scrapes(3.0, load(9.0), load(9.0))
    snapshot = contract.EndpointSnapshot(ENDPOINTS, (0, 0), (None, None), (0.5, 2.0), 1)
    assert found.age(snapshot) == 2.0
    assert rates.Rates([None, None]).age(snapshot) == math.inf
    assert found.row(0)["prompt_tokens"] == 9.0
    assert rates.Rates([None]).row(0) == {}


@given(st.lists(st.tuples(st.floats(0.01, 30), st.floats(0, 1e6)), min_size=2, max_size=60))
def test_what_was_done_is_what_the_counter_grew_by(steps: list[tuple[float, float]]) -> None:
    scrapes, now, total = Scrapes(), 0.0, 0.0
    heard = []
    for step, growth in steps:
        now, total = now + step, total + growth
        heard.append((now, total))
        done = scrapes(now, load(total), None).done[0]
    assert done is not None
    start = now - done.seconds
    began = min(heard, key=lambda each: abs(each[0] - start))
    assert began[0] == pytest.approx(start, abs=1e-6)
    assert done.prompt_tokens == pytest.approx(total - began[1], abs=1e-3)
    assert done.seconds <= rates.WINDOW + 31
