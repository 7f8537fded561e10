"""The table of a PodAutoscaler's rules, row by row."""

import copy
from typing import Any

import pytest

from brickyard.api.kinds import faults, resources
from brickyard.api.kinds.podautoscaler import admission

RULES = admission.Rules()
POD: dict[str, Any] = {
    "metricSourceType": "pod",
    "protocolType": "http",
    "port": "8080",
    "path": "/metrics",
    "targetMetric": "gpu_cache_usage_perc",
    "targetValue": "0.5",
}
RESOURCE: dict[str, Any] = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
EXTERNAL: dict[str, Any] = {
    "metricSourceType": "external",
    "protocolType": "http",
    "endpoint": "optimizer:8080",
    "path": "/metrics/default/llama",
    "targetMetric": "vllm:deployment_replicas",
    "targetValue": "1",
}
CUSTOM: dict[str, Any] = {"metricSourceType": "custom", "targetMetric": "requests", "targetValue": "10"}


def autoscaler(**fields: Any) -> resources.Object:
    """A sound one, with ``fields`` of its spec changed; None takes a field away."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
        "minReplicas": 1,
        "maxReplicas": 5,
        "metricsSources": [POD],
        "scalingStrategy": "KPA",
        **fields,
    }
    return {"metadata": {"name": "a"}, "spec": {key: each for key, each in spec.items() if each is not None}}


def found(obj: resources.Object, old: resources.Object | None = None) -> list[faults.FieldError]:
    before = copy.deepcopy(obj)
    errors = list(RULES.validate(obj, old))
    assert obj == before
    return errors


def shown(errors: list[faults.FieldError]) -> list[str]:
    return [f"{each.path}: {each.message}" for each in errors]


class TestValid:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"scalingStrategy": "HPA", "metricsSources": [RESOURCE]},
            {"scalingStrategy": "HPA", "metricsSources": [RESOURCE | {"targetMetric": "memory"}]},
            {"minReplicas": 0, "maxReplicas": 10},
            {"minReplicas": None},
            {"minReplicas": 5, "maxReplicas": 5},
            {"minReplicas": 1, "maxReplicas": 1},
            {"observeWindowSeconds": 600, "panicWindowSeconds": 60},
            {"observeWindowSeconds": 60},
            {"observeWindowSeconds": 1, "panicWindowSeconds": 1},
            {"observeWindowSeconds": 3600, "panicWindowSeconds": 3600},
            {"panicWindowSeconds": 180},
            {"scalingStrategy": "APA", "metricsSources": [EXTERNAL]},
            {"scalingStrategy": "APA", "metricsSources": [EXTERNAL | {"metricSourceType": "domain"}]},
            {"metricsSources": [{"metricSourceType": "external", "targetMetric": "queue", "targetValue": "3"}]},
            {"metricsSources": [CUSTOM]},
            {"metricsSources": [POD, RESOURCE, EXTERNAL, CUSTOM]},
            {"scalingStrategy": "APA", "subTargetSelector": {"roleName": "decode"}},
            {"scalingStrategy": "KPA", "subTargetSelector": {"roleName": "decode"}},
            {"scalingStrategy": "HPA", "subTargetSelector": {"roleName": ""}},
            {"schedules": [{"name": "day", "startTime": "09:00", "endTime": "18:00", "minReplicas": 2}]},
        ],
    )
    def test_is_accepted(self, fields: dict[str, Any]) -> None:
        assert found(autoscaler(**fields)) == []

    def test_nothing_is_defaulted(self) -> None:
        obj = autoscaler()
        assert RULES.default(obj) is obj


# field | kind of error | text
ROWS = [
    ({"scaleTargetRef": {"kind": "Deployment"}}, "spec.scaleTargetRef.name", "Required", "must be set"),
    ({"scaleTargetRef": {"kind": "Deployment", "name": ""}}, "spec.scaleTargetRef.name", "Required", "must be set"),
    ({"scaleTargetRef": {"name": "llama"}}, "spec.scaleTargetRef.kind", "Required", "must be set"),
    ({"scaleTargetRef": {"name": "llama", "kind": ""}}, "spec.scaleTargetRef.kind", "Required", "must be set"),
    ({"minReplicas": -1}, "spec.minReplicas", "Invalid", "-1: must not be negative"),
    ({"maxReplicas": 0}, "spec.maxReplicas", "Invalid", "0: must be positive"),
    ({"maxReplicas": -3}, "spec.maxReplicas", "Invalid", "-3: must be positive"),
    ({"maxReplicas": None}, "spec.maxReplicas", "Invalid", "0: must be positive"),
    ({"observeWindowSeconds": 0}, "spec.observeWindowSeconds", "Invalid", "0: must be greater than 0"),
    ({"observeWindowSeconds": -5}, "spec.observeWindowSeconds", "Invalid", "-5: must be greater than 0"),
    ({"panicWindowSeconds": 0}, "spec.panicWindowSeconds", "Invalid", "0: must be greater than 0"),
    ({"panicWindowSeconds": -5}, "spec.panicWindowSeconds", "Invalid", "-5: must be greater than 0"),
    (
        {"observeWindowSeconds": 3601},
        "spec.observeWindowSeconds",
        "Invalid",
        "3601: must be less than or equal to 3600",
    ),
    ({"panicWindowSeconds": 3601}, "spec.panicWindowSeconds", "Invalid", "3601: must be less than or equal to 3600"),
    (
        {"observeWindowSeconds": 60, "panicWindowSeconds": 120},
        "spec.panicWindowSeconds",
        "Invalid",
        "120: must be less than or equal to observeWindowSeconds",
    ),
    # The panic window's default counts: a short observe window alone is too short.
    (
        {"observeWindowSeconds": 30},
        "spec.panicWindowSeconds",
        "Invalid",
        "60: must be less than or equal to observeWindowSeconds",
    ),
    # And so does the observe window's.
    (
        {"panicWindowSeconds": 181},
        "spec.panicWindowSeconds",
        "Invalid",
        "181: must be less than or equal to observeWindowSeconds",
    ),
    ({"schedules": []}, "spec.schedules", "Invalid", "schedules must not be empty"),
    (
        {"scalingStrategy": "KEDA"},
        "spec.scalingStrategy",
        "NotSupported",
        '"KEDA": supported values: "HPA", "KPA", "APA"',
    ),
    (
        {"scalingStrategy": "hpa"},
        "spec.scalingStrategy",
        "NotSupported",
        '"hpa": supported values: "HPA", "KPA", "APA"',
    ),
    ({"scalingStrategy": None}, "spec.scalingStrategy", "NotSupported", '"": supported values: "HPA", "KPA", "APA"'),
    (
        {"scalingStrategy": "HPA", "subTargetSelector": {"roleName": "decode"}},
        "spec.subTargetSelector.roleName",
        "Forbidden",
        "not supported with scalingStrategy=HPA; use APA or KPA for StormService role-level autoscaling",
    ),
    ({"metricsSources": []}, "spec.metricsSources", "Invalid", "at least one metricsSource is required"),
    ({"metricsSources": None}, "spec.metricsSources", "Invalid", "at least one metricsSource is required"),
]


class TestTable:
    @pytest.mark.parametrize(("fields", "path", "kind", "text"), ROWS)
    def test_row(self, fields: dict[str, Any], path: str, kind: str, text: str) -> None:
        errors = found(autoscaler(**fields))
        assert [each.path for each in errors] == [path]
        assert errors[0].reason == f"FieldValue{kind}"
        assert errors[0].message.endswith(text)

    def test_bounds_that_cross_are_told_of_twice(self) -> None:
        assert shown(found(autoscaler(minReplicas=10, maxReplicas=5))) == [
            "spec.minReplicas: Invalid value: 10: cannot be greater than maxReplicas",
            "spec.maxReplicas: Invalid value: 5: cannot be less than minReplicas",
        ]

    @pytest.mark.parametrize("window", ["observeWindowSeconds", "panicWindowSeconds"])
    @pytest.mark.parametrize("seconds", [0, -1, 3601])
    def test_a_window_that_is_none_is_not_compared(self, window: str, seconds: int) -> None:
        assert [each.path for each in found(autoscaler(**{window: seconds}))] == [f"spec.{window}"]


# source | field of the source | kind of error | text
SOURCE_ROWS = [
    (POD | {"targetMetric": ""}, "targetMetric", "Required", "must be set"),
    (EXTERNAL | {"targetMetric": None}, "targetMetric", "Required", "must be set"),
    (POD | {"targetValue": ""}, "targetValue", "Required", "must be set"),
    (POD | {"targetValue": None}, "targetValue", "Required", "must be set"),
    *(
        (POD | {"targetValue": text}, "targetValue", "Invalid", "must be a valid number")
        for text in ("50m", "1Gi", "abc", "-100m", "NaN", "nan", "inf", "-inf", "Infinity", "1e999", " 5", "5 ", "1_0")
    ),
    *(
        (POD | {"targetValue": text}, "targetValue", "Invalid", "must be a valid number")
        for text in ("not-a-number", "٣", "1,5", "0x10", ".", "+", "e5", "1e", "5%", "9" * 41)
    ),
    *(
        (POD | {"targetValue": text}, "targetValue", "Invalid", "must be greater than 0")
        for text in ("0", "-10", "0.0", "-0", "-.5", "0e10", "1e-999")
    ),
    (
        CUSTOM | {"metricSourceType": "prometheus"},
        "metricSourceType",
        "NotSupported",
        '"prometheus": supported values: "pod", "external", "domain", "resource", "custom"',
    ),
    (
        CUSTOM | {"metricSourceType": None},
        "metricSourceType",
        "NotSupported",
        '"": supported values: "pod", "external", "domain", "resource", "custom"',
    ),
    *(
        (POD | {field: value}, field, "Required", "required for metricSourceType=pod")
        for field in ("protocolType", "port", "path")
        for value in ("", None)
    ),
    *(
        (
            EXTERNAL | {"metricSourceType": kind, field: value},
            field,
            "Required",
            f"required for metricSourceType={kind}",
        )
        for kind in ("external", "domain")
        for field in ("protocolType", "path")
        for value in ("", None)
    ),
    *(
        (
            RESOURCE | {"targetMetric": name},
            "targetMetric",
            "NotSupported",
            f'"{name}": supported values: "cpu", "memory"',
        )
        for name in ("gpu", "CPU", "Memory")
    ),
    *(
        (RESOURCE | {field: "x"}, field, "Forbidden", "not allowed for metricSourceType=resource")
        for field in ("port", "endpoint", "path", "protocolType")
    ),
]


class TestSources:
    @pytest.mark.parametrize(("source", "field", "kind", "text"), SOURCE_ROWS)
    def test_row(self, source: dict[str, Any], field: str, kind: str, text: str) -> None:
        errors = found(autoscaler(metricsSources=[source]))
        assert [each.path for each in errors] == [f"spec.metricsSources[0].{field}"]
        assert errors[0].reason == f"FieldValue{kind}"
        assert errors[0].message.endswith(text)

    @pytest.mark.parametrize("text", ["1", "0.5", ".5", "5.", "+2", "1e3", "1E-3", "50", "128"])
    def test_numbers(self, text: str) -> None:
        assert found(autoscaler(metricsSources=[POD | {"targetValue": text}])) == []
        assert admission.target_value(text) == float(text)

    def test_the_second_of_two_is_bad(self) -> None:
        errors = found(autoscaler(metricsSources=[POD, POD | {"targetValue": "-100m"}]))
        assert [each.path for each in errors] == ["spec.metricsSources[1].targetValue"]

    def test_everything_at_once(self) -> None:
        bad = {"metricSourceType": "pod", "targetValue": "50m"}
        errors = found(
            autoscaler(
                scaleTargetRef={},
                minReplicas=-1,
                maxReplicas=0,
                observeWindowSeconds=0,
                schedules=[],
                scalingStrategy="X",
                metricsSources=[bad],
            )
        )
        assert [each.path for each in errors] == [
            "spec.scaleTargetRef.kind",
            "spec.scaleTargetRef.name",
            "spec.minReplicas",
            "spec.maxReplicas",
            "spec.observeWindowSeconds",
            "spec.schedules",
            "spec.scalingStrategy",
            "spec.metricsSources[0].targetMetric",
            "spec.metricsSources[0].targetValue",
            "spec.metricsSources[0].protocolType",
            "spec.metricsSources[0].port",
            "spec.metricsSources[0].path",
        ]


class TestUpdates:
    BAD = autoscaler(maxReplicas=0)

    def test_a_new_spec_is_judged(self) -> None:
        assert len(found(self.BAD, autoscaler())) == 1

    def test_a_spec_that_stays_is_not(self) -> None:
        """So that what older rules let in can be labelled, lose its finalizers and be told in its status what is wrong."""
        assert found({**self.BAD, "metadata": {"name": "a", "labels": {"b": "c"}}, "status": {}}, self.BAD) == []

    def test_one_wrong_spec_for_another_is_refused(self) -> None:
        assert len(found(autoscaler(maxReplicas=-1), self.BAD)) == 1


class TestShapes:
    @pytest.mark.parametrize("spec", [None, {}, [], "spec", 7])
    def test_a_spec_that_is_none_lacks_what_is_needed(self, spec: Any) -> None:
        paths = [each.path for each in found({"spec": spec})]
        assert paths == [
            "spec.scaleTargetRef.kind",
            "spec.scaleTargetRef.name",
            "spec.maxReplicas",
            "spec.scalingStrategy",
            "spec.metricsSources",
        ]

    @pytest.mark.parametrize(
        "fields",
        [
            {"scaleTargetRef": {"kind": 1, "name": []}},
            {"minReplicas": "1"},
            {"maxReplicas": "5"},
            {"maxReplicas": True},
            {"maxReplicas": 10**40},
            {"observeWindowSeconds": "60s"},
            {"observeWindowSeconds": 1.5},
            {"schedules": "09:00"},
            {"scalingStrategy": ["KPA"]},
            {"subTargetSelector": "decode"},
            {"metricsSources": {"0": POD}},
            {"metricsSources": [None, 1, "x"]},
            {"metricsSources": [POD | {"targetValue": 50, "port": 8000}]},
            {"metricsSources": [POD | {"metricSourceType": {}}]},
        ],
    )
    def test_wrong_types_are_the_schema_s_to_refuse(self, fields: dict[str, Any]) -> None:
        assert found(autoscaler(**fields)) == []
