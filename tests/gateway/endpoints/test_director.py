"""The directors: from pods and requests to decisions, leases and explanations."""

from __future__ import annotations

import collections
import dataclasses
import json
import random
from collections.abc import Collection
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.assembly import routing_policies
from brickyard.gateway import contract
from brickyard.gateway.endpoints import cards, director, settings, testing
from brickyard.kube.client import testing as kube_testing
from brickyard.kube.informers import informer
from brickyard.lib import clock, tasks
from brickyard.routing import contract as routing
from brickyard.routing import errors, registry
from brickyard.routing import testing as routing_testing
from brickyard.routing.policies import least_request
from brickyard.routing.policies import random as random_policy

POLICIES = registry.Registry([least_request.POLICY, random_policy.POLICY])
OUTCOME = contract.Outcome(status=200, attempts=1, first_byte=0.1, duration=0.5)


@pytest.fixture
def time() -> clock.ManualClock:
    return clock.ManualClock()


@pytest.fixture
def live(time: clock.ManualClock) -> director.PodDirector:
    return director.PodDirector(POLICIES, time=time, rng=random.Random(1))


def add(live: director.PodDirector, name: str, **knobs: Any) -> resources.Object:
    obj = testing.FakePod(name=name, **knobs).object()
    live.pod_changed(None, obj)
    return obj


def choose(live: contract.Director, strategy: str = "", **knobs: Any) -> routing.Decision:
    made = live.choose(routing_testing.request(strategy, **knobs))
    assert isinstance(made, routing.Decision), made
    return made


def refuse(live: contract.Director, strategy: str = "", **knobs: Any) -> routing.NoDecision:
    made = live.choose(routing_testing.request(strategy, **knobs))
    assert isinstance(made, routing.NoDecision), made
    return made


def explained(live: contract.Director, request_id: str = "") -> dict[str, Any]:
    told = live.explain(request_id)
    assert told is not None
    through: dict[str, Any] = orjson.loads(orjson.dumps(told))
    return through


def test_both_fill_the_contract() -> None:
    filled: list[contract.Director] = [director.PodDirector(POLICIES), director.StaticDirector([], POLICIES)]
    assert [each.models() for each in filled] == [[], []]


class TestPods:
    def test_they_come_change_and_go(self, live: director.PodDirector) -> None:
        old = add(live, "a")
        assert choose(live).endpoint.key == "default/a:8000"
        new = testing.FakePod(name="a", ready=False).object()
        live.pod_changed(old, new)
        assert "default/a not ready" in refuse(live).reason
        live.pod_changed(new, None)
        assert "no pod serves model 'demo'" in refuse(live).reason
        assert not live.knows("demo")

    def test_a_pod_that_stops_being_one_of_a_model_is_forgotten(self, live: director.PodDirector) -> None:
        old = add(live, "a")
        live.pod_changed(old, testing.FakePod(name="a", model="").object())
        assert not live.knows("demo")

    def test_other_pods_leave_no_trace(self, live: director.PodDirector) -> None:
        add(live, "db", model="")
        assert live.models() == []

    async def test_an_informer_feeds_it(self, live: director.PodDirector) -> None:
        client = kube_testing.MemoryClient()
        watch = informer.Informer(client, resources.POD)
        live.follow(watch)
        async with tasks.Scope("test") as scope:
            scope.start(watch.run(), name="pods")
            await client.create(resources.POD, testing.FakePod(name="a").object())
            await watch.wait_synced(5.0)
            assert live.knows("demo")

    async def test_before_the_pods_are_known_any_model_may_exist(self, live: director.PodDirector) -> None:
        """A gateway that has just started says "wait" (503), not "no such model" (404)."""
        watch = informer.Informer(kube_testing.MemoryClient(), resources.POD)
        live.follow(watch)
        assert live.knows("demo")
        assert live.unready()
        made = refuse(live)
        assert made.reason == live.unready()
        assert not made.bad_request
        async with tasks.Scope("test") as scope:
            scope.start(watch.run(), name="pods")
            await watch.wait_synced(5.0)
        assert not live.knows("demo")
        assert live.unready() == ""


