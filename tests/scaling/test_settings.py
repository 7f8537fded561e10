"""What a PodAutoscaler asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract, settings

NEW = "autoscaling.aibrix.ai/"
POD = {
    "metricSourceType": "pod",
    "protocolType": "http",
    "port": "8000",
    "path": "/metrics",
    "targetMetric": "num_requests_waiting",
    "targetValue": "10",
}
OPTIMIZER = {
    "metricSourceType": "domain",
    "protocolType": "http",
    "endpoint": "optimizer:8080",
    "path": "/metrics/default/demo",
    "targetMetric": "vllm:deployment_replicas",
    "targetValue": "100",
}


def autoscaler(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    own = {"scalingStrategy": "KPA", "minReplicas": 1, "maxReplicas": 10, "metricsSources": [POD]} | spec
    return {
        "metadata": {"name": "demo", "annotations": annotations or {}},
        "spec": {key: each for key, each in own.items() if each is not None},
    }


def read(annotations: dict[str, str] | None = None, **spec: Any) -> contract.Settings:
    found, problems = settings.read(autoscaler(annotations, **spec))
    assert problems == ()
    return found


def problem(annotations: dict[str, str] | None = None, **spec: Any) -> tuple[contract.Settings, contract.Problem]:
    found, (only,) = settings.read(autoscaler(annotations, **spec))
    return found, only


PLAIN = contract.Settings(
    contract.Strategy.KPA,
    (contract.Metric("pod:http:8000/metrics:num_requests_waiting", "num_requests_waiting", 10.0),),
    schedules.Bounds(1, 10),
)

# annotation, text, field, value
ANNOTATIONS = [
    ("max-scale-up-rate", "3.0", "up_rate", 3.0),
    ("max-scale-down-rate", "3.0", "down_rate", 3.0),
    ("max-scale-down-rate", "1", "down_rate", 1.0),
    ("scale-up-tolerance", "0.3", "up_tolerance", 0.3),
    ("scale-up-tolerance", "0", "up_tolerance", 0.0),
    ("scale-down-tolerance", "0.3", "down_tolerance", 0.3),
    ("panic-threshold", "3.0", "panic_threshold", 3.0),
    ("scale-up-cooldown-window", "30s", "up_window", 30.0),
    ("scale-down-cooldown-window", "1m30s", "down_window", 90.0),
    ("scale-down-cooldown-window", "0s", "down_window", 0.0),
    ("activation-scale", "3", "activation_scale", 3),
    ("target-burst-capacity", "200", "burst_capacity", 200.0),
]
BAD = [
    ("max-scale-up-rate", "1"),
    ("max-scale-up-rate", "fast"),
    ("max-scale-up-rate", "inf"),
    ("max-scale-up-rate", "-2"),
    ("max-scale-down-rate", "0.5"),
    ("scale-up-tolerance", "-0.1"),
    ("scale-up-tolerance", "10%"),
    ("scale-down-tolerance", "1.5"),
    ("scale-down-tolerance", "nan"),
    ("panic-threshold", "0.9"),
    ("scale-up-cooldown-window", "30"),
    ("scale-down-cooldown-window", "-1s"),
    ("scale-down-cooldown-window", "soon"),
    ("activation-scale", "0"),
    ("activation-scale", "1.5"),
    ("target-burst-capacity", "-1"),
]


class TestAnnotations:
    def test_defaults(self) -> None:
        assert read() == PLAIN
        assert (PLAIN.up_rate, PLAIN.down_rate, PLAIN.up_tolerance, PLAIN.down_tolerance) == (2, 2, 0.1, 0.1)
        assert (PLAIN.panic_threshold, PLAIN.up_window, PLAIN.down_window) == (2, 0, 300)
        assert (PLAIN.stable_window, PLAIN.panic_window) == (180, 60)

    @pytest.mark.parametrize(("key", "text", "field", "value"), ANNOTATIONS)
    def test_row(self, key: str, text: str, field: str, value: float) -> None:
        assert getattr(read({NEW + key: text}), field) == value
        assert key in settings.ANNOTATIONS

    def test_pa10_all_at_once(self) -> None:
        found = read(
            {NEW + key: text for key, text, *_ in reversed(ANNOTATIONS)} | {NEW + "scale-to-zero": "true"},
            minReplicas=0,
        )
        assert (found.up_rate, found.down_rate, found.up_tolerance, found.down_tolerance) == (3, 3, 0.3, 0.3)
        assert (found.panic_threshold, found.up_window, found.down_window) == (3, 30, 90)

    @pytest.mark.parametrize(("key", "text"), BAD)
    def test_only_the_bad_key_falls_back(self, key: str, text: str) -> None:
        others = {NEW + each: good for each, good, *_ in ANNOTATIONS if each != key}
        found, told = problem({NEW + key: text} | others)
        assert told.where == f"annotation {NEW}{key}"
        assert text in told.text
        assert found == read(others)

    @pytest.mark.parametrize(
        ("key", "text", "field", "value"),
        [
            ("kpa.autoscaling.aibrix.ai/scale-down-delay", "0s", "down_window", 0.0),
            ("kpa.autoscaling.aibrix.ai/panic-threshold", "4", "panic_threshold", 4.0),
            ("kpa.autoscaling.aibrix.ai/tolerance", "0.3", "down_tolerance", 0.3),
            ("kpa.autoscaling.aibrix.ai/stable-window", "60s", "stable_window", 60.0),
            ("kpa.autoscaling.aibrix.ai/panic-window", "10s", "panic_window", 10.0),
            ("kpa.autoscaling.aibrix.ai/activation-scale", "3", "activation_scale", 3),
            ("kpa.autoscaling.aibrix.ai/target-burst-capacity", "5", "burst_capacity", 5.0),
            ("apa.autoscaling.aibrix.ai/up-fluctuation-tolerance", "0.2", "up_tolerance", 0.2),
            ("apa.autoscaling.aibrix.ai/window", "90s", "stable_window", 90.0),
            ("autoscaling.aibrix.ai/down-fluctuation-tolerance", "0.2", "down_tolerance", 0.2),
        ],
    )
    def test_earlier_names(self, key: str, text: str, field: str, value: float) -> None:
        assert getattr(read({key: text}), field) == value

    def test_earlier_names_with_bad_values(self) -> None:
        found, told = problem({"kpa.autoscaling.aibrix.ai/tolerance": "wide"})
        assert found == PLAIN
        assert told == contract.Problem(
            "annotation kpa.autoscaling.aibrix.ai/tolerance", "wide is no number; it has no effect"
        )

    @pytest.mark.parametrize(
        ("text", "minimum", "told"),
        [
            ("true", 1, "has no effect while spec.minReplicas is 1"),
            ("false", 0, "has no effect: spec.minReplicas 0"),
            ("maybe", 0, "maybe must be true or false"),
            ("true", 0, ""),
            ("false", 1, ""),
            ("", 1, ""),
        ],
    )
    def test_scale_to_zero_is_what_the_minimum_says(self, text: str, minimum: int, told: str) -> None:
        found, problems = settings.read(autoscaler({NEW + "scale-to-zero": text}, minReplicas=minimum))
        assert found.bounds.minimum == minimum
        assert bool(problems) is bool(told)
        assert all(each.text.startswith(told) for each in problems)


class TestMetrics:
    def test_pa9_three_targets(self) -> None:
        sources = [
            POD | {"targetMetric": name, "targetValue": text} for name, text in (("a", "50"), ("b", "30"), ("c", "128"))
        ]
        assert [each.target for each in read(metricsSources=sources).metrics] == [50, 30, 128]

    @pytest.mark.parametrize("text", ["0", "-10", "not-a-number", "-100m", "50m", "1Gi", ""])
    def test_pa9_a_bad_target_leaves_its_metric_out(self, text: str) -> None:
        found, told = problem(metricsSources=[POD | {"targetValue": text}, OPTIMIZER])
        assert told.where == "spec.metricsSources[0].targetValue"
        assert [each.name for each in found.metrics] == ["vllm:deployment_replicas"]
        if text in ("0", "-10"):
            assert "must be greater than 0" in told.text

    @pytest.mark.parametrize(
        ("kind", "form"),
        [
            ("pod", contract.Form.PODS),
            ("resource", contract.Form.PODS),
            ("custom", contract.Form.PODS),
            ("external", contract.Form.WHOLE),
            ("domain", contract.Form.WHOLE),
        ],
    )
    def test_forms(self, kind: str, form: contract.Form) -> None:
        (metric,) = read(metricsSources=[POD | {"metricSourceType": kind}]).metrics
        assert (metric.form, metric.exact) == (form, False)

    def test_the_optimizer_s_word_is_exact(self) -> None:
        (metric,) = read(metricsSources=[OPTIMIZER]).metrics
        assert (metric.exact, metric.form, metric.target) == (True, contract.Form.WHOLE, 100)
        (metric,) = read(metricsSources=[POD | {"targetMetric": "vllm:deployment_replicas"}]).metrics
        assert not metric.exact

    def test_the_first_form(self) -> None:
        found, problems = settings.read(autoscaler(metricsSources=None, targetMetric="cpu", targetValue="500"))
        assert problems == ()
        assert found.metrics == (contract.Metric("resource::cpu", "cpu", 500.0),)

    def test_none(self) -> None:
        assert read(metricsSources=[]).metrics == ()


class TestKeys:
    def test_stable_when_target_and_place_change(self) -> None:
        one = settings.keys([POD, OPTIMIZER])
        other = settings.keys([OPTIMIZER | {"targetValue": "80"}, POD | {"targetValue": "3"}])
        assert one == tuple(reversed(other))

    def test_different_for_different_sources(self) -> None:
        sources = [
            POD,
            POD | {"port": "9000"},
            POD | {"path": "/other"},
            POD | {"protocolType": "https"},
            POD | {"targetMetric": "num_requests_running"},
            OPTIMIZER,
            OPTIMIZER | {"endpoint": "other:8080"},
            {"metricSourceType": "resource", "targetMetric": "cpu"},
            {"metricSourceType": "custom", "targetMetric": "cpu"},
            {"metricSourceType": "external", "targetMetric": "cpu"},
        ]
        assert len(set(settings.keys(sources))) == len(sources)

    def test_one_source_twice(self) -> None:
        found = settings.keys([POD, POD, OPTIMIZER, POD])
        assert len(set(found)) == 4
        assert found[1] == f"{found[0]}#2"

    @pytest.mark.parametrize("other", [{"metricSourceType": "external"}, {"path": "metrics/default/demo"}])
    def test_other_spellings_of_one_source(self, other: dict[str, str]) -> None:
        assert settings.keys([OPTIMIZER]) == settings.keys([OPTIMIZER | other])

    def test_a_metric_left_out_keeps_the_others_keys(self) -> None:
        found, _ = problem(metricsSources=[POD | {"targetValue": "x"}, POD])
        assert found.metrics[0].key == settings.keys([POD, POD])[1]


class TestSpec:
    @pytest.mark.parametrize(
        ("observe", "panic", "found", "where"),
        [
            (600, 60, (600, 60), ""),
            (None, None, (180, 60), ""),
            (60, None, (60, 60), ""),
            (30, None, (30, 30), "spec.panicWindowSeconds"),
            (60, 120, (60, 60), "spec.panicWindowSeconds"),
            (0, 30, (180, 30), "spec.observeWindowSeconds"),
            (3601, 30, (180, 30), "spec.observeWindowSeconds"),
            ("1h", 30, (180, 30), "spec.observeWindowSeconds"),
            (180, -1, (180, 60), "spec.panicWindowSeconds"),
        ],
    )
    def test_windows(self, observe: Any, panic: Any, found: tuple[float, float], where: str) -> None:
        made, problems = settings.read(autoscaler(observeWindowSeconds=observe, panicWindowSeconds=panic))
        assert (made.stable_window, made.panic_window) == found
        assert [each.where for each in problems] == ([where] if where else [])

    @pytest.mark.parametrize(
        ("minimum", "maximum", "found", "where"),
        [
            (None, 5, (1, 5), ""),
            (0, 5, (0, 5), ""),
            (-1, 5, (1, 5), "spec.minReplicas"),
            (10, 5, (5, 5), "spec.minReplicas"),
            (2, None, (2, 2), "spec.maxReplicas"),
            (0, 0, (0, 1), "spec.maxReplicas"),
        ],
    )
    def test_bounds(self, minimum: int | None, maximum: int | None, found: tuple[int, int], where: str) -> None:
        made, problems = settings.read(autoscaler(minReplicas=minimum, maxReplicas=maximum))
        assert made.bounds == schedules.Bounds(*found)
        assert [each.where for each in problems] == ([where] if where else [])

    @pytest.mark.parametrize("strategy", list(contract.Strategy))
    def test_strategies(self, strategy: contract.Strategy) -> None:
        assert read(scalingStrategy=strategy.value).strategy is strategy

    @pytest.mark.parametrize("strategy", ["kpa", "", 7, None])
    def test_no_strategy(self, strategy: Any) -> None:
        _, told = problem(scalingStrategy=strategy)
        assert told.where == "spec.scalingStrategy"

    def test_schedules(self) -> None:
        day = {"name": "day", "startTime": "09:00", "endTime": "18:00", "minReplicas": 3, "timezone": "Asia/Shanghai"}
        found = read(schedules=[day])
        assert found.timezone == "Asia/Shanghai"
        assert found.hours == (schedules.Window("day", frozenset(range(7)), 540, 1080, 3, 10, own_minimum=True),)

    @pytest.mark.parametrize("entries", [[], [{"name": "day"}], "daily", [{"name": "d", "timezone": "Mars/Olympus"}]])
    def test_bad_schedules_leave_the_spec_s_bounds(self, entries: Any) -> None:
        found, told = problem(schedules=entries)
        assert told.where == "spec.schedules"
        assert (found.hours, found.timezone, found.bounds) == ((), "UTC", schedules.Bounds(1, 10))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["minReplicas", "a"]) | st.text(max_size=4), inner)
    ),
    max_leaves=6,
)
FIELDS = [
    "scalingStrategy",
    "minReplicas",
    "maxReplicas",
    "metricsSources",
    "schedules",
    "observeWindowSeconds",
    "panicWindowSeconds",
    "targetMetric",
]


class TestAnything:
    @given(spec=st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, annotations=JSON)
    def test_never_raises_and_is_always_usable(self, spec: Any, annotations: Any) -> None:
        found, problems = settings.read({"metadata": {"annotations": annotations}, "spec": spec})
        assert 0 < found.panic_window <= found.stable_window <= 3600
        assert found.bounds.maximum is not None
        assert 0 <= found.bounds.minimum <= found.bounds.maximum
        assert all(each.where and each.text for each in problems)

    @given(text=st.text(max_size=12))
    def test_any_text_of_an_annotation(self, text: str) -> None:
        for key in settings.ANNOTATIONS:
            found, _ = settings.read(autoscaler({NEW + key: text}))
            assert found.up_rate > 1
            assert found.down_rate >= 1
            assert found.down_window >= 0
