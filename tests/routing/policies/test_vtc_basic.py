"""vtc-basic: users' counters, and where they lead."""

from __future__ import annotations

import collections
import dataclasses
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.names import environment
from brickyard.assembly import routing_policies
from brickyard.lib import settings
from brickyard.routing import capabilities, contract, errors, pipeline, registry, testing
from brickyard.routing.policies import least_request, vtc_basic
from brickyard.routing.policies.vtc_basic import usage

RULES = vtc_basic.VtcBasicParameters().rules


def asked(user: str, tokens: int = 100, name: str = "r") -> contract.Request:
    return dataclasses.replace(testing.request(), id=name, user=user, prompt_tokens=tokens)


class Users:
    """A ledger and what users do to it."""

    def __init__(self, rules: usage.Rules = RULES) -> None:
        self.ledger = usage.UsageLedger(rules)
        self.table = testing.snapshot(0)
        self.profile = contract.Profile("x", (), (), testing.FakePicker())
        self.now = 0.0

    def send(self, user: str, tokens: int = 100) -> contract.Decision:
        request = contract.Request("r", "demo", "/", user=user, prompt_tokens=tokens)
        made = contract.Decision(
            request, self.table.endpoints[0], self.profile, self.table, (0,), contract.UNJUDGED, {}, self.now, row=0
        )
        self.ledger.observe(contract.Chosen(made, self.now))
        return made

    def end(self, made: contract.Decision, prompt: int | None = None, output: int | None = None) -> None:
        told = contract.Usage(prompt, output) if prompt is not None or output is not None else None
        self.ledger.observe(contract.Finished(made, self.now, told))

    def used(self, user: str) -> usage.Used:
        return self.ledger.facts(asked(user), testing.snapshot(0), self.now)


