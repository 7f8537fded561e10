"""prefix-cache-preble: exploit or explore, and what exploring goes by."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.names import environment
from brickyard.assembly import routing_policies
from brickyard.routing import capabilities, contract, errors, pipeline, registry, testing
from brickyard.routing.ledgers import prefixes
from brickyard.routing.policies import least_request, prefix_cache_preble
from brickyard.routing.policies.prefix_cache_preble import window

REGISTRY = registry.Registry([prefix_cache_preble.POLICY, least_request.POLICY])


def table(
    in_flight: Sequence[int], blocks: Sequence[int], requests: Sequence[int], costs: Sequence[float], total: int = 10
) -> contract.EndpointSnapshot:
    data: dict[str, contract.Facts] = {
        prefixes.NAME: prefixes.Matches(blocks, total, 1),
        "preble": window.Window(requests, costs),
    }
    return dataclasses.replace(testing.snapshot(*in_flight), data=data)


def choose(snapshot: contract.EndpointSnapshot, strategy: str = "prefix-cache-preble", roll: float = 0.0) -> int:
    made = pipeline.route(testing.request(), snapshot, REGISTRY.profile(strategy), 0.0, testing.Dice([roll]))
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    return made.row


@pytest.mark.parametrize(
    ("in_flight", "blocks", "requests", "costs", "row"),
    [
        ((0, 0, 0), (6, 0, 0), (9, 0, 0), (9.0, 0.0, 0.0), 0),  # more than half is cached: exploited
        ((0, 0, 0), (5, 0, 0), (9, 0, 0), (9.0, 0.0, 1.0), 1),  # just half is not
        ((0, 0, 0), (8, 6, 8), (9, 0, 3), (9.0, 0.0, 5.0), 2),  # of the longest, the one with fewest requests
        ((0, 0, 0), (0, 0, 0), (0, 0, 0), (3.0, 2.0, 1.0), 2),  # explored by cost
        ((9, 0, 0), (8, 0, 0), (0, 0, 0), (0.0, 3.0, 2.0), 2),  # uneven: only the idlest, and they hold nothing
        ((9, 0, 0), (8, 7, 0), (0, 5, 0), (0.0, 3.0, 2.0), 1),  # uneven: of the idlest, who holds some
        ((8, 0, 0), (8, 0, 0), (0, 0, 0), (0.0, 3.0, 2.0), 0),  # 8 more is still even
        ((16, 8, 9), (8, 0, 0), (0, 0, 0), (0.0, 3.0, 2.0), 0),  # more than the idlest, not more than none
    ],
)
def test_rows(
    in_flight: Sequence[int], blocks: Sequence[int], requests: Sequence[int], costs: Sequence[float], row: int
) -> None:
    assert choose(table(in_flight, blocks, requests, costs)) == row


def test_without_an_index_it_explores() -> None:
    full = table((0, 0), (9, 0), (0, 0), (2.0, 1.0))
    assert choose(dataclasses.replace(full, data={"preble": full.data["preble"]})) == 1


def test_no_imbalance_at_all_may_be_asked_for() -> None:
    strict = registry.Registry([prefix_cache_preble.POLICY], {"prefix-cache-preble": {"imbalance": 0}})
    for in_flight, row in (((1, 1), 0), ((2, 1), 1)):
        there = table(in_flight, (9, 0), (0, 0), (0.0, 5.0))
        made = pipeline.route(testing.request(), there, strict.profile("prefix-cache-preble"), 0.0, testing.Dice())
        assert isinstance(made, contract.Decision)
        assert made.row == row


def test_an_empty_prompt_explores() -> None:
    assert choose(table((0, 0), (0, 0), (0, 0), (2.0, 1.0), total=0)) == 1


def test_the_other_name() -> None:
    assert REGISTRY.profile("prefix-cache-and-load") is REGISTRY.profile("prefix-cache-preble")


def test_in_a_mix_there_is_no_guard() -> None:
    uneven = table((9, 0, 0), (8, 0, 0), (0, 0, 0), (0.0, 3.0, 2.0))
    assert choose(uneven) == 2
    assert choose(uneven, "prefix-cache-preble:9,least-request") == 0


@pytest.mark.parametrize("drop", [("preble",), ("preble", prefixes.NAME)])
def test_without_its_inputs_chance_decides(drop: tuple[str, ...]) -> None:
    full = table((0, 0), (9, 0), (0, 0), (0.0, 0.0))
    poor = dataclasses.replace(full, data={name: each for name, each in full.data.items() if name not in drop})
    assert {choose(poor, roll=roll) for roll in (0.1, 0.9)} == {0, 1}
    made = pipeline.route(testing.request(), poor, REGISTRY.profile("prefix-cache-preble"), 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert str(made.measures[0]) == "[nan, nan]"


class TestTimes:
    """The tables of two devices, in seconds."""

    @pytest.mark.parametrize(
        ("device", "own", "context", "requests", "milliseconds"),
        [
            (window.A6000, 100, 100, 0, 22 + 0.32),
            (window.V100, 100, 100, 0, 55 + 0.80),
            (window.A6000, 191, 191, 0, 22 + 0.32),
            (window.A6000, 192, 192, 0, -118 + 1.25 * 192 - 2.56e-3 * 192**2 + 0.32),
            (window.V100, 383, 383, 0, -295 + 3.125 * 383 - 6.4e-3 * 383**2 + 0.80),
            (window.A6000, 384, 384, 0, 0.10842571 * 384 + 4.209777054806409 + 0.32),
            (window.V100, 384, 1024, 0, 0.27106428 * 384 + 10.52444263 + 0.80),
            (window.A6000, 384, 1025, 0, 0.10842571 * 384 + 4.209777054806409 + 1.86e-4 * 1025 + 0.159),
            (
                window.V100, 4096, 4096, 0,
                0.27106428 * 4096 + 10.52444263 + 4.65e-4 * 4096 + 0.398 - 18.425 + 9.65e-3 * 4096 + 5.4e-6 * 4096**2,
            ),
            (window.A6000, 100, 100, 1, 22 + 0.16),  # little kept per request: attention is halved
            (window.A6000, 2000, 2000, 1, 0.10842571 * 2000 + 4.209777054806409 + 1.86e-4 * 2000 + 0.159),
            (window.A6000, 0, 100, 1, 22 + 0.16),
            (
                window.A6000, 4096, 4096, 0,
                0.10842571 * 4096 + 4.209777054806409 + 1.86e-4 * 4096 + 0.159 - 7.37 + 3.86e-3 * 4096 + 2.16e-6 * 4096**2,
            ),
        ],
    )  # fmt: skip
    def test_prefill(self, device: window.Device, own: int, context: int, requests: int, milliseconds: float) -> None:
        assert device.prefill(own, context, requests) == pytest.approx(milliseconds / 1000 / 0.9)

    @pytest.mark.parametrize(
        ("own", "context", "requests", "halved"),
        [
            (1024, 1024, 1, True),
            (1025, 1025, 1, False),
            (100, 3000, 1, True),  # what is new counts, and not what it follows
            (0, 3000, 1, False),  # unless nothing is new
            (0, 1024, 1, True),
            (2000, 2000, 4, True),  # 500 for each
            (2000, 2000, 0, False),  # nobody asked
            (131_072, 131_072, 128, True),  # as many as there is room for: 32 * 256 * 2048
            (130_055, 130_055, 129, True),
            (130_056, 130_056, 129, False),
        ],
    )
    def test_attention_is_halved_where_little_is_kept(
        self, own: int, context: int, requests: int, halved: bool
    ) -> None:
        """What differs between devices that are otherwise alike, one of which has no attention to pay."""
        device = window.A6000
        free = dataclasses.replace(device, attention_short=0.0, attention_long=(0.0, 0.0))
        attention = 0.32 if context <= 1024 else 0.159 + 1.86e-4 * context
        found = device.prefill(own, context, requests) - free.prefill(own, context, requests)
        assert found * 1000 * 0.9 == pytest.approx(attention / 2 if halved else attention)


def world(rows: int = 2, **parameters: object) -> testing.World:
    return testing.World([prefix_cache_preble.POLICY], rows, random.Random(1), {"prefix-cache-preble": parameters})


def seen(there: testing.World) -> window.Window:
    found = there.choose(testing.request()).snapshot.data["preble"]
    assert isinstance(found, window.Window)
    return found


class TestWindow:
    PROMPT = testing.request(prompt=b"abcdefgh" * 100)  # 800 bytes, 200 tokens

    def test_a_new_prompt_costs_its_prefill_and_its_answer(self) -> None:
        there = world()
        made = there.send(self.PROMPT)
        once = window.V100.prefill(200, 200, 1)
        assert seen(there).requests[made.row] == 1
        assert seen(there).costs[made.row] == pytest.approx(once + 45 * 0.15)
        assert (seen(there).requests[1 - made.row], seen(there).costs[1 - made.row]) == (0, 0.0)

    def test_the_same_again_is_exploited_and_counts_twice(self) -> None:
        there = world()
        first, second = there.send(self.PROMPT), there.send(self.PROMPT)
        assert second.row == first.row
        assert seen(there).requests[first.row] == 2
        # All of it was new when it first came, so all of it counts as missed, as the rule has it.
        assert seen(there).costs[first.row] == pytest.approx(2 * window.V100.prefill(200, 200, 2) + 45 * 0.15)

    def test_a_longer_prompt_of_which_most_is_known_costs_little(self) -> None:
        there = world()
        first = there.send(self.PROMPT)
        longer = there.send(testing.request(prompt=self.PROMPT.prompt + b"ijklmnop" * 20))
        assert longer.row == first.row
        own, context = 40, 240
        missed = 1 - (context - own) / context
        expected = window.V100.prefill(200, 200, 1) + missed * window.V100.prefill(own, context, 1) + 2 * 45 * 0.15
        assert seen(there).costs[first.row] == pytest.approx(expected)

    def test_prompts_are_computed_one_at_a_time(self) -> None:
        """Attention is halved for short contexts alone, however often they come."""
        there = world()
        long = testing.request(prompt=b"abcdefgh" * 1000)  # 2000 tokens: too long to be halved
        first = there.send(long)
        for _ in range(3):
            there.send(long)
        assert seen(there).costs[first.row] == pytest.approx(4 * window.V100.prefill(2000, 2000, 1) + 45 * 0.15)

    def test_a_prompt_that_keeps_coming_forgets_endpoints_that_left(self) -> None:
        there = world(2)
        for generation in range(20):
            there.endpoints = tuple(testing.endpoint(f"g{generation}-{row}") for row in range(2))
            there.now += 1
            there.end(there.send(self.PROMPT))
        ledger = there.router._ledgers["preble"]
        assert isinstance(ledger, window.WindowLedger)
        assert set(ledger._requests) == set(ledger._costs) <= {"default/g19-0:8000", "default/g19-1:8000"}
        assert sum(ledger._requests.values()) == 20
        there.now += 181
        assert seen(there) == window.Window([0, 0], [0.0, 0.0])

    def test_after_three_minutes_it_is_forgotten(self) -> None:
        there = world()
        made = there.send(self.PROMPT)
        there.now = 179.0
        assert seen(there).requests[made.row] == 1
        there.now = 180.0
        assert (list(seen(there).requests), list(seen(there).costs)) == ([0, 0], [0.0, 0.0])

    def test_parameters_reach_it(self) -> None:
        there = world(target_gpu="a6000", decoding_length=0, sliding_window_period=1)
        made = there.send(self.PROMPT)
        assert seen(there).costs[made.row] == pytest.approx(window.A6000.prefill(200, 200, 1))
        there.now = 60.0
        assert list(seen(there).requests) == [0, 0]

    def test_new_prompts_spread(self) -> None:
        there = world(3)
        for at in range(30):
            made = there.send(testing.request(prompt=b"%4d" % at * 100))
            there.end(made)
        assert max(seen(there).requests) - min(seen(there).requests) <= 1

    def test_a_prompt_without_a_full_block_leaves_no_trace(self) -> None:
        there = world()
        there.end(there.send(testing.request(prompt=b"abc")))
        assert seen(there) == window.Window([0, 0], [0.0, 0.0])
        assert there.choose(testing.request()).faults == ()

    def test_one_that_left_and_came_back_has_what_nobody_asked_for_meanwhile(self) -> None:
        """Two prompts were its own; of the one that came again while it was away, it holds nothing any more."""
        ledger, both = window.WindowLedger(180.0, window.V100, 0), testing.snapshot(0, 0)
        profile = contract.Profile("x", (), (), testing.FakePicker())

        def send(tokens: int, leaf: int, table: contract.EndpointSnapshot) -> None:
            held = [0] * len(table.endpoints)
            there = dataclasses.replace(table, data={prefixes.NAME: prefixes.Matches(held, 8, leaf)})
            asked = dataclasses.replace(testing.request(), prompt_tokens=tokens)
            made = contract.Decision(asked, there.endpoints[0], profile, there, (0,), contract.UNJUDGED, {}, 0.0, row=0)
            ledger.observe(contract.Chosen(made, 0.0))

        send(200, 1, both)
        send(400, 2, both)
        send(200, 1, testing.snapshot(0, endpoints=both.endpoints[1:]))
        found = ledger.facts(testing.request(), both, 1.0)
        assert list(found.requests) == [1, 2]
        once = [window.V100.prefill(tokens, tokens, 1) for tokens in (400, 200)]
        assert list(found.costs) == pytest.approx([once[0], 2 * once[1]])

    def test_rows_tell_what_was_counted_and_it_is_never_old(self) -> None:
        facts = window.Window([3, 4], [0.5, 1.5])
        assert facts.row(1) == {"requests": 4, "cost_seconds": 1.5}
        assert facts.age(testing.snapshot(0, 0)) == 0.0

    def test_requests_of_other_strategies_leave_no_trace(self) -> None:
        ledger = window.WindowLedger(180.0, window.V100, 45)
        snapshot, profile = testing.snapshot(0), contract.Profile("x", (), (), testing.FakePicker())
        made = contract.Decision(
            self.PROMPT, snapshot.endpoints[0], profile, snapshot, (0,), contract.UNJUDGED, {}, 0.0, row=0
        )
        ledger.observe(contract.Chosen(made, 0.0))
        assert ledger.facts(self.PROMPT, snapshot, 0.0) == window.Window([0], [0.0])

    def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(window, "PROMPTS_KEPT", 5)
        there = world()
        for at in range(9):
            there.end(there.send(testing.request(prompt=b"%4d" % at * 9)))
        assert sum(seen(there).requests) == 5

    @given(
        st.lists(st.tuples(st.sampled_from([b"aaaa" * 9, b"bbbb" * 90, b"aaaa" * 20]), st.floats(0, 90)), max_size=25)
    )
    def test_everything_comes_back_to_zero(self, requests: list[tuple[bytes, float]]) -> None:
        there = world(3)
        for prompt, step in requests:
            there.now += step
            there.end(there.send(testing.request(prompt=prompt)))
            assert all(cost >= 0 for cost in seen(there).costs)
        there.now += 181
        assert (list(seen(there).requests), list(seen(there).costs)) == ([0] * 3, [0.0] * 3)


@dataclasses.dataclass
class Plain:
    """A prompt of the window as one would write it down: its requests, and who got one since it first came."""

    own: int
    context: int
    requests: list[tuple[float, int]] = dataclasses.field(default_factory=list)
    endpoints: set[str] = dataclasses.field(default_factory=set)

    def cost(self, decode: float) -> float:
        asked = sum(context for _, context in self.requests)
        cached = sum(max(0, context - self.own) for _, context in self.requests)
        missed = 1 - cached / asked if asked else 1.0
        return missed * len(self.requests) * window.V100.prefill(self.own, self.context, 1) + decode


SENT = st.lists(
    st.tuples(st.floats(0, 90), st.integers(1, 3), st.integers(0, 6000), st.integers(0, 2), st.integers(0, 8)),
    min_size=1,
    max_size=30,
)


@given(SENT, st.integers(0, 60))
def test_sums_that_are_kept_agree_with_sums_that_are_made(
    sent: list[tuple[float, int, int, int, int]], decoding: int
) -> None:
    """Steps of time, prompts, their tokens, endpoints and what those held: as if all was added up anew each time."""
    ledger, rows, now = window.WindowLedger(180.0, window.V100, decoding), testing.snapshot(0, 0, 0), 0.0
    plain: dict[int, Plain] = {}
    profile = contract.Profile("x", (), (), testing.FakePicker())
    for step, leaf, tokens, row, held in sent:
        now += step
        for known in list(plain):
            plain[known].requests = [each for each in plain[known].requests if each[0] > now - 180.0]
            if not plain[known].requests:
                del plain[known]
        asked = dataclasses.replace(testing.request(), prompt_tokens=tokens)
        there = dataclasses.replace(rows, data={prefixes.NAME: prefixes.Matches([held, 0, 0], 8, leaf)})
        made = contract.Decision(
            asked, there.endpoints[row], profile, there, (0, 1, 2), contract.UNJUDGED, {}, now, row=row
        )
        ledger.observe(contract.Chosen(made, now))
        each = plain.setdefault(leaf, Plain(tokens - int(tokens * held / 8), tokens))
        each.requests.append((now, tokens))
        each.endpoints.add(there.endpoints[row].key)
        found = ledger.facts(asked, rows, now)
        for at, endpoint in enumerate(rows.endpoints):
            mine = [known for known in plain.values() if endpoint.key in known.endpoints]
            assert found.requests[at] == sum(len(known.requests) for known in mine)
            assert found.costs[at] == pytest.approx(
                sum(known.cost(decoding * window.TIME_PER_TOKEN) for known in mine), rel=1e-6, abs=1e-6
            )


def test_words() -> None:
    scorer = REGISTRY.profile("prefix-cache-preble").scorers[0][0]
    assert isinstance(scorer, capabilities.Describes)
    assert scorer.describe(table((0,), (6,), (3,), (1.2,)), 0) == (
        "60 % of the prompt cached, 3 requests and 1.20 s of computing of late"
    )
    assert scorer.describe(testing.snapshot(0), 0) == "cached share unknown"


@pytest.mark.parametrize(
    "parameters", [{"decoding_length": -1}, {"imbalance": -1}, {"sliding_window_period": 0}, {"target_gpu": 3}]
)
def test_parameters_out_of_range(parameters: dict[str, object]) -> None:
    with pytest.raises(errors.BadParameterError):
        registry.Registry([prefix_cache_preble.POLICY], {"prefix-cache-preble": parameters})


def test_an_unknown_device_is_taken_for_a_v100() -> None:
    assert prefix_cache_preble.PrebleParameters(target_gpu="H100").device is window.V100


def test_variables() -> None:
    environ = {environment.PREBLE_TARGET_GPU: "A6000", environment.PREBLE_SLIDING_WINDOW_PERIOD: "5"}
    made = routing_policies.make("", environ).profile("prefix-cache-preble")
    ledger = made.inputs[1].make
    assert ledger is not None
    assert ledger.args == (300.0, window.A6000, 45)  # type: ignore[attr-defined]  # a partial
