import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from brickyard.sim.engine.core import blocks, errors, params, scheduler, speech, work

TIMING = params.Timing(
    step=1.0,
    prefill_token=0.01,
    decode_sequence=0.1,
    decode_kv_token=0.001,
    adapter=0.5,
    request=0.25,
    prefill_pair=0.0,
)
PARAMS = params.Params(
    timing=TIMING, max_num_seqs=4, max_num_batched_tokens=100, max_model_len=200, block_size=4, blocks=64, max_loras=2
)


def engine(record: bool = False, **changes: Any) -> scheduler.Scheduler:
    return scheduler.Scheduler(dataclasses.replace(PARAMS, **changes), record=record)


def text(length: int, seed: int = 0) -> bytes:
    """Prompts of different seed share no block."""
    return b"".join(b"%02d%02d" % (seed, at % 100) for at in range(length))


def job(name: str, prompt: int | bytes = 10, output: int = 3, **fields: Any) -> work.Job:
    given = prompt if isinstance(prompt, bytes) else text(prompt, sum(name.encode()) % 100)
    return work.Job(name, given, speech.say(0, output), **fields)


def step(of: scheduler.Scheduler, now: float = 0.0) -> work.Step:
    made = of.step(now)
    assert made is not None
    of.validate()
    return made


def said(made: work.Step) -> list[str]:
    return [output.job.id for output in made.outputs]


def run(of: scheduler.Scheduler, now: float = 0.0, most: int = 500) -> dict[str, work.Finish]:
    """Steps, one after the other, until nothing is left to do."""
    ends: dict[str, work.Finish] = {}
    for _ in range(most):
        made = of.step(now)
        of.validate()
        if made is None:
            return ends
        now = made.end
        ends |= {output.job.id: output.finish for output in made.outputs if output.finish}
    raise AssertionError("it does not end")


# One request.


def test_the_life_of_a_request() -> None:
    one = engine()
    one.submit(job("a", 10, 3), 5.0)
    assert (one.waiting, one.running) == (1, 0)
    first = step(one, 7.0)
    assert (first.prefill, first.decode) == (10, 0)
    assert first.duration == pytest.approx(1.0 + 0.25 + 10 * 0.01)
    assert first.outputs == (work.Output(first.outputs[0].job, True, first.end - 5.0, 0, None),)
    assert (one.waiting, one.running) == (0, 1)
    second = step(one, first.end)
    assert (second.prefill, second.decode) == (0, 1)
    assert second.duration == pytest.approx(1.0 + 0.1 + 10 * 0.001)
    assert second.outputs[0].gap == pytest.approx(second.duration)
    third = step(one, second.end)
    assert third.duration == pytest.approx(1.0 + 0.1 + 11 * 0.001)
    finish = third.outputs[0].finish
    assert finish is not None
    assert finish == work.Finish(5.0, 7.0, first.end, third.end, 10, 3, 0, 0, 0, finish.blocks)
    assert len(finish.blocks) == 3
    assert one.running == 1  # until the step is over
    assert one.step(third.end) is None
    assert (one.running, one.waiting, one.pool.usage) == (0, 0, 0.0)


def test_an_engine_without_timing_takes_no_time() -> None:
    one = engine(timing=params.Timing())
    one.submit(job("a"), 3.0)
    assert run(one, 3.0)["a"].finished == 3.0


def test_a_pair_costs_what_attention_costs() -> None:
    one = engine(timing=params.Timing(prefill_pair=1.0), max_num_batched_tokens=6)
    one.submit(job("a", 10, 1), 0.0)
    assert step(one).duration == 6 * 6 // 2
    assert step(one).duration == 4 * 6 + 4 * 4 // 2


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        (job("a", b"", 3), {}, "at least one token"),
        (job("a", 3, 0), {}, "at least one token"),
        (job("a", 150, 51), {}, "maximum context length is 200 tokens, and the request asks for 201"),
        (job("a", 100, 50), {"blocks": 30}, "holds 120 tokens, and the request needs 150"),
        (job("a", adapter="x"), {"max_loras": 0}, "runs no adapters"),
    ],
)
def test_what_can_never_run(given: work.Job, changes: dict[str, Any], message: str) -> None:
    one = engine(**changes)
    with pytest.raises(errors.RejectedError, match=message):
        one.submit(given, 0.0)
    assert one.waiting == 0
    assert one.step(0.0) is None


