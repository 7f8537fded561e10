"""PodAutoscalers of earlier releases, row by row."""

import copy
import time
from typing import Any, ClassVar

import pytest

from brickyard.api import names
from brickyard.api.kinds import contract, resources
from brickyard.api.kinds.podautoscaler import admission, legacy

NEW = "autoscaling.aibrix.ai/"
KPA = "kpa.autoscaling.aibrix.ai/"
APA = "apa.autoscaling.aibrix.ai/"
POD = {
    "metricSourceType": "pod",
    "protocolType": "http",
    "port": "8000",
    "path": "/metrics",
    "targetMetric": "gpu_cache_usage_perc",
    "targetValue": "0.5",
}


def autoscaler(annotations: dict[str, Any] | None = None, **fields: Any) -> resources.Object:
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": "llama"},
        "maxReplicas": 5,
        "metricsSources": [POD],
        "scalingStrategy": "KPA",
        **fields,
    }
    metadata: dict[str, Any] = {"name": "a"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": {key: each for key, each in spec.items() if each is not None}}


def converted(obj: resources.Object) -> contract.Converted:
    """What becomes of ``obj``: the argument stays as it is, doing it twice changes nothing, the outcome is valid."""
    before = copy.deepcopy(obj)
    found = legacy.convert(obj)
    assert obj == before
    again = legacy.convert(found.obj)
    assert again.obj == found.obj
    assert again.warnings == found.warnings or "behavior" in obj["spec"] or _has_null(obj)
    return found


def _has_null(obj: resources.Object) -> bool:
    return None in (obj["metadata"].get("annotations") or {}).values()


def annotations(obj: resources.Object) -> dict[str, Any]:
    """Without the memory."""
    found = obj["metadata"].get("annotations") or {}
    return {key: value for key, value in found.items() if key != names.CONVERTED}


def is_valid(obj: resources.Object) -> bool:
    return not list(admission.Rules().validate(obj, None))


class TestToday:
    @pytest.mark.parametrize(
        "obj",
        [
            autoscaler(),
            autoscaler({}),
            autoscaler({NEW + "max-scale-up-rate": "3", NEW + "max-scale-down-rate": "2"}),
            autoscaler(metricsSources=[POD | {"path": "metrics"}]),
            autoscaler(metricsSources=[POD | {"targetMetric": "vllm:gpu_cache_usage_perc"}]),
            autoscaler(minReplicas=0),
            autoscaler(scalingStrategy="HPA"),
            {"metadata": {}},
            {"metadata": {}, "spec": None},
        ],
    )
    def test_nothing_to_convert(self, obj: resources.Object) -> None:
        found = legacy.convert(obj)
        assert found.obj == obj
        assert found.warnings == ()


class TestSingleMetric:
    """spec.targetMetric and spec.targetValue, without metricsSources."""

    @pytest.mark.parametrize(
        ("metric", "source"),
        [
            ("cpu", {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "40"}),
            ("CPU", {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "40"}),
            ("Memory", {"metricSourceType": "resource", "targetMetric": "memory", "targetValue": "40"}),
            ("gpu_cache_usage_perc", POD | {"targetValue": "40"}),
            ("vllm:gpu_cache_usage_perc", POD | {"targetMetric": "vllm:gpu_cache_usage_perc", "targetValue": "40"}),
        ],
    )
    @pytest.mark.parametrize("strategy", ["HPA", "KPA", "APA"])
    def test_row(self, metric: str, source: dict[str, Any], strategy: str) -> None:
        old = autoscaler(metricsSources=None, targetMetric=metric, targetValue="40", scalingStrategy=strategy)
        found = converted(old)
        assert found.obj["spec"]["metricsSources"] == [source]
        assert found.obj["spec"]["targetMetric"] == metric
        assert found.obj["spec"]["targetValue"] == "40"
        assert len(found.warnings) == 1
        assert found.warnings[0].startswith(f"spec.targetMetric {metric} is taken for a metricsSource (")
        assert found.warnings[0].endswith("write spec.metricsSources instead of spec.targetMetric and spec.targetValue")
        assert is_valid(found.obj)

    def test_a_null_list_is_none(self) -> None:
        old = autoscaler(targetMetric="cpu", targetValue="1")
        old["spec"]["metricsSources"] = None
        assert converted(old).obj["spec"]["metricsSources"][0]["targetMetric"] == "cpu"

    def test_today_s_field_wins(self) -> None:
        found = converted(autoscaler(targetMetric="cpu", targetValue="40"))
        assert found.obj["spec"]["metricsSources"] == [POD]
        assert found.warnings == ("spec.targetMetric is not read beside spec.metricsSources; leave it out",)

    def test_without_a_value_the_rules_complain(self) -> None:
        found = converted(autoscaler(metricsSources=None, targetMetric="cpu"))
        errors = list(admission.Rules().validate(found.obj, None))
        assert [each.path for each in errors] == ["spec.metricsSources[0].targetValue"]

    def test_an_edit_comes_through_after_the_schema_s_defaults(self) -> None:
        stored = legacy.convert(autoscaler(metricsSources=None, targetMetric="cpu", targetValue="40")).obj
        stored["spec"]["metricsSources"][0]["defaulted"] = "by the schema"
        stored["spec"]["targetMetric"] = "queue"
        (source,) = legacy.convert(stored).obj["spec"]["metricsSources"]
        assert source["targetMetric"] == "queue"
        assert "defaulted" not in source


class TestFirstSources:
    """metricsSources[] {endpoint, path, metric} of the first release."""

    OLD: ClassVar = {"endpoint": "optimizer:8080", "path": "/metrics/llama", "metric": "replicas"}
    TODAY: ClassVar = OLD | {
        "metricSourceType": "external",
        "protocolType": "http",
        "targetMetric": "replicas",
        "targetValue": "1",
    }

    def test_row(self) -> None:
        found = legacy.convert(autoscaler(metricsSources=[self.OLD], targetMetric="ignored", targetValue="1"))
        assert found.obj["spec"]["metricsSources"] == [self.TODAY]
        assert found.warnings[0].startswith("spec.metricsSources[0] has a metric and no metricSourceType")
        assert is_valid(found.obj)
        again = legacy.convert(found.obj)
        assert again.obj == found.obj

    def test_the_source_s_own_fields_win(self) -> None:
        source = self.OLD | {"protocolType": "https", "targetMetric": "own", "targetValue": "7"}
        (made,) = converted_sources(autoscaler(metricsSources=[source], targetValue="1"))
        assert made == source | {"metricSourceType": "external"}

    def test_sources_of_today_stay(self) -> None:
        assert converted_sources(autoscaler(metricsSources=[POD, self.OLD], targetValue="1")) == [POD, self.TODAY]

    def test_thousands_take_no_time(self) -> None:
        begin = time.process_time()
        assert (
            converted_sources(autoscaler(metricsSources=[self.OLD] * 20_000, targetValue="1")) == [self.TODAY] * 20_000
        )
        assert time.process_time() - begin < 5

    def test_without_a_value(self) -> None:
        (made,) = converted_sources(autoscaler(metricsSources=[self.OLD]))
        assert "targetValue" not in made

    @pytest.mark.parametrize("source", [None, 1, "x", [], {"metric": 1}, {"metric": ""}, {"metric": None}])
    def test_strange_sources_are_left_to_the_schema(self, source: Any) -> None:
        assert converted_sources(autoscaler(metricsSources=[source])) == [source]


def converted_sources(obj: resources.Object) -> Any:
    return legacy.convert(obj).obj["spec"]["metricsSources"]


class TestDomain:
    def test_it_stays_and_is_told_of(self) -> None:
        domain = POD | {"metricSourceType": "domain"}
        found = converted(autoscaler(metricsSources=[POD, domain]))
        assert found.obj["spec"]["metricsSources"] == [POD, domain]
        assert found.warnings == (
            "spec.metricsSources[1].metricSourceType domain is the former name of external and works as that; write external",
        )


class TestBehavior:
    def test_it_goes(self) -> None:
        found = converted(autoscaler(behavior={"scaleUp": {}}))
        assert "behavior" not in found.obj["spec"]
        assert len(found.warnings) == 1
        assert found.warnings[0].startswith("spec.behavior is not a field of a PodAutoscaler and is dropped")


# legacy key | value | today's keys
RENAMED = [
    (KPA + "panic-threshold", "2.5", ["panic-threshold"]),
    (KPA + "scale-down-delay", "30m", ["scale-down-cooldown-window"]),
    (KPA + "scale-down-delay", "0s", ["scale-down-cooldown-window"]),
    (KPA + "scale-up-cooldown", "10s", ["scale-up-cooldown-window"]),
    (KPA + "tolerance", "0.3", ["scale-up-tolerance", "scale-down-tolerance"]),
    (KPA + "target-burst-capacity", "200", ["target-burst-capacity"]),
    (KPA + "activation-scale", "3", ["activation-scale"]),
    (APA + "up-fluctuation-tolerance", "0.1", ["scale-up-tolerance"]),
    (APA + "down-fluctuation-tolerance", "0.2", ["scale-down-tolerance"]),
    (NEW + "up-fluctuation-tolerance", "0.1", ["scale-up-tolerance"]),
    (NEW + "down-fluctuation-tolerance", "0.2", ["scale-down-tolerance"]),
]


class TestAnnotations:
    @pytest.mark.parametrize(("key", "value", "today"), RENAMED)
    @pytest.mark.parametrize("strategy", ["HPA", "KPA", "APA"])
    def test_row(self, key: str, value: str, today: list[str], strategy: str) -> None:
        found = converted(autoscaler({key: value}, scalingStrategy=strategy))
        assert annotations(found.obj) == {key: value} | {NEW + each: value for each in today}
        shown = " and ".join(NEW + each for each in today)
        assert found.warnings == (f"annotation {key} is taken for {shown}; write {shown} instead",)

    @pytest.mark.parametrize(("key", "value", "today"), RENAMED)
    def test_today_s_key_wins(self, key: str, value: str, today: list[str]) -> None:
        given = {NEW + each: "9" for each in today}
        found = converted(autoscaler({key: value, **given}))
        assert annotations(found.obj) == {key: value, **given}
        assert "is not read beside" in found.warnings[0]

    @pytest.mark.parametrize(("key", "value", "today"), RENAMED)
    def test_an_edit_comes_through(self, key: str, value: str, today: list[str]) -> None:
        stored = converted(autoscaler({key: value})).obj
        stored["metadata"]["annotations"][key] = "7s" if key.endswith(("delay", "cooldown")) else "7"
        found = converted(stored).obj
        for each in today:
            assert found["metadata"]["annotations"][NEW + each] == stored["metadata"]["annotations"][key]

    @pytest.mark.parametrize(("key", "value", "today"), RENAMED)
    def test_an_edit_of_today_s_key_wins_later_too(self, key: str, value: str, today: list[str]) -> None:
        stored = converted(autoscaler({key: value})).obj
        stored["metadata"]["annotations"] |= {NEW + each: "8" for each in today}
        found = converted(stored).obj
        assert all(found["metadata"]["annotations"][NEW + each] == "8" for each in today)

    def test_half_of_a_pair(self) -> None:
        found = converted(autoscaler({KPA + "tolerance": "0.3", NEW + "scale-up-tolerance": "0.5"}))
        assert found.obj["metadata"]["annotations"][NEW + "scale-up-tolerance"] == "0.5"
        assert found.obj["metadata"]["annotations"][NEW + "scale-down-tolerance"] == "0.3"

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            (KPA + "panic-threshold", "high"),
            (KPA + "scale-down-delay", "60"),
            (KPA + "scale-up-cooldown", "-1s"),
            (KPA + "tolerance", "10%"),
            (KPA + "activation-scale", "1.5"),
            (KPA + "activation-scale", "-1"),
            (KPA + "target-burst-capacity", "many"),
            (APA + "up-fluctuation-tolerance", "NaN"),
            (KPA + "stable-window", "soon"),
            (KPA + "stable-window", "0s"),
            (KPA + "panic-window", "-1s"),
            (APA + "window", "60"),
        ],
    )
    def test_what_does_not_parse_has_no_effect(self, key: str, value: str) -> None:
        found = converted(autoscaler({key: value}))
        assert found.obj == autoscaler({key: value})
        assert found.warnings[0].startswith(f"annotation {key} has no effect: {value} is no ")
        ((where, why),) = legacy.unusable(autoscaler({key: value}))
        assert (where, f"annotation {key} has no effect: {why}") == (key, found.warnings[0])

    @pytest.mark.parametrize(("key", "value", "today"), RENAMED)
    def test_what_parses_is_usable(self, key: str, value: str, today: list[str]) -> None:
        assert today
        assert list(legacy.unusable(autoscaler({key: value}))) == []

    @pytest.mark.parametrize(("strategy", "wanted"), [("KPA", "0.3"), ("APA", "0.1")])
    def test_the_strategy_s_own_family_wins(self, strategy: str, wanted: str) -> None:
        both = {KPA + "tolerance": "0.3", APA + "up-fluctuation-tolerance": "0.1"}
        found = converted(autoscaler(both, scalingStrategy=strategy))
        assert found.obj["metadata"]["annotations"][NEW + "scale-up-tolerance"] == wanted

    def test_nulls_go(self) -> None:
        found = converted(autoscaler({"a": None, "b": "c"}))
        assert annotations(found.obj) == {"b": "c"}
        assert found.warnings == ("metadata.annotations[a] has no value and is dropped; give it one or leave it out",)

    @pytest.mark.parametrize("value", [7, [], {}, True])
    def test_other_types_are_left_to_the_schema(self, value: Any) -> None:
        obj = autoscaler({KPA + "tolerance": value, KPA + "stable-window": value})
        found = converted(obj)
        assert (found.obj, found.warnings) == (obj, ())


