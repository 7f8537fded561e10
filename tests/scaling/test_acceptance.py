"""From a manifest to a decision: the rows of the tables, written as users write them.

Every autoscaler here is a PodAutoscaler as it is applied. It passes the rules of its kind, its settings are read of it, and ``decide`` is
asked over a workload that obeys. What is measured is told in the form that its source has.
"""

import datetime
from typing import Any, NamedTuple

import pytest

from brickyard.api.kinds import faults
from brickyard.api.kinds.podautoscaler import admission
from brickyard.scaling import bounds, contract, settings, testing

PREFIX = "autoscaling.aibrix.ai/"
RULES = admission.Rules()
EXACT = {"scale-up-tolerance": "0", "scale-down-tolerance": "0"}


def pod(target: str, name: str = "num_requests_running", **own: Any) -> dict[str, Any]:
    """A metric of pods."""
    page = {"metricSourceType": "pod", "protocolType": "http", "port": "8080", "path": "/metrics"}
    return page | {"targetMetric": name, "targetValue": target} | own


def external(target: str, name: str = "queue", **own: Any) -> dict[str, Any]:
    """One of the whole, by external.metrics.k8s.io."""
    return {"metricSourceType": "external", "targetMetric": name, "targetValue": target} | own


def autoscaler(
    *sources: dict[str, Any], strategy: str = "KPA", annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A manifest; fields that are None are left out."""
    fields = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "llama"},
        "scalingStrategy": strategy,
        "minReplicas": 0,
        "maxReplicas": 10,
        "metricsSources": list(sources),
    } | spec
    return {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {
            "name": "llama",
            "namespace": "default",
            "annotations": {PREFIX + key: text for key, text in (annotations or {}).items()},
        },
        "spec": {key: value for key, value in fields.items() if value is not None},
    }


def refused(obj: dict[str, Any]) -> list[faults.FieldError]:
    return list(RULES.validate(obj, None))


def accepted(obj: dict[str, Any]) -> contract.Settings:
    """Its settings. It has neither faults nor problems."""
    assert refused(obj) == []
    found, problems = settings.read(obj)
    assert problems == ()
    return found


def at(text: str) -> float:
    """Unix time of a UTC date."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()


def ask(load: testing.Workload, *values: float) -> contract.Recommendation:
    """A look at what every metric measures, in the order of the settings."""
    return load.look(
        *(_observed(each, value, load.replicas) for each, value in zip(load.settings.metrics, values, strict=True))
    )


def _observed(metric: contract.Metric, value: float, replicas: int) -> contract.Observation:
    """``value`` is of the whole for a metric of the whole, of each replica for one of pods."""
    if metric.form is contract.Form.WHOLE:
        return testing.whole(value, metric.key)
    return testing.pods(*[value] * replicas, key=metric.key)


class K(NamedTuple):
    """A row of KPA with target 10: replicas, demand over the stable and over the panic window."""

    name: str
    current: int
    stable: float
    panic: float
    desired: int
    annotations: dict[str, str]
    panics: bool = False


KPA = [
    K("K1", 2, 20, 20, 2, {}),
    K("K2", 2, 30, 40, 4, {}, panics=True),
    K("K4", 1, 0, 0, 0, {}),
    K("K5", 0, 15, 15, 3, {"activation-scale": "3"}),
    K("K6", 2, 100, 100, 3, {"max-scale-up-rate": "1.5"}, panics=True),
    K("K7", 4, 5, 5, 2, {}),
]


class TestKpa:
    @pytest.mark.parametrize("row", KPA, ids=lambda row: row.name)
    def test_row(self, row: K) -> None:
        """Two values a minute apart make both windows' means what the row says."""
        annotations = EXACT | {"scale-down-cooldown-window": "0s"} | row.annotations
        own = accepted(
            autoscaler(external("10"), annotations=annotations, observeWindowSeconds=120, panicWindowSeconds=30)
        )
        load = testing.Workload(own, row.current)
        earlier = 2 * row.stable - row.panic
        # Watched for longer than a stable window: a young memory would keep it from going down.
        for _ in range(3):
            ask(load, earlier)
            load.now += 60
        made = ask(load, row.panic)
        (told,) = made.metrics
        assert told.panic == contract.Span(row.panic, row.panic)
        if row.stable == row.panic:
            assert told.stable == contract.Span(row.stable, row.stable)
        assert (made.desired, made.panicking_since is not None) == (row.desired, row.panics)
        assert made.algorithm == "kpa"

    def test_k2_both_windows_are_the_row_s(self) -> None:
        own = accepted(autoscaler(external("10"), annotations=EXACT, observeWindowSeconds=60, panicWindowSeconds=30))
        load = testing.Workload(own, 2)
        assert ask(load, 20).desired == 2
        load.now += 60
        made = ask(load, 40)
        (told,) = made.metrics
        assert (told.stable, told.panic) == (contract.Span(30, 30), contract.Span(40, 40))
        assert (made.desired, made.panicking_since) == (4, load.now)

    def test_k3_a_peak_of_five_is_kept(self) -> None:
        """Five replicas in panic, demand for two."""
        own = accepted(
            autoscaler(
                external("10"), annotations=EXACT | {"max-scale-up-rate": "2.5", "scale-down-cooldown-window": "0s"}
            )
        )
        load = testing.Workload(own, 2)
        assert load.step(_observed(own.metrics[0], 50, 2)).desired == 5
        assert load.memory.panic.peak == 5
        passes = load.run(170, lambda each: [testing.whole(20, own.metrics[0].key)])
        assert {each.desired for each in passes} == {5}
        assert passes[-1].metrics[0].panic == contract.Span(20, 20)
        assert passes[-1].steps[-1].limit is contract.Limit.PANIC
        # One stable window below the threshold: what is wanted comes.
        load.now += 10
        assert load.run(180, lambda each: [testing.whole(20, own.metrics[0].key)])[-1].desired == 2


class A(NamedTuple):
    """A row of APA: replicas, and what each one does."""

    name: str
    current: int
    value: float
    desired: int
    annotations: dict[str, str]


APA = [
    A("A1", 2, 45, 3, {}),
    A("A2", 2, 35, 3, {}),
    A("A3", 2, 90, 4, {}),
    A("A4", 2, 90, 5, {"max-scale-up-rate": "2.5"}),
    A("A5", 6, 20, 4, {}),
    A("A6", 6, 18, 4, {}),
    A("A7", 6, 10, 3, {}),
    A("A8", 6, 5, 2, {"max-scale-down-rate": "2.5"}),
    A("A9", 2, 33, 2, {}),
    A("A10", 2, 27, 2, {}),
]


class TestApa:
    @pytest.mark.parametrize("row", APA, ids=lambda row: row.name)
    def test_row(self, row: A) -> None:
        annotations = {"scale-down-cooldown-window": "0s"} | row.annotations
        own = accepted(autoscaler(pod("30"), strategy="APA", annotations=annotations))
        load = testing.Workload(own, row.current)
        for _ in range(int(own.stable_window / testing.PERIOD) + 1):
            made = ask(load, row.value)
            load.now += testing.PERIOD
        assert made.metrics[0].stable == contract.Span(row.value, row.value)
        assert (made.desired, made.algorithm) == (row.desired, "apa")

    def test_a11_without_a_usable_target_nothing_moves(self) -> None:
        """The rules refuse it; one that got in before them has no metric left, and no decision either."""
        obj = autoscaler(pod("0"), strategy="APA")
        assert "must be greater than 0" in str(refused(obj))
        own, (problem,) = settings.read(obj)
        assert problem.where == "spec.metricsSources[0].targetValue"
        made = testing.Workload(own, 1).look()
        assert (made.desired, made.moves) == (None, False)

    @pytest.mark.parametrize(("targets", "desired"), [(("50",), 2), (("50", "30"), 3), (("30", "50"), 3)])
    def test_a12_the_largest_wins(self, targets: tuple[str, ...], desired: int) -> None:
        sources = [pod(target, f"metric-{index}") for index, target in enumerate(targets)]
        own = accepted(
            autoscaler(*sources, strategy="APA", annotations={"max-scale-up-rate": "4"}, minReplicas=1, maxReplicas=6)
        )
        assert ask(testing.Workload(own, 1), *[70.0] * len(targets)).desired == desired

    def test_a13_a_value_that_never_changes(self) -> None:
        own = accepted(
            autoscaler(
                external("40"), strategy="APA", annotations={"max-scale-up-rate": "4"}, minReplicas=1, maxReplicas=4
            )
        )
        load = testing.Workload(own, 1)
        load.run(300, lambda _: [testing.whole(100, own.metrics[0].key)])
        assert load.replicas >= 2
        assert len(load.changes) == 1


class TestValidation:
    @pytest.mark.parametrize(
        "obj",
        [
            pytest.param(
                autoscaler(
                    {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"},
                    strategy="HPA",
                    minReplicas=1,
                    maxReplicas=5,
                ),
                id="PA1",
            ),
            pytest.param(autoscaler(pod("0.5", "gpu_cache_usage_perc")), id="PA2"),
            pytest.param(
                autoscaler(pod("0.5", "gpu_cache_usage_perc"), observeWindowSeconds=600, panicWindowSeconds=60),
                id="PA2 with windows",
            ),
            pytest.param(
                autoscaler(
                    external("1", endpoint="optimizer:8080", path="/metrics", protocolType="http"), strategy="APA"
                ),
                id="PA3",
            ),
            pytest.param(autoscaler(external("1"), strategy="APA"), id="PA3 without an endpoint"),
            pytest.param(autoscaler(pod("1"), strategy="APA", subTargetSelector={"roleName": "decode"}), id="PA6"),
        ],
    )
    def test_accepted_and_readable(self, obj: dict[str, Any]) -> None:
        own = accepted(obj)
        assert own.strategy.value == obj["spec"]["scalingStrategy"]
        assert own.bounds.minimum == obj["spec"]["minReplicas"]
        assert [each.target for each in own.metrics] == [float(obj["spec"]["metricsSources"][0]["targetValue"])]

    @pytest.mark.parametrize(
        ("obj", "path"),
        [
            pytest.param(autoscaler(external("1", ""), strategy="APA"), "metricsSources[0].targetMetric", id="PA3"),
            pytest.param(autoscaler(pod("1"), minReplicas=10, maxReplicas=5), "minReplicas", id="PA4 10/5"),
            pytest.param(autoscaler(pod("1"), minReplicas=-1), "minReplicas", id="PA4 -1"),
            pytest.param(autoscaler(pod("1"), maxReplicas=0), "maxReplicas", id="PA4 0"),
            pytest.param(autoscaler(pod("1"), strategy="VPA"), "scalingStrategy", id="PA4 strategy"),
            pytest.param(autoscaler(), "metricsSources", id="PA4 none"),
            pytest.param(
                autoscaler({"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "5", "port": "80"}),
                "metricsSources[0].port",
                id="PA4 resource with a port",
            ),
            pytest.param(
                autoscaler({"metricSourceType": "resource", "targetMetric": "gpu", "targetValue": "5"}),
                "metricsSources[0].targetMetric",
                id="PA4 resource gpu",
            ),
            pytest.param(autoscaler(pod("1", path="")), "metricsSources[0].path", id="PA4 no path"),
            pytest.param(autoscaler(pod("not-a-number")), "metricsSources[0].targetValue", id="PA4 no number"),
            pytest.param(autoscaler(pod("-100m")), "metricsSources[0].targetValue", id="PA4 a quantity"),
            pytest.param(autoscaler(pod("1"), pod("0")), "metricsSources[1].targetValue", id="PA4 the second"),
            pytest.param(autoscaler(pod("1"), observeWindowSeconds=0), "observeWindowSeconds", id="PA5 0"),
            pytest.param(autoscaler(pod("1"), panicWindowSeconds=-1), "panicWindowSeconds", id="PA5 -1"),
            pytest.param(autoscaler(pod("1"), observeWindowSeconds=3601), "observeWindowSeconds", id="PA5 3601"),
            pytest.param(
                autoscaler(pod("1"), observeWindowSeconds=60, panicWindowSeconds=120),
                "panicWindowSeconds",
                id="PA5 120/60",
            ),
            pytest.param(autoscaler(pod("1"), observeWindowSeconds=30), "panicWindowSeconds", id="PA5 the default"),
            pytest.param(
                autoscaler(pod("1"), strategy="HPA", subTargetSelector={"roleName": "decode"}),
                "subTargetSelector",
                id="PA6",
            ),
            pytest.param(
                autoscaler(pod("1"), scaleTargetRef={"kind": "Deployment", "name": ""}), "scaleTargetRef.name", id="PA7"
            ),
        ],
    )
    def test_refused_and_harmless(self, obj: dict[str, Any], path: str) -> None:
        """Where the rules were not asked, ``settings.read`` still makes something that can be decided by."""
        assert f"spec.{path}" in "\n".join(each.path for each in refused(obj))
        own, _ = settings.read(obj)
        load = testing.Workload(own, 3)
        made = load.look(*(_observed(each, each.target, 3) for each in own.metrics))
        assert made.desired is None or 0 <= made.desired <= max(own.bounds.maximum or 0, 3)

    def test_pa9_three_sources(self) -> None:
        own = accepted(autoscaler(pod("50", "a"), pod("30", "b"), external("128", "c")))
        assert [(each.target, each.form) for each in own.metrics] == [
            (50, contract.Form.PODS),
            (30, contract.Form.PODS),
            (128, contract.Form.WHOLE),
        ]

    def test_pa10_every_annotation(self) -> None:
        own = accepted(
            autoscaler(
                pod("10"),
                annotations={
                    "max-scale-up-rate": "3.0",
                    "max-scale-down-rate": "3.0",
                    "scale-up-tolerance": "0.3",
                    "scale-down-tolerance": "0.3",
                    "panic-threshold": "3.0",
                    "scale-up-cooldown-window": "30s",
                    "scale-down-cooldown-window": "30s",
                    "scale-to-zero": "true",
                },
            )
        )
        assert {own.up_rate, own.down_rate, own.panic_threshold} == {3.0}
        assert (own.up_tolerance, own.down_tolerance) == (0.3, 0.3)
        assert (own.up_window, own.down_window) == (30.0, 30.0)


def hours(start: str, end: str, **own: Any) -> dict[str, Any]:
    return {"name": "day", "startTime": start, "endTime": end} | own


class TestSchedules:
    @pytest.mark.parametrize(
        ("schedule", "moment", "held"),
        [
            pytest.param(
                hours(
                    "09:00",
                    "18:00",
                    timezone="Asia/Shanghai",
                    daysOfWeek=["mon", "TUE", "Wed"],
                    minReplicas=3,
                    maxReplicas=12,
                ),
                moment,
                held,
                id=f"SC1 {moment}",
            )
            for moment, held in (("2026-08-03T02:00", (3, 12)), ("2026-08-03T10:00", (1, 10)))
        ]
        + [
            pytest.param(hours("09:00", "10:00", minReplicas=2), f"2026-08-08T{moment}", held, id=f"SC2 {moment}")
            for moment, held in (("09:30", (2, 10)), ("09:00", (2, 10)), ("10:00", (1, 10)))
        ],
    )
    def test_bounds_that_hold(self, schedule: dict[str, Any], moment: str, held: tuple[int, int]) -> None:
        own = accepted(autoscaler(external("10"), minReplicas=1, schedules=[schedule]))
        found = bounds.effective(own, at(moment))
        assert (found.minimum, found.maximum) == held
        made = ask(testing.Workload(own, 5, at(moment)), 50)
        assert (made.minimum, made.maximum) == held
        assert made.schedule == ("day" if held != (1, 10) else "")

    @pytest.mark.parametrize(
        "schedules",
        [
            [],
            [hours("9:00", "10:00", minReplicas=2)],
            [hours("09:00", "18:00:00", minReplicas=2)],
            [hours("18:00", "09:00", minReplicas=2)],
            [hours("09:00", "10:00", minReplicas=2, daysOfWeek=[])],
            [hours("09:00", "10:00", minReplicas=2, daysOfWeek=["Monday"])],
            [hours("09:00", "10:00")],
            [hours("09:00", "10:00", minReplicas=2), hours("11:00", "12:00", minReplicas=2)],
            [hours("09:00", "11:00", minReplicas=2), hours("10:00", "12:00", minReplicas=2) | {"name": "late"}],
            [
                hours("09:00", "10:00", minReplicas=2, timezone="UTC"),
                hours("11:00", "12:00", minReplicas=2, timezone="America/Los_Angeles") | {"name": "late"},
            ],
            [hours("09:00", "10:00", minReplicas=11)],
            [hours("09:00", "10:00", minReplicas=2) | {"name": "Bad_Name"}],
            [hours("09:00", "10:00", minReplicas=2, timezone="Mars/Olympus_Mons")],
        ],
    )
    def test_sc3_what_is_invalid_leaves_the_spec_s_bounds(self, schedules: list[dict[str, Any]]) -> None:
        obj = autoscaler(external("10"), minReplicas=1, schedules=schedules)
        assert any(each.path.startswith("spec.schedules") for each in refused(obj))
        own, problems = settings.read(obj)
        assert own.hours == ()
        assert [each.where for each in problems] == ["spec.schedules"]
        found = bounds.effective(own, at("2026-08-03T09:30"))
        assert (found.minimum, found.maximum) == (1, 10)

    def test_sc3_touching_and_absent_ones_are_fine(self) -> None:
        touching = [hours("09:00", "10:00", minReplicas=2), hours("10:00", "11:00", minReplicas=4) | {"name": "late"}]
        own = accepted(autoscaler(external("10"), minReplicas=1, schedules=touching))
        assert bounds.effective(own, at("2026-08-03T10:00")).minimum == 4
        assert accepted(autoscaler(external("10"), minReplicas=1)).hours == ()

    @pytest.mark.parametrize(("moment", "minutes"), [("08:30", 30), ("09:30", 8 * 60 + 30)])
    def test_sc4_the_next_edge_is_told(self, moment: str, minutes: int) -> None:
        """Two are the most outside of those hours, and nine in them; demand is for more."""
        own = accepted(
            autoscaler(
                external("10"),
                minReplicas=1,
                maxReplicas=2,
                schedules=[hours("09:00", "18:00", minReplicas=2, maxReplicas=9)],
            )
        )
        begin = at(f"2026-08-03T{moment}")
        load = testing.Workload(own, 2 if minutes == 30 else 5, begin)
        made = ask(load, 50 if minutes > 30 else 90)
        assert made.next_at == begin + 60 * minutes

    @pytest.mark.parametrize(
        ("own", "desired", "reason"),
        [({"minReplicas": 4}, 4, bounds.UNDERCUT), ({"maxReplicas": 4}, 0, bounds.DISABLED)],
    )
    def test_sc5_from_nothing(self, own: dict[str, int], desired: int, reason: str) -> None:
        found = accepted(autoscaler(external("10"), minReplicas=1, schedules=[hours("09:00", "10:00", **own)]))
        made = ask(testing.Workload(found, 0, at("2026-08-03T09:30")), 500)
        assert (made.desired, made.moves, made.reason) == (desired, desired > 0, reason)
        assert made.algorithm == contract.BOUNDARY_CHECK

    def test_sc6_all_day(self) -> None:
        found = accepted(
            autoscaler(
                pod("10"),
                strategy="HPA",
                minReplicas=1,
                maxReplicas=3,
                schedules=[hours("00:00", "23:59", minReplicas=4, maxReplicas=7)],
            )
        )
        held = bounds.effective(found, at("2026-08-03T12:00"))
        assert (held.minimum, held.maximum) == (4, 7)


class TestWindows:
    def test_mw4_two_pods_are_one_value(self) -> None:
        own = accepted(autoscaler(pod("30", "gpu_cache_usage_perc"), strategy="APA"))
        load = testing.Workload(own, 2)
        made = load.look(testing.pods(30.0, 50.0, key=own.metrics[0].key))
        assert made.metrics[0].stable == contract.Span(40, 40)

    def test_mw5_windows_of_the_spec(self) -> None:
        own = accepted(autoscaler(external("1000"), observeWindowSeconds=120, panicWindowSeconds=30))
        load = testing.Workload(own, 1)
        ask(load, 10)
        load.now += 60
        (told,) = ask(load, 70).metrics
        assert (told.stable, told.panic) == (contract.Span(40, 40), contract.Span(70, 70))

    def test_two_sources_of_one_name_have_a_window_each(self) -> None:
        """AIBrix lets the second overwrite the first."""
        own = accepted(autoscaler(pod("10", port="8080"), pod("10", port="9090"), strategy="APA"))
        load = testing.Workload(own, 1)
        made = ask(load, 5, 20)
        assert [each.stable for each in made.metrics] == [contract.Span(5, 5), contract.Span(20, 20)]
        assert made.desired == 2


class TestOptimizer:
    """It says replicas as a percentage of the target."""

    @pytest.mark.parametrize(
        ("target", "said", "desired"), [("100", 400, 4), ("100", 0, 0), ("80", 400, 5), ("100", 401, 5), ("50", 100, 2)]
    )
    def test_row(self, target: str, said: float, desired: int) -> None:
        source = {
            "metricSourceType": "domain",
            "protocolType": "http",
            "endpoint": "aibrix-gpu-optimizer.aibrix-system.svc.cluster.local:8080",
            "path": "/metrics/default/llama",
            "targetMetric": "vllm:deployment_replicas",
            "targetValue": target,
        }
        annotations = {"max-scale-up-rate": "10", "max-scale-down-rate": "10", "scale-down-cooldown-window": "0s"}
        own = accepted(autoscaler(source, annotations=annotations))
        load = testing.Workload(own, 1)
        load.run(200, lambda _: [testing.whole(said, own.metrics[0].key)])
        assert load.replicas == desired
