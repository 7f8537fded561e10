"""The registry: names, mixes, and what stops the start."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from brickyard.routing import contract, errors, filters, pickers, registry, testing


@dataclasses.dataclass(frozen=True)
class Knobs:
    weight: float = 1.0


def policy(
    name: str,
    *scorers: tuple[contract.Scorer, float],
    own: Sequence[contract.Filter] = (),
    needs: Sequence[contract.Need] = (),
) -> contract.Policy:
    def build(parameters: contract.NoParameters) -> contract.Profile:
        return contract.Profile(name, tuple(own), scorers, pickers.Uniform())

    return contract.Policy(name, contract.Stability.STABLE, "for tests", frozenset(needs), build)


def weighed(name: str) -> contract.Policy:
    def build(parameters: Knobs) -> contract.Profile:
        return contract.Profile(name, (), ((testing.FakeScorer(), parameters.weight),), pickers.Best())

    return contract.Policy(name, contract.Stability.ALPHA, "for tests", frozenset(), build, Knobs)


SCORED = (testing.FakeScorer(), 1.0)


class TestNames:
    def test_names_and_policies_are_sorted(self) -> None:
        made = registry.Registry([policy("b"), policy("a")])
        assert made.names() == ("a", "b")
        assert [each.name for each in made.policies()] == ["a", "b"]

    def test_a_name_finds_its_profile_behind_the_filters_of_all(self) -> None:
        own = testing.FakeFilter()
        found = registry.Registry([policy("a", own=[own])]).profile("a")
        assert found.name == "a"
        assert found.filters == (*filters.ALWAYS, own)
        assert isinstance(found.picker, pickers.Uniform)

    def test_an_unknown_name_lists_the_known_and_the_nearest(self) -> None:
        made = registry.Registry([policy("random"), policy("least-request")])
        with pytest.raises(errors.UnknownStrategyError) as caught:
            made.profile("least-requests")
        assert str(caught.value) == (
            "unknown routing strategy 'least-requests': did you mean 'least-request'? known: least-request, random"
        )

    def test_needs_are_those_of_all_policies(self) -> None:
        made = registry.Registry(
            [policy("a", needs=[contract.Need.LOADS]), policy("b", needs=[contract.Need.LOADS, contract.Need.PROMPT])]
        )
        assert made.needs() == {contract.Need.LOADS, contract.Need.PROMPT}


@dataclasses.dataclass(frozen=True)
class Knowing:
    """A handler that is told which filters stand before it."""

    name: str = "knowing"
    told: tuple[contract.Filter, ...] = ()

    def step(self, request: contract.Request, snapshot: contract.EndpointSnapshot, done: object) -> None:
        return None

    def behind(self, before: tuple[contract.Filter, ...]) -> Knowing:
        return dataclasses.replace(self, told=before)


def test_a_handler_that_stands_behind_filters_is_told_of_all_of_them() -> None:
    """Those of every strategy, those of this gateway, its policy's own: in this order."""
    gateways, own = testing.FakeFilter(name="gateway's"), testing.FakeFilter(name="own")

    def build(parameters: contract.NoParameters) -> contract.Profile:
        return contract.Profile("a", (own,), (), pickers.Best(), handler=Knowing())

    planned = contract.Policy("a", contract.Stability.ALPHA, "", frozenset(), build)
    found = registry.Registry([planned], before=(gateways,)).profile("a")
    assert found.filters == (*filters.ALWAYS, gateways, own)
    assert isinstance(found.handler, Knowing)
    assert found.handler.told == found.filters