class TestModels:
    def test_a_card_counts_the_endpoints_that_can_answer(self, live: director.PodDirector) -> None:
        ranks = {"labels": {"model.aibrix.ai/port": "9000"}, "env": {"data-parallel-size": "2"}}
        add(live, "a", **ranks)
        add(live, "b", ready=False)
        add(live, "c", model="other", terminating=True)
        assert live.models() == [
            contract.ModelCard("demo", 1767323045, "aibrix", 2),
            contract.ModelCard("other", 1767323045, "aibrix", 0),
        ]

    def test_a_model_without_ready_pods_is_known(self, live: director.PodDirector) -> None:
        add(live, "a", ready=False)
        assert live.knows("demo")
        assert not live.knows("nothing")


class TestStrategies:
    def test_their_names(self, live: director.PodDirector) -> None:
        assert live.strategies() == ("least-request", "random")

    def test_least_request_unless_asked_otherwise(self, live: director.PodDirector) -> None:
        add(live, "a")
        add(live, "b")
        assert choose(live).profile.name == "least-request"
        assert choose(live, "random").profile.name == "random"

    def test_the_default_is_a_setting(self) -> None:
        given = settings.EndpointSettings(strategy="random")
        made = director.StaticDirector([routing_testing.endpoint("a")], POLICIES, given)
        assert choose(made).profile.name == "random"

    def test_a_default_that_does_not_exist_refuses_to_start(self) -> None:
        given = settings.EndpointSettings(strategy="least-requests")
        with pytest.raises(
            errors.PolicyError, match=r"default strategy: unknown .* did you mean 'least-request'"
        ) as caught:
            director.PodDirector(POLICIES, given)
        assert "ROUTING_ALGORITHM" in caught.value.hint

    @pytest.mark.parametrize("strategy", ["fastest", "random,least-request", "a::1", ","])
    def test_what_cannot_be_is_the_clients_fault(self, live: director.PodDirector, strategy: str) -> None:
        add(live, "a")
        made = refuse(live, strategy)
        assert made.bad_request
        assert made.snapshot.endpoints

    def test_an_unknown_one_lists_the_known(self, live: director.PodDirector) -> None:
        assert "known: least-request, random" in refuse(live, "fastest").reason

    def test_a_malformed_label_filter_too(self, live: director.PodDirector) -> None:
        add(live, "a")
        assert refuse(live, label_filter="zone in").bad_request

    def test_nobody_ready_is_not_the_clients_fault(self, live: director.PodDirector) -> None:
        add(live, "a", ready=False)
        assert not refuse(live).bad_request


class TestLeases:
    def test_least_request_sees_them(self, live: director.PodDirector) -> None:
        add(live, "a")
        add(live, "b")
        first = choose(live)
        lease = live.lease(first)
        second = choose(live)
        assert second.endpoint.key != first.endpoint.key
        other = live.lease(second)
        lease.release()
        assert choose(live).endpoint.key == first.endpoint.key
        other.release()

    def test_one_that_is_given_back_twice_counts_once(self, live: director.PodDirector) -> None:
        add(live, "a")
        first, second = live.lease(choose(live)), live.lease(choose(live))
        first.release()
        first.release()
        assert live.table.snapshot("demo", 0.0).in_flight == (1,)
        second.release()
        assert live.table.snapshot("demo", 0.0).in_flight == (0,)

    def test_a_closed_loop_spreads_evenly(self, live: director.PodDirector) -> None:
        for name in "abcd":
            add(live, name)
        counts: collections.Counter[str] = collections.Counter()
        for _ in range(40):
            made = choose(live)
            live.lease(made)
            counts[made.endpoint.pod] += 1
        assert set(counts.values()) == {10}


