"""What holds for the rules of every kind, on objects of any shape."""

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from brickyard.api.kinds import contract, crds, faults, resources, rules, shapes
from brickyard.api.kinds.podautoscaler import texts

KINDS = sorted(rules.RULES, key=lambda each: each.kind)

FIELDS = """
metadata spec annotations labels name template roles containers volumes volumeMounts image mountPath replicas minReplicas maxReplicas
metricsSources targetMetric targetValue metricSourceType endpoint path port metric protocolType scalingStrategy scaleTargetRef kind
subTargetSelector roleName schedules startTime endTime daysOfWeek timezone observeWindowSeconds panicWindowSeconds behavior artifactURL
podSelector engine engineConfig args cacheSpec cache cpu memory resources etcd redis runtime storage etcdReplicas service ports nodePort
mode schedulingStrategy podGroup godelSchedulingStrategy updateStrategy type podGroupSize strategy rollingUpdate maxSurge selector
matchLabels --tensor-parallel-size --gpu-memory-utilization
kpa.autoscaling.aibrix.ai/stable-window kpa.autoscaling.aibrix.ai/panic-window kpa.autoscaling.aibrix.ai/tolerance
apa.autoscaling.aibrix.ai/window kvcache.orchestration.aibrix.ai/mode kvcache.orchestration.aibrix.ai/backend
model.aibrix.ai/sidecar-injection brickyard.dev/converted
"""
VALUES = """
true KPA HPA pod resource external domain cpu 09:00 18:00 Mon 30s 0.5 distributed centralized vineyard s3://a/b vllm 1 2
{"spec/replicas":1}
"""
# Words that some rule looks for, so that the objects made here get past the first look.
KEYS = st.sampled_from(FIELDS.split())
WORDS = st.sampled_from(["", *VALUES.split()])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS
    | st.text(max_size=3)
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=30
)
SPECS = st.dictionaries(KEYS, ANY, max_size=6)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": ANY | st.fixed_dictionaries({"annotations": st.dictionaries(KEYS, SCALARS)}),
        "spec": ANY | SPECS,
    },
)


def of(kind: resources.ResourceType) -> contract.KindRules:
    return rules.of(kind.group, kind.kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.kind)
class TestEveryKind:
    @settings(max_examples=150)
    @given(obj=OBJECTS)
    @example(obj={})
    def test_any_object_is_taken(self, kind: resources.ResourceType, obj: resources.Object) -> None:
        """Nothing raises, nothing changes its argument, and doing it twice changes nothing."""
        before = copy.deepcopy(obj)
        converted = of(kind).convert(obj)
        assert repr(obj) == repr(before)
        assert all(isinstance(each, str) and each for each in converted.warnings)
        assert repr(of(kind).convert(converted.obj).obj) == repr(converted.obj)
        made = of(kind).default(converted.obj)
        assert of(kind).default(made) is made
        assert repr(of(kind).convert(made).obj) == repr(made)
        for old in (None, {}, obj):
            assert all(each.path.startswith(("spec", "metadata")) for each in of(kind).validate(made, old))
        assert repr(obj) == repr(before)

    @settings(max_examples=50)
    @given(obj=OBJECTS)
    def test_what_was_stored_may_stay(self, kind: resources.ResourceType, obj: resources.Object) -> None:
        """Whatever is wrong with a stored spec, its metadata and status can be written."""
        if kind != resources.DEPLOYMENT:
            assert list(of(kind).validate({**obj, "status": {"a": 1}}, obj)) == []


class TestList:
    def test_kinds_that_need_none(self) -> None:
        assert isinstance(rules.of("orchestration.aibrix.ai", "PodSet"), contract.NoRules)
        assert isinstance(rules.of("example.com", "PodAutoscaler"), contract.NoRules)
        assert isinstance(rules.of("", "Pod"), contract.NoRules)

    def test_every_kind_of_aibrix_but_one_has_rules(self) -> None:
        served = {(each["spec"]["group"], each["spec"]["names"]["kind"]) for each in crds.definitions()}
        ours = {key for key in served if key[0].endswith(".aibrix.ai")}
        assert ours - {(each.group, each.kind) for each in KINDS} == {("orchestration.aibrix.ai", "PodSet")}

    def test_no_rules(self) -> None:
        obj: resources.Object = {"spec": {"a": 1}}
        nothing = contract.NoRules()
        assert nothing.convert(obj) == contract.Converted(obj)
        assert nothing.default(obj) is obj
        assert list(nothing.validate(obj, None)) == []


def error(path: str) -> faults.FieldError:
    return faults.required(path)


class TestBeyond:
    """A field is complained of once."""

    @pytest.mark.parametrize(
        ("told", "more", "kept"),
        [
            ([], "spec.a", True),
            (["spec.b"], "spec.a", True),
            (["spec.a"], "spec.a", False),
            (["spec.a"], "spec.ab", True),
            (["spec.ab"], "spec.a", True),
            (["spec.a"], "spec.a.b", False),
            (["spec.a"], "spec.a[0].b", False),
            (["spec.a[0].b"], "spec.a", False),
            (["spec.a[0].b"], "spec.a[0]", False),
            (["spec.a[0].b"], "spec.a[0].c", True),
            (["spec.a[1]"], "spec.a[10]", True),
            (["spec.b", "spec.c", "spec"], "spec.a", False),
        ],
    )
    def test_row(self, told: list[str], more: str, kept: bool) -> None:
        found = list(faults.beyond(map(error, told), [error(more)]))
        assert found == ([error(more)] if kept else [])

    def test_order_stays(self) -> None:
        more = [error("b"), error("a"), error("b"), error("c")]
        assert list(faults.beyond([error("a")], more)) == [error("b"), error("b"), error("c")]

    def test_keys_of_a_map_may_be_long(self) -> None:
        assert list(faults.beyond([error("spec.labels[" + "." * 1_000_000 + "]")], [error("spec.labels")])) == []


def test_the_memory_of_a_conversion_is_one_annotation() -> None:
    obj = {"metadata": {"annotations": {"kpa.autoscaling.aibrix.ai/tolerance": "0.1"}}, "spec": None}
    found = of(next(each for each in KINDS if each.kind == "PodAutoscaler")).convert(obj).obj
    assert texts.is_number(shapes.annotation(found, "autoscaling.aibrix.ai/scale-up-tolerance"))
    assert len(found["metadata"]["annotations"]) == 4