def test_the_same_id_twice() -> None:
    one = engine()
    one.submit(job("a"), 0.0)
    with pytest.raises(errors.RejectedError, match="a already"):
        one.submit(job("a"), 0.0)
    run(one)
    one.submit(job("a"), 0.0)
    assert one.waiting == 1


def test_a_full_queue() -> None:
    one = engine(max_queued=2)
    one.submit(job("a"), 0.0)
    one.submit(job("b"), 0.0)
    with pytest.raises(errors.BusyError, match="2 requests wait"):
        one.submit(job("c"), 0.0)
    step(one)
    one.submit(job("c"), 0.0)


def test_exactly_what_fits() -> None:
    one = engine(blocks=50)
    one.submit(job("a", 150, 50), 0.0)
    assert run(one)["a"].generated == 50


# Batching.


def test_requests_share_a_step() -> None:
    one = engine()
    for name in "abc":
        one.submit(job(name), 0.0)
    made = step(one)
    assert said(made) == ["a", "b", "c"]
    assert made.prefill == 30
    assert step(one, made.end).decode == 3


def test_the_batch_has_a_size() -> None:
    one = engine()
    for name in "abcdef":
        one.submit(job(name, output=2), 0.0)
    assert said(step(one)) == ["a", "b", "c", "d"]
    assert (one.running, one.waiting) == (4, 2)
    assert said(step(one)) == ["a", "b", "c", "d"]
    assert said(step(one)) == ["e", "f"]


def test_a_long_prompt_is_computed_in_chunks_between_others_tokens() -> None:
    one = engine(max_num_batched_tokens=20)
    one.submit(job("a", 4, 9), 0.0)
    first = step(one)
    one.submit(job("long", 50, 2), first.end)
    made = [step(one, 10.0 + at) for at in range(4)]
    assert [(each.prefill, each.decode) for each in made] == [(19, 1), (19, 1), (12, 1), (0, 2)]
    assert [said(each) for each in made] == [["a"], ["a"], ["a", "long"], ["a", "long"]]


def test_without_chunks_a_prompt_waits_for_a_step_of_its_own() -> None:
    one = engine(chunked_prefill=False, max_num_batched_tokens=200)
    one.submit(job("a", 120, 2), 0.0)
    one.submit(job("b", 120, 2), 0.0)
    assert said(step(one)) == ["a"]
    assert said(step(one)) == ["a", "b"]


def test_priorities() -> None:
    one = engine(policy="priority", max_num_seqs=1)
    for name, priority in (("low", 5), ("high", -1), ("also high", -1)):
        one.submit(job(name, output=1, priority=priority), 0.0)
    assert [said(step(one))[0] for _ in range(3)] == ["high", "also high", "low"]


def test_without_that_policy_priorities_mean_nothing() -> None:
    one = engine(max_num_seqs=1)
    one.submit(job("a", output=1, priority=5), 0.0)
    one.submit(job("b", output=1, priority=0), 0.0)
    assert said(step(one)) == ["a"]


# Blocks.


def test_a_prompt_that_was_computed_before_is_found() -> None:
    one = engine()
    one.submit(job("a", text(12), 1), 0.0)
    run(one)
    one.submit(job("b", text(12), 1), 10.0)
    made = step(one, 10.0)
    assert made.prefill == 4  # the last token is always computed, and with it its block
    assert made.outputs[0].cached == 8
    assert (one.queries, one.hits) == (24, 8)


def test_requests_of_one_step_share_blocks() -> None:
    one = engine()
    for name in "abc":
        one.submit(job(name, text(30), 9), 0.0)
    assert step(one).prefill == 30 + 2 + 2
    assert (one.hits, one.pool.total - one.pool.free) == (56, 7 + 3)


def test_running_requests_share_blocks() -> None:
    one = engine()
    one.submit(job("a", text(41), 9), 0.0)
    step(one)
    used = one.pool.total - one.pool.free
    one.submit(job("b", text(41), 9), 0.0)
    assert step(one).prefill == 1
    assert one.pool.total - one.pool.free == used + 1