class TestFailures:
    def test_an_endpoint_that_refuses_connections_gets_no_requests_for_a_while(
        self, live: director.PodDirector, time: clock.ManualClock
    ) -> None:
        add(live, "a")
        add(live, "b")
        dead = routing_testing.endpoint("a")
        for _ in range(3):
            live.report_failure(dead)
        assert {choose(live, "random").endpoint.pod for _ in range(40)} == {"b"}
        time.advance(1.1)
        probe = next(made for made in (choose(live, "random") for _ in range(99)) if made.endpoint.pod == "a")
        lease = live.lease(probe)
        assert {choose(live, "random").endpoint.pod for _ in range(40)} == {"b"}
        lease.answered()
        assert {choose(live, "random").endpoint.pod for _ in range(99)} == {"a", "b"}, "its answer need not have ended"

    def test_a_request_without_an_answer_proves_nothing(
        self, live: director.PodDirector, time: clock.ManualClock
    ) -> None:
        add(live, "a")
        add(live, "b")
        for _ in range(3):
            live.report_failure(routing_testing.endpoint("a"))
        time.advance(1.1)
        probe = choose(live, excluded=["default/b:8000"])
        live.lease(probe)
        live.record(probe, contract.Outcome(status=0, attempts=1, first_byte=None, duration=1.0, error="client left"))
        assert {choose(live, "random").endpoint.pod for _ in range(40)} == {"b"}

    def test_the_last_one_left_is_tried_all_the_same(self, live: director.PodDirector) -> None:
        add(live, "a")
        for _ in range(9):
            live.report_failure(routing_testing.endpoint("a"))
        assert choose(live).endpoint.pod == "a"

    def test_what_failed_this_request_is_not_tried_again(self, live: director.PodDirector) -> None:
        add(live, "a")
        add(live, "b")
        assert choose(live, excluded=["default/a:8000"]).endpoint.pod == "b"
        assert "already failed" in refuse(live, excluded=["default/a:8000", "default/b:8000"]).reason


class Dormitory:
    """One model sleeps."""

    def knows(self, model: str) -> bool:
        return model == "nap"

    def cards(self, known: Collection[str]) -> list[contract.ModelCard]:
        return [] if "nap" in known else [contract.ModelCard("nap", 7, "aibrix", 0)]

    def absence(self, model: str) -> str:
        return f"{model} sleeps"

    def summary(self, known: Collection[str]) -> dict[str, dict[str, object]]:
        return {} if "nap" in known else {"nap": {"held": 1}}


class TestSleep:
    def test_a_model_that_sleeps_is_one_of_them(self, live: director.PodDirector) -> None:
        live.dormant = Dormitory()
        add(live, "a")
        assert [(each.id, each.ready) for each in live.models()] == [("demo", 1), ("nap", 0)]
        assert (live.knows("nap"), live.knows("demo"), live.knows("other")) == (True, True, False)
        assert live.absence("nap") == "nap sleeps"
        made = live.choose(dataclasses.replace(routing_testing.request(), model="nap"))
        assert isinstance(made, routing.NoDecision)
        assert (made.reason, made.saturated) == ("nap sleeps", False)
        assert [each["asleep"] for each in live.summary()] == [None, {"held": 1}]

    def test_once_it_has_a_pod_the_pods_speak(self, live: director.PodDirector) -> None:
        live.dormant = Dormitory()
        add(live, "a", model="nap", ready=False)
        assert [(each.id, each.ready) for each in live.models()] == [("nap", 0)]
        assert "default/a not ready" in live.absence("nap")


class TestExplain:
    def test_the_whole_story(self, live: director.PodDirector, time: clock.ManualClock) -> None:
        add(live, "a")
        add(live, "b")
        live.lease(choose(live, excluded=["default/b:8000"]))
        made = choose(live, prompt=b"a secret")
        time.advance(3.0)
        live.record(made, contract.Outcome(200, 2, 0.25, 1.5, "retried"))
        told = explained(live, "r1")
        assert (
            told["sentence"] == "b chosen by least-request: 0 requests in flight, next best a had 1 request in flight"
        )
        assert told["outcome"] == {
            "status": 200,
            "attempts": 2,
            "admission": None,
            "queue": None,
            "waking": None,
            "connect": None,
            "first_byte": 0.25,
            "first_token": None,
            "duration": 1.5,
            "error": "retried",
            "usage": None,
            "limits": {},
        }
        assert told["decided_at"] == "2023-11-14T22:13:20.000000Z"
        assert [row["endpoint"] for row in told["candidates"]] == ["default/b:8000", "default/a:8000"]
        assert "secret" not in json.dumps(told)

    def test_a_refusal_is_told_too(self, live: director.PodDirector) -> None:
        add(live, "a", ready=False)
        live.record(refuse(live), contract.Outcome(503, 0, None, 0.0, "no endpoint"))
        told = explained(live)
        assert told["endpoint"] is None
        assert "default/a not ready" in told["reason"]

    def test_the_last_one_is_empty_text(self, live: director.PodDirector) -> None:
        assert live.explain("") is None
        add(live, "a")
        live.record(choose(live), OUTCOME)
        assert explained(live)["request"]["id"] == "r1"

    def test_what_is_not_held_is_none(self, live: director.PodDirector) -> None:
        assert live.explain("r9") is None


