"""A fleet without a kind of rollout is rolled out by a quarter."""

import copy
from typing import Any

import pytest

from brickyard.api.kinds.rayclusterfleet import admission

RULES = admission.Rules()
QUARTER = {"maxSurge": "25%", "maxUnavailable": "25%"}


class TestStrategy:
    @pytest.mark.parametrize(
        ("strategy", "wanted"),
        [
            (None, QUARTER),
            ({}, QUARTER),
            ({"type": ""}, QUARTER),
            ({"type": None}, QUARTER),
            ({"rollingUpdate": None}, QUARTER),
            ({"rollingUpdate": {"maxSurge": 1}}, {"maxSurge": 1, "maxUnavailable": "25%"}),
            ({"rollingUpdate": {"maxSurge": None, "maxUnavailable": 0}}, {"maxSurge": "25%", "maxUnavailable": 0}),
        ],
    )
    def test_an_empty_type(self, strategy: Any, wanted: dict[str, Any]) -> None:
        obj = {"spec": {"strategy": strategy, "replicas": 2}}
        before = copy.deepcopy(obj)
        made = RULES.default(obj)
        assert obj == before
        assert made == {"spec": {"replicas": 2, "strategy": {"type": "RollingUpdate", "rollingUpdate": wanted}}}
        assert RULES.default(made) is made

    @pytest.mark.parametrize(
        "strategy",
        [{"type": "Recreate"}, {"type": "RollingUpdate"}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}],
    )
    def test_a_type_stays(self, strategy: dict[str, Any]) -> None:
        obj = {"spec": {"strategy": strategy}}
        assert RULES.default(obj) is obj

    @pytest.mark.parametrize("spec", [None, [], "x", {"strategy": "x"}, {"strategy": []}, {"strategy": {"type": 7}}])
    def test_strange_shapes(self, spec: Any) -> None:
        obj = {"spec": spec}
        assert RULES.default(obj) is obj

    def test_a_strange_budget_is_the_schema_s_to_refuse(self) -> None:
        obj = {"spec": {"strategy": {"rollingUpdate": "fast"}}}
        assert RULES.default(obj) is obj

    def test_without_a_spec(self) -> None:
        assert RULES.default({}) == {}

    def test_nothing_is_refused(self) -> None:
        assert list(RULES.validate({"spec": {}}, None)) == []
