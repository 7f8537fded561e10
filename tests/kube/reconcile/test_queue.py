from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brickyard.kube.reconcile import queue
from brickyard.lib import backoff

RETRY = backoff.Backoff(1.0, 2.0, 8.0)


@pytest.fixture
def work() -> queue.WorkQueue[str]:
    return queue.WorkQueue(RETRY)


def test_first_come_first_served(work: queue.WorkQueue[str]) -> None:
    for item in "abc":
        work.add(item, 0.0)
    assert [work.take(0.0) for _ in range(4)] == ["a", "b", "c", None]
    assert work.running == 3


def test_an_item_is_held_once(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.0)
    work.add("a", 0.0)
    work.add("a", 0.0, after=5.0)
    assert len(work) == 1
    assert (work.take(0.0), work.take(9.0)) == ("a", None)


def test_an_item_added_while_it_runs_runs_again_afterwards(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.0)
    assert work.take(0.0) == "a"
    work.add("a", 1.0)
    work.add("a", 1.0)
    assert work.take(1.0) is None
    assert work.next_due() is None
    work.done("a")
    assert work.take(1.0) == "a"
    work.done("a")
    assert work.take(1.0) is None


def test_delayed_items_wait_for_their_time(work: queue.WorkQueue[str]) -> None:
    work.add("late", 0.0, after=10.0)
    work.add("soon", 0.0, after=5.0)
    assert work.next_due() == 5.0
    assert work.take(4.9) is None
    assert work.take(5.0) == "soon"
    assert work.next_due() == 10.0
    assert work.take(10.0) == "late"
    assert work.next_due() is None


def test_the_earliest_time_asked_for_counts(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.0, after=10.0)
    work.add("a", 0.0, after=3.0)
    work.add("a", 0.0, after=20.0)
    assert work.next_due() == 3.0
    assert work.take(3.0) == "a"
    work.done("a")
    assert work.take(99.0) is None


def test_an_item_wanted_now_does_not_wait(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.0, after=10.0)
    work.add("a", 1.0)
    assert work.take(1.0) == "a"
    work.done("a")
    assert work.take(99.0) is None


def test_failures_wait_longer_each_time_and_success_forgets_them(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.0)
    delays = []
    now = 0.0
    for _ in range(5):
        assert work.take(now) == "a"
        delays.append(work.failed("a", now))
        work.done("a")
        assert work.take(now) is None
        now += delays[-1]
    assert delays == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert work.failures("a") == 5
    work.forget("a")
    assert work.failures("a") == 0
    assert work.take(now) == "a"
    assert work.failed("a", now) == 1.0


def test_one_items_failures_are_not_anothers(work: queue.WorkQueue[str]) -> None:
    for item in "ab":
        work.add(item, 0.0)
        work.take(0.0)
    work.failed("a", 0.0)
    assert (work.failures("a"), work.failures("b")) == (1, 0)


def test_asking_for_later_again_and_again_holds_no_memory(work: queue.WorkQueue[str]) -> None:
    for number in range(10_000):
        now = float(number)
        work.add("a", now)
        assert work.take(now) == "a"
        work.add("a", now, after=3600.0)
        work.done("a")
    assert len(work) == 1
    assert len(work._heap) < 200


class Machine(RuleBasedStateMachine):
    """The queue against a plain model: who runs, who is due when."""

    ITEMS = st.sampled_from("abc")

    def __init__(self) -> None:
        super().__init__()
        self.work: queue.WorkQueue[str] = queue.WorkQueue(RETRY)
        self.now = 0.0
        self.running: set[str] = set()
        self.due: dict[str, float] = {}

    @rule(item=ITEMS, after=st.sampled_from([0.0, 0.0, 1.0, 5.0]))
    def add(self, item: str, after: float) -> None:
        self.work.add(item, self.now, after)
        self.due[item] = min(self.due.get(item, float("inf")), self.now + after)

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def take(self) -> None:
        possible = {item for item, due in self.due.items() if due <= self.now and item not in self.running}
        item = self.work.take(self.now)
        assert (item in possible) if possible else item is None
        if item is not None:
            self.running.add(item)
            del self.due[item]

    @precondition(lambda self: self.running)
    @rule(fails=st.booleans(), data=st.data())
    def finish(self, fails: bool, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(sorted(self.running)))
        if fails:
            delay = self.work.failed(item, self.now)
            assert 1.0 <= delay <= 8.0
            self.due[item] = min(self.due.get(item, float("inf")), self.now + delay)
        else:
            self.work.forget(item)
        self.work.done(item)
        self.running.discard(item)

    @invariant()
    def agrees(self) -> None:
        assert self.work.running == len(self.running)
        assert len(self.work) == len(self.due)
        idle = [due for item, due in self.due.items() if item not in self.running]
        told = self.work.next_due()
        if told is not None:
            assert told in idle
        elif idle:
            assert self.work.ready


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestMachine = Machine.TestCase


def test_a_rounding_error_ahead_is_now(work: queue.WorkQueue[str]) -> None:
    work.add("a", 0.1, after=0.2)
    assert work.take(0.3) == "a", "0.1 + 0.2 is a little more than 0.3"