def test_a_static_director_serves_its_list(time: clock.ManualClock) -> None:
    endpoints = [routing_testing.endpoint("a"), routing_testing.endpoint("a", 8001), routing_testing.endpoint("b")]
    made = director.StaticDirector(endpoints, POLICIES, time=time)
    assert made.models() == [contract.ModelCard("demo", int(time.wall()), "aibrix", 3)]
    assert list(choose(made).snapshot.endpoints) == endpoints


def wanted(chooser: director.TableDirector) -> bool:
    return chooser.loads_wanted


def test_loads_are_wanted_from_the_first_request_that_reads_them() -> None:
    chooser = director.StaticDirector([routing_testing.endpoint("a")], routing_policies.make())
    chooser.choose(routing_testing.request("random"))
    assert not wanted(chooser)
    chooser.choose(routing_testing.request("least-kv-cache"))
    chooser.choose(routing_testing.request("random"))
    assert wanted(chooser)
    reading = settings.EndpointSettings(strategy="least-kv-cache")
    assert director.StaticDirector([], routing_policies.make(), reading).loads_wanted


def test_a_model_s_card_shows_what_its_engine_told(live: director.PodDirector) -> None:
    add(live, "a")
    (card,) = live.models()
    assert (card.max_model_len, card.root) == (None, None)
    live.described = {"demo": cards.Described(4096, "/models/demo")}.__getitem__
    (card,) = live.models()
    assert (card.max_model_len, card.root) == (4096, "/models/demo")


def adapted(live: director.TableDirector, **held: str) -> None:
    """Engines by pod's name list these adapters."""
    for slot in live.table.routable():
        live.table.lists(slot, frozenset(held.get(slot.endpoint.pod, "").split()))


def test_an_adapter_is_a_model_of_those_that_hold_it(live: director.PodDirector) -> None:
    add(live, "a")
    add(live, "b")
    adapted(live, b="tone")
    request = dataclasses.replace(routing_testing.request("random"), model="tone")
    for _ in range(8):
        made = live.choose(request)
        assert isinstance(made, routing.Decision)
        assert made.endpoint.pod == "b"
    assert live.knows("tone")
    assert isinstance(made, routing.Decision)
    lease = live.lease(made)
    assert live.table.snapshot("demo", 0.0).in_flight == (0, 1), "its engine works, whatever for"
    lease.release()
    adapted(live)
    assert not live.knows("tone")


@pytest.mark.parametrize(
    ("model", "status", "doubted"), [("tone", 404, True), ("tone", 400, False), ("demo", 404, False)]
)
def test_a_404_for_an_adapter_raises_a_doubt(
    live: director.PodDirector, model: str, status: int, doubted: bool
) -> None:
    add(live, "a")
    adapted(live, a="tone")
    made = live.choose(dataclasses.replace(routing_testing.request(), model=model))
    live.record(made, dataclasses.replace(OUTCOME, status=status))
    (slot,) = live.table.routable()
    assert slot.doubted is doubted


def test_an_adapter_s_card_names_its_model_and_follows_the_models(live: director.PodDirector) -> None:
    add(live, "a")
    adapted(live, a="tone alto")
    told = {"demo": cards.Described(4096, "/models/demo"), "tone": cards.Described(2048, "/loras/tone")}
    live.described = lambda name: told.get(name, cards.UNKNOWN)
    model, alto, tone = live.models()
    assert [each.id for each in (model, alto, tone)] == ["demo", "alto", "tone"]
    assert (model.parent, alto.parent, tone.parent) == (None, "demo", "demo")
    assert (tone.root, tone.max_model_len, tone.ready, tone.created) == ("/loras/tone", 2048, 1, model.created)
    assert (alto.root, alto.max_model_len) == (None, 4096), "the model's length holds where nobody says otherwise"


def test_an_adapter_whose_holder_is_not_ready_is_away_and_not_unknown(live: director.PodDirector) -> None:
    add(live, "a")
    adapted(live, a="tone")
    add(live, "a", ready=False)
    made = live.choose(dataclasses.replace(routing_testing.request(), model="tone"))
    assert isinstance(made, routing.NoDecision)
    assert not made.bad_request
    assert "default/a not ready" in made.reason
    (card,) = [each for each in live.models() if each.id == "tone"]
    assert card.ready == 0