class TestMixes:
    def test_scorers_are_joined_by_weight_and_the_best_wins(self) -> None:
        one, two = (testing.FakeScorer(name="one"), 1.0), (testing.FakeScorer(name="two"), 1.0)
        mixed = registry.Registry([policy("a", one), policy("b", two)]).profile("a:3,b")
        assert [(scorer.name, weight) for scorer, weight in mixed.scorers] == [("one", 3.0), ("two", 1.0)]
        assert isinstance(mixed.picker, pickers.Best)
        assert mixed.name == "a:3,b:1"

    def test_scorers_of_one_policy_share_its_weight(self) -> None:
        pair = [(testing.FakeScorer(name="x"), 1.0), (testing.FakeScorer(name="y"), 3.0)]
        mixed = registry.Registry([policy("a", *pair), policy("b", SCORED)]).profile("a:4,b:1")
        assert [weight for _, weight in mixed.scorers] == [1.0, 3.0, 1.0]

    def test_filters_are_joined_and_none_runs_twice(self) -> None:
        left, right = testing.FakeFilter(name="left"), testing.FakeFilter(name="right")
        made = registry.Registry([policy("a", SCORED, own=[left]), policy("b", SCORED, own=[right])])
        assert made.profile("a,b").filters == (*filters.ALWAYS, left, right)

    def test_a_weight_on_a_single_name_is_the_policy_itself(self) -> None:
        made = registry.Registry([policy("a"), policy("b")])
        assert made.profile("a:7") is made.profile("a")
        assert made.profile("a,b:0") is made.profile("a")

    def test_a_policy_without_scores_cannot_be_mixed(self) -> None:
        made = registry.Registry([policy("random"), policy("a", SCORED), policy("b", SCORED)])
        with pytest.raises(errors.BadStrategyError, match=r"'random' gives no scores .* these can: a, b$"):
            made.profile("random,a")

    def test_an_unknown_part_is_named(self) -> None:
        with pytest.raises(errors.UnknownStrategyError, match="'c'"):
            registry.Registry([policy("a", SCORED)]).profile("a,c")

    def test_a_mix_is_built_once(self) -> None:
        made = registry.Registry([policy("a", SCORED), policy("b", SCORED)])
        assert made.profile("a:2,b") is made.profile("a:2,b")

    def test_one_mix_does_not_push_out_another(self) -> None:
        made = registry.Registry([policy("a", SCORED), policy("b", SCORED)])
        first, second = made.profile("a:2,b"), made.profile("a:3,b")
        assert (made.profile("a:2,b"), made.profile("a:3,b")) == (first, second)
        assert made.profile("a:2,b") is first
        assert made.profile("a:3,b") is second

    def test_no_client_can_fill_the_memory_with_mixes(self) -> None:
        made = registry.Registry([policy("a", SCORED), policy("b", SCORED)])
        first = made.profile("a:1,b")
        for weight in range(2, registry.MIXES_KEPT + 2):
            made.profile(f"a:{weight},b")
        assert made.profile("a:1,b") is not first

    def test_a_bad_mix_is_refused_each_time(self) -> None:
        made = registry.Registry([policy("a", SCORED)])
        for _ in range(2):
            with pytest.raises(errors.BadStrategyError):
                made.profile("a:x")


class TestStart:
    def test_parameters_reach_the_factory(self) -> None:
        made = registry.Registry([weighed("a")], {"a": {"weight": 2.5}})
        assert made.profile("a").scorers[0][1] == 2.5

    def test_parameters_for_nobody(self) -> None:
        with pytest.raises(errors.PolicyError, match=r"'rendom', which does not exist: did you mean 'random'\?"):
            registry.Registry([policy("random")], {"rendom": {}})

    def test_a_misspelt_parameter(self) -> None:
        with pytest.raises(errors.UnknownParameterError, match=r"did you mean 'weight'\?"):
            registry.Registry([weighed("a")], {"a": {"wieght": 1}})

    def test_two_of_one_name(self) -> None:
        with pytest.raises(errors.PolicyError, match="two policies are called 'a'"):
            registry.Registry([policy("a"), policy("a")])

    @pytest.mark.parametrize("name", ["", "A", "a b", "a:1", "a,b", "-a", "a-", "ä"])
    def test_a_name_that_no_header_could_carry(self, name: str) -> None:
        with pytest.raises(errors.PolicyError, match="does not fit a header"):
            registry.Registry([policy(name)])

    @pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
    def test_a_weight_that_is_none(self, weight: float) -> None:
        with pytest.raises(errors.PolicyError, match="weights are above 0"):
            registry.Registry([policy("a", (testing.FakeScorer(), weight))])

    def test_all_of_these_end_the_process_with_2(self) -> None:
        assert errors.PolicyError("x").exit_code == errors.UnknownParameterError("x").exit_code == 2