def test_a_conversation_finds_its_own_answers() -> None:
    one = engine()
    asked = job("a", text(10), 7)
    one.submit(asked, 0.0)
    run(one)
    one.submit(job("b", asked.prompt + asked.output + text(3, 9), 1), 50.0)
    made = step(one, 50.0)
    assert made.outputs[0].cached == 16  # of 17 tokens the last was said and never computed


@pytest.mark.parametrize("fields", [{"adapter": "x"}, {"salt": "x"}])
def test_adapters_and_salts_share_nothing(fields: dict[str, Any]) -> None:
    one = engine()
    one.submit(job("a", text(12), 1), 0.0)
    one.submit(job("b", text(12), 1, **fields), 0.0)
    run(one)
    one.submit(job("c", text(12), 1, **fields), 0.0)
    assert run(one)["c"].cached == 8
    assert one.hits == 8


def test_no_cache() -> None:
    one = engine(prefix_caching=False, record=True)
    for name in "ab":
        one.submit(job(name, text(12), 1), 0.0)
        assert run(one)[name].cached == 0
    assert one.pool.known == 0


def test_events_tell_what_can_be_found() -> None:
    one = engine(record=True)
    asked = job("a", text(6), 4)
    one.submit(asked, 0.0)
    first = step(one)
    root = blocks.root()
    hashes = blocks.hashes(root, asked.prompt + asked.output, 4)
    assert first.events == (blocks.Stored((hashes[0],), None, asked.prompt[:16], 4),)
    assert step(one).events == ()
    assert step(one).events == (blocks.Stored((hashes[1],), hashes[0], (asked.prompt + asked.output)[16:32], 4),)


def test_events_name_the_adapter() -> None:
    one = engine(record=True)
    one.submit(job("a", text(8), 1, adapter="x"), 0.0)
    (stored,) = step(one).events
    assert isinstance(stored, blocks.Stored)
    assert (stored.adapter, len(stored.hashes)) == ("x", 2)


def test_eviction_is_told() -> None:
    one = engine(record=True, blocks=4)
    one.submit(job("a", text(15), 1), 0.0)
    run(one)
    one.submit(job("b", text(15, 1), 1), 0.0)
    removed, stored = step(one).events
    assert isinstance(removed, blocks.Removed)
    assert isinstance(stored, blocks.Stored)
    assert len(removed.hashes) == 3


def test_the_last_gives_way_when_blocks_run_out() -> None:
    one = engine(blocks=6)
    one.submit(job("a", 11, 6), 0.0)
    one.submit(job("b", 11, 6), 1.0)
    assert said(step(one)) == ["a", "b"]
    assert said(step(one)) == ["a", "b"]  # 12 tokens each fill the three blocks of each
    made = step(one)
    assert (said(made), made.preempted) == (["a"], ("b",))
    assert (one.running, one.waiting, one.preemptions) == (1, 1, 1)
    ends = run(one, 100.0)
    assert ends["b"].preemptions == 1
    assert ends["b"].generated == 6
    assert ends["a"].preemptions == 0


def test_the_least_important_gives_way() -> None:
    one = engine(blocks=6, policy="priority")
    one.submit(job("low", 11, 6, priority=1), 0.0)
    one.submit(job("high", 11, 6, priority=0), 1.0)
    step(one)
    step(one)
    assert step(one).preempted == ("low",)


# Adapters.


def test_adapters_in_a_batch_are_few() -> None:
    one = engine()
    for name, adapter in (("a", "x"), ("b", "y"), ("c", "z"), ("d", "x"), ("e", "")):
        one.submit(job(name, output=1, adapter=adapter), 0.0)
    made = step(one)
    assert said(made) == ["a", "b", "d", "e"]
    assert made.duration == pytest.approx(1.0 + 4 * 0.25 + 40 * 0.01 + 2 * 0.5)
    assert said(step(one)) == ["c"]


# Hand-over.