class TestUsage:
    def test_nobody_used_anything(self) -> None:
        assert Users().used("u") == usage.Used(0.0, 1000.0, 8000.0)

    def test_the_estimate_is_charged_when_the_request_is_sent(self) -> None:
        users = Users()
        users.send("u", 101)
        assert users.used("u").own == 101 + 2 * 152  # 152: one and a half times 101, rounded up

    def test_what_the_engine_counted_puts_it_right(self) -> None:
        users = Users()
        made = users.send("u", 100)
        users.now = 30.0
        users.end(made, 90, 10)
        assert users.used("u").own == 90 + 2 * 10

    @pytest.mark.parametrize(("prompt", "output"), [(None, None), (5, None), (None, 5)])
    def test_an_engine_that_did_not_count_leaves_the_estimate(self, prompt: int | None, output: int | None) -> None:
        users = Users()
        users.end(users.send("u", 100), prompt, output)
        assert users.used("u").own == 400

    def test_an_answer_that_begins_says_nothing_of_its_length(self) -> None:
        users = Users()
        made = users.send("u", 100)
        users.ledger.observe(contract.Answered(made, 1.0))
        assert users.used("u").own == 400
        users.end(made, 90, 10)
        assert users.used("u").own == 110

    def test_a_window_of_milliseconds_moves_by_milliseconds(self) -> None:
        users = Users(vtc_basic.VtcBasicParameters(window_size=500, time_unit="milliseconds").rules)
        users.now = 10.0
        made = users.send("u", 100)
        users.now = 10.25
        users.send("u", 10)
        for now, tokens in ((10.4985, 440.0), (10.5015, 40.0), (10.7515, 0.0)):
            users.now = now
            assert users.used("u").own == tokens
        users.end(made, 1, 1)  # long gone
        assert users.used("u").own == 0.0

    def test_users_of_one_moment_are_not_forgotten_however_many_they_are(self) -> None:
        users = Users()
        for at in range(usage.USERS_KEPT + 2):
            users.send(f"u{at}", 2)
        assert [users.used(name).own for name in ("u0", "u1", f"u{usage.USERS_KEPT + 1}")] == [8.0] * 3
        users.now = 1.0
        users.send("later", 2)
        assert [users.used(name).own for name in ("u0", f"u{usage.USERS_KEPT + 1}", "later")] == [0.0, 0.0, 8.0]

    def test_the_window_is_five_minutes(self) -> None:
        users = Users()
        users.send("u", 100)
        users.now = 299.0
        assert users.used("u").own == 400
        users.now = 300.0
        assert users.used("u").own == 0.0

    def test_what_has_left_the_window_is_not_corrected(self) -> None:
        users = Users()
        made = users.send("u", 100)
        users.now = 400.0
        users.end(made, 1, 1)
        assert users.used("u").own == 0.0

    def test_the_ends_are_those_of_all_users(self) -> None:
        users = Users()
        for user, tokens in (("a", 100), ("b", 1000), ("c", 10)):
            users.send(user, tokens)
        assert (users.used("x").least, users.used("x").most) == (40.0, 4000.0)
        users.send("c", 2000)
        assert (users.used("x").least, users.used("x").most) == (400.0, 8040.0)

    def test_a_request_without_user_charges_nobody(self) -> None:
        users = Users()
        users.end(users.send("", 100), 5, 5)
        assert math.isnan(users.used("").own)
        assert users.used("u") == usage.Used(0.0, 1000.0, 8000.0)

    def test_negative_tokens_are_none(self) -> None:
        assert RULES.charge(-5, -5) == 0.0
        assert RULES.charge(-5, 5) == 10.0

    def test_old_time_goes_early_when_users_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(usage, "USERS_KEPT", 3)
        users = Users()
        for at in range(5):
            users.now = float(at)
            users.send(f"u{at}")
        assert [users.used(f"u{at}").own for at in range(5)] == [0.0, 0.0, 400.0, 400.0, 400.0]

    @given(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.integers(0, 900), st.floats(0, 120), st.integers(0, 3)), max_size=40
        )
    )
    def test_against_a_plain_model(self, steps: list[tuple[str, int, float, int]]) -> None:
        """Totals and ends are those of the charges within the window, whatever came in which order."""
        users = Users()
        charges: list[list[object]] = []
        under_way: list[tuple[contract.Decision, int]] = []
        for user, tokens, step, kind in steps:
            users.now += step
            if kind or not under_way:
                under_way.append((users.send(user, tokens), len(charges)))
                charges.append([user, math.floor(users.now), tokens + 2 * math.ceil(1.5 * tokens)])
            else:
                made, at = under_way.pop(0)
                users.end(made, tokens, tokens)
                if _inside(charges[at][1], users.now):
                    charges[at][2] = tokens + 2 * tokens
            totals: collections.Counter[str] = collections.Counter()
            for owner, when, amount in charges:
                if _inside(when, users.now) and isinstance(amount, int):
                    totals[str(owner)] += amount
            positive = [total for total in totals.values() if total]
            for name in "abc":
                found = users.used(name)
                assert found.own == pytest.approx(totals[name])
                if positive:
                    assert (found.least, found.most) == pytest.approx((min(positive), max(positive)))


