"""The live table: counters that cannot drift, rows that follow the pods."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from brickyard.api import serving
from brickyard.gateway.endpoints import pods, table, testing
from brickyard.routing import contract

LOAD = serving.EngineLoad(running=1.0)


def pod(name: str = "a", **knobs: Any) -> pods.ModelPod:
    made = pods.read(testing.FakePod(name=name, **knobs).object())
    assert made is not None
    return made


def filled(*members: pods.ModelPod) -> table.Table:
    live = table.Table()
    for each in members:
        live.put(each)
    return live


def counts(live: table.Table, model: str = "demo") -> dict[str, int]:
    snapshot = live.snapshot(model, 0.0)
    return {each.pod: count for each, count in zip(snapshot.endpoints, snapshot.in_flight, strict=True)}


def endpoint(live: table.Table, name: str = "a") -> contract.Endpoint:
    return next(each for each in live.snapshot("demo", 0.0).endpoints if each.pod == name)


class TestRows:
    def test_they_are_the_routable_pods_in_the_order_of_their_keys(self) -> None:
        live = filled(pod("c"), pod("a"), pod("b", ready=False), pod("d", terminating=True), pod("x", model="other"))
        assert list(counts(live)) == ["a", "c"]
        assert list(counts(live, "other")) == ["x"]

    def test_an_unknown_model_has_none(self) -> None:
        assert table.Table().snapshot("demo", 0.0).endpoints == ()
        assert not table.Table().knows("demo")

    def test_a_model_is_known_while_a_pod_claims_it_ready_or_not(self) -> None:
        live = filled(pod(ready=False))
        assert live.knows("demo")
        live.remove("default/a")
        assert not live.knows("demo")

    def test_ready_pods_come_and_go(self) -> None:
        live = filled(pod("a"), pod("b"))
        live.put(pod("a", ready=False))
        assert list(counts(live)) == ["b"]
        live.put(pod("a"))
        assert list(counts(live)) == ["a", "b"]

    def test_a_pod_may_change_its_model(self) -> None:
        live = filled(pod("a"))
        live.put(pod("a", model="other"))
        assert not live.knows("demo")
        assert list(counts(live, "other")) == ["a"]

    def test_removing_what_is_not_there_is_fine(self) -> None:
        live = table.Table()
        live.remove("default/nobody")
        assert live.models() == {}

    def test_pods_of_one_name_in_two_namespaces_are_two(self) -> None:
        live = filled(pod("a", namespace="x"), pod("a", namespace="y"))
        assert [each.key for each in live.snapshot("demo", 0.0).endpoints] == ["x/a:8000", "y/a:8000"]


class TestVersion:
    def test_it_grows_with_membership_and_with_nothing_else(self) -> None:
        live = filled(pod("a"))
        before = live.snapshot("demo", 0.0).version
        live.put(pod("a"))
        live.enter(endpoint(live), 0.0)
        assert live.snapshot("demo", 0.0).version == before
        live.put(pod("b"))
        assert live.snapshot("demo", 0.0).version > before

    def test_it_grows_even_when_the_model_was_gone_in_between(self) -> None:
        live = filled(pod("a"))
        before = live.snapshot("demo", 0.0).version
        live.remove("default/a")
        live.put(pod("a"))
        assert live.snapshot("demo", 0.0).version > before

    def test_rows_are_shared_until_something_changes(self) -> None:
        live = filled(pod("a"), pod("b"))
        one, two = live.snapshot("demo", 0.0), live.snapshot("demo", 1.0)
        assert one.endpoints is two.endpoints
        assert one.loads is two.loads

    def test_an_old_snapshot_never_changes(self) -> None:
        live = filled(pod("a"))
        old = live.snapshot("demo", 0.0)
        live.enter(endpoint(live), 0.0)
        live.put(pod("b"))
        assert (old.in_flight, len(old.endpoints)) == ((0,), 1)


class TestLeases:
    def test_they_count_until_released(self) -> None:
        live = filled(pod("a"), pod("b"))
        first, second = live.enter(endpoint(live), 0.0), live.enter(endpoint(live), 0.0)
        assert counts(live) == {"a": 2, "b": 0}
        first.in_flight -= 1
        assert counts(live) == {"a": 1, "b": 0}
        second.in_flight -= 1
        assert counts(live) == {"a": 0, "b": 0}

    def test_they_survive_updates_of_the_pod(self) -> None:
        live = filled(pod("a"))
        held = live.enter(endpoint(live), 0.0)
        live.put(pod("a", labels={"zone": "north"}))
        live.put(pod("a", ready=False, labels={"zone": "north"}))
        live.put(pod("a", labels={"zone": "north"}))
        assert counts(live) == {"a": 1}
        assert endpoint(live).labels["zone"] == "north"
        held.in_flight -= 1
        assert counts(live) == {"a": 0}

    def test_they_move_with_a_pod_that_changes_its_model(self) -> None:
        live = filled(pod("a"))
        live.enter(endpoint(live), 0.0)
        live.put(pod("a", model="other"))
        assert counts(live, "other") == {"a": 1}

    def test_a_pod_that_comes_back_starts_at_zero_and_old_leases_cannot_disturb_it(self) -> None:
        live = filled(pod("a"))
        old = live.enter(endpoint(live), 0.0)
        live.remove("default/a")
        live.put(pod("a", uid="u2"))
        assert counts(live) == {"a": 0}
        new = live.enter(endpoint(live), 0.0)
        old.in_flight -= 1
        assert counts(live) == {"a": 1}
        new.in_flight -= 1
        assert counts(live) == {"a": 0}

    def test_a_successor_that_is_seen_as_an_update_starts_at_zero_too(self) -> None:
        live = filled(pod("a"))
        old = live.enter(endpoint(live), 0.0)
        live.put(pod("a", uid="u2"))
        old.in_flight -= 1
        assert counts(live) == {"a": 0}

    def test_a_lease_on_an_endpoint_that_just_left_counts_for_nobody(self) -> None:
        live = filled(pod("a"), pod("b"))
        left = endpoint(live)
        live.remove("default/a")
        held = live.enter(left, 0.0)
        assert counts(live) == {"b": 0}
        held.in_flight -= 1


class TestLoads:
    def test_an_engine_that_never_spoke_is_infinitely_old(self) -> None:
        snapshot = filled(pod("a")).snapshot("demo", 5.0)
        assert (snapshot.loads, snapshot.load_ages) == ((None,), (math.inf,))

    def test_what_it_said_ages(self) -> None:
        live = filled(pod("a"), pod("b"))
        live.heard(next(iter(live.routable())), LOAD, 3.0)
        snapshot = live.snapshot("demo", 5.0)
        assert (snapshot.loads, snapshot.load_ages) == ((LOAD, None), (2.0, math.inf))

    def test_silence_makes_it_void(self) -> None:
        live = filled(pod("a"))
        (slot,) = live.routable()
        live.heard(slot, LOAD, 3.0)
        live.heard(slot, None, 4.0)
        snapshot = live.snapshot("demo", 5.0)
        assert (snapshot.loads, snapshot.load_ages) == ((None,), (math.inf,))

    def test_words_of_an_engine_that_is_gone_reach_nobody(self) -> None:
        live = filled(pod("a"))
        (slot,) = live.routable()
        live.remove("default/a")
        live.heard(slot, LOAD, 3.0)
        live.put(pod("a", uid="u2"))
        assert live.snapshot("demo", 5.0).loads == (None,)


class TestBreaker:
    def fail(self, live: table.Table, times: int = 3, now: float = 10.0) -> contract.Endpoint:
        for _ in range(times):
            live.failed(endpoint(live), now)
        return endpoint(live)

    def test_failures_in_a_row_bar_the_row_and_say_why(self) -> None:
        live = filled(pod("a"), pod("b"))
        self.fail(live)
        assert list(live.snapshot("demo", 10.5).barred) == [0]
        assert "3 connections failed" in live.snapshot("demo", 10.5).barred[0]

    def test_after_the_pause_one_request_is_let_through(self) -> None:
        live = filled(pod("a"), pod("b"))
        failing = self.fail(live)
        assert live.snapshot("demo", 11.0).barred == {}
        live.enter(failing, 11.0)
        assert list(live.snapshot("demo", 11.1).barred) == [0]

    def test_an_answer_brings_it_back(self) -> None:
        live = filled(pod("a"))
        live.answered(self.fail(live), sent_at=11.0)
        assert live.snapshot("demo", 10.5).barred == {}
        assert live.inconsistencies() == []

    def test_becoming_ready_brings_it_back(self) -> None:
        live = filled(pod("a"))
        self.fail(live)
        live.put(pod("a", ready=False))
        live.put(pod("a"))
        assert live.snapshot("demo", 10.5).barred == {}

    def test_another_update_does_not(self) -> None:
        live = filled(pod("a"))
        self.fail(live)
        live.put(pod("a", labels={"zone": "north"}))
        assert list(live.snapshot("demo", 10.5).barred) == [0]

    def test_a_successor_is_not_blamed(self) -> None:
        live = filled(pod("a"))
        failing = self.fail(live)
        live.put(pod("a", uid="u2", address="10.0.0.2"))
        for _ in range(3):
            live.failed(failing, 10.0)
        assert live.snapshot("demo", 10.5).barred == {}

    def test_failures_and_answers_of_strangers_are_ignored(self) -> None:
        live = filled(pod("a"))
        gone = endpoint(live)
        live.remove("default/a")
        live.failed(gone, 1.0)
        live.answered(gone, 2.0)
        assert live.inconsistencies() == []


class TestAbsence:
    def test_no_pod_at_all(self) -> None:
        assert table.Table().absence("demo") == (
            "no pod serves model 'demo': give one the label model.aibrix.ai/name=demo"
        )

    def test_each_pod_says_why(self) -> None:
        live = filled(pod("b", ready=False), pod("a", address=""))
        assert live.absence("demo") == (
            "model 'demo' has no pod that can take requests now: "
            "default/a no address yet (Pending); default/b not ready (Running)"
        )

    @pytest.mark.parametrize(("size", "ending"), [(3, "default/p2 terminating"), (5, "; and 2 more")])
    def test_many_are_cut_short(self, size: int, ending: str) -> None:
        live = filled(*(pod(f"p{n}", terminating=True) for n in range(size)))
        assert live.absence("demo").endswith(ending)


NAMES = st.sampled_from(["a", "b", "c"])


class Life(RuleBasedStateMachine):
    """Any interleaving of pods coming, changing and going, with requests, failures and answers.

    ``expected`` counts leases per endpoint of each pod's present life, by the simplest means there is.
    """

    leases: Bundle[tuple[tuple[str, int] | None, table.Slot]] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.live = table.Table()
        self.expected: dict[tuple[str, int], int] = {}
        self.lives: dict[str, int] = {}
        self.alive: set[str] = set()
        self.out: list[table.Slot] = []
        self.listed: dict[str, frozenset[str]] = {}
        self.now = 0.0

    @rule(name=NAMES, ready=st.booleans(), zone=st.sampled_from(["n", "s"]), model=st.sampled_from(["demo", "other"]))
    def put(self, name: str, ready: bool, zone: str, model: str) -> None:
        if name not in self.alive:
            self.lives[name] = self.lives.get(name, 0) + 1
            self.alive.add(name)
        self.live.put(pod(name, uid=f"u{self.lives[name]}", ready=ready, model=model, labels={"zone": zone}))

    @rule(name=NAMES)
    def replace(self, name: str) -> None:
        self.lives[name] = self.lives.get(name, 0) + 1
        self.alive.add(name)
        self.live.put(pod(name, uid=f"u{self.lives[name]}"))

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        self.alive.discard(name)
        self.live.remove(f"default/{name}")

    @rule(target=leases, name=NAMES)
    def lease(self, name: str) -> tuple[tuple[str, int] | None, table.Slot]:
        life = (name, self.lives.get(name, 0)) if name in self.alive else None
        if life is not None:
            self.expected[life] = self.expected.get(life, 0) + 1
        slot = self.live.enter(pod(name).endpoints[0], self.now)
        self.out.append(slot)
        return life, slot

    @rule(taken=consumes(leases))
    def release(self, taken: tuple[tuple[str, int] | None, table.Slot]) -> None:
        life, slot = taken
        if life is not None:
            self.expected[life] -= 1
        self.out.remove(slot)
        slot.in_flight -= 1

    @rule(name=NAMES, passed=st.floats(0, 3))
    def fail(self, name: str, passed: float) -> None:
        self.now += passed
        self.live.failed(pod(name).endpoints[0], self.now)

    @rule(name=NAMES, adapters=st.frozensets(st.sampled_from(["tone", "tale", "other"])))
    def lists(self, name: str, adapters: frozenset[str]) -> None:
        for slot in self.live.routable():
            if slot.endpoint.pod == name:
                self.live.lists(slot, adapters)
                self.listed[name] = adapters if name in self.alive else frozenset()

    @invariant()
    def adapters_are_where_engines_list_them(self) -> None:
        for adapter in ("tone", "tale"):
            rows = set(counts(self.live, adapter))
            ready = {slot.endpoint.pod for slot in self.live.routable()}
            assert rows <= {name for name in ready if adapter in self.listed.get(name, ())}

    @rule(name=NAMES)
    def answer(self, name: str) -> None:
        self.live.answered(pod(name).endpoints[0], self.now + 0.5)

    @invariant()
    def nothing_contradicts_itself(self) -> None:
        assert self.live.inconsistencies() == []

    @invariant()
    def counts_are_those_of_the_leases_that_are_out(self) -> None:
        for model in ("demo", "other"):
            for name, count in counts(self.live, model).items():
                assert count == self.expected.get((name, self.lives[name]), 0) >= 0

    def teardown(self) -> None:
        for slot in self.out:
            slot.in_flight -= 1
        assert self.live.inconsistencies() == []
        assert all(not any(counts(self.live, model).values()) for model in ("demo", "other"))


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase


class TestSlowStart:
    @staticmethod
    def grown(ramp: float = 10.0) -> table.Table:
        """One endpoint that was always there, and a second one since time 100."""
        live = table.Table(None, ramp)
        live.put(pod("a"))
        live.snapshot("demo", 50.0)
        live.put(pod("b"))
        live.snapshot("demo", 100.0)
        return live

    def test_those_that_were_there_first_are_not_new(self) -> None:
        live = table.Table(None, 10.0)
        live.put(pod("a"))
        live.put(pod("b"))
        assert live.snapshot("demo", 0.0).young == {}

    @pytest.mark.parametrize(
        ("now", "young"),
        [(100.0, {1: 0.1}), (100.5, {1: 0.1}), (105.0, {1: 0.5}), (109.0, {1: 0.9}), (110.0, {}), (1e6, {})],
    )
    def test_a_newcomer_s_share_grows(self, now: float, young: dict[int, float]) -> None:
        assert self.grown().snapshot("demo", now).young == pytest.approx(young)

    def test_off_is_off(self) -> None:
        assert self.grown(0.0).snapshot("demo", 100.0).young == {}

    def test_what_comes_back_ready_is_new_again(self) -> None:
        live = self.grown()
        live.put(pod("a", ready=False))
        live.put(pod("a"))
        assert live.snapshot("demo", 200.0).young == {0: 0.1}

    def test_what_only_changes_is_not(self) -> None:
        live = self.grown()
        live.put(pod("a", labels={"tier": "gold"}))
        assert live.snapshot("demo", 200.0).young == {}


class TestOtherGateways:
    def test_their_requests_stand_in_the_count_and_not_in_ones_own(self) -> None:
        live = filled(pod("a"), pod("b"))
        elsewhere: dict[str, int] = {}
        live.share(elsewhere)
        held = live.enter(endpoint(live), 0.0)
        key = endpoint(live).key
        elsewhere[key] = 3
        live.changed(key, 3)
        assert counts(live) == {"a": 4, "b": 0}
        assert live.open_here() == {key: 1}
        held.in_flight -= 1
        assert (counts(live), live.open_here()) == ({"a": 3, "b": 0}, {})
        del elsewhere[key]
        live.changed(key, 0)
        assert counts(live) == {"a": 0, "b": 0}
        assert live.inconsistencies() == []

    def test_a_successor_starts_with_what_others_have_open_there(self) -> None:
        live = filled(pod("a"))
        key = endpoint(live).key
        live.share({key: 2})
        live.changed(key, 2)
        live.enter(endpoint(live), 0.0)
        live.put(pod("a", uid="u2"))
        assert counts(live) == {"a": 2}
        assert live.open_here() == {}
        assert live.inconsistencies() == []

    def test_endpoints_that_are_not_here_are_no_matter(self) -> None:
        live = filled(pod("a"))
        live.changed("default/stranger:8000", 5)
        assert counts(live) == {"a": 0}
        assert live.holds(endpoint(live).key)
        assert not live.holds("default/stranger:8000")

    def test_a_count_that_drifts_is_found(self) -> None:
        live = filled(pod("a"))
        live.changed(endpoint(live).key, 2)
        assert live.inconsistencies() == [f"{endpoint(live).key} is off by others' requests"]


def slot(live: table.Table, name: str = "a") -> table.Slot:
    return next(each for each in live.routable() if each.endpoint.pod == name)


def lists(live: table.Table, **adapters: str) -> None:
    for name, words in adapters.items():
        live.lists(slot(live, name), frozenset(words.split()))


class TestAdapters:
    def test_their_rows_are_the_endpoints_that_list_them(self) -> None:
        live = filled(pod("a"), pod("b"), pod("c"))
        lists(live, a="tone", b="tone tale")
        assert list(counts(live, "tone")) == ["a", "b"]
        assert list(counts(live, "tale")) == ["b"]
        assert list(counts(live)) == ["a", "b", "c"]
        assert live.adapters().keys() == {"tone", "tale"}
        assert live.models().keys() == {"demo"}
        assert live.inconsistencies() == []

    def test_what_is_not_listed_any_more_is_gone(self) -> None:
        live = filled(pod("a"), pod("b"))
        lists(live, a="tone", b="tone")
        lists(live, a="")
        assert list(counts(live, "tone")) == ["b"]
        lists(live, b="tale")
        assert (live.knows("tone"), live.knows("tale")) == (False, True)
        assert live.snapshot("tone", 0.0).endpoints == ()

    def test_one_count_holds_for_all_that_an_engine_does(self) -> None:
        live = filled(pod("a"), pod("b"))
        lists(live, b="tone")
        held = live.enter(endpoint(live, "b"), 0.0)
        assert (counts(live), counts(live, "tone")) == ({"a": 0, "b": 1}, {"b": 1})
        held.in_flight -= 1
        assert counts(live, "tone") == {"b": 0}

    def test_loads_ages_and_breakers_are_the_endpoints_own(self) -> None:
        live = filled(pod("a"), pod("b"))
        lists(live, b="tone")
        assert live.snapshot("tone", 0.0).loads == (None,)
        live.heard(slot(live, "b"), LOAD, 5.0)
        snapshot = live.snapshot("tone", 7.0)
        assert (snapshot.loads, snapshot.load_ages) == ((LOAD,), (2.0,))
        for _ in range(5):
            live.failed(endpoint(live, "b"), 7.0)
        assert set(live.snapshot("tone", 7.0).barred) == {0}

    def test_versions_tell_of_listings_and_only_to_whom_they_concern(self) -> None:
        live = filled(pod("a"))
        base = live.snapshot("demo", 0.0).version
        lists(live, a="tone")
        before = live.snapshot("tone", 0.0).version
        lists(live, a="tone")
        assert live.snapshot("tone", 0.0).version == before
        live.put(pod("b"))
        lists(live, b="tone")
        assert live.snapshot("tone", 0.0).version > before > base

    def test_a_pod_that_changes_keeps_its_adapters_and_one_that_goes_takes_them_along(self) -> None:
        live = filled(pod("a"))
        lists(live, a="tone")
        live.put(pod("a", labels={"tier": "gold"}))
        (row,) = live.snapshot("tone", 0.0).endpoints
        assert row.labels["tier"] == "gold"
        live.remove("default/a")
        assert not live.knows("tone")
        assert live.inconsistencies() == []

    def test_a_successor_has_to_list_its_own(self) -> None:
        live = filled(pod("a"))
        lists(live, a="tone")
        live.put(pod("a", uid="u2"))
        assert not live.knows("tone")

    def test_who_comes_back_ready_lists_them_again_before_it_is_asked(self) -> None:
        live = filled(pod("a"))
        lists(live, a="tone")
        live.put(pod("a", ready=False))
        assert live.knows("tone")
        assert (
            live.absence("tone") == "model 'tone' has no pod that can take requests now: default/a not ready (Running)"
        )
        live.put(pod("a"))
        assert live.snapshot("tone", 0.0).endpoints == ()
        assert "listed it again" in live.absence("tone")
        lists(live, a="tone")
        assert list(counts(live, "tone")) == ["a"]

    def test_a_model_goes_before_an_adapter_of_its_name(self) -> None:
        live = filled(pod("a"), pod("x", model="tone"))
        lists(live, a="tone")
        assert list(counts(live, "tone")) == ["x"]
        assert live.adapters() == {}
        live.remove("default/x")
        assert list(counts(live, "tone")) == ["a"]

    def test_ranks_of_one_pod_hold_their_own(self) -> None:
        live = filled(pod("a", env={"data-parallel-size": "2"}, labels={"model.aibrix.ai/port": "8000"}))
        first, second = live.routable()
        live.lists(first, frozenset({"tone"}))
        live.lists(second, frozenset({"tone"}))
        live.lists(first, frozenset())
        assert [each.port for each in live.snapshot("tone", 0.0).endpoints] == [8001]
        assert live.inconsistencies() == []

    def test_a_slot_that_left_says_nothing(self) -> None:
        live = filled(pod("a"))
        old = slot(live)
        live.remove("default/a")
        live.lists(old, frozenset({"tone"}))
        assert not live.knows("tone")

    def test_new_endpoints_are_new_for_adapters_too(self) -> None:
        live = TestSlowStart.grown()
        lists(live, a="tone", b="tone")
        assert live.snapshot("tone", 105.0).young == pytest.approx({1: 0.5})

    def test_profiles_are_those_of_the_pods(self) -> None:
        live = filled(pod("a", annotations={"model.aibrix.ai/config": '{"lockedRoutingStrategy": "random"}'}))
        lists(live, a="tone")
        config = live.config("tone")
        assert config is not None
        assert config.locked == "random"