def test_what_was_handed_over_is_not_computed() -> None:
    one = engine()
    one.submit(job("a", 30, 2, remote=32, ready_at=4.0), 0.0)
    assert (one.waiting, one.deferred, one.next_ready()) == (1, 1, 4.0)
    assert one.step(3.0) is None
    made = step(one, 4.0)
    assert (made.prefill, made.outputs[0].cached) == (1, 29)
    assert (one.remote_queries, one.remote_hits) == (30, 29)
    assert one.next_ready() is None


def test_what_was_handed_over_is_lost_with_its_blocks() -> None:
    one = engine(blocks=6, prefix_caching=False)
    one.submit(job("a", 11, 6), 0.0)
    one.submit(job("b", 11, 6, remote=12), 1.0)
    step(one)
    step(one)
    assert step(one).preempted == ("b",)
    while one.running:
        made = one.step(9.0)
        if made is None or made.prefill:
            break
    assert made is not None
    assert made.prefill == 13


# Cancelling, sleeping.


@pytest.mark.parametrize("steps", range(5))
def test_cancelling_at_any_time(steps: int) -> None:
    one = engine()
    one.submit(job("a", 10, 3), 0.0)
    one.submit(job("b", 10, 3), 0.0)
    for _ in range(steps):
        one.step(0.0)
    assert one.cancel("a") == (steps < 4)
    one.validate()
    assert not one.cancel("a")
    run(one)
    assert (one.running, one.waiting, one.pool.usage) == (0, 0, 0.0)


def test_cancelling_what_waits_for_its_cache() -> None:
    one = engine()
    one.submit(job("a", ready_at=9.0), 0.0)
    assert one.cancel("a")
    assert (one.waiting, one.next_ready()) == (0, None)
    assert one.step(10.0) is None


def test_an_ended_job_is_not_mistaken_for_a_new_one_of_its_name() -> None:
    one = engine()
    one.submit(job("a", output=1), 0.0)
    step(one)
    assert one.cancel("a")
    one.submit(job("a", output=2), 1.0)
    assert run(one, 1.0)["a"].generated == 2


def test_what_is_left_of_the_cancelled_is_bounded() -> None:
    one = engine()
    one.sleep()
    for number in range(2000):
        one.submit(job(f"j{number}", ready_at=float(number % 2) * 100), 0.0)
        one.cancel(f"j{number}")
    assert len(one._waiting) + len(one._deferred) <= 64


def test_sleep() -> None:
    one = engine(record=True)
    one.submit(job("a", text(10), 5), 0.0)
    step(one)
    one.sleep()
    assert (one.running, one.waiting, one.pool.usage, one.pool.known) == (0, 1, 0.0, 0)
    assert one.step(5.0) is None
    one.wake()
    made = step(one, 9.0)
    assert made.prefill == 11  # the prompt and what was said of the answer
    assert blocks.Cleared() in made.events
    assert run(one, made.end)["a"].generated == 5


# Against formulas.


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 100), st.integers(1, 20)), min_size=1, max_size=12))
def test_one_at_a_time_is_a_queue_with_one_server(requests: list[tuple[float, int, int]]) -> None:
    """Each begins when it has come and the one before has gone, and takes what its own steps take."""
    one = engine(max_num_seqs=1, max_num_batched_tokens=200, prefix_caching=False)
    arrivals = sorted(requests)
    expected: dict[str, float] = {}
    free = 0.0
    for number, (at, prompt, output) in enumerate(arrivals):
        prefill = TIMING.step + TIMING.request + TIMING.prefill_token * prompt
        context = sum(range(prompt, prompt + output - 1))
        decode = (output - 1) * (TIMING.step + TIMING.decode_sequence) + TIMING.decode_kv_token * context
        free = max(at, free) + prefill + decode
        expected[f"{number}"] = free
    now, waiting = 0.0, list(enumerate(arrivals))
    ends: dict[str, float] = {}
    while waiting or one.running or one.waiting:
        while waiting and waiting[0][1][0] <= now:
            number, (at, prompt, output) = waiting.pop(0)
            one.submit(job(f"{number}", prompt, output), at)
        made = one.step(now)
        if made is None:
            now = waiting[0][1][0] if waiting else now
            continue
        now = made.end
        ends |= {each.job.id: each.finish.finished for each in made.outputs if each.finish}
    assert ends == pytest.approx(expected)


