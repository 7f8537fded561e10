"""What engines did lately, from counters that only grow."""

from __future__ import annotations

import dataclasses
import math
import pickle

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


def test_ages_are_taken_off_the_moment_of_looking() -> None:
    """Pages are heard before they are looked at: what counts is when they were heard."""
    scrapes = Scrapes()
    scrapes.loads, scrapes.heard = (load(100.0), None), (8.0, -math.inf)
    scrapes.look(10.0)
    scrapes.loads, scrapes.heard = (load(160.0), None), (14.0, -math.inf)
    done = scrapes.look(15.5).done[0]
    assert done is not None
    assert (done.seconds, done.prompt_tokens) == (6.0, 60.0)


def test_a_counter_that_appears_is_no_restart() -> None:
    """An engine counts what it had not counted: that one begins, the others go on."""
    scrapes = Scrapes()
    scrapes(0.0, load(0.0), None)
    first = scrapes(10.0, load(50.0, finished=3.0), None).done[0]
    assert first is not None
    assert (first.seconds, first.prompt_tokens, first.finished) == (10.0, 50.0, None)
    scrapes(40.0, load(70.0, finished=9.0), None)
    later = scrapes(75.0, load(90.0, finished=12.0), None).done[0]
    assert later is not None
    assert (later.seconds, later.prompt_tokens, later.finished) == (65.0, 40.0, 9.0)


def test_a_counter_that_disappears_is_no_restart() -> None:
    scrapes = Scrapes()
    scrapes(0.0, load(0.0, finished=5.0), None)
    done = scrapes(10.0, load(50.0), None).done[0]
    assert done is not None
    assert (done.prompt_tokens, done.finished) == (50.0, None)


def test_a_page_from_before_the_last_one_begins_anew() -> None:
    """A clock that went back: no negative times, and no growth over them."""
    scrapes = Scrapes()
    scrapes(50.0, load(10.0), None)
    assert scrapes(20.0, load(20.0), None).done[0] is None
    done = scrapes(24.0, load(30.0), None).done[0]
    assert done is not None
    assert (done.seconds, done.prompt_tokens) == (4.0, 10.0)


def test_one_page_told_twice_with_others_between_is_one_page() -> None:
    """Another engine's page is new; this one's is the same object, heard when it was heard."""
    scrapes = Scrapes()
    mine = load(10.0)
    scrapes(5.0, mine, load(0.0))
    scrapes.loads, scrapes.heard = (mine, load(7.0)), (5.0, 6.0)
    done = scrapes.look(6.5).done
    assert done[0] is None
    assert done[1] is not None
    assert (done[1].seconds, done[1].prompt_tokens) == (1.0, 7.0)


def test_what_is_kept_of_many_pages_is_bounded() -> None:
    """Twenty pages a second for ten minutes: about one a second of the last minute is kept."""
    scrapes = Scrapes()
    for tick in range(600):
        scrapes(float(tick), load(float(tick)), None)
    sparse = len(pickle.dumps(scrapes.ledger))
    for tick in range(12_000):
        scrapes(600 + tick * 0.05, load(600.0 + tick), None)
    assert len(pickle.dumps(scrapes.ledger)) < 1.2 * sparse


def asked(model: str) -> contract.Request:
    return dataclasses.replace(testing.request(), model=model)


def test_models_that_nobody_asks_for_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MODELS_KEPT", 2)
    ledger = rates.RatesLedger()

    def look(model: str, now: float, tokens: float) -> rates.Done | None:
        snapshot = contract.EndpointSnapshot(ENDPOINTS[:1], (0,), (load(tokens),), (0.0,), 1)
        return ledger.facts(asked(model), snapshot, now).done[0]

    for now, model in enumerate(("old", "kept", "old", "new")):
        look(model, float(now), 10.0 * now)
    assert look("old", 5.0, 90.0) is not None, "asked for after the other"
    assert look("new", 6.0, 90.0) is not None
    assert look("kept", 7.0, 90.0) is None, "its history is gone"


def test_models_do_not_share_what_engines_did() -> None:
    ledger = rates.RatesLedger()
    found = []
    for now, one, other in ((0.0, 0.0, 0.0), (10.0, 10.0, 500.0)):
        for model, tokens in (("one", one), ("other", other)):
            snapshot = contract.EndpointSnapshot(ENDPOINTS[:1], (0,), (load(tokens),), (0.0,), 1)
            found.append(ledger.facts(asked(model), snapshot, now).done[0])
    assert [each.prompt_tokens if each else None for each in found] == [None, None, 10.0, 500.0]


def test_means_are_per_request_and_missing_where_nothing_finished() -> None:
    done = rates.Done(10.0, 100.0, 60.0, 4.0, 2.0, None, 8.0)
    assert done.means == rates.Means(queue=0.5, prefill=None, decode=2.0, prompt=25.0, output=15.0)
    assert dataclasses.replace(done, finished=0.0).means == rates.Means(None, None, None, None, None)


class Naive:
    """All pages of one engine since it last began, and the rule in words."""

    def __init__(self) -> None:
        self.pages: list[tuple[float, float]] = []

    def hear(self, at: float, total: float) -> None:
        if self.pages and total < self.pages[-1][1]:
            self.pages.clear()
        self.pages.append((at, total))

    def bounds(self) -> tuple[float, float]:
        """The least and the most that the last minute can have been told to have done, pages a second apart being one."""
        now, total = self.pages[-1]
        early = [value for at, value in self.pages if at >= now - rates.WINDOW - 2 * GAP]
        late = [value for at, value in self.pages if at >= now - rates.WINDOW + 2 * rates.SPACING] or [total]
        return total - late[0], total - early[0]


GAP = 7.0


@given(st.lists(st.tuples(st.floats(1.0, GAP), st.floats(0, 100), st.booleans()), min_size=2, max_size=80))
def test_the_window_agrees_with_all_pages(steps: list[tuple[float, float, bool]]) -> None:
    """Whatever engines do, restarts included: growth over about a minute, never more than there was, never less than the window's."""
    scrapes, naive, now, total = Scrapes(), Naive(), 0.0, 0.0
    for step, growth, restarts in steps:
        now, total = now + step, growth if restarts else total + growth
        naive.hear(now, total)
        done = scrapes(now, load(total), None).done[0]
        if len(naive.pages) == 1:
            assert done is None
            continue
        assert done is not None
        least, most = naive.bounds()
        assert least - 1e-6 <= (done.prompt_tokens or 0.0) <= most + 1e-6
        assert done.seconds <= now - naive.pages[0][0] + 1e-6
        assert done.seconds >= min(now - naive.pages[0][0], rates.WINDOW) - 1e-6