class TestAliases:
    def test_another_name_for_the_same(self) -> None:
        old = dataclasses.replace(policy("new", SCORED), aliases=("old", "older"))
        made = registry.Registry([old, policy("b", SCORED)])
        assert made.profile("old") is made.profile("new") is made.profile("older")
        assert made.names() == ("b", "new")
        assert made.profile("old:2,b").name == "old:2,b:1"

    @pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")], ids=["its own name", "another's"])
    def test_a_name_stands_for_one_policy(self, first: str, second: str) -> None:
        one = dataclasses.replace(policy(first), aliases=("a",))
        with pytest.raises(errors.PolicyError, match="two policies are called 'a'"):
            registry.Registry([one, policy(second)])

    def test_one_that_no_header_could_carry(self) -> None:
        with pytest.raises(errors.PolicyError, match="does not fit a header"):
            registry.Registry([dataclasses.replace(policy("a"), aliases=("A b",))])

    def test_the_nearest_name_may_be_an_alias(self) -> None:
        made = registry.Registry([dataclasses.replace(policy("a"), aliases=("prefix-cache-and-load",))])
        with pytest.raises(errors.UnknownStrategyError, match="did you mean 'prefix-cache-and-load'"):
            made.profile("prefix-cache-or-load")


class TestWhatMixesTake:
    def test_the_first_that_takes_over_is_used_alone(self) -> None:
        lone, other = dataclasses.replace(policy("x"), alone=True), dataclasses.replace(policy("y"), alone=True)
        made = registry.Registry([lone, other, policy("b", SCORED)])
        assert made.profile("b,x:3,y") is made.profile("x")
        assert made.profile("y,b") is made.profile("y")

    def test_one_that_counts_for_nothing_takes_over_nothing(self) -> None:
        made = registry.Registry([dataclasses.replace(policy("x"), alone=True), policy("b", SCORED)])
        assert made.profile("x:0,b").name == "b"

    def test_what_a_policy_gives_to_mixes_may_differ_from_what_it_does_alone(self) -> None:
        other = testing.FakeScorer(name="for mixes")

        def build(parameters: contract.NoParameters) -> contract.Profile:
            return contract.Profile("a", (), (SCORED,), pickers.Best(), blend=((other, 2.0),))

        blended = contract.Policy("a", contract.Stability.ALPHA, "for tests", frozenset(), build)
        made = registry.Registry([blended, policy("b", SCORED)])
        assert made.profile("a").scorers == (SCORED,)
        assert made.profile("a:3,b").scorers == ((other, 3.0), SCORED)

    def test_weights_of_the_blend_are_checked_too(self) -> None:
        def build(parameters: contract.NoParameters) -> contract.Profile:
            return contract.Profile("a", (), (SCORED,), pickers.Best(), blend=((testing.FakeScorer(), 0.0),))

        with pytest.raises(errors.PolicyError, match="weights are above 0"):
            registry.Registry([contract.Policy("a", contract.Stability.ALPHA, "", frozenset(), build)])


class TestNeeds:
    MADE = registry.Registry(
        [
            dataclasses.replace(policy("a", SCORED, needs=[contract.Need.LOADS]), aliases=("old",)),
            policy("b", SCORED, needs=[contract.Need.USER]),
        ]
    )

    @pytest.mark.parametrize(
        ("text", "needs"),
        [
            ("a", {contract.Need.LOADS}),
            ("old", {contract.Need.LOADS}),
            ("a:2,b", {contract.Need.LOADS, contract.Need.USER}),
            ("b", {contract.Need.USER}),
            ("nobody", set()),
            ("a:x", set()),
        ],
    )
    def test_of_one_strategy(self, text: str, needs: set[contract.Need]) -> None:
        assert self.MADE.needs_of(text) == needs

    def test_of_all(self) -> None:
        assert self.MADE.needs() == {contract.Need.LOADS, contract.Need.USER}
