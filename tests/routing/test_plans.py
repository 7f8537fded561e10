"""Strategies of several steps: a handler names profiles, the last one's endpoint answers, the others go with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pytest

from brickyard.routing import contract, errors, explain, filters, pickers, pipeline, scorers, testing


class OnlyRole:
    """Keeps endpoints of one role, and of one set where that is given."""

    name = "only-role"

    def __init__(self, role: str, group: str = "") -> None:
        self._role, self._group = role, group

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        return {
            row: f"no {self._role}"
            for row, each in enumerate(snapshot.endpoints)
            if each.labels.get("role") != self._role or (self._group and each.labels.get("group") != self._group)
        }


@dataclasses.dataclass
class Handler:
    """One endpoint to prefill and one of its group to decode; or whatever ``steps`` says."""

    steps: Sequence[contract.Step | None] | None = None
    error: Exception | None = None
    name: str = "two-steps"
    calls: int = 0

    def step(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, done: Mapping[str, contract.Decision]
    ) -> contract.Step | None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if self.steps is not None:
            return self.steps[self.calls - 1] if self.calls <= len(self.steps) else None
        if "prefill" not in done:
            return contract.Step("prefill", part(OnlyRole("prefill")))
        if "decode" not in done:
            return contract.Step("decode", part(OnlyRole("decode", done["prefill"].endpoint.labels["group"])))
        return None


def part(*kept: contract.Filter, name: str = "part") -> contract.Profile:
    return contract.Profile(name, kept, ((scorers.least_request("in-flight"), 1.0),), pickers.Best())


def plan(handler: Handler) -> contract.Profile:
    return contract.Profile("pd", filters.ALWAYS, (), pickers.Best(), (), (), handler)


ENDPOINTS = [
    testing.endpoint("p0", role="prefill", group="x"),
    testing.endpoint("p1", role="prefill", group="y"),
    testing.endpoint("d0", role="decode", group="x"),
    testing.endpoint("d1", role="decode", group="y"),
]


def route(
    handler: Handler, *in_flight: int, excluded: Sequence[str] = (), label_filter: str = ""
) -> contract.Decision | contract.NoDecision:
    table = testing.snapshot(*in_flight, endpoints=ENDPOINTS)
    asked = testing.request(excluded=excluded, label_filter=label_filter)
    return pipeline.route(asked, table, plan(handler), 3.0, testing.Dice())


def test_the_second_step_knows_the_first() -> None:
    made = route(Handler(), 5, 1, 0, 9)
    assert isinstance(made, contract.Decision)
    assert (made.endpoint.pod, made.companions["prefill"].endpoint.pod) == ("d1", "p1")
    assert (made.row, made.decided_at) == (3, 3.0)


def test_general_filters_hold_in_every_step() -> None:
    made = route(Handler(), 5, 1, 0, 9, excluded=["default/p1:8000"])
    assert isinstance(made, contract.Decision)
    assert (made.endpoint.pod, made.companions["prefill"].endpoint.pod) == ("d0", "p0")


def test_a_step_without_candidates_ends_it() -> None:
    made = route(Handler(), 5, 1, 0, 9, excluded=["default/d1:8000"])
    assert isinstance(made, contract.NoDecision)
    assert "3 no decode" in made.reason


def test_a_bad_request_stays_one() -> None:
    made = route(Handler(), 0, 0, 0, 0, label_filter="zone in")
    assert isinstance(made, contract.NoDecision)
    assert made.bad_request


def test_the_handler_may_find_the_request_at_fault() -> None:
    made = route(Handler(error=errors.BadRequestError("such a body cannot be split")), 0, 0, 0, 0)
    assert isinstance(made, contract.NoDecision)
    assert (made.bad_request, made.reason) == (True, "such a body cannot be split")


@pytest.mark.parametrize(
    ("handler", "complaint"),
    [
        (Handler(error=KeyError("oh")), "two-steps raised KeyError"),
        (Handler(steps=[]), "named no step"),
    ],
)
def test_a_handler_that_misbehaves_is_named(handler: Handler, complaint: str) -> None:
    made = route(handler, 0, 0, 0, 0)
    assert isinstance(made, contract.NoDecision)
    assert complaint in made.reason
    assert not made.bad_request


@dataclasses.dataclass
class Forgetful:
    """Names one step and raises when it is asked for the next."""

    name: str = "forgetful"

    def step(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, done: Mapping[str, contract.Decision]
    ) -> contract.Step | None:
        if done:
            raise LookupError("what came first?")
        return contract.Step("first", part())


def test_half_a_plan_is_none() -> None:
    """An endpoint to prefill and nobody to decode would leave the client with no answer."""
    chosen = dataclasses.replace(plan(Handler()), handler=Forgetful())
    made = pipeline.route(testing.request(), testing.snapshot(0, 0), chosen, 0.0, testing.Dice())
    assert isinstance(made, contract.NoDecision)
    assert made.reason == "strategy pd: forgetful raised LookupError: what came first?; it was ignored"
    assert not made.bad_request


def test_a_handler_that_never_ends_is_ended() -> None:
    steps = [contract.Step(str(at), part()) for at in range(99)]
    handler = Handler(steps=steps)
    made = route(handler, 0, 0, 0, 0)
    assert isinstance(made, contract.Decision)
    assert handler.calls == pipeline.MOST_STEPS


def test_a_role_that_is_named_twice_is_taken_once() -> None:
    step = contract.Step("only", part())
    handler = Handler(steps=[step, step])
    made = route(handler, 0, 0, 0, 0)
    assert isinstance(made, contract.Decision)
    assert not made.companions
    assert handler.calls == 2


def test_the_profile_that_decided_is_the_one_that_is_told() -> None:
    made = route(Handler(steps=[contract.Step("only", part(name="fallback"))]), 1, 0, 2, 2)
    assert isinstance(made, contract.Decision)
    assert explain.sentence(made) == (
        "p1 chosen by fallback: 0 requests in flight, next best p0 had 1 request in flight"
    )


def test_companions_are_explained() -> None:
    made = route(Handler(), 5, 1, 0, 9)
    assert explain.explain(made)["companions"] == {"prefill": "default/p1:8000"}


@dataclasses.dataclass
class Full:
    """Everything is full."""

    waits: bool
    name: str = "full"

    def removed(self, request: contract.Request, snapshot: contract.EndpointSnapshot) -> Mapping[int, str]:
        return dict.fromkeys(range(len(snapshot.endpoints)), "full")


@pytest.mark.parametrize("waits", [True, False])
def test_rows_that_come_back_by_themselves_are_worth_waiting_for(waits: bool) -> None:
    made = pipeline.route(testing.request(), testing.snapshot(1, 2), part(Full(waits)), 0.0, testing.Dice())
    assert isinstance(made, contract.NoDecision)
    assert made.saturated is waits
    assert explain.explain(made)["saturated"] is waits
