"""The door to routing: strategies by precedence, inputs read, ledgers told."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping

import pytest

from brickyard.assembly import routing_policies
from brickyard.routing import contract, errors, explain, modelconfig, pickers, registry, router, scorers, testing
from brickyard.routing.policies import least_request, session_affinity
from brickyard.routing.policies import random as random_policy


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Facts: a number per row."""

    of_row: tuple[float, ...]
    old: float = 3.0

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return self.old

    def row(self, row: int) -> Mapping[str, object]:
        return {"number": self.of_row[row]}


class NumberLedger:
    """Says the rows' places, and keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[contract.Event] = []
        self.asked = 0

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Numbers:
        self.asked += 1
        return Numbers(tuple(float(row) for row in range(len(snapshot.endpoints))))

    def observe(self, event: contract.Event) -> None:
        self.events.append(event)


class BrokenLedger(NumberLedger):
    """Raises whatever it hears or is asked, once ``broken``."""

    broken = True

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Numbers:
        if self.broken:
            raise ZeroDivisionError("division by zero")
        return super().facts(request, snapshot, now)

    def observe(self, event: contract.Event) -> None:
        if self.broken:
            raise KeyError("p0")
        super().observe(event)


INPUT = contract.Input("numbers", Numbers, NumberLedger)
LONG = modelconfig.ConfigProfile("random", routing={"promptTokensGte": 0})


def policy(name: str, source: contract.Input[Numbers] = INPUT) -> contract.Policy:
    def build(parameters: contract.NoParameters) -> contract.Profile:
        def measure(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: object) -> list[float]:
            facts = source.of(snapshot)
            return [facts.of_row[row] if facts else scorers.UNKNOWN for row in range(len(snapshot.endpoints))]

        scorer = scorers.Ranking(name, measure, lambda snapshot, row: f"number {row}")
        return contract.Profile(name, (), ((scorer, 1.0),), pickers.Best(), inputs=(source,))

    return contract.Policy(name, contract.Stability.ALPHA, "for tests", frozenset({contract.Need.USER}), build)


def make(default: str = "least-request", **ledgers: contract.Ledger) -> router.Router:
    policies = registry.Registry([least_request.POLICY, random_policy.POLICY, policy("by-number"), policy("other")])
    return router.Router(policies, default, ledgers)


def decide(
    made: router.Router, strategy: str = "", config: modelconfig.ModelConfig | None = None, profile: str = ""
) -> contract.Decision | contract.NoDecision:
    asked = dataclasses.replace(testing.request(strategy), profile=profile)
    snapshot = dataclasses.replace(testing.snapshot(2, 1, 0), config=config)
    return made.choose(asked, snapshot, 7.0, testing.Dice())


def tell_both(first: contract.Ledger, second: contract.Ledger) -> None:
    """A whole request, of a mix that reads both."""
    other = policy("second", contract.Input("others", Numbers, NumberLedger))
    policies = registry.Registry([policy("by-number"), other])
    made = router.Router(policies, "by-number,second", {"numbers": first, "others": second})
    chosen = decide(made)
    assert isinstance(chosen, contract.Decision)
    ticket = made.begin(chosen, 1.0)
    ticket.answered(2.0)
    ticket.finished(3.0)


def name_of(made: contract.Decision | contract.NoDecision) -> str:
    assert isinstance(made, contract.Decision), made
    return made.profile.name


class TestStrategies:
    @pytest.mark.parametrize(
        ("strategy", "config", "profile", "name"),
        [
            ("", None, "", "least-request"),
            ("random", None, "", "random"),
            ("", modelconfig.of_label("random"), "", "random"),
            ("least-request", modelconfig.of_label("random"), "", "least-request"),
            ("random", modelconfig.ModelConfig(locked="by-number"), "", "by-number"),
            ("", modelconfig.ModelConfig(profiles={"x": modelconfig.ConfigProfile("random")}), "x", "random"),
        ],
    )
    def test_whose_wish_it_is(
        self, strategy: str, config: modelconfig.ModelConfig | None, profile: str, name: str
    ) -> None:
        assert name_of(decide(make(), strategy, config, profile)) == name

    def test_auto_by_the_prompt(self) -> None:
        long = modelconfig.ConfigProfile("random", routing={"promptTokensGte": 10})
        given = modelconfig.ModelConfig(profiles={"long": long})
        asked = dataclasses.replace(testing.request(prompt=b"x" * 37), profile="auto")
        assert make().resolve(asked, given).name == "long"
        assert make().resolve(dataclasses.replace(asked, prompt_tokens=9), given).name == ""

    def test_the_choice_tells_the_profile_and_its_limit(self) -> None:
        given = modelconfig.ModelConfig(profiles={"default": modelconfig.ConfigProfile("random", 5)})
        choice = make().resolve(testing.request(), given)
        assert (choice.name, choice.source) == ("default", "profile")
        assert choice.profile is not None
        assert choice.profile.requests_per_second == 5

    @pytest.mark.parametrize(
        ("config", "asked", "told"),
        [
            (None, "x", {}),
            (modelconfig.ModelConfig(locked="random"), "x", {}),  # a lock is no profile
            (modelconfig.ModelConfig(profiles={"x": modelconfig.ConfigProfile()}), "", {}),
            (modelconfig.ModelConfig(profiles={"x": modelconfig.ConfigProfile()}), "x", {"x-aibrix-config-profile": "x"}),
            (modelconfig.of_label("random"), "unheard-of", {"x-aibrix-config-profile": "default"}),
            (
                modelconfig.ModelConfig("", "a", {"a": modelconfig.ConfigProfile("random"), "long": LONG}),
                "auto",
                {"x-aibrix-config-profile": "long"},
            ),
        ],
    )  # fmt: skip
    def test_the_client_hears_which_profile_it_got(
        self, config: modelconfig.ModelConfig | None, asked: str, told: Mapping[str, str]
    ) -> None:
        made = decide(make(), "", config, asked)
        assert isinstance(made, contract.Decision)
        assert router.response_headers(made) == told
        assert explain.explain(made)["config_profile"] == told.get("x-aibrix-config-profile", "")

    def test_an_unknown_one_is_the_clients_fault_and_the_nearest_is_named(self) -> None:
        made = decide(make(), "randum")
        assert isinstance(made, contract.NoDecision)
        assert made.bad_request
        assert "did you mean 'random'?" in made.reason

    def test_an_unknown_default_stops_the_start(self) -> None:
        with pytest.raises(errors.PolicyError, match="default strategy: unknown") as caught:
            make("fastest")
        assert "ROUTING_ALGORITHM" in caught.value.hint

    def test_nobody_there(self) -> None:
        ledger = NumberLedger()
        made = make(numbers=ledger).choose(testing.request("by-number"), testing.snapshot(), 0.0, testing.Dice())
        assert isinstance(made, contract.NoDecision)
        assert not made.bad_request
        assert not made.saturated
        assert ledger.asked == 0

    @pytest.mark.parametrize("ledger", [NumberLedger(), BrokenLedger()])
    def test_nobody_there_for_a_request_with_a_profile(self, ledger: contract.Ledger) -> None:
        """Profiles and faults stand in decisions; where there is none, the reason is all that is told."""
        table = dataclasses.replace(testing.snapshot(0, 0), config=modelconfig.of_label("by-number"))
        asked = testing.request(excluded=["default/a:8000", "default/b:8000"])
        made = make(numbers=ledger).choose(asked, table, 0.0, testing.Dice())
        assert isinstance(made, contract.NoDecision)
        assert made.reason == "no endpoint of model 'demo' can take this request (2 already failed this request)"


class TestInputs:
    def test_the_policy_reads_them_and_the_decision_keeps_them(self) -> None:
        made = decide(make(), "by-number")
        assert isinstance(made, contract.Decision)
        assert made.endpoint.pod == "a"
        assert made.snapshot.data["numbers"] == Numbers((0.0, 1.0, 2.0))

    def test_only_what_the_strategy_reads_is_asked_for(self) -> None:
        ledger = NumberLedger()
        made = make(numbers=ledger)
        decide(made, "least-request")
        assert ledger.asked == 0
        decide(made, "by-number")
        decide(made, "by-number:2,least-request")
        assert ledger.asked == 2

    def test_a_strategy_that_reads_nothing_decides_on_the_very_table(self) -> None:
        table = testing.snapshot(2, 1, 0)
        assert make().choose(testing.request("random"), table, 0.0, testing.Dice()).snapshot is table

    def test_new_and_barred_rows_stay_what_they_are(self) -> None:
        """Facts are added to the table and nothing in it is lost."""
        config = modelconfig.of_label("by-number")
        table = dataclasses.replace(testing.snapshot(0, 0, 0, barred={1: "broken"}), young={0: 0.5}, config=config)
        for roll, row in ((0.4, 0), (0.6, 2)):
            made = make().choose(testing.request(), table, 7.0, testing.Dice([roll]))
            assert isinstance(made, contract.Decision)
            assert made.row == row
            assert dataclasses.replace(made.snapshot, data=table.data) == table
            assert made.snapshot.data.keys() == {"numbers"}

    def test_an_input_that_is_provided_is_not_made(self) -> None:
        def make_it() -> contract.Ledger:
            raise AssertionError

        provided = NumberLedger()
        policies = registry.Registry([policy("by-number", contract.Input("numbers", Numbers, make_it))])
        decide(router.Router(policies, "by-number", {"numbers": provided}))
        assert provided.asked == 1

    def test_two_policies_share_one_ledger(self) -> None:
        ledger = NumberLedger()
        decide(make(numbers=ledger), "by-number,other")
        assert ledger.asked == 1

    def test_one_that_nobody_can_make_stays_empty(self) -> None:
        lacking = contract.Input("lacking", Numbers)
        made = router.Router(registry.Registry([policy("by-number", lacking)]), "by-number")
        told = decide(made)
        assert isinstance(told, contract.Decision)
        assert lacking.of(told.snapshot) is None
        assert told.faults == ()

    def test_facts_of_another_kind_are_none(self) -> None:
        snapshot = dataclasses.replace(testing.snapshot(1), data={"numbers": "nonsense"})
        assert INPUT.of(snapshot) is None

    def test_one_name_for_two_kinds_stops_the_start(self) -> None:
        @dataclasses.dataclass(frozen=True)
        class Others(Numbers):
            """Facts of another kind."""

        policies = registry.Registry([policy("one"), policy("two", contract.Input("numbers", Others, NumberLedger))])
        with pytest.raises(errors.PolicyError, match="reads other facts as 'numbers'"):
            router.Router(policies, "one")


class TestBrokenLedgers:
    """They cost their own say: the request goes on, other ledgers hear of it, and explanations name them."""

    def test_facts_that_cannot_be_had_are_none(self) -> None:
        made = decide(make(numbers=BrokenLedger()), "by-number")
        assert isinstance(made, contract.Decision)
        assert made.faults == ("input numbers raised ZeroDivisionError: division by zero; it was ignored",)
        assert made.snapshot.data == {}
        assert made.totals == [0.0, 0.0, 0.0]

    def test_what_it_cannot_hear_the_others_do(self) -> None:
        broken, sound = BrokenLedger(), NumberLedger()
        tell_both(broken, sound)
        assert len(sound.events) == 3

    def test_later_decisions_say_that_it_missed_something(self) -> None:
        broken = BrokenLedger()
        made = make("by-number", numbers=broken)
        chosen = decide(made)
        assert isinstance(chosen, contract.Decision)
        made.begin(chosen, 1.0).finished(2.0)
        broken.broken = False
        later, plain = decide(made), decide(made, "least-request")
        assert isinstance(later, contract.Decision)
        assert isinstance(plain, contract.Decision)
        assert later.endpoint.pod == "a"
        assert later.faults == (
            "input numbers raised KeyError: 'p0' when told of a request; what it says may be wrong",
        )
        assert plain.faults == ()


class TestTickets:
    def test_course_of_a_request(self) -> None:
        ledger = NumberLedger()
        made = make("by-number", numbers=ledger)
        chosen = decide(made)
        assert isinstance(chosen, contract.Decision)
        ticket = made.begin(chosen, 1.0)
        ticket.answered(2.0)
        ticket.finished(3.0, contract.Usage(5, 6))
        assert ledger.events == [
            contract.Chosen(chosen, 1.0),
            contract.Answered(chosen, 2.0),
            contract.Finished(chosen, 3.0, contract.Usage(5, 6)),
        ]

    def test_whatever_is_said_twice_or_too_late_is_heard_once(self) -> None:
        ledger = NumberLedger()
        made = make("by-number", numbers=ledger)
        chosen = decide(made)
        assert isinstance(chosen, contract.Decision)
        ticket = made.begin(chosen, 1.0)
        ticket.answered(2.0)
        ticket.answered(2.5)
        ticket.finished(3.0)
        ticket.finished(4.0)
        ticket.answered(5.0)
        assert [type(event) for event in ledger.events] == [contract.Chosen, contract.Answered, contract.Finished]

    def test_an_answer_after_the_end_is_not_heard(self) -> None:
        ledger = NumberLedger()
        made = make("by-number", numbers=ledger)
        chosen = decide(made)
        assert isinstance(chosen, contract.Decision)
        ticket = made.begin(chosen, 1.0)
        ticket.finished(2.0)
        ticket.answered(3.0)
        assert ledger.events == [contract.Chosen(chosen, 1.0), contract.Finished(chosen, 2.0)]

    def test_one_that_does_not_care_for_answers_is_spared_them(self) -> None:
        class Deaf(NumberLedger):
            """Wants to know who was chosen and that it is over."""

            hears_answers = False

        deaf, keen = Deaf(), NumberLedger()
        tell_both(deaf, keen)
        assert [type(event) for event in deaf.events] == [contract.Chosen, contract.Finished]
        assert [type(event) for event in keen.events] == [contract.Chosen, contract.Answered, contract.Finished]

    def test_what_the_default_reads_is_told_from_the_first_request_on(self) -> None:
        """Whatever strategy that request has: the next one that has none goes by all requests."""
        ledger = NumberLedger()
        made = make("by-number", numbers=ledger)
        chosen = decide(made, "random")
        assert isinstance(chosen, contract.Decision)
        made.begin(chosen, 1.0).finished(2.0)
        assert [event.decision for event in ledger.events] == [chosen, chosen]

    def test_a_ledger_that_nobody_reads_hears_nothing_until_somebody_does(self) -> None:
        ledger = NumberLedger()
        made = make(numbers=ledger)
        first = decide(made)
        assert isinstance(first, contract.Decision)
        early = made.begin(first, 1.0)
        second = decide(made, "by-number")
        assert isinstance(second, contract.Decision)
        late = made.begin(second, 2.0)
        early.finished(3.0)
        late.finished(4.0)
        assert [event.decision for event in ledger.events] == [second, second]

    def test_headers_for_the_client(self) -> None:
        made = router.Router(registry.Registry([session_affinity.POLICY, least_request.POLICY]), "least-request")
        plain, sticky = decide(made), decide(made, "least-request,session-affinity")
        assert isinstance(plain, contract.Decision)
        assert isinstance(sticky, contract.Decision)
        assert router.response_headers(plain) == {}
        assert router.response_headers(sticky) == {"x-session-id": session_affinity.session_id(sticky.endpoint)}


def test_every_built_in_strategy_survives_a_storm() -> None:
    """Whatever the strategy: requests come, answer, fail and end in any order, and no part misbehaves."""
    for each in routing_policies.BUILT_IN:
        rng = random.Random(7)
        world = testing.World([each], 5, rng)
        under_way: list[contract.Decision] = []
        for at in range(300):
            world.now += rng.random()
            asked = contract.Request(
                f"r{at}",
                "demo",
                "/v1/completions",
                rng.choice([b"", b"system prompt " * rng.randrange(40)]),
                rng.choice(["", "alice", "bob"]),
                session_key=rng.choice(["", "s1", "s2"]),
            )
            made = world.send(asked)
            assert made.faults == (), each.name
            under_way.append(made)
            while len(under_way) > 20 or (under_way and rng.random() < 0.5):
                ended = under_way.pop(rng.randrange(len(under_way)))
                if rng.random() < 0.7:
                    world.answer(ended)
                world.end(ended, rng.choice([None, contract.Usage(rng.randrange(99), rng.randrange(99))]))
        for made in under_way:
            world.end(made)
        assert world.in_flight == [0] * 5
