"""A replica set finds its clusters by the labels of its template, unless it says others."""

from typing import Any

import pytest

from brickyard.api.kinds.rayclusterreplicaset import admission

RULES = admission.Rules()
LABELS = {"model.aibrix.ai/name": "llama"}


def replica_set(labels: Any = LABELS, **fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"labels": labels}}, **fields}}


class TestSelector:
    @pytest.mark.parametrize("fields", [{}, {"selector": None}])
    def test_derived(self, fields: dict[str, Any]) -> None:
        made = RULES.default(replica_set(**fields))
        assert made == replica_set(selector={"matchLabels": LABELS})
        assert RULES.default(made) is made
        assert list(RULES.validate(made, None)) == []

    @pytest.mark.parametrize("selector", [{}, {"matchLabels": {"a": "b"}}, "x"])
    def test_given(self, selector: Any) -> None:
        obj = replica_set(selector=selector)
        assert RULES.default(obj) is obj
        assert list(RULES.validate(obj, None)) == []

    @pytest.mark.parametrize("labels", [None, {}, "x", []])
    def test_neither_selector_nor_labels(self, labels: Any) -> None:
        obj = replica_set(labels)
        assert RULES.default(obj) is obj
        (error,) = RULES.validate(obj, None)
        assert (error.path, error.message) == (
            "spec.selector",
            "Required value: write it, or give spec.template.metadata.labels",
        )
        assert list(RULES.validate(obj, obj)) == []

    @pytest.mark.parametrize("spec", [None, {}])
    def test_an_empty_spec_asks_for_nothing(self, spec: Any) -> None:
        assert RULES.default({"spec": spec}) == {"spec": spec}
        assert list(RULES.validate({"spec": spec}, None)) == []

    @pytest.mark.parametrize("spec", [[], "x", 7])
    def test_strange_specs(self, spec: Any) -> None:
        obj = {"spec": spec}
        assert RULES.default(obj) is obj