# strategy, annotations, fields of the spec | observe window, panic window
WINDOWS: list[tuple[str, dict[str, str], dict[str, int], int | None, int | None]] = [
    ("KPA", {KPA + "stable-window": "60s", KPA + "panic-window": "10s"}, {}, 60, 10),
    ("KPA", {KPA + "stable-window": "120s"}, {}, 120, None),
    ("KPA", {KPA + "stable-window": "60s"}, {}, 60, None),
    ("KPA", {KPA + "panic-window": "10s"}, {}, None, 10),
    ("APA", {APA + "window": "90s"}, {}, 90, None),
    # The default of the panic window is too long beside a short observe window.
    ("APA", {APA + "window": "30s"}, {}, 30, 30),
    ("KPA", {KPA + "stable-window": "30s"}, {}, 30, 30),
    # The panic window is never longer than the observe window, whoever gave that.
    ("KPA", {KPA + "stable-window": "30s", KPA + "panic-window": "2m"}, {}, 30, 30),
    ("KPA", {KPA + "panic-window": "10m"}, {}, None, 180),
    ("KPA", {KPA + "panic-window": "10m"}, {"observeWindowSeconds": 300}, 300, 300),
    # Fields of today win.
    ("KPA", {KPA + "stable-window": "60s"}, {"observeWindowSeconds": 300}, 300, None),
    ("KPA", {KPA + "panic-window": "10s"}, {"panicWindowSeconds": 20}, None, 20),
    ("KPA", {KPA + "stable-window": "30s"}, {"panicWindowSeconds": 45}, 45, 45),
    # Whole seconds, and the limits of the fields.
    ("KPA", {KPA + "stable-window": "90500ms"}, {}, 91, None),
    ("KPA", {KPA + "stable-window": "2h", KPA + "panic-window": "90m"}, {}, 3600, 3600),
    ("KPA", {KPA + "panic-window": "1ms"}, {}, None, 1),
    # The family of the strategy in use wins.
    ("KPA", {KPA + "stable-window": "100s", APA + "window": "200s"}, {}, 100, None),
    ("APA", {KPA + "stable-window": "100s", APA + "window": "200s"}, {}, 200, None),
]