def test_the_ends_of_totals_that_move_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made anew as often as not: always the least and the most, and never more kept than twice the users."""
    monkeypatch.setattr(usage, "STALE", 3)
    rng, totals = random.Random(4), dict[str, int]()
    ends = usage._Ends(totals)
    for _ in range(2000):
        name = rng.choice("abcdefgh")
        if rng.random() < 0.2 and len(totals) > 1:
            totals.pop(name, None)
        else:
            totals[name] = rng.randrange(1, 30)
            ends.moved(name, totals[name])
        assert ends.now() == (min(totals.values()), max(totals.values()))
        assert max(len(ends._low), len(ends._high)) <= 2 * 8 + 3


def _inside(when: object, now: float) -> bool:
    assert isinstance(when, int)
    return when >= math.floor(now - 300.0) + 1


PROFILE = registry.Registry([vtc_basic.POLICY]).profile(vtc_basic.NAME)


def choose(
    own: float, least: float, most: float, in_flight: tuple[int, ...], user: str = "u", name: str = "r"
) -> contract.Decision:
    table = dataclasses.replace(testing.snapshot(*in_flight), data={"vtc": usage.Used(own, least, most)})
    made = pipeline.route(asked(user, 100, name), table, PROFILE, 0.0, testing.Dice([0.999]))
    assert isinstance(made, contract.Decision)
    return made


@pytest.mark.parametrize(
    ("own", "most", "in_flight", "rows"),
    [
        (0.0, 8000.0, (0, 1, 2), {0}),
        (0.0, 8000.0, (7, 3, 0), {2}),  # the idlest comes first, wherever it stands
        (4000.0, 8000.0, (0, 1, 2), {1}),  # one bucket of 4000
        (8000.0, 8000.0, (0, 1, 2), {2}),
        (90000.0, 8000.0, (0, 1, 2), {2}),  # no place beyond the last
        (500.0, 20.0, (0, 1, 2), {0, 1}),  # a bucket has 1000 at least: half-way between two, noise decides
        (6000.0, 8000.0, (0, 1, 90), {1}),  # half-way between two, load decides
    ],
)
def test_places(own: float, most: float, in_flight: tuple[int, ...], rows: set[int]) -> None:
    assert {choose(own, 0.0, most, in_flight, name=str(at)).row for at in range(30)} == rows


def test_the_formula() -> None:
    made = choose(6000.0, 0.0, 8000.0, (10, 20, 300))
    assert made.measures[0] is not None
    for at, (found, in_flight) in enumerate(zip(made.measures[0], (10, 20, 300), strict=True)):
        exact = abs(at - 1.5) + min(in_flight / 100, 1.0)
        assert exact <= found < exact + vtc_basic.NOISE


def test_no_place_lies_beyond_the_last_candidate() -> None:
    made = choose(90_000.0, 0.0, 8000.0, (0, 1, 2))
    assert made.measures[0] is not None
    for at, found in enumerate(made.measures[0]):
        assert abs(at - 2) + at / 100 <= found < abs(at - 2) + at / 100 + vtc_basic.NOISE


def test_without_its_ledger_chance_decides() -> None:
    made = pipeline.route(asked("u"), testing.snapshot(9, 0), PROFILE, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert (made.totals, made.faults) == ([0.0, 0.0], ())
    assert str(made.measures[0]) == "[nan, nan]"


def test_the_same_request_is_decided_the_same_way_and_requests_differ() -> None:
    rows = {name: choose(2000.0, 0.0, 8000.0, (0, 0), name=name).row for name in map(str, range(40))}
    assert rows == {name: choose(2000.0, 0.0, 8000.0, (0, 0), name=name).row for name in rows}
    assert set(rows.values()) == {0, 1}


def test_without_a_user_anywhere() -> None:
    rng, table = (
        random.Random(3),
        dataclasses.replace(testing.snapshot(50, 0, 0), data={"vtc": usage.Used(math.nan, 1, 2)}),
    )
    counts = collections.Counter()  # type: ignore[var-annotated]  # of rows
    for _ in range(600):
        made = pipeline.route(asked(""), table, PROFILE, 0.0, rng)
        assert isinstance(made, contract.Decision)
        counts[made.row] += 1
    assert min(counts[row] for row in range(3)) > 140


def test_in_a_mix_a_request_without_user_goes_by_the_others() -> None:
    mixed = registry.Registry([vtc_basic.POLICY, least_request.POLICY]).profile("vtc-basic:9,least-request")
    table = dataclasses.replace(testing.snapshot(5, 0, 3), data={"vtc": usage.Used(math.nan, 1, 2)})
    made = pipeline.route(asked(""), table, mixed, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.row == 1


def test_a_greedy_user_does_not_crowd_out_a_modest_one() -> None:
    there = testing.World([vtc_basic.POLICY], 4, random.Random(6))
    busy, idle = [there.send(asked("", 1, f"b{at}")) for at in range(12)], asked("modest", 10, "m")
    for at in range(30):
        there.end(there.send(asked("greedy", 1000, f"g{at}")), contract.Usage(1000, 500))
    there.end(there.send(idle), contract.Usage(10, 5))
    order = sorted(range(4), key=lambda row: there.in_flight[row])
    assert there.in_flight[there.choose(idle).row] == there.in_flight[order[0]]
    assert there.in_flight[there.choose(asked("greedy", 1000, "g")).row] >= there.in_flight[order[1]]
    assert len(busy) == 12


def test_users_that_use_as_much_spread_over_all() -> None:
    """Each at one bucket: with the same order for all they would stand before one endpoint."""
    table = dataclasses.replace(testing.snapshot(*[0] * 6), data={"vtc": usage.Used(4000.0, 0.0, 8000.0)})
    counts: collections.Counter[int] = collections.Counter()
    for at in range(600):
        made = pipeline.route(asked(f"u{at}"), table, PROFILE, 0.0, testing.Dice())
        assert isinstance(made, contract.Decision)
        counts[made.row] += 1
    assert min(counts[row] for row in range(6)) > 60


def test_words() -> None:
    scorer = PROFILE.scorers[0][0]
    assert isinstance(scorer, capabilities.Describes)
    told = dataclasses.replace(testing.snapshot(2), data={"vtc": usage.Used(6000.0, 0.0, 8000.0)})
    assert scorer.describe(told, 0) == "user at 1.5 buckets of 4000 tokens, 2 requests in flight"
    assert scorer.describe(testing.snapshot(2), 0) == "no user, 2 requests in flight"
    nobody = dataclasses.replace(testing.snapshot(2), data={"vtc": usage.Used(math.nan, 0.0, 8000.0)})
    assert scorer.describe(nobody, 0) == "no user, 2 requests in flight"


def test_what_was_used_is_the_users_and_no_rows() -> None:
    facts = usage.Used(5.0, 1.0, 9.0)
    assert (facts.row(0), facts.age(testing.snapshot(0))) == ({}, 0.0)


class TestParameters:
    def test_variables(self) -> None:
        environ = {
            environment.VTC_WINDOW_SIZE: "7",
            environment.VTC_TIME_UNIT: "seconds",
            environment.VTC_MIN_TOKENS: "10",
            environment.VTC_OUTPUT_TOKEN_WEIGHT: "0",
        }
        read = settings.load(vtc_basic.VtcBasicParameters, environ)
        assert read.rules == usage.Rules(7.0, 1.0, 1.0, 0.0, 10.0, 8000.0)
        assert routing_policies.make("", environ).profile("vtc-basic").name == "vtc-basic"

    def test_the_originals_constants(self) -> None:
        given = vtc_basic.VtcBasicParameters()
        assert (given.min_tokens, given.max_tokens, given.max_pod_load) == (1000.0, 8000.0, 100.0)
        assert (given.input_token_weight, given.output_token_weight) == (1.0, 2.0)
        assert (given.fairness_weight, given.utilization_weight) == (1.0, 1.0)
        assert (given.rules.window, given.rules.slice) == (300.0, 1.0)
        assert (vtc_basic.NOISE, usage.OUTPUT_PER_INPUT) == (0.1, 1.5)

    def test_the_least_that_may_be(self) -> None:
        given = vtc_basic.VtcBasicParameters(window_size=1, min_tokens=0.5, max_pod_load=0.5)
        assert given.rules.window == 60.0

    def test_milliseconds_have_slices_of_their_own(self) -> None:
        rules = vtc_basic.VtcBasicParameters(time_unit="milliseconds", window_size=500).rules
        assert (rules.window, rules.slice) == (0.5, 0.001)

    @pytest.mark.parametrize(
        "given_parameters",
        [{"time_unit": "hours"}, {"window_size": 0}, {"min_tokens": 0}, {"max_pod_load": 0.0}],
    )
    def test_out_of_range(self, given_parameters: dict[str, object]) -> None:
        with pytest.raises(errors.BadParameterError):
            registry.Registry([vtc_basic.POLICY], {"vtc-basic": given_parameters})
