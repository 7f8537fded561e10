"""What autoscalers and targets say of models, whatever shape they are in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.gateway.waking import sleepers, testing
from brickyard.kube.objects import meta


class TestAutoscalers:
    def test_one_that_sleeps_and_wakes(self) -> None:
        found = sleepers.read(testing.autoscaler())
        target = sleepers.Target(resources.DEPLOYMENT, meta.Key("default", "demo"))
        assert (found.autoscaler, found.target) == (meta.Key("default", "demo"), target)
        assert (found.sleeps, found.refusal, found.named, found.said) == (True, "", "", "")
        assert found.created == 1767323045.0

    @pytest.mark.parametrize(
        ("spec", "sleeps", "refusal"),
        [
            ({"minReplicas": 0}, True, ""),
            ({"minReplicas": 1}, False, "minReplicas is not 0"),
            ({"minReplicas": None}, False, "minReplicas is not 0"),
            ({"minReplicas": 2, "schedules": [{"name": "night", "minReplicas": 0}]}, True, ""),
            ({"minReplicas": 2, "schedules": [{"name": "day", "minReplicas": 4}]}, False, "minReplicas is not 0"),
            ({"scalingStrategy": "APA"}, True, ""),
            ({"scalingStrategy": "HPA"}, True, "write strategy KPA or APA"),
        ],
    )
    def test_whether_it_wakes(self, spec: dict[str, Any], sleeps: bool, refusal: str) -> None:
        found = sleepers.read(testing.autoscaler(**spec))
        assert found.sleeps is sleeps
        assert bool(found.refusal) is bool(refusal)
        assert refusal in found.refusal

    @pytest.mark.parametrize("kind", [types.VALID_SPEC, types.CONFLICT])
    def test_one_that_does_not_work_says_why(self, kind: str) -> None:
        fault = testing.condition(kind, "False", "another scales it")
        assert sleepers.read(testing.autoscaler(conditions=[fault])).refusal == "it does not work: another scales it"
        bare = testing.condition(kind, "False", reason="InvalidSpec")
        assert sleepers.read(testing.autoscaler(conditions=[bare])).refusal == "it does not work: InvalidSpec"
        assert sleepers.read(testing.autoscaler(conditions=[testing.condition(kind, "True")])).refusal == ""

    def test_what_it_last_said(self) -> None:
        active = testing.condition(types.SCALING_ACTIVE, "False", "stays at 1")
        able = testing.condition(types.ABLE_TO_SCALE, "True", "fine")
        assert sleepers.read(testing.autoscaler(conditions=[able, active])).said == "stays at 1"
        unable = testing.condition(types.ABLE_TO_SCALE, "False", "there is no Deployment default/demo")
        found = sleepers.read(testing.autoscaler(conditions=[active, unable]))
        assert found.said == "there is no Deployment default/demo"

    @pytest.mark.parametrize("where", ["labels", "annotations"])
    def test_it_may_name_the_model_itself(self, where: str) -> None:
        given: dict[str, Any] = {where: {names.MODEL_NAME: "chosen"}}
        assert sleepers.read(testing.autoscaler(**given)).named == "chosen"

    def test_targets_of_other_kinds_are_not_looked_at(self) -> None:
        other = resources.ResourceType("example.com", "v1", "widgets", "Widget")
        assert sleepers.read(testing.autoscaler(kind=other)).target is None
        assert sleepers.read(testing.autoscaler(target="")).target is None

    def test_a_role_is_part_of_the_target(self) -> None:
        found = sleepers.read(
            testing.autoscaler(kind=resources.STORM_SERVICE, subTargetSelector={"roleName": "decode"})
        )
        assert found.target == sleepers.Target(resources.STORM_SERVICE, meta.Key("default", "demo"), "decode")

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["scaleTargetRef", "schedules", "minReplicas", "conditions", "name", "kind"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=10,
        )
    )
    def test_no_shape_is_too_strange(self, part: Any) -> None:
        for field in ("spec", "status"):
            found = sleepers.read({**testing.autoscaler(), field: part})
            assert found.autoscaler.name == "demo"


class TestTargets:
    @pytest.mark.parametrize(
        ("target", "role", "models"),
        [
            (testing.deployment(model="chat"), "", {"chat"}),
            (testing.deployment(model=""), "", set()),
            (testing.fleet(model="chat"), "", {"chat"}),
            (testing.storm_service(prefill="chat", decode="chat", embed="vectors"), "", {"chat", "vectors"}),
            (testing.storm_service(prefill="chat", embed="vectors"), "embed", {"vectors"}),
            (testing.storm_service(prefill="chat"), "gone", set()),
            ({"metadata": {}, "spec": {"template": "none"}}, "", set()),
        ],
    )
    def test_models_of_pods(self, target: resources.Object, role: str, models: set[str]) -> None:
        assert sleepers.models(target, role) == models

    def test_pods_go_before_the_target_s_own_label(self) -> None:
        target = testing.deployment(model="chat")
        target["metadata"]["labels"] = {names.MODEL_NAME: "other"}
        assert sleepers.models(target) == {"chat"}
        del target["spec"]["template"]["metadata"]
        assert sleepers.models(target) == {"other"}

    def test_a_name_may_stand_in_an_annotation(self) -> None:
        target = testing.deployment()
        target["spec"]["template"]["metadata"] = {"annotations": {names.MODEL_NAME: "org/chat"}}
        assert sleepers.models(target) == {"org/chat"}