class TestWindows:
    @pytest.mark.parametrize(("strategy", "given", "fields", "observe", "panic"), WINDOWS)
    def test_row(
        self, strategy: str, given: dict[str, str], fields: dict[str, int], observe: int | None, panic: int | None
    ) -> None:
        found = converted(autoscaler(given, scalingStrategy=strategy, **fields))
        assert found.obj["spec"].get("observeWindowSeconds") == observe
        assert found.obj["spec"].get("panicWindowSeconds") == panic
        assert found.warnings
        assert is_valid(found.obj)

    def test_the_warning_says_what_to_write(self) -> None:
        found = converted(autoscaler({KPA + "stable-window": "60s", KPA + "panic-window": "90s"}))
        assert found.warnings == (
            f"annotation {KPA}stable-window is taken for spec.observeWindowSeconds 60; write that instead",
            f"annotation {KPA}panic-window is taken for spec.panicWindowSeconds 90; write that instead",
            "spec.panicWindowSeconds is 60, since it may not be longer than the observe window; write both",
        )

    def test_an_edit_comes_through(self) -> None:
        stored = converted(autoscaler({KPA + "stable-window": "60s", KPA + "panic-window": "10s"})).obj
        stored["metadata"]["annotations"][KPA + "stable-window"] = "5m"
        stored["metadata"]["annotations"][KPA + "panic-window"] = "2m"
        found = converted(stored).obj["spec"]
        assert (found["observeWindowSeconds"], found["panicWindowSeconds"]) == (300, 120)