@given(st.lists(st.integers(1, 150), min_size=1, max_size=10), st.integers(4, 150))
def test_every_token_of_a_prompt_is_computed_once(prompts: list[int], budget: int) -> None:
    """However prompts are cut: without a cache and with room for all, each token once, and never more than the budget in a step."""
    one = engine(max_num_batched_tokens=budget, prefix_caching=False, blocks=1000)
    for number, prompt in enumerate(prompts):
        one.submit(job(f"{number}", prompt, 2), 0.0)
    prefill = decode = 0
    while (made := one.step(0.0)) is not None:
        assert 0 < made.prefill + made.decode <= budget
        prefill, decode = prefill + made.prefill, decode + made.decode
    assert (prefill, decode) == (sum(prompts), len(prompts))


@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.integers(16, 40))
def test_whoever_came_first_says_its_first_word_first(prompts: list[int], blocks_: int) -> None:
    one = engine(max_num_batched_tokens=32, blocks=blocks_, prefix_caching=False)
    for number, prompt in enumerate(prompts):
        one.submit(job(f"{number}", min(prompt, blocks_ * 4 - 5), 5), 0.0)
    ends = run(one)
    firsts = [ends[f"{number}"].first_token for number in range(len(prompts))]
    assert firsts == sorted(firsts)


class SchedulerMachine(RuleBasedStateMachine):
    """Requests of all kinds over few blocks: nothing is lost, everything ends, and every answer is as long as asked."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = engine(record=True, blocks=14, max_num_batched_tokens=12, max_model_len=40, policy="priority")
        self.now = 0.0
        self.numbers = itertools.count()
        self.open: dict[str, int] = {}
        self.spoken: dict[str, int] = {}

    @rule(
        prompt=st.integers(1, 25),
        output=st.integers(1, 15),
        content=st.integers(0, 2),
        adapter=st.sampled_from(["", "", "x", "y", "z"]),
        priority=st.integers(0, 2),
        remote=st.integers(0, 30),
        delay=st.sampled_from([0.0, 0.0, 3.0]),
    )
    def submit(
        self, *, prompt: int, output: int, content: int, adapter: str, priority: int, remote: int, delay: float
    ) -> None:
        name = f"j{next(self.numbers)}"
        made = work.Job(name, text(prompt, content), speech.say(0, output), adapter, priority, remote, self.now + delay)
        self.engine.submit(made, self.now)
        self.open[name] = output
        self.spoken[name] = 0

    @rule()
    def step(self) -> None:
        made = self.engine.step(self.now)
        if made is None:
            ready = self.engine.next_ready()
            assert ready is not None or not self.open or self.engine.asleep
            self.now = max(self.now, ready or 0.0)
            return
        assert made.start == self.now
        assert made.duration > 0
        self.now = made.end
        for output in made.outputs:
            name = output.job.id
            self.spoken[name] += 1
            assert output.first == (self.spoken[name] == 1)
            assert (output.finish is not None) == (self.spoken[name] == self.open[name])
            if output.finish:
                assert output.finish.generated == self.open.pop(name)
                assert output.finish.cached + output.finish.remote < output.finish.prompt
                assert output.finish.arrived <= output.finish.scheduled < output.finish.finished

    @precondition(lambda self: self.open)
    @rule(place=st.integers(0, 100))
    def cancel(self, place: int) -> None:
        name = sorted(self.open)[place % len(self.open)]
        assert self.engine.cancel(name)
        del self.open[name]

    @rule()
    def sleep(self) -> None:
        self.engine.sleep()

    @rule()
    def wake(self) -> None:
        self.engine.wake()

    @invariant()
    def adds_up(self) -> None:
        self.engine.validate()

    def teardown(self) -> None:
        self.engine.wake()
        for _ in range(2000):
            self.step()
            if not self.open:
                break
        assert not self.open
        self.engine.step(self.now)
        assert (self.engine.running, self.engine.waiting, self.engine.pool.usage) == (0, 0, 0.0)


SchedulerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestScheduler = SchedulerMachine.TestCase
